"""Names of which a file permits each only once."""

from collections.abc import Container


def unique(plain: str, taken: Container[str], between: str) -> str:
    """Returns a name that is not taken: the plain one, or with a number.

    >>> unique("walk", ["walk", "walk 2"], " ")
    'walk 3'
    """
    name, number = plain, 2
    while name in taken:
        name, number = f"{plain}{between}{number}", number + 1
    return name
