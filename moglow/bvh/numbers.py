"""Fast conversion of the numbers in BVH files from text to arrays and back.

A motion file can hold millions of short decimal numbers, and converting them one at a time would take most of the run
time. Both conversions therefore use integers and remove or insert the decimal points of a whole array at once.
"""

import ctypes
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from moglow.errors import DeviceError
from moglow.files.compiled import load_library
from moglow.maths.rotations import Array

Counts = npt.NDArray[np.int64]

_PLAIN = b"0123456789+-. \t\n"
_DIGITS = 18  # the most that fit in 64 bits
_TENS = 10.0 ** np.arange(_DIGITS + 1)
_WORTH = 1000  # numbers from which on the kernel is used


def text_to_numbers(text: bytes) -> tuple[Array, Counts]:
    """Returns the numbers in lines of text and the count in each line; every line must end with a newline.

    Raises ``ValueError`` if a word is not a number.

    >>> text_to_numbers(b"1.5 -2\\n\\n3e2\\n")
    (array([  1.5,  -2. , 300. ]), array([2, 0, 1]))
    """
    plain = None if text.translate(None, _PLAIN) else _plain_to_numbers(text)
    if plain is not None:
        return plain
    if b"_" in text:
        raise ValueError("a number with an underscore, which only Python reads")
    lines = [line.split() for line in text.split(b"\n")[:-1]]
    words = [word for line in lines for word in line]
    return np.fromiter(map(float, words), float, len(words)), np.fromiter(
        map(len, lines), np.int64, len(lines)
    )


def _plain_to_numbers(text: bytes) -> tuple[Array, Counts] | None:
    """Converts text of digits, signs and points only; returns None for any other text, which needs the slow method.

    The digits of a number are read as an integer and divided by ten to the power of the number of decimals. If a double
    holds the integer exactly, the quotient is the nearest double, which is also the result of the slow method.
    """
    codes = np.frombuffer(text, np.uint8)
    blank = codes <= ord(" ")
    sign = (codes < ord(".")) & ~blank
    ends = np.flatnonzero(blank[1:] > blank[:-1]) + 1  # index after each word
    points = np.flatnonzero(codes == ord("."))
    # Finds the word of each point. Usually every word has exactly one point and no search is needed.
    one_each = len(points) == len(ends) and bool(np.all(points < ends) and np.all(points[1:] > ends[:-1]))
    pointed = np.arange(len(ends)) if one_each else np.searchsorted(ends, points)
    decimals = np.zeros(len(ends), np.int64)
    decimals[pointed] = ends[pointed] - points - 1
    # A number ends with a digit, or a digit and a point, and has at most one point and no sign inside.
    digit_last = (codes[ends - 1] >= ord("0")) | (codes[ends - 2] >= ord("0"))
    if not digit_last.all() or np.any(np.diff(pointed) == 0) or np.any(sign[1:] & ~blank[:-1]):
        return None
    # Must follow the checks above: `fromstring` reads a lone sign as 0.
    digits = np.fromstring(text.translate(None, b"."), np.int64, sep=" ") if len(ends) else decimals
    if np.any(np.abs(digits) > 10**_DIGITS) or np.any(decimals > _DIGITS):
        return None
    newlines = np.flatnonzero(codes == ord("\n"))
    counts = np.diff(np.searchsorted(ends, newlines, side="right"), prepend=0)
    return digits / _TENS[decimals], counts


def numbers_to_text(numbers: Array, decimals: int) -> bytes:
    """Formats rows of numbers ``(T, C)`` as lines of text with a fixed number of decimals, like ``"%.6f"``.

    A compiled kernel writes many numbers if this machine can make it. Without it, all numbers are written into fields
    of equal width, one digit position of the whole array at a time. Unused positions remain zero bytes, which are
    removed at the end. Zero is written without a sign. The rounded numbers times ``10**decimals`` must be integers that
    a double can represent exactly.

    >>> numbers_to_text(np.array([[1.5, -20.25], [0.0, -0.001]]), 2)
    b'1.50 -20.25\\n0.00 0.00\\n'
    """
    kernel = load_kernel() if numbers.size >= _WORTH else None
    if kernel is not None:
        return _written(kernel, numbers, decimals)
    return in_numpy(numbers, decimals)


def _written(kernel: Any, numbers: Array, decimals: int) -> bytes:
    numbers = np.ascontiguousarray(numbers, float)
    text = np.empty(numbers.size * (20 + decimals), np.uint8)
    place, out = numbers.ctypes.data, text.ctypes.data
    return text[: kernel(place, *numbers.shape, decimals, _TENS[decimals], out)].tobytes()


@cache
def load_kernel() -> Any:
    """Returns the compiled kernel, or None if this machine cannot make it."""
    try:
        kernel = load_library(Path(__file__).with_name("numbers.c")).to_text
    except DeviceError:
        return None
    kernel.argtypes = [ctypes.c_void_p, *[ctypes.c_int64] * 3, ctypes.c_double, ctypes.c_void_p]
    kernel.restype = ctypes.c_int64
    return kernel


def in_numpy(numbers: Array, decimals: int) -> bytes:
    """Returns the same text as `numbers_to_text`, formatted in numpy."""
    scaled = np.rint(np.abs(numbers) * _TENS[decimals])
    whole = np.floor(scaled / _TENS[decimals])
    fraction = (scaled - whole * _TENS[decimals]).astype(np.int64)
    width = len(str(int(whole.max(initial=0.0))))
    text = np.zeros((*numbers.shape, width + decimals + 3), np.uint8)  # sign, whole, point, fraction, blank
    text[..., 0] = np.where((numbers < 0) & (scaled > 0), ord("-"), 0)
    rest = whole.astype(np.int64)
    for place in range(width, 0, -1):
        tens = rest // 10
        text[..., place] = np.where((rest > 0) | (place == width), rest - 10 * tens + ord("0"), 0)
        rest = tens
    text[..., width + 1] = ord(".")
    for place in range(width + 1 + decimals, width + 1, -1):
        tens = fraction // 10
        text[..., place] = fraction - 10 * tens + ord("0")
        fraction = tens
    text[..., -1] = ord(" ")
    text[:, -1, -1] = ord("\n")
    return text[text > 0].tobytes()
