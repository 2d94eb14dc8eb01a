"""Sizes of networks that cannot be."""

from groupcomm.errors import UserError


def at_least(net, low: int, *fields: str) -> None:
    """Raise `UserError` when one of these fields of a network's sizes is no whole number, or below ``low``."""
    for field in fields:
        value = getattr(net, field)
        if type(value) is not int or value < low:
            raise UserError(f"{field} {value!r}: must be a whole number of {low} or more")
