"""Named arrays in one safetensors file, with numpy alone."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from moglow.errors import ExportError


@contextlib.contextmanager
def replacing(path: str | Path) -> Iterator[BinaryIO]:
    """Opens a file that takes the place of `path` only once it is whole and on the disk.

    A killed process, a full disk or an exception leaves what was at `path` untouched. The half-written file
    is `path` + ".partial", always the same name, so that dying often does not fill the folder.
    """
    path = Path(path)
    partial = path.with_name(path.name + ".partial")
    try:
        with open(partial, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
        _sync_folder(path.parent)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise ExportError(
            f"{path}: cannot be written ({error.strerror or error}); what was there is unchanged"
        ) from error
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def _sync_folder(folder: Path) -> None:
    """Makes a rename in `folder` durable, where the system lets one open a folder (Windows does not)."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
