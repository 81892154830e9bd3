"""What constructors refuse."""

import gc
import re
import warnings

__all__ = ["assert_refused"]


def assert_refused(match, construct, *args, **kwargs):
    """A constructor raises a ValueError; what it leaves behind does not warn of being unused."""
    text = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            construct(*args, **kwargs)
        except ValueError as error:
            text = str(error)
        gc.collect()
    assert text is not None, "accepted"
    assert re.search(match, text)
