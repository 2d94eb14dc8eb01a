"""Suggestions for names that do not exist."""

import difflib
from collections.abc import Iterable


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
    choices = [f"choose one of {', '.join(known)}"] if known else []
    return ", or ".join([*choices, *filter(None, [instead])]) or "there are none yet"
