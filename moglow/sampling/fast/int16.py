"""Large matrices as short integers, read by a small kernel that the system's compiler makes on first use.

Optional: used on request only; without a C compiler or AVX2 numpy's own product does the work. Two bytes
of a weight in place of four make a frame of a large model twice as fast. 16 bits and a scale for each output round a
weight 128 times less than bfloat16 does, so samples are as good as float32's; 8 bits would be twice as fast again,
but their error shows. Activations stay float32. The kernel is kept in a private folder of the user's cache, by kind of
processor; it is loaded only if its digest is the one in its name.
"""

import ctypes
import hashlib
import os
import platform
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moglow.errors import DeviceError, ExportError
from moglow.files.atomic import file_digest, replacing
from moglow.sampling.fast.folded import Floats, Shelf

SOURCE = Path(__file__).with_name("int16.c")
FLAGS = ("-O3", "-march=native", "-shared", "-fPIC")
BLOCK = 64  # outputs that the kernel sums at a time, as in int16.c
LARGEST = 32767


@dataclass(frozen=True, eq=False)
class Int16Matrix:
    """A weight ``(inputs, outputs)`` as ``blocks (outputs / 64, inputs, 64)`` times ``scale (outputs,)``, padded."""

    blocks: NDArray[np.int16]
    scale: Floats
    outputs: int

    @classmethod
    def of(cls, weight: Floats, shelf: Shelf) -> "Int16Matrix":
        """Rounds each column to 65,535 levels, and keeps it on the shelf.

        >>> Int16Matrix.of(np.float32([[0.5, 1.0], [-1.0, 0.0]]), Shelf()).blocks[0, :, :2]
        array([[ 16384,  32767],
               [-32767,      0]], dtype=int16)
        """
        inputs, outputs = weight.shape
        padded = np.pad(weight, ((0, 0), (0, -outputs % BLOCK)))
        scale = np.abs(padded).max(0) / np.float32(LARGEST)
        scale[scale == 0] = 1
        whole = np.rint(padded / scale).astype(np.int16)
        blocks = shelf.keep(whole.reshape(inputs, -1, BLOCK).swapaxes(0, 1))
        return cls(blocks, scale, outputs)


class Int16Arithmetic:
    """Weights of two bytes each, everything else as in numpy; an `Arithmetic` for one row or a few."""

    xp: Any = np

    def __init__(self) -> None:
        """Makes the kernel ready, or raises `DeviceError` where that cannot be."""
        self._kernel, self._shelf = load_kernel(), Shelf()

    def array(self, values: Floats) -> Floats:
        return np.asarray(values, np.float32)

    def matrix(self, weight: Floats) -> Int16Matrix:
        return Int16Matrix.of(weight, self._shelf)

    def product(self, x: Floats, matrix: Int16Matrix) -> Floats:
        inputs, padded = matrix.blocks.shape[1], len(matrix.scale)
        x, out = np.ascontiguousarray(x), np.empty((*x.shape[:-1], padded), np.float32)
        assert x.dtype == np.float32 and x.shape[-1] == inputs, "the kernel trusts what it is given"
        arrays = (x, matrix.blocks, matrix.scale, out)
        self._kernel(*(array.ctypes.data for array in arrays), x.size // inputs, inputs, padded)
        return out[..., : matrix.outputs]

    def numpy(self, values: Floats) -> Floats:
        return values


@cache
def load_kernel() -> Any:
    """The compiled kernel, made on first use."""
    source = SOURCE.read_bytes()
    kind = hashlib.sha256(b"\0".join([source, *map(str.encode, FLAGS), _processor().encode()])).hexdigest()
    folder = private_folder()
    try:
        library = kept(folder, f"int16-{kind[:16]}") or _compiled(folder, f"int16-{kind[:16]}")
        kernel = ctypes.CDLL(str(library)).product
    except (OSError, AttributeError, ExportError, subprocess.CalledProcessError) as error:
        said = (getattr(error, "stderr", "") or str(error)).strip().splitlines()[-1:]
        raise DeviceError(
            f"native kernel: {_compiler()} made none ({' '.join(said)}); it takes a C compiler and AVX2, "
            "use numpy without"
        ) from error
    kernel.argtypes = [ctypes.c_void_p] * 4 + [ctypes.c_int64] * 3
    kernel.restype = None
    return kernel


def private_folder() -> Path:
    """Returns the folder of compiled kernels, which only its owner, this user, may enter; it is made if need be.

    Raises `DeviceError` if the folder or moglow's cache above it belongs to another user, who could put code there.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "moglow"
    folder = cache / "kernels"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for place in (cache, folder) if hasattr(os, "geteuid") else ():
            found = place.stat()
            if found.st_uid != os.geteuid():
                raise DeviceError(
                    f"native kernel: {place} belongs to another user; set XDG_CACHE_HOME to a folder of yours, "
                    "or use numpy without"
                )
            if found.st_mode & (0o077 if place == folder else 0o022):
                place.chmod(0o700 if place == folder else stat.S_IMODE(found.st_mode) & 0o755)
    except OSError as error:
        raise DeviceError(
            f"native kernel: {folder} cannot be made private ({error.strerror or error}); set XDG_CACHE_HOME to "
            "a folder of yours, or use numpy without"
        ) from error
    return folder


def kept(folder: Path, name: str) -> Path | None:
    """Returns the library of a name whose content has the digest in its file name; damaged ones are removed."""
    for library in sorted(folder.glob(f"{name}-*.so")):
        if library.is_file() and library.stem == f"{name}-{file_digest(library)}":
            return library
        library.unlink(missing_ok=True)
    return None


def _compiled(folder: Path, name: str) -> Path:
    """Compiles the kernel, and returns where it lies in the folder, under its digest."""
    with tempfile.TemporaryDirectory() as elsewhere:
        made = Path(elsewhere) / "int16.so"
        command = [_compiler(), *FLAGS, "-o", str(made), str(SOURCE)]
        subprocess.run(command, check=True, capture_output=True, text=True)
        library = folder / f"{name}-{file_digest(made)}.so"
        with replacing(library) as file:
            file.write(made.read_bytes())
    return library


def _compiler() -> str:
    return os.environ.get("CC", "cc")


def _processor() -> str:
    """What machine code is made for: a home folder may be shared by machines of several kinds."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next(line for line in file if line.startswith(("flags", "Features")))
    except (OSError, StopIteration):
        return f"{platform.machine()} {platform.processor()}"
