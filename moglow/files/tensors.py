"""Reads and writes safetensors files of named arrays, without the `safetensors` package.

A file consists of the header length in eight bytes, a JSON header and the raw arrays. It contains no code, so files
from untrusted sources are safe to open. The `safetensors` package can read the files written here, and the reverse.
Files are memory-mapped: an array is loaded when it is first accessed.
"""

import hashlib
import json
import math
import mmap
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from moglow.errors import FileFormatError, MoglowError
from moglow.files.atomic import replacing
from moglow.files.descriptions import parse_json_table
from moglow.files.reading import open_input

Array = npt.NDArray[Any]

DTYPES = {
    "BOOL": np.dtype("?"), "U8": np.dtype("u1"), "I8": np.dtype("i1"),
    "I16": np.dtype("<i2"), "I32": np.dtype("<i4"), "I64": np.dtype("<i8"),
    "U16": np.dtype("<u2"), "U32": np.dtype("<u4"), "U64": np.dtype("<u8"),
    "F16": np.dtype("<f2"), "F32": np.dtype("<f4"), "F64": np.dtype("<f8"),
}  # fmt: skip
CODES = {dtype: code for code, dtype in DTYPES.items()}
LONGEST_HEADER = 100_000_000  # bytes; the limit of the safetensors package
DIGEST = "moglow_sha256"
"""The metadata key of the SHA-256 of a file's other metadata, entries and arrays."""
_CHUNK = 1 << 24  # bytes of an array that are hashed or checked at once


class InPieces(Protocol):
    """An array that is too large for the memory, as several arrays along its first axis."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...

    def pieces(self) -> Iterator[Array]:
        """Yields the arrays in order."""


def write_tensors(
    path: str | Path, arrays: Mapping[str, Array | InPieces], metadata: Mapping[str, str]
) -> str:
    """Writes `arrays` and `metadata` to `path` atomically and returns the digest; equal content gives identical files.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     digest = write_tensors(f"{folder}/a.safetensors", {"x": np.arange(3.0)}, {"unit": "m"})
    ...     arrays, metadata = read_tensors(f"{folder}/a.safetensors")
    ...     print(arrays["x"], metadata)
    [0. 1. 2.] {'unit': 'm'}
    """
    types = {name: _stored_type(path, name, array.dtype) for name, array in arrays.items()}
    # Arrays with the largest items come first, as in the safetensors package, so that every array is aligned.
    order = sorted(types, key=lambda name: (-types[name].itemsize, name))
    header: dict[str, Any] = {"__metadata__": dict(sorted(metadata.items()))}
    end = 0
    for name in order:
        shape = arrays[name].shape
        begin, end = end, end + types[name].itemsize * math.prod(shape)
        header[name] = {"dtype": CODES[types[name]], "shape": list(shape), "data_offsets": [begin, end]}

    def content() -> Iterator[Array]:
        for name in order:
            for piece in _pieces(arrays[name]):
                # Contiguous and little-endian.
                yield np.asarray(piece, dtype=types[name], order="C").reshape(-1).view(np.uint8)

    digest = header["__metadata__"][DIGEST] = _digest(header, content())
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with replacing(path) as file:
        file.write(len(text).to_bytes(8, "little"))
        file.write(text)
        for part in content():
            file.write(part.data)
    return digest


def read_digest(path: str | Path) -> str:
    """Returns the digest in the header of a file, which may not be that of its arrays; empty if there is none."""
    return str(read_metadata(path).get(DIGEST, ""))


def read_metadata(path: str | Path) -> dict[str, Any]:
    """Returns the metadata in the header of a file, whose arrays are not read."""
    try:
        return dict(_read_header(Path(path))[0].get("__metadata__", {}))
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise FileFormatError(
            f"{path}: cannot be read as a safetensors file ({error}); choose another file"
        ) from error


def read_tensors(path: str | Path) -> tuple[dict[str, Array], dict[str, str]]:
    """Returns the arrays of a file, read-only and memory-mapped, and its metadata.

    Raises `FileFormatError` if the file is truncated, has extra bytes, has another format or does not match its
    digest. Files of other programs have no digest.
    """
    path = Path(path)
    try:
        header, start = _read_header(path)
        data = np.memmap(path, np.uint8, mode="r", offset=0)[start:]
    except (OSError, ValueError) as error:
        raise FileFormatError(
            f"{path}: cannot be read as a safetensors file ({error}); choose another file"
        ) from error
    metadata = header.get("__metadata__", {})
    entries = {name: entry for name, entry in header.items() if name != "__metadata__"}
    arrays, covered = {}, 0
    try:
        for name, entry in sorted(entries.items(), key=lambda item: item[1]["data_offsets"]):
            begin, end = entry["data_offsets"]
            if entry["dtype"] not in DTYPES:
                raise ValueError(
                    f"{name!r} has the type {entry['dtype']!r}, expected one of {', '.join(DTYPES)}"
                )
            dtype, shape = DTYPES[entry["dtype"]], tuple(entry["shape"])
            if not all(type(size) is int and size >= 0 for size in shape) or begin != covered:
                raise ValueError(f"the header's entry for {name!r} contradicts itself")
            if end - begin != dtype.itemsize * math.prod(shape):
                raise ValueError(f"the header's entry for {name!r} contradicts itself")
            if end > len(data):
                raise ValueError(
                    f"cut short: {name!r} needs {start + end} bytes, there are {start + len(data)}"
                )
            arrays[name], covered = data[begin:end].view(dtype).reshape(shape), end
        if covered != len(data):
            raise ValueError(f"{len(data) - covered} bytes too many at the end")
        if not all(isinstance(value, str) for value in metadata.values()):
            raise ValueError("its metadata are not all text")
        if metadata.pop(DIGEST, None) not in (None, _digest(header, _chunks(path, start))):
            raise ValueError("its content is not what was written: a disk or a copy has changed it")
    except KeyError as error:
        raise FileFormatError(f"{path}: not a sound safetensors file (no {error}); fetch it again") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise FileFormatError(f"{path}: not a sound safetensors file ({error}); fetch it again") from error
    return arrays, metadata


def check_tensors(
    arrays: Mapping[str, Array],
    expected: Mapping[str, tuple[tuple[int, ...], npt.DTypeLike]],
    place: str,
    error: type[MoglowError] = FileFormatError,
) -> None:
    """Raises an error if arrays do not have the expected names, shapes and types, or are not finite.

    >>> check_tensors({"x": np.zeros(3)}, {"x": ((2,), np.float64)}, "a.safetensors")
    Traceback (most recent call last):
    moglow.errors.FileFormatError: a.safetensors: 'x' has the shape (3,), expected (2,)
    """
    for name in expected:
        if name not in arrays:
            raise error(f"{place}: {name!r} is missing")
    for name, array in arrays.items():
        if name not in expected:
            raise error(f"{place}: {name[:80]!r} is none of its arrays")
        shape, dtype = expected[name]
        if array.shape != shape:
            raise error(f"{place}: {name!r} has the shape {array.shape}, expected {shape}")
        if array.dtype != np.dtype(dtype):
            raise error(f"{place}: {name!r} has the type {array.dtype}, expected {np.dtype(dtype)}")
        if not is_finite(array):
            raise error(f"{place}: {name!r} holds a value that is not finite")


def is_finite(array: Array) -> bool:
    """Returns whether all values are finite; memory-mapped arrays are checked in parts."""
    if array.dtype.kind != "f":
        return True
    flat = array.reshape(-1)
    finite = all(np.isfinite(flat[k : k + _CHUNK]).all() for k in range(0, len(flat), _CHUNK))
    forget_pages(array)
    return finite


def forget_pages(array: Array) -> None:
    """Frees the memory of the pages of a memory-mapped array that were read; they are read again when they are used."""
    base: Any = array
    while isinstance(base, np.ndarray) and not isinstance(base, np.memmap):
        base = base.base
    mapped = getattr(base, "_mmap", None)
    if isinstance(mapped, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        mapped.madvise(mmap.MADV_DONTNEED)


def _stored_type(path: str | Path, name: str, dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Returns the type with which an array is stored: little-endian."""
    stored = dtype.newbyteorder("<")
    if stored not in CODES:
        raise FileFormatError(f"{path}: array {name!r} has type {dtype}, unknown to safetensors")
    if name == "__metadata__":
        raise FileFormatError(f"{path}: no array can be called '__metadata__', the format's own name")
    return stored


def _pieces(array: Array | InPieces) -> Iterator[Array]:
    yield from [array] if isinstance(array, np.ndarray) else array.pieces()


def _read_header(path: Path) -> tuple[dict[str, Any], int]:
    """Returns the JSON header and the offset at which the data begin."""
    with open_input(path) as file:
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= min(LONGEST_HEADER, path.stat().st_size - 8):
            raise ValueError("its header is cut short or it is a file of another kind")
        header = parse_json_table(file.read(length), f"{path}: its header")
    return dict(header), 8 + length


def _chunks(path: Path, start: int) -> Iterator[Array]:
    """Yields the bytes of a file from an offset on, without mapping them into memory."""
    with open_input(path) as file:
        file.seek(start)
        while chunk := file.read(_CHUNK):
            yield np.frombuffer(chunk, np.uint8)


def _digest(header: Mapping[str, Any], parts: Iterable[Array]) -> str:
    """Returns the SHA-256 of a header without a digest, and of bytes ``(n,)``."""
    found = hashlib.sha256(json.dumps(header, sort_keys=True, separators=(",", ":")).encode())
    for part in parts:
        for start in range(0, len(part), _CHUNK):
            found.update(part[start : start + _CHUNK].data)
    return found.hexdigest()
