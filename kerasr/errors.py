"""The one exception that a user is meant to read."""


class UserError(Exception):
    """Something the person at the keyboard can put right.

    The message is a single line that names the file or the value at fault and what to do about it. Commands print it
    without a traceback and exit with code 2 (`--debug` shows the traceback); in a notebook it is an ordinary exception.
    """
