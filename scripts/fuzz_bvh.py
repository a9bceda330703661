#!/usr/bin/env python3
"""Corrupts motion files at random and reads them: the only allowed failure is a one-line error.

    .venv/bin/python scripts/fuzz_bvh.py --seconds 60 [FILE.bvh …]

A file that can still be read must be writable, and read back as the same motion. The first file that fails otherwise,
or that takes too long, is saved as `fuzz-failure.bvh`, and the exit code is 1.
"""

import argparse
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

from moglow.bvh.read import read_bvh
from moglow.bvh.write import write_bvh
from moglow.errors import MoglowError
from moglow.maths.rotations import quat_angle

SAMPLES = Path(__file__).resolve().parents[1] / "data" / "samples"
FRAMES = 8  # of each file that are used, since more short files can be tried
SLOW = 5.0  # seconds
SAME_PLACE, SAME_TURN = 1e-5, 1e-5  # metres a metre, radians

WORDS = """ROOT JOINT End Site OFFSET CHANNELS MOTION HIERARCHY Frames: Frame Time: { } # 0 -1 1e999 nan -inf 1,5 .
    - 1e-320 99999999999999999999 0.1.2 0x10 1_0 Xposition Zrotation Wrotation 3 6 -0 +7 1e5 -1e8"""
BYTES = b"\0|\xff|\r|\n|\t| |\x1a|\xef\xbb\xbf|\xfe\xff|\xc2\x85|\xc3\x9f".split(b"|")

Random = np.random.Generator


def flip_bits(data: bytes, random: Random) -> bytes:
    codes = np.frombuffer(data, np.uint8).copy()
    codes[random.integers(len(codes), size=3)] ^= np.uint8(1 << random.integers(8))
    return codes.tobytes()


def cut(data: bytes, random: Random) -> bytes:
    return data[: random.integers(len(data))]


def drop_piece(data: bytes, random: Random) -> bytes:
    start = random.integers(len(data))
    return data[:start] + data[start + random.integers(1, 200) :]


def repeat_piece(data: bytes, random: Random) -> bytes:
    start = random.integers(len(data))
    end = start + random.integers(1, 200)
    return data[:end] + data[start:]


def put_bytes(data: bytes, random: Random) -> bytes:
    start = random.integers(len(data))
    return data[:start] + BYTES[random.integers(len(BYTES))] * random.integers(1, 4) + data[start:]


def put_word(data: bytes, random: Random) -> bytes:
    words = data.split(b" ")
    choice = WORDS.encode().split()
    words[random.integers(len(words))] = choice[random.integers(len(choice))]
    return b" ".join(words)


def swap_lines(data: bytes, random: Random) -> bytes:
    lines = data.split(b"\n")
    i, j = random.integers(len(lines), size=2)
    lines[i], lines[j] = lines[j], lines[i]
    return b"\n".join(lines)


def drop_line(data: bytes, random: Random) -> bytes:
    lines = data.split(b"\n")
    del lines[random.integers(len(lines))]
    return b"\n".join(lines)


def put_word_in_header(data: bytes, random: Random) -> bytes:
    middle = data.find(b"MOTION") + 40
    return put_word(data[:middle], random) + data[middle:]


def other_newlines(data: bytes, random: Random) -> bytes:
    return data.replace(b"\n", [b"\r\n", b"\r", b"\n\n", b" \n", b" "][random.integers(5)])


CHANGES: tuple[Callable[[bytes, Random], bytes], ...] = (
    flip_bits, cut, drop_piece, repeat_piece, put_bytes, put_word, put_word_in_header, swap_lines, drop_line,
    other_newlines,
)  # fmt: skip


def corrupt(data: bytes, random: Random) -> bytes:
    """Returns the file with one to three random changes."""
    for _ in range(random.integers(1, 4)):
        data = CHANGES[random.integers(len(CHANGES))](data, random) or b" "
    return data


def shorten(data: bytes) -> bytes:
    """Returns a file with its first frames only."""
    head, _, rest = data.partition(b"MOTION")
    lines = rest.split(b"\n")
    count = min(FRAMES, int(lines[1].split()[1]))
    return head + b"\n".join([b"MOTION", b"Frames: %d" % count, *lines[2 : 3 + count]]) + b"\n"


def try_file(path: Path) -> str:
    """Returns the outcome of a file: the kind of its error, or that it was read and written."""
    try:
        read_bvh(path)
        clip = read_bvh(path, unit="cm", up="Y")  # corrupted figures may be upside down
    except MoglowError as error:
        message = str(error)
        assert message.isprintable() and len(message) < 400, message
        return message.removeprefix(f"{path.name}: ").split(":")[-1].strip()[:24]
    again = path.with_name("again.bvh")
    write_bvh(clip, again)
    back = read_bvh(again, unit="cm", up="Y")
    turn = quat_angle(back.rotations, clip.rotations).max()
    place = np.abs(back.positions - clip.positions).max() / max(1.0, np.abs(clip.positions).max())
    assert turn < SAME_TURN and place < SAME_PLACE, (turn, place)
    return "read and written"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 10**6)
    parser.add_argument("files", nargs="*", type=Path, default=sorted(SAMPLES.glob("*.bvh")))
    arguments = parser.parse_args()
    warnings.simplefilter("error")
    random = np.random.default_rng(arguments.seed)
    originals = [shorten(path.read_bytes()) for path in arguments.files]
    outcomes: Counter[str] = Counter()
    slowest, deadline = 0.0, time.monotonic() + arguments.seconds
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "corrupted.bvh")
        while time.monotonic() < deadline:
            data = corrupt(originals[random.integers(len(originals))], random)
            path.write_bytes(data)
            start = time.monotonic()
            try:
                outcomes[try_file(path)] += 1
                slowest = max(slowest, time.monotonic() - start)
                assert slowest < SLOW, f"{slowest:.1f} s for {len(data)} bytes"
            except Exception as error:
                Path("fuzz-failure.bvh").write_bytes(data)
                print(f"seed {arguments.seed}: {type(error).__name__}: {error}; the file is fuzz-failure.bvh")
                return 1
    print(f"seed {arguments.seed}: {outcomes.total()} files, the slowest {slowest:.2f} s, no failure")
    for outcome, count in outcomes.most_common(25):
        print(f"{count:8}  {outcome}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
