"""Numbers as people write them in files and options: decimal digits and nothing else."""

import math
import re

_DECIMAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


def read_number(text: str) -> float:
    """Returns the number that a text spells in decimal digits, and NaN for any other text.

    Python's ``float`` also takes underscores, digits of other scripts, ``nan`` and ``inf``. A number that is too large
    for a float is infinite.

    >>> read_number("1.5e3"), read_number(" 2 "), read_number("1_0"), read_number("١"), read_number("inf")
    (1500.0, 2.0, nan, nan, nan)
    """
    plain = text.strip()
    return float(plain) if _DECIMAL.fullmatch(plain) else math.nan


def read_whole_number(text: str) -> int | None:
    """Returns the whole number that a text spells in at most 20 decimal digits, else None.

    >>> read_whole_number("-12"), read_whole_number("²"), read_whole_number("1_0"), read_whole_number("9" * 5000)
    (-12, None, None, None)
    """
    return int(text) if re.fullmatch(r"\s*[+-]?[0-9]{1,20}\s*", text) else None
