"""The one exception that a user is meant to read."""

__all__ = ["UserError"]


class UserError(Exception):
    """A mistake in what the user gave us, told in one line.

    The message names the thing (file, field, layer), the value found and what is accepted. The
    command line prints it as ``hwgen: <message>`` and exits with code 2; everything else that
    escapes is a bug of ours and keeps its traceback.
    """
