"""The one exception that a user is meant to see."""


class UserError(Exception):
    """Bad input, said in one line that names the value and the way out.

    The command line prints the message without a traceback and exits with code 2. Anything else that escapes is a defect
    of this program and keeps its traceback.

    Examples
    --------
    ``raise UserError("bundle.json: hop 120 does not divide window 256; use 64 or 128")``
    """
