"""Numbers and times as a person reads them."""

from collections.abc import Mapping
from typing import Any

DIGITS = 4


def duration(seconds: float) -> str:
    """Return a time in the unit that fits.

    Examples
    --------
    >>> duration(3.14159), duration(250), duration(7500)
    ('3.14 s', '4 min 10 s', '2 h 05 min')
    """
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, left = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {left:02} s"


def short(value: Any) -> str:
    """Return a value as text; numbers that are not whole have four digits.

    Examples
    --------
    >>> short(2.718281828), short(20000.0), short([True, None]), short({"epoch": 20})
    ('2.718', '20000', 'yes, none', '(epoch 20)')
    """
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    if isinstance(value, int | float):
        return str(int(value)) if float(value).is_integer() else f"{value:.{DIGITS}g}"
    if isinstance(value, Mapping):
        return "(" + ", ".join(f"{key} {short(item)}" for key, item in value.items()) + ")"
    if isinstance(value, list):
        return ", ".join(map(short, value))
    return str(value)
