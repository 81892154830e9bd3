"""What the tests of the array share."""

import gc
import re
import warnings

__all__ = ["assert_refused"]


def assert_refused(match, construct, *args, **kwargs):
    """The constructor of a component raises a ValueError; the half-made component does not warn of being unused."""
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
