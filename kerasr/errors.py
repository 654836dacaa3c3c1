"""The one exception that a user is meant to read."""


class UserError(Exception):
    """Something the person at the keyboard can put right.

    The message is a single line that names the file or the value at fault and what to do about it. Commands print it
    without a traceback and exit with code 2 (`--debug` shows the traceback); in a notebook it is an ordinary exception.

    Args:
        code: which fault it is, as `speaker-not-found`; docs/errors.md lists them. Messages change, codes do not.
        message: what happened to which file or value, and the way out.

    Attributes:
        code: as given.
    """

    def __init__(self, code: str, message: str):
        super().__init__(code, message)
        self.code = code

    def __str__(self) -> str:
        return self.args[1]
