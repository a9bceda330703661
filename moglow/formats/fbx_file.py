"""Parses FBX files, binary or text, of version 7 and later, to a tree of records. Needs numpy alone."""

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from moglow.errors import MotionFileError
from moglow.files.reading import LARGEST, read_bytes

MAGIC = b"Kaydara FBX Binary  \x00"
_AGAIN = "get or export it again"
_NUMBERS = {"Y": "<h", "C": "<?", "B": "<?", "I": "<i", "F": "<f", "D": "<d", "L": "<q"}
_ARRAYS = {"f": "<f4", "d": "<f8", "l": "<i8", "i": "<i4", "b": "u1", "c": "u1"}
_MOST = 2**31  # bytes of one array; larger lengths are damaged


@dataclass
class Record:
    """A record: its name, values and the records inside it."""

    name: str
    values: list[Any] = field(default_factory=list)
    children: list["Record"] = field(default_factory=list)

    def all(self, name: str) -> Iterator["Record"]:
        """Yields the children with this name."""
        return (child for child in self.children if child.name == name)

    def first(self, name: str) -> "Record":
        """Returns the first child with this name, or an empty record."""
        return next(self.all(name), Record(name))

    @property
    def value(self) -> Any:
        """Returns the first value, or None."""
        return self.values[0] if self.values else None

    def properties(self) -> dict[str, list[Any]]:
        """Returns the values of a table ``Properties70`` by name."""
        return {str(row.values[0]): row.values[4:] for row in self.first("Properties70").all("P")}


def read_records(path: Path) -> tuple[int, Record]:
    """Returns the version of a file, such as 7400, and a record whose children are the file's records."""
    data = read_bytes(path, LARGEST, MotionFileError)
    try:
        if data.startswith(MAGIC):
            (version,) = struct.unpack_from("<I", data, len(MAGIC) + 2)
            children = list(_Binary(data, version).records(len(MAGIC) + 6, len(data)))
        else:
            version, children = _read_text(data.decode("utf-8", "replace"))
    except (struct.error, IndexError, ValueError, zlib.error, RecursionError, MemoryError) as error:
        raise MotionFileError(f"{path}: not a whole FBX file ({error}); {_AGAIN}") from error
    if version < 7000:
        raise MotionFileError(f"{path}: FBX of version {version / 1000:g}, expected 7 or later; {_AGAIN}")
    return version, Record("", children=children)


class _Binary:
    """Records of a binary file; lengths are 64 bits wide since version 7.5."""

    def __init__(self, data: bytes, version: int) -> None:
        self.data = data
        self.head, self.size = ("<QQQB", 25) if version >= 7500 else ("<IIIB", 13)

    def records(self, at: int, end: int) -> Iterator[Record]:
        """Yields the records between two bytes, up to an empty record."""
        while at + self.size <= end:
            stop, count, _, letters = struct.unpack_from(self.head, self.data, at)
            if not stop:
                return
            if not at < stop <= end:
                raise ValueError(f"a record at byte {at} ends at {stop}, the file has {len(self.data)} bytes")
            at += self.size
            record = Record(self.data[at : at + letters].decode("utf-8", "replace"))
            at += letters
            for _ in range(count):
                value, at = self.read_value(at)
                record.values.append(value)
            if at + self.size <= stop:
                record.children = list(self.records(at, stop))
            yield record
            at = stop
        if end == len(self.data):
            raise ValueError("it is cut off")

    def read_value(self, at: int) -> tuple[Any, int]:
        """Returns a value and the byte after it."""
        kind, at = chr(self.data[at]), at + 1
        if kind in _NUMBERS:
            form = _NUMBERS[kind]
            return struct.unpack_from(form, self.data, at)[0], at + struct.calcsize(form)
        if kind in "SR":
            (size,) = struct.unpack_from("<I", self.data, at)
            raw = self.data[at + 4 : at + 4 + size]
            return (raw.decode("utf-8", "replace") if kind == "S" else raw), at + 4 + size
        if kind not in _ARRAYS:
            raise ValueError(f"a value of the unknown type {kind!r}")
        count, packed, size = struct.unpack_from("<III", self.data, at)
        dtype, raw = np.dtype(_ARRAYS[kind]), self.data[at + 12 : at + 12 + size]
        if count * dtype.itemsize > _MOST:
            raise ValueError(f"an array of {count} values")
        if packed:
            raw = zlib.decompressobj().decompress(raw, count * dtype.itemsize)
        return np.frombuffer(raw, dtype, count), at + 12 + size


_TOKEN = re.compile(
    r'\s+|;[^\n]*|"([^"]*)"|\*(\d+)\s*\{\s*a:([^}]*)\}|([A-Za-z_][\w|]*):|([{}])|,|([^\s,{}"]+)'
)


def _read_text(text: str) -> tuple[int, list[Record]]:
    """Returns the version and the records of a text file."""
    found = re.search(r"FBXVersion:\s*(\d+)", text)
    if not found:
        raise ValueError("no FBXVersion")
    top = Record("")
    open_records, last = [top], top
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise ValueError(f"line {text.count(chr(10), 0, at) + 1} is no FBX")
        at = match.end()
        quoted, count, array, name, brace, word = match.groups()
        if name is not None:
            last = Record(name)
            open_records[-1].children.append(last)
        elif brace == "{":
            open_records.append(last)
        elif brace == "}":
            open_records.pop()
            if not open_records:
                raise ValueError("a bracket too many")
        elif quoted is not None:
            last.values.append(quoted.replace("&quot;", '"'))
        elif count is not None:
            values = np.array(array.replace(",", " ").split(), float)
            if len(values) != int(count):
                raise ValueError(f"an array of {count} values has {len(values)}")
            last.values.append(values)
        elif word is not None:
            last.values.append(_number(word))
    if len(open_records) > 1:
        raise ValueError("it is cut off")
    return int(found[1]), top.children


def _number(word: str) -> Any:
    try:
        return int(word)
    except ValueError:
        pass
    try:
        return float(word)
    except ValueError:
        return word
