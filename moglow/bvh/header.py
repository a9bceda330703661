"""Reads the header of a BVH file: joints, channels, number of frames and frame time.

The package `bvh` builds the tree. It expects one statement per line, keywords in their usual case and names without
blanks, and does not check its input. This module therefore checks the grammar and normalises the text first.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple, NoReturn

import numpy as np
from bvh import Bvh, BvhNode

from moglow.errors import BvhError
from moglow.files.numbers import read_number
from moglow.maths.rotations import Array

# Limits far above those of real files, so that invalid input of any size is rejected quickly.
LONGEST_HEADER = 1 << 21  # bytes
MOST_JOINTS = 4096
LARGEST_NUMBER = 1e9  # in file units or degrees

CHANNELS = {f"{axis}{kind}".lower(): f"{axis}{kind}" for kind in ("position", "rotation") for axis in "XYZ"}

_STATEMENT = re.compile(
    r"""(?P<block>ROOT\b|JOINT\b|END[^\S\n]+SITE(?=\d*\b))(?P<name>[^\n{]*)  # names may hold blanks, a brace may follow
      | (?P<numbers>OFFSET|CHANNELS)\b(?P<values>(?:\s+(?!(?:ROOT|JOINT|END|OFFSET|CHANNELS|MOTION)\b)[^\s{}\#]+)*)
      | (?P<mark>[{}]|(?:HIERARCHY|MOTION)\b)
      | \#[^\n]*
      | (?P<other>\S+)""",
    re.IGNORECASE | re.VERBOSE,
)
_LAST_LINE = re.compile(rb"(?:\A|[\r\n])[ \t]*frame[ \t]+time[ \t]*:[^\r\n]*(?=[\r\n])", re.IGNORECASE)
# Each pattern is anchored at a line start and never repeats over newlines, so that a search takes linear time.
_FRAMES = re.compile(r"^[^\S\n]*frames[^\S\n]*:(.*)", re.IGNORECASE | re.MULTILINE)
_FRAME_TIME = re.compile(r"^[^\S\n]*frame[^\S\n]+time[^\S\n]*:(.*)", re.IGNORECASE | re.MULTILINE)

# The statements allowed inside and outside each block; a block must first be opened by a brace.
_JOINT = ("OFFSET", "CHANNELS", "JOINT", "END SITE", "}")
_INSIDE = {"ROOT": _JOINT, "JOINT": _JOINT, "END SITE": ("OFFSET", "}")}
_OUTSIDE = {"HIERARCHY": ("ROOT",), "}": ("MOTION",)}


@dataclass(frozen=True)
class Header:
    """The content above the frames, in file units; ``lines`` is its number of lines, ``source`` the file's name."""

    source: str
    names: tuple[str, ...]
    parents: tuple[int, ...]
    offsets: Array  # (J, 3)
    end_sites: tuple[tuple[int, tuple[float, ...]], ...]
    channels: tuple[tuple[str, ...], ...]
    frames: int
    frame_time: float
    lines: int

    @property
    def width(self) -> int:
        """The number of values in a frame."""
        return sum(map(len, self.channels))

    def column(self, number: int) -> str:
        """Returns a description of a column, for messages."""
        joints = zip(self.names, self.channels, strict=True)
        return [f"{channel} of {shown(name)}" for name, channels in joints for channel in channels][number]


class _Statement(NamedTuple):
    line: int
    keyword: str
    value: str
    end: int  # where it ends in the text


def fail(source: str, line: int, message: str) -> NoReturn:
    """Raises an error that names the file and a line."""
    raise BvhError(f"{source}: line {line}: {message}")


def shown(text: str) -> str:
    """Returns text from a file for a message: quoted, shortened and printable."""
    return ascii(text if len(text) <= 30 else text[:27] + "...")


def read_header(file: BinaryIO, source: str) -> tuple[Header, bytes]:
    """Reads up to the line ``Frame Time:``; returns the header and the bytes of frames that were read with it.

    At most `LONGEST_HEADER` bytes are searched for that line.
    """
    head, found, more = b"", None, b"\n"
    while found is None and more and len(head) < LONGEST_HEADER:
        more = file.read(max(1 << 16, len(head)))
        head += more or b"\n"  # the final newline may be missing
        _check_start(head, source)
        found = _LAST_LINE.search(head)
    end = found.end() if found else len(head)
    text = head[:end].decode("utf-8-sig", errors="surrogateescape")
    return _parse(text.replace("\r\n", "\n").replace("\r", "\n"), source), head[end:]


def _check_start(head: bytes, source: str) -> None:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise BvhError(f"{source}: the text is UTF-16, expected UTF-8; save it as UTF-8")
    words = head.removeprefix(b"\xef\xbb\xbf").split(maxsplit=1)
    if not words or words[0].upper() != b"HIERARCHY":
        start = f"starts with {shown(words[0].decode('latin-1'))}" if words else "is empty"
        raise BvhError(f"{source}: the file {start}, a BVH file starts with HIERARCHY; choose another file")


def _parse(text: str, source: str) -> Header:
    """Parses the text of a header; its lines end with ``\\n``."""
    lines, names, motion = _normalise(text, source)
    nodes: list[BvhNode] = []
    parents: list[int] = []
    waiting = [(next(Bvh("\n".join(lines) + "\n").root.filter("ROOT")), -1)]
    while waiting:  # in file order, which is the order of channels; iterative, since the tree may be deep
        node, parent = waiting.pop()
        waiting += [(child, len(nodes)) for child in reversed(list(node.filter("JOINT")))]
        nodes.append(node)
        parents.append(parent)
    header = Header(
        source=source,
        names=tuple(names[int(node.name)] for node in nodes),
        parents=tuple(parents),
        offsets=np.array([_offset(node, source) for node in nodes]),
        end_sites=tuple(
            (j, _offset(end, source)) for j, node in enumerate(nodes) for end in node.filter("END")
        ),
        channels=tuple(_channels(node, source) for node in nodes),
        frames=_frames(text, motion, source),
        frame_time=_frame_time(text, motion, source),
        lines=text.count("\n") + 1,
    )
    if not any(header.channels):
        raise BvhError(f"{source}: no joint has channels, so there is no motion; export the file with it")
    return header


def _statements(text: str) -> Iterator[_Statement]:
    line, counted = 1, 0
    for found in _STATEMENT.finditer(text):
        line, counted = line + text.count("\n", counted, found.start()), found.start()
        keyword = found["block"] or found["numbers"] or found["mark"] or found["other"]
        if keyword:  # not a comment
            value = (found["name"] or found["values"] or "").strip()
            yield _Statement(line, " ".join(keyword.upper().split()), value, found.end())


def _normalise(text: str, source: str) -> tuple[list[str], list[str], int]:
    """Returns the hierarchy in the form that ``bvh`` reads, the joints' names and the offset of MOTION in the text.

    In that form a joint's name is its index, and each statement ends with its line number in the file.
    """
    lines: list[str] = []
    names: list[str] = []
    blocks: list[_Statement] = []
    expected: tuple[str, ...] = ("HIERARCHY",)
    for statement in _statements(text):
        line, keyword, value, end = statement
        if keyword not in expected:
            fail(source, line, f"{shown(keyword)} stands {_place(blocks, expected)}; mend the hierarchy")
        if keyword == "MOTION":
            return lines, names, end
        if keyword in ("ROOT", "JOINT"):
            names.append(value)
            value = str(len(names) - 1)
        if len(names) > MOST_JOINTS:
            fail(source, line, f"more than {MOST_JOINTS} joints; split the file")
        if keyword in _INSIDE:
            blocks.append(statement)
        elif keyword == "}":
            blocks.pop()
        lines.append(keyword if keyword in "{}" else f"{keyword} {' '.join(value.split())} {line}")
        expected = (
            ("{",) if keyword in _INSIDE else _INSIDE[blocks[-1].keyword] if blocks else _OUTSIDE[keyword]
        )
    fail(
        source,
        text.rstrip().count("\n") + 1,
        f"the header ends {_place(blocks, expected)}; is the file cut off?",
    )


def _place(blocks: list[_Statement], expected: tuple[str, ...]) -> str:
    where = f"{blocks[-1].keyword} {blocks[-1].value}".strip() if blocks else "the hierarchy"
    return f"in {shown(where)}, expected {' or '.join(expected)}"


def to_number(word: str, where: str) -> float:
    """Converts a word to a number; raises an error if it is not a number or outside the range of real motion."""
    number = read_number(word)
    if math.isnan(number) and word.strip("+-").lower() not in ("nan", "inf", "infinity"):
        advice = "write a decimal point, no comma" if "," in word else "export the file again"
        raise BvhError(f"{where}: {shown(word)}, expected a number; {advice}")
    if not abs(number) <= LARGEST_NUMBER:
        raise BvhError(
            f"{where}: {shown(word)}, expected a number up to {LARGEST_NUMBER:g}; export the file again"
        )
    return number


def _offset(node: BvhNode, source: str) -> tuple[float, ...]:
    found = list(node.filter("OFFSET"))
    if len(found) != 1:
        line = int(node.value[-1])
        fail(source, line, f"the block that begins here has {len(found)} OFFSET lines, expected one; mend it")
    *words, end = found[0].value[1:]
    if len(words) != 3:
        fail(source, int(end), f"OFFSET has {len(words)} values, expected 3; mend the hierarchy")
    return tuple(to_number(word, f"{source}: line {end}: OFFSET") for word in words)


def _channels(node: BvhNode, source: str) -> tuple[str, ...]:
    channels: tuple[str, ...] = ()
    for found in node.filter("CHANNELS"):
        number, *words, line = ["", *found.value[1:]] if len(found.value) == 2 else found.value[1:]
        if number != str(len(words)) or channels:
            text = f"CHANNELS {shown(number)} with {len(words)} names"
            fail(
                source,
                int(line),
                f"{text}, expected their number and then as many, once a joint; mend the hierarchy",
            )
        channels = tuple(CHANNELS.get(word.lower(), word) for word in words)
        for channel in channels:
            if channel not in CHANNELS.values() or channels.count(channel) > 1:
                known = f"each of {', '.join(CHANNELS.values())} once at most"
                fail(source, int(line), f"channel {shown(channel)}, expected {known}; mend the hierarchy")
    return channels


def _frames(text: str, motion: int, source: str) -> int:
    word, line = _after(_FRAMES, "Frames:", text, motion, source)
    if not re.fullmatch(r"\d{1,12}", word) or int(word) == 0:
        fail(source, line, f"Frames: {shown(word)}, expected a whole number above 0; export the file again")
    return int(word)


def _frame_time(text: str, motion: int, source: str) -> float:
    word, line = _after(_FRAME_TIME, "Frame Time:", text, motion, source)
    seconds = to_number(word, f"{source}: line {line}: Frame Time:")
    if not 1e-6 <= seconds <= 1e6:
        fail(
            source,
            line,
            f"Frame Time: {shown(word)}, expected seconds above 0; write 0.0333333 for 30 a second",
        )
    return seconds


def _after(pattern: re.Pattern[str], title: str, text: str, motion: int, source: str) -> tuple[str, int]:
    """Returns the text after a keyword such as ``Frames:`` below MOTION, and its line number."""
    found = pattern.search(text, motion)
    if found is None:
        fail(source, text.rstrip().count("\n") + 1, f"no line {title} after MOTION; is the file cut off?")
    return found[1].strip(), text.count("\n", 0, found.start(1)) + 1
