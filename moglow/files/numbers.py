"""Parses numbers in decimal digits, for files and options."""

import math
import re

_DECIMAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


def read_number(text: str) -> float:
    """Converts decimal digits to a number; returns NaN for any other text.

    Python's ``float`` also accepts underscores, digits of other scripts, ``nan`` and ``inf``. Numbers that exceed the
    range of a float become infinite.

    >>> read_number("1.5e3"), read_number(" 2 "), read_number("1_0"), read_number("١"), read_number("inf")
    (1500.0, 2.0, nan, nan, nan)
    """
    plain = text.strip()
    return float(plain) if _DECIMAL.fullmatch(plain) else math.nan


def read_whole_number(text: str) -> int | None:
    """Converts at most 20 decimal digits to a whole number; returns None for any other text.

    >>> read_whole_number("-12"), read_whole_number("²"), read_whole_number("1_0"), read_whole_number("9" * 5000)
    (-12, None, None, None)
    """
    return int(text) if re.fullmatch(r"\s*[+-]?[0-9]{1,20}\s*", text) else None
