"""Runs of the command line in processes, forked from one that has imported it. They can be killed anywhere.

>>> with Nursery() as nursery:
...     nursery.run("--version").code
0
"""

import contextlib
import ctypes
import json
import os
import resource
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[2]
COUNTED = {"open", "os.rename", "os.remove", "os.mkdir", "os.chmod", "os.listdir"}
"""What is counted as a file operation, by the names of Python's audit events; a kill comes just before one."""


@dataclass(frozen=True)
class Ended:
    """How a run ended: its exit code, negative for a signal, its output, and how many file operations it began."""

    code: int
    out: str
    err: str
    operations: int
    seconds: float

    @property
    def killed(self) -> bool:
        return self.code == -signal.SIGKILL


class Nursery:
    """A process that forks one child for each run; ``missing`` are packages that cannot be imported there."""

    def __init__(self, missing: Iterable[str] = ()) -> None:
        self.missing = sorted(missing)

    def __enter__(self) -> Self:
        environment = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'viewer'}", "OMP_NUM_THREADS": "1"}
        command = [sys.executable, __file__, *self.missing]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.communicate()

    def run(self, *arguments: object, **how: Any) -> Ended:
        """Runs `moglow` with arguments; ``how`` are the keywords of `child` and of `answer`."""
        self.start(*arguments, **how)
        return self.ended()

    def start(self, *arguments: object, **how: Any) -> None:
        """Begins a run; `ended` waits for it."""
        assert self.process.stdin
        question = {"arguments": list(map(str, arguments)), **how}
        print(json.dumps(question, default=str), file=self.process.stdin, flush=True)

    def ended(self) -> Ended:
        """Waits for the run."""
        assert self.process.stdout
        return Ended(**json.loads(self.process.stdout.readline()))


def answer(arguments: list[str], *, seconds: float | None = None, **how: Any) -> dict[str, Any]:
    """Forks a child for a run, and kills it after some seconds if given."""
    pipes = [os.pipe() for _ in range(3)]
    begin = time.monotonic()
    process = os.fork()
    if not process:
        child(arguments, [write for _, write in pipes], **how)
    for _, write in pipes:
        os.close(write)
    if seconds is not None:
        time.sleep(seconds)
        os.kill(process, signal.SIGKILL)
    out, err, count = (os.fdopen(read, "rb").read() for read, _ in pipes)
    code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    took = time.monotonic() - begin
    return {
        "code": code,
        "out": out.decode(),
        "err": err.decode(),
        "operations": len(count),
        "seconds": took,
    }


def child(
    arguments: list[str],
    ends: list[int],
    *,
    operation: int | None = None,
    largest: int | None = None,
    folder: str | None = None,
    weak: bool = False,
) -> None:
    """Runs `moglow` and ends the process.

    Args:
        arguments: of the command line.
        ends: descriptors for standard output, standard error, and a byte for each file operation.
        operation: at which file operation the process is killed.
        largest: bytes, of which no file may be larger; beyond it the disk counts as full.
        folder: the current folder.
        weak: whether a root user loses the right to write where modes forbid it.
    """
    from moglow.cli.main import main

    for number, end in enumerate(ends[:2], 1):
        os.dup2(end, number)
    sys.stdout, sys.stderr = (os.fdopen(number, "w", closefd=False) for number in (1, 2))
    if folder:
        os.chdir(folder)
    if largest is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
    if weak and os.geteuid() == 0:
        header, nothing = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
        assert ctypes.CDLL(None, use_errno=True).capset(header, nothing) == 0
    count = 0

    def counted(event: str, _: object) -> None:
        nonlocal count
        if event in COUNTED:
            count += 1
            if count == operation:
                os.kill(os.getpid(), signal.SIGKILL)
            os.write(ends[2], b".")

    sys.argv = ["moglow", *arguments]
    sys.addaudithook(counted)
    code = 1
    try:
        main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except BaseException:
        traceback.print_exc()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()
    os._exit(code)


if __name__ == "__main__":
    missing: dict[str, Any] = dict.fromkeys(sys.argv[1:])
    sys.modules.update(missing)
    from moglow.takes import make  # noqa: F401  (so that the children have it)

    for line in sys.stdin:
        print(json.dumps(answer(**json.loads(line))), flush=True)
