"""The numbers of a BVH file, from text to array and back, fast.

Motion is millions of short decimal numbers. Reading and printing them one by one costs more than everything else
together, so both ways go through whole numbers: the point is taken out, or put in, for all of them at once.
"""

import numpy as np
import numpy.typing as npt

from moglow.maths.rotations import Array

Counts = npt.NDArray[np.int64]

_PLAIN = b"0123456789+-. \t\n"
_DIGITS = 18  # as many fit in 64 bits
_TENS = 10.0 ** np.arange(_DIGITS + 1)


def text_to_numbers(text: bytes) -> tuple[Array, Counts]:
    """The numbers in lines of text, and how many stand in each line; every line ends with a newline.

    A ``ValueError`` means that some word is not a number.

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
    """The same where all is digits, signs and points; None where anything is odd, so that the slow way decides.

    A number is its digits as a whole number, divided by ten to the number of its decimals. As long as the digits fit
    in a double this is the nearest double, as reading it the slow way gives.
    """
    codes = np.frombuffer(text, np.uint8)
    blank = codes <= ord(" ")
    sign = (codes < ord(".")) & ~blank
    ends = np.flatnonzero(blank[1:] > blank[:-1]) + 1  # just behind each word
    points = np.flatnonzero(codes == ord("."))
    # The word that each point is in: mostly each word has one, and the search is not needed.
    one_each = len(points) == len(ends) and bool(np.all(points < ends) and np.all(points[1:] > ends[:-1]))
    pointed = np.arange(len(ends)) if one_each else np.searchsorted(ends, points)
    decimals = np.zeros(len(ends), np.int64)
    decimals[pointed] = ends[pointed] - points - 1
    # A word is a number if it has a digit at its end, or before a point there, one point at most and no sign inside.
    digit_last = (codes[ends - 1] >= ord("0")) | (codes[ends - 2] >= ord("0"))
    if not digit_last.all() or np.any(np.diff(pointed) == 0) or np.any(sign[1:] & ~blank[:-1]):
        return None
    # Only now: `fromstring` takes a lone sign for 0.
    digits = np.fromstring(text.translate(None, b"."), np.int64, sep=" ") if len(ends) else decimals
    if np.any(np.abs(digits) > 10**_DIGITS) or np.any(decimals > _DIGITS):
        return None
    newlines = np.flatnonzero(codes == ord("\n"))
    counts = np.diff(np.searchsorted(ends, newlines, side="right"), prepend=0)
    return digits / _TENS[decimals], counts


def numbers_to_text(numbers: Array, decimals: int) -> bytes:
    """Rows of numbers ``(T, C)`` as lines of text with this many decimals, as ``"%.6f"`` prints them.

    Every number gets a field of the same width, written digit by digit for the whole array; the places that it does
    not need stay zero bytes and are squeezed out at the end. Zero has no sign. The numbers times ten to the
    ``decimals`` must be whole numbers that a double can hold.

    >>> numbers_to_text(np.array([[1.5, -20.25], [0.0, -0.001]]), 2)
    b'1.50 -20.25\\n0.00 0.00\\n'
    """
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
