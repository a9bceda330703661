"""Reads the JSON of glTF files (.glb and .gltf) and the arrays in their buffers. Needs numpy alone."""

import base64
import binascii
import struct
from codecs import BOM_UTF8
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
from numpy.typing import NDArray

from moglow.errors import MotionFileError
from moglow.files.descriptions import parse_json
from moglow.files.reading import LARGEST, read_bytes
from moglow.maths.rotations import Array

Json = dict[str, Any]

_COMPONENTS = {5120: "i1", 5121: "u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT2": 4, "MAT3": 9, "MAT4": 16}
_AGAIN = "get or export the file again"


@dataclass(frozen=True, eq=False)
class GltfFile:
    """The document of a file and its binary chunk, empty in a .gltf."""

    path: Path
    document: Json
    chunk: bytes = b""

    @classmethod
    def read(cls, path: Path) -> "GltfFile":
        """Reads a .glb or .gltf file; the content determines which."""
        data = read_bytes(path, LARGEST, MotionFileError)
        if not data.strip():
            raise MotionFileError(f"{path}: the file is empty; {_AGAIN}")
        text, chunk = _chunks(path, data) if data[:4] == b"glTF" else (data, b"")
        document = parse_json(text.removeprefix(BOM_UTF8), f"{path}: its document", MotionFileError)
        asset = document.get("asset") if isinstance(document, dict) else None
        if not isinstance(asset, dict):
            raise MotionFileError(f"{path}: a glTF file has an entry 'asset', none was found; {_AGAIN}")
        if not str(asset.get("version", "")).startswith("2."):
            raise MotionFileError(f"{path}: glTF {asset.get('version')}, expected 2.x; export it as glTF 2.0")
        return cls(path, document, chunk)

    def objects(self, name: str) -> list[Json]:
        """Returns a top-level list such as ``nodes`` or ``skins``; it is empty if the file has none."""
        found = self.document.get(name, [])
        if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
            raise MotionFileError(f"{self.path}: {name} is no list of objects; {_AGAIN}")
        return found

    def array(self, number: int) -> Array:
        """Returns an accessor as floats ``(N, width)``; normalised integers become −1 to 1."""
        try:
            return self._array(self.objects("accessors")[number])
        except (IndexError, KeyError, TypeError, ValueError) as error:
            raise MotionFileError(
                f"{self.path}: accessor {number} cannot be read ({error}); {_AGAIN}"
            ) from error

    def _array(self, spec: Json) -> Array:
        count, width, kind = int(spec["count"]), _WIDTHS[spec["type"]], _COMPONENTS[spec["componentType"]]
        if "bufferView" in spec:
            found = self._rows(spec["bufferView"], spec.get("byteOffset", 0), count, width, kind)
        elif count * width > 1e9:
            raise ValueError(f"{count} values, none of them in the file")
        else:
            found = np.zeros((count, width), kind)
        if "sparse" in spec:
            sparse, found = spec["sparse"], found.copy()
            where, what = sparse["indices"], sparse["values"]
            at = self._rows(
                where["bufferView"],
                where.get("byteOffset", 0),
                sparse["count"],
                1,
                _COMPONENTS[where["componentType"]],
            )
            values = self._rows(what["bufferView"], what.get("byteOffset", 0), sparse["count"], width, kind)
            found[at[:, 0]] = values
        values = found.astype(float)
        if spec.get("normalized") and kind != "<f4":
            values = np.maximum(values / float(np.iinfo(kind).max), -1.0)
        return values

    def _rows(self, number: int, offset: int, count: int, width: int, kind: str) -> NDArray[Any]:
        view = self.objects("bufferViews")[number]
        if "EXT_meshopt_compression" in view.get("extensions", {}):
            raise ValueError("compressed by EXT_meshopt_compression, which is not read")
        data, size = self._buffers[view["buffer"]], np.dtype(kind).itemsize * width
        stride, start = int(view.get("byteStride", size)), int(view.get("byteOffset", 0))
        end = offset + (count - 1) * stride + size
        if min(offset, start, count - 1) < 0 or stride < size:
            raise ValueError("negative sizes")
        if end > view["byteLength"] or start + end > len(data):
            raise ValueError(f"needs {start + end} bytes, the buffer has {len(data)}")
        raw = np.frombuffer(data, np.uint8)[start + offset : start + end]
        rows = np.lib.stride_tricks.as_strided(raw, (count, size), (stride, 1))
        return np.ascontiguousarray(rows).view(kind)

    @cached_property
    def _buffers(self) -> list[bytes]:
        return [self._buffer(number, buffer) for number, buffer in enumerate(self.objects("buffers"))]

    def _buffer(self, number: int, buffer: Json) -> bytes:
        uri = buffer.get("uri")
        if uri is None:
            if number:
                raise ValueError(f"buffer {number} has no data")
            return self.chunk
        if uri.startswith("data:"):
            try:
                return base64.b64decode(uri.partition(",")[2], validate=True)
            except binascii.Error as error:
                raise ValueError(f"buffer {number} is no base64: {error}") from error
        if "://" in uri:
            raise ValueError(f"buffer {number} is on the network ({uri}); save it beside the file")
        try:
            return read_bytes(self.path.parent / unquote(uri), LARGEST, MotionFileError)
        except MotionFileError as error:
            raise MotionFileError(f"{self.path}: needs {uri} beside it ({error}); copy both files") from error


def _chunks(path: Path, data: bytes) -> tuple[bytes, bytes]:
    """Returns the JSON and the binary chunk of a .glb file."""
    if len(data) < 20:
        raise MotionFileError(f"{path}: {len(data)} bytes, too short for a GLB file; {_AGAIN}")
    version, length = struct.unpack_from("<II", data, 4)
    if version != 2:
        raise MotionFileError(f"{path}: a GLB file of version {version}, expected 2; export it as glTF 2.0")
    if length > len(data):
        raise MotionFileError(f"{path}: cut off: {len(data)} bytes, its header declares {length}; {_AGAIN}")
    found: dict[bytes, bytes] = {}
    at = 12
    while at + 8 <= length:
        size, kind = struct.unpack_from("<I4s", data, at)
        if at + 8 + size > length:
            raise MotionFileError(f"{path}: a chunk of {size} bytes does not fit the file; {_AGAIN}")
        found.setdefault(kind, data[at + 8 : at + 8 + size])
        at += 8 + size
    if b"JSON" not in found:
        raise MotionFileError(f"{path}: has no JSON chunk; {_AGAIN}")
    return found[b"JSON"], found.get(b"BIN\0", b"")
