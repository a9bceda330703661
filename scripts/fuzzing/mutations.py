"""Random changes of a file: of its bytes, its words and its lines."""

from collections.abc import Callable

import numpy as np

Random = np.random.Generator
Change = Callable[[bytes, Random], bytes]

WORDS = [
    "ROOT",
    "JOINT",
    "End",
    "Site",
    "OFFSET",
    "CHANNELS",
    "MOTION",
    "HIERARCHY",
    "Frames:",
    "Frame",
    "Time:",
    "{",
    "}",
    "#",
    "0",
    "-1",
    "1e999",
    "nan",
    "-inf",
    "1,5",
    ".",
    "-",
    "1e-320",
    "99999999999999999999",
    "0.1.2",
    "0x10",
    "1_0",
    "Xposition",
    "Zrotation",
    "Wrotation",
    "3",
    "6",
    "-0",
    "+7",
    "1e5",
    "-1e8",
    "null",
    "true",
    "[]",
    "{}",
    '""',
    "[[]]",
    '{"a":1}',
    "1e308",
    "-2147483649",
    "4294967296",
    "NaN",
    "Infinity",
    "٣",
    "²",
    "begin",
    "root",
    ":hierarchy",
]
BYTES = b'\0|\xff|\r|\n|\t| |\x1a|\xef\xbb\xbf|\xfe\xff|\xc2\x85|\xc3\x9f|"|,|;|[|{|\x1b[2J'.split(b"|")
SIGNS = b" ,:=[]{}\n"
"""What words of texts are separated by."""
HEAD = 4000
"""Bytes at the beginning that are changed more often: that is where a file says what follows."""


def flip_bits(data: bytes, random: Random) -> bytes:
    codes = np.frombuffer(data, np.uint8).copy()
    codes[random.integers(len(codes), size=3)] ^= np.uint8(1 << random.integers(8))
    return codes.tobytes()


def put_number(data: bytes, random: Random) -> bytes:
    """Replaces four bytes by a number that is large, small or negative."""
    start = int(random.integers(len(data)))
    number = int(random.choice([0, 1, -1, 2**31 - 1, -(2**31), 255, 65536]))
    return data[:start] + number.to_bytes(4, "little", signed=True) + data[start + 4 :]


def cut(data: bytes, random: Random) -> bytes:
    return data[: random.integers(len(data))]


def drop_piece(data: bytes, random: Random) -> bytes:
    start = int(random.integers(len(data)))
    return data[:start] + data[start + int(random.integers(1, 200)) :]


def repeat_piece(data: bytes, random: Random) -> bytes:
    start = int(random.integers(len(data)))
    return data[: start + int(random.integers(1, 200))] + data[start:]


def put_bytes(data: bytes, random: Random) -> bytes:
    start = int(random.integers(len(data)))
    return data[:start] + BYTES[random.integers(len(BYTES))] * int(random.integers(1, 4)) + data[start:]


def put_word(data: bytes, random: Random) -> bytes:
    """Replaces what stands between two signs."""
    start = int(random.integers(len(data)))
    before = max(data.rfind(bytes([sign]), 0, start) for sign in SIGNS) + 1
    after = min((at for sign in SIGNS if (at := data.find(bytes([sign]), start)) >= 0), default=len(data))
    return data[:before] + WORDS[random.integers(len(WORDS))].encode() + data[max(after, before) :]


def swap_lines(data: bytes, random: Random) -> bytes:
    lines = data.split(b"\n")
    i, j = random.integers(len(lines), size=2)
    lines[i], lines[j] = lines[j], lines[i]
    return b"\n".join(lines)


def drop_line(data: bytes, random: Random) -> bytes:
    lines = data.split(b"\n")
    del lines[random.integers(len(lines))]
    return b"\n".join(lines)


def other_newlines(data: bytes, random: Random) -> bytes:
    return data.replace(b"\n", [b"\r\n", b"\r", b"\n\n", b" \n", b" "][random.integers(5)])


CHANGES: tuple[Change, ...] = (
    *(flip_bits, put_number, cut, drop_piece, repeat_piece, put_bytes, put_word, put_word),
    *(swap_lines, drop_line, other_newlines),
)


def damaged(data: bytes, random: Random) -> bytes:
    """Returns the file with one to three random changes, half of them in its beginning."""
    for _ in range(random.integers(1, 4)):
        change = CHANGES[random.integers(len(CHANGES))]
        size = HEAD if random.integers(2) else len(data)
        data = change(data[:size], random) + data[size:] or b" "
    return data
