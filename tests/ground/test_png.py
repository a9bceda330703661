"""PNG pictures as grey values: every filter and depth, held against what was packed."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

from moglow.errors import FileFormatError
from moglow.ground.png import SIGNATURE, read_grey
from moglow.ground.reading import read_ground


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(
    rows: np.ndarray, *, depth: int, colour: int, filters: tuple[int, ...] = (0,), more: bytes = b""
) -> bytes:
    """Packs rows of bytes ``(height, stride)``, each with the next of the filters."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    step = max(1, channels * depth // 8)
    width = rows.shape[1] * 8 // (channels * depth)
    out, above = b"", np.zeros(rows.shape[1], np.int64)
    for number, row in enumerate(rows.astype(np.int64)):
        kind = filters[number % len(filters)]
        left = np.concatenate([np.zeros(step, np.int64), row[:-step]])
        corner = np.concatenate([np.zeros(step, np.int64), above[:-step]])
        guess = left + above - corner
        far = np.abs(np.stack([left, above, corner]) - guess)
        paeth = np.choose(far.argmin(0), [left, above, corner])
        before = [0 * row, left, above, (left + above) // 2, paeth][kind]
        out += bytes([kind]) + ((row - before) % 256).astype(np.uint8).tobytes()
        above = row
    header = struct.pack(">IIBBBBB", width, len(rows), depth, colour, 0, 0, 0)
    return (
        SIGNATURE + chunk(b"IHDR", header) + more + chunk(b"IDAT", zlib.compress(out)) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("filters", [(0,), (1,), (2,), (3,), (4,), (0, 1, 2, 3, 4)])
@pytest.mark.parametrize(
    ("depth", "colour", "bytes_a_pixel"), [(8, 0, 1), (16, 0, 2), (8, 2, 3), (8, 6, 4), (16, 4, 4)]
)
def test_every_filter_gives_the_pixels_back(
    filters: tuple[int, ...], depth: int, colour: int, bytes_a_pixel: int, tmp_path: Path
) -> None:
    rows = np.random.default_rng(0).integers(0, 256, (7, 5 * bytes_a_pixel))
    (tmp_path / "map.png").write_bytes(png(rows, depth=depth, colour=colour, filters=filters))
    grey = read_grey(tmp_path / "map.png")
    pixels = rows.reshape(7, 5, bytes_a_pixel).astype(float)
    if depth == 16:
        expected = (256 * pixels[..., 0] + pixels[..., 1]) / 65535
    elif colour in (2, 6):
        expected = pixels[..., :3] @ [0.2126, 0.7152, 0.0722] / 255
    else:
        expected = pixels[..., 0] / 255
    np.testing.assert_allclose(grey, expected, atol=1e-12)


def test_few_bits_and_palettes(tmp_path: Path) -> None:
    (tmp_path / "bits.png").write_bytes(png(np.array([[0b00011011]]), depth=2, colour=0))
    np.testing.assert_allclose(read_grey(tmp_path / "bits.png"), [[0, 1 / 3, 2 / 3, 1]])
    palette = chunk(b"PLTE", bytes([0, 0, 0, 255, 255, 255]))
    (tmp_path / "palette.png").write_bytes(png(np.array([[1, 0]]), depth=8, colour=3, more=palette))
    np.testing.assert_allclose(read_grey(tmp_path / "palette.png"), [[1, 0]])


def test_it_reads_what_pillow_writes(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    values = np.random.default_rng(1).integers(0, 256, (40, 60), np.uint8)
    image.fromarray(values).save(tmp_path / "map.png", optimize=True)
    np.testing.assert_allclose(read_grey(tmp_path / "map.png"), values / 255, atol=1e-12)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda data: b"GIF89a" + data, "is no PNG"),
        (lambda data: data[:45], "cut off"),
        (lambda data: data.replace(b"IDAT", b"JDAT"), "ends after 0 of 4 rows"),
        (lambda data: data[:28] + b"\1" + data[29:], "interlac"),
    ],
)
def test_a_broken_picture_is_one_line(spoil: object, message: str, tmp_path: Path) -> None:
    data = png(np.zeros((4, 4), int), depth=8, colour=0)
    (tmp_path / "map.png").write_bytes(spoil(data))  # type: ignore[operator]
    with pytest.raises(FileFormatError, match=message):
        read_grey(tmp_path / "map.png")


def test_a_height_map_is_seen_from_above_with_its_top_ahead(tmp_path: Path) -> None:
    rows = np.array([[0, 0, 0, 255], [0, 0, 0, 0], [0, 0, 0, 0], [128, 0, 0, 0]])
    (tmp_path / "map.png").write_bytes(png(rows, depth=8, colour=0))
    ground = read_ground(f"{tmp_path / 'map.png'}:size=4,high=2")
    # The first row is ahead, towards +Z; the left of the picture is the left of who looks there, +X.
    np.testing.assert_allclose(ground.heights(np.array([-1.5, 1.5]), np.array([1.5, -1.5])), [2.0, 256 / 255])
    assert ground.covers(np.array([1.9, 2.1]), np.zeros(2)).tolist() == [True, False]
    middle = ground.heights(np.array([-1.0]), np.array([1.5]))
    np.testing.assert_allclose(middle, 1.0, atol=1e-9)
