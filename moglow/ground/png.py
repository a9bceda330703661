"""Reads the grey values of a PNG picture, for height maps. Needs numpy alone."""

import struct
import zlib
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from moglow.errors import FileFormatError
from moglow.files.reading import read_bytes
from moglow.maths.rotations import Array

SIGNATURE = b"\x89PNG\r\n\x1a\n"
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""Values per pixel by colour type: grey, RGB, palette, grey and alpha, RGBA."""
LARGEST = 8192
"""Largest accepted number of pixels along a side."""
LARGEST_FILE = 600_000_000
"""Bytes; those of the largest picture, unpacked."""
Bytes: TypeAlias = NDArray[np.uint8]
LUMA = np.array([0.2126, 0.7152, 0.0722])


def read_grey(file: str | Path) -> Array:
    """Returns grey values ``(rows, columns)`` from 0 to 1: the brightness of colours, without alpha."""
    data = read_bytes(file, LARGEST_FILE)
    if not data.startswith(SIGNATURE):
        raise FileFormatError(f"{file}: is no PNG picture; save the height map as a .png")
    header, packed, palette = b"", [], b""
    for kind, body in _chunks(data, file):
        if kind == b"IHDR":
            header = body
        elif kind == b"IDAT":
            packed.append(body)
        elif kind == b"PLTE":
            palette = body
    if len(header) != 13:
        raise FileFormatError(f"{file}: has no header; export the picture again")
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", header)
    if colour not in CHANNELS or depth not in (1, 2, 4, 8, 16) or interlaced:
        what = "is interlaced" if interlaced else f"has colour type {colour} at {depth} bits"
        raise FileFormatError(f"{file}: {what}; save it as an 8 or 16 bit PNG without interlacing")
    if not 0 < width <= LARGEST or not 0 < height <= LARGEST:
        raise FileFormatError(f"{file}: {width} × {height} pixels; give at most {LARGEST} a side")
    bits = CHANNELS[colour] * depth
    stride = (width * bits + 7) // 8
    try:
        raw = zlib.decompressobj().decompress(b"".join(packed), (stride + 1) * height)
    except zlib.error as error:
        raise FileFormatError(f"{file}: its pixels cannot be unpacked ({error}); export it again") from error
    if len(raw) < (stride + 1) * height:
        raise FileFormatError(
            f"{file}: ends after {len(raw) // (stride + 1)} of {height} rows; export it again"
        )
    rows = _unfiltered(raw, height, stride, max(1, bits // 8), file)
    pixels = _numbers(rows, depth, width * CHANNELS[colour]).reshape(height, width, -1)
    if colour == 3:
        if not palette or len(palette) % 3:
            raise FileFormatError(f"{file}: has no whole palette; save it as a grey PNG")
        table = np.frombuffer(palette, np.uint8).reshape(-1, 3) / 255.0
        return np.asarray(table[np.minimum(pixels[..., 0].astype(int), len(table) - 1)] @ LUMA)
    grey = pixels / (2.0**depth - 1)
    return np.asarray(grey[..., :3] @ LUMA if CHANNELS[colour] >= 3 else grey[..., 0])


def _chunks(data: bytes, file: str | Path) -> list[tuple[bytes, bytes]]:
    out, place = [], len(SIGNATURE)
    while place + 8 <= len(data):
        length, kind = struct.unpack(">I4s", data[place : place + 8])
        body = data[place + 8 : place + 8 + length]
        if len(body) < length:
            raise FileFormatError(f"{file}: ends within a chunk; it was cut off, copy it again")
        out.append((kind, body))
        place += 12 + length
    return out


def _unfiltered(raw: bytes, height: int, stride: int, step: int, file: str | Path) -> Bytes:
    """Returns the bytes ``(height, stride)`` of the rows, without the filters of the PNG format.

    A filter stores each byte as the difference from the byte on the left, the one above, or a prediction from both.
    """
    rows = np.frombuffer(raw[: (stride + 1) * height], np.uint8).reshape(height, stride + 1)
    out = np.zeros((height, stride), np.uint8)
    above = np.zeros(stride, np.uint8)
    for number, (kind, row) in enumerate(zip(rows[:, 0], rows[:, 1:], strict=True)):
        if kind == 0:
            done = row
        elif kind == 1:  # cumulative sums, for each byte of a pixel separately
            padded = np.pad(row, (0, -stride % step)).reshape(-1, step)
            done = np.cumsum(padded, axis=0, dtype=np.uint8).reshape(-1)[:stride]
        elif kind == 2:
            done = row + above
        elif kind in (3, 4):
            done = np.frombuffer(_one_by_one(int(kind), row.tobytes(), above.tobytes(), step), np.uint8)
        else:
            raise FileFormatError(f"{file}: row {number} has the unknown filter {kind}; export it again")
        out[number] = above = done
    return out


def _one_by_one(kind: int, row: bytes, above: bytes, step: int) -> bytes:
    """Returns a row whose bytes are decoded one after another: filter 3 (average) and filter 4 (Paeth)."""
    out = bytearray(len(row))
    for i, value in enumerate(row):
        left, up = (out[i - step] if i >= step else 0), above[i]
        if kind == 3:
            out[i] = (value + (left + up) // 2) & 255
            continue
        corner = above[i - step] if i >= step else 0
        a, b, c = abs(up - corner), abs(left - corner), abs(left + up - 2 * corner)
        nearest = left if a <= b and a <= c else up if b <= c else corner
        out[i] = (value + nearest) & 255
    return bytes(out)


def _numbers(rows: Bytes, depth: int, count: int) -> Array:
    if depth == 16:
        return np.asarray(rows.reshape(len(rows), -1, 2) @ np.array([256.0, 1.0]))[:, :count]
    if depth == 8:
        return rows[:, :count].astype(float)
    bits = np.unpackbits(rows, axis=1).reshape(len(rows), -1, depth)
    return np.asarray(bits @ (2.0 ** np.arange(depth - 1, -1, -1)))[:, :count]
