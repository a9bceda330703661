"""A task on a worker of a cluster: checks the version and the files of the worker first. Needs no Dask."""

import hashlib
import os
import socket
import sys
import threading
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any, Self

import numpy as np

import moglow
from moglow.errors import LinkError
from moglow.workers.task import Bound

_ONE_AT_A_TIME = threading.Lock()
"""Held by a task, since tasks have working folders, which belong to the process."""


@dataclass(frozen=True)
class Build:
    """What the bytes of a result depend on: versions, and the digest of the source files of moglow."""

    moglow: str
    source: str
    numpy: str
    python: str

    @classmethod
    @cache
    def of_this_process(cls) -> Self:
        """Returns the build of this process."""
        folder = Path(moglow.__file__).parent
        digest = hashlib.sha256()
        for file in sorted(folder.rglob("*.py")):
            digest.update(file.relative_to(folder).as_posix().encode() + b"\0" + file.read_bytes())
        python = ".".join(map(str, sys.version_info[:2]))
        return cls(moglow.__version__, digest.hexdigest()[:12], np.__version__, python)

    def check(self, command: "Build", worker: str) -> None:
        """Raises `LinkError` if this build of a worker differs from that of a command."""
        for field in fields(self):
            there, here = getattr(self, field.name), getattr(command, field.name)
            if there != here:
                name = "moglow with the source" if field.name == "source" else field.name
                raise LinkError(
                    f"worker {worker}: has {name} {there}, the command {here}; install the same version on all machines"
                )


def describe_build() -> Build:
    """Returns the build of the process that calls this."""
    return Build.of_this_process()


@dataclass(frozen=True)
class Remote:
    """A function of jobs, the build of the command that sent it, and its working folder."""

    call: Bound
    build: Build
    folder: str

    def __call__(self, job: Any, files: tuple[tuple[str, int], ...]) -> Any:
        """Returns the result of a job whose files have these paths and sizes."""
        with _ONE_AT_A_TIME:
            self._prepare(files)
            return self.call(job)

    def _prepare(self, files: tuple[tuple[str, int], ...]) -> None:
        worker = f"{os.getpid()} on {socket.gethostname()}"
        Build.of_this_process().check(self.build, worker)
        try:
            if os.getcwd() != self.folder:
                os.chdir(self.folder)
        except OSError as error:
            raise LinkError(
                f"worker {worker}: has no folder {self.folder} ({error.strerror}); all machines need the same files "
                "under the same paths"
            ) from None
        for path, size in files:
            try:
                found = os.stat(path).st_size
            except OSError as error:
                raise LinkError(
                    f"worker {worker}: {path}: {error.strerror}; all machines need the same files under the same paths"
                ) from None
            if found != size:
                raise LinkError(
                    f"worker {worker}: {path}: has {found} bytes there, {size} here; all machines need the same files"
                )
