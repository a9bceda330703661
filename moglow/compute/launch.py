"""The number of this process and of all processes, from the environment of `torchrun`. Needs no torch."""

import os

from moglow.errors import DeviceError
from moglow.files.numbers import read_whole_number


def process_number() -> tuple[int, int]:
    """Returns the number of this process, counted from 0, and the number of processes.

    >>> process_number()
    (0, 1)
    """
    number, count = from_environment("RANK", 0), from_environment("WORLD_SIZE", 1)
    if not 0 <= number < count:
        raise DeviceError(
            f"RANK is {number} and WORLD_SIZE {count} in the environment; expected 0 to {count - 1}"
        )
    return number, count


def from_environment(name: str, default: int) -> int:
    """Returns a whole number from 0 in the environment, or the default if there is none."""
    text = os.environ.get(name, "").strip()
    number = read_whole_number(text) if text else default
    if number is None or number < 0:
        raise DeviceError(
            f"{name} is {text[:40]!r} in the environment, expected a whole number from 0; unset it"
        )
    return number
