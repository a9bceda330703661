"""Libraries of our own C sources, compiled once by the system's compiler. Optional: numpy does the work without.

They are kept in a private folder of the user's cache, by source, flags and kind of processor; a library is loaded only
if its digest is the one in its name.
"""

import ctypes
import hashlib
import os
import platform
import stat
from collections.abc import Sequence
from pathlib import Path

from moglow.errors import DeviceError, ExportError
from moglow.files.atomic import file_digest, replacing

NATIVE = "-O3" if platform.machine() in ("arm64", "aarch64") else "-march=native"
"""Makes the code for this processor; 64-bit ARM has all that is used in any case."""
FLAGS = ("-O3", "-shared", "-fPIC")


def load_library(source: Path, flags: Sequence[str] = (NATIVE,), *, needs: str = "") -> ctypes.CDLL:
    """Returns the library of a C source, compiled on first use; raises `DeviceError` if that cannot be.

    ``needs`` completes the error's "it takes a C compiler".
    """
    folder, flags = private_folder(), (*FLAGS, *flags)
    try:
        parts = [source.read_bytes(), *map(str.encode, flags), _processor().encode()]
        name = f"{source.stem}-{hashlib.sha256(bytes(1).join(parts)).hexdigest()[:16]}"
        return ctypes.CDLL(str(kept(folder, name) or _compiled(source, flags, folder, name)))
    except (OSError, ExportError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[-1:]
        raise DeviceError(
            f"native kernel: {_compiler()} made none ({' '.join(reason)}); it takes a C compiler{needs}, "
            "use numpy without"
        ) from error


def private_folder() -> Path:
    """Returns the folder of compiled kernels, which only its owner, this user, may enter; it is made if need be.

    Raises `DeviceError` if the folder or moglow's cache above it belongs to another user, who could put code there.
    """
    folder = Path("~/.cache/moglow/kernels")
    try:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "moglow"
        folder = cache / "kernels"
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
    except (OSError, RuntimeError) as error:
        raise DeviceError(
            f"native kernel: {folder} cannot be made private ({getattr(error, 'strerror', None) or error}); set "
            "XDG_CACHE_HOME to a folder of yours, or use numpy without"
        ) from error
    return folder


def kept(folder: Path, name: str) -> Path | None:
    """Returns the library of a name whose content has the digest in its file name; damaged ones are removed."""
    for library in sorted(folder.glob(f"{name}-*.so")):
        if library.is_file() and library.stem == f"{name}-{file_digest(library)}":
            return library
        library.unlink(missing_ok=True)
    return None


def _compiled(source: Path, flags: Sequence[str], folder: Path, name: str) -> Path:
    """Compiles a source, and returns where the library lies in the folder, under its digest."""
    import subprocess  # needed once for each machine, and slow to import
    import tempfile

    with tempfile.TemporaryDirectory() as elsewhere:
        made = Path(elsewhere) / "kernel.so"
        command = [_compiler(), *flags, "-o", str(made), str(source), "-lm"]
        try:
            subprocess.run(command, check=True, capture_output=True, text=True)
        except subprocess.CalledProcessError as error:
            raise RuntimeError(error.stderr or str(error)) from error
        library = folder / f"{name}-{file_digest(made)}.so"
        with replacing(library) as file:
            file.write(made.read_bytes())
    return library


def _compiler() -> str:
    return os.environ.get("CC", "cc")


def _processor() -> str:
    """Returns the processor that machine code is made for: machines of several kinds may share a home folder."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next(line for line in file if line.startswith(("flags", "Features")))
    except (OSError, StopIteration):
        return f"{platform.machine()} {platform.processor()}"
