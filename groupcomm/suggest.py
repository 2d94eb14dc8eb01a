"""Suggestions for names that do not exist."""

import difflib
from collections.abc import Iterable

MAX_NAMES = 12  # more would hide the rest of the message


def suggest(name: str, known: Iterable[str], instead: str = "") -> str:
    """Say which name may have been meant.

    Parameters
    ----------
    name : str
        A name that does not exist.
    known : iterable of str
        The names that do.
    instead : str
        What else can be done when no known name is near.

    Returns
    -------
    str
        ``"did you mean NEAR?"``, or ``"choose one of ..."`` when no known name is near.

    Examples
    --------
    >>> suggest("enhanse", ["enhance", "separate"])
    'did you mean enhance?'
    """
    known = list(dict.fromkeys(known))
    near = difflib.get_close_matches(name, known, 1)
    if near:
        return f"did you mean {near[0]}?"
    shown = ", ".join(known[:MAX_NAMES])
    more = f" and {len(known) - MAX_NAMES} more" if len(known) > MAX_NAMES else ""
    choices = [f"choose one of {shown}{more}"] if known else []
    return ", or ".join([*choices, *filter(None, [instead])]) or "there are none yet"
