"""Runs targets on damaged input, makes small what fails, and saves it."""

import contextlib
import hashlib
import json
import resource
import signal
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Protocol

import numpy as np

from moglow.errors import MoglowError
from scripts.fuzzing.mutations import Random, damaged
from scripts.fuzzing.targets import Target

SLOWEST = 20.0
"""Processor seconds that an input may take …"""
WAITED = 30
"""… and seconds of the clock, for what waits for something that never comes …"""
IDLE = 0.1
"""… and meanwhile takes less of the processor than that."""
LONGEST = 1000
"""Characters of a message."""
TRIES, SECONDS = 150, 15.0
"""Readings, and seconds, in which an input that fails is made small."""
MEMORY = 6_000_000_000
"""Bytes of addresses that a process may ask for beyond those that it has, so that a size that lies is an error."""


class Slow(Exception):
    """An input took too long."""


class Wrong(Exception):
    """The message about an input is not one line, or wrong."""


@dataclass(frozen=True)
class Failure:
    """An exception that is no error of ours: its type, the line that raised it, and all of its traceback."""

    kind: str
    where: str
    text: str

    @property
    def name(self) -> str:
        """The same for the same failure."""
        return hashlib.sha256(f"{self.kind} {self.where}".encode()).hexdigest()[:10]

    @classmethod
    def of(cls, error: BaseException) -> "Failure":
        """Takes down an exception."""
        while isinstance(error, Wrong) and error.__cause__:
            error = error.__cause__
        frames = traceback.extract_tb(error.__traceback__)
        ours = [frame for frame in frames if "moglow" in frame.filename] or list(frames)
        where = f"{Path(ours[-1].filename).name}: {ours[-1].name}" if ours else ""
        if isinstance(error, Wrong):
            where = str(error)[:40]
        return cls(
            "Slow" if isinstance(error, Slow) else type(error).__name__,
            where if not isinstance(error, Slow) else "",
            "".join(traceback.format_exception(error)),
        )


class Subject(Protocol):
    """What is fuzzed."""

    def example(self, random: Random) -> bytes:
        """Returns a damaged input."""

    def outcome(self, case: bytes) -> str:
        """Uses an input; returns what came of it in a few words; raises what must not happen."""

    def smaller(self, case: bytes) -> Iterator[bytes]:
        """Yields inputs with a part left out, the largest parts first."""

    def saved(self, case: bytes) -> tuple[str, bytes]:
        """Returns the suffix and the content of the file that keeps an input."""


@dataclass
class Files:
    """A kind of file as a subject."""

    target: Target
    folder: Path
    examples: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.examples = list(self.target.examples())

    def example(self, random: Random) -> bytes:
        """Returns a damaged file."""
        return damaged(self.examples[random.integers(len(self.examples))], random)

    def outcome(self, case: bytes) -> str:
        """Reads a file."""
        file = self.folder / f"file{self.target.suffix}"
        file.unlink(missing_ok=True)  # files are mapped: one that is read must not change
        file.write_bytes(case)
        try:
            self.target.read(file)
        except MoglowError as error:
            message = str(error)
            if not message.isprintable() or len(message) > LONGEST:
                raise Wrong(f"no line: {message[:200]!r}") from None
            return message.replace(str(file), "").split(":")[-1].strip()[:32]
        return "read"

    def smaller(self, case: bytes) -> Iterator[bytes]:
        """Yields files without a piece."""
        size = len(case) // 2
        while size:
            for start in range(0, len(case), size):
                yield case[:start] + case[start + size :]
            size //= 2

    def saved(self, case: bytes) -> tuple[str, bytes]:
        """Returns the file itself."""
        return self.target.suffix, case


@contextlib.contextmanager
def limited() -> Iterator[None]:
    """Raises `Slow` in what takes too long; every warning becomes an exception."""

    used = time.process_time()

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal used
        before, used = used, time.process_time()
        if number == signal.SIGPROF or used - before < IDLE:  # else the machine is busy
            raise Slow(f"more than {SLOWEST:g} processor seconds, or {WAITED} s of waiting")

    before = {number: signal.signal(number, stop) for number in (signal.SIGPROF, signal.SIGALRM)}
    signal.setitimer(signal.ITIMER_PROF, SLOWEST)
    signal.setitimer(signal.ITIMER_REAL, WAITED, WAITED)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def little_memory() -> Iterator[None]:
    """Bounds the memory of this process, so that a size that lies is an error and not the end of the machine."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + MEMORY, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def tried(subject: Subject, case: bytes) -> str | Failure:
    """Returns what comes of an input."""
    try:
        with limited():
            return subject.outcome(case)
    except Exception as error:
        return Failure.of(error)


def made_small(subject: Subject, case: bytes, failure: Failure) -> bytes:
    """Returns a smaller input with the same failure."""
    left = 0 if failure.kind == "Slow" else TRIES
    found, deadline = True, time.monotonic() + SECONDS
    while found and left > 0:
        found = False
        for candidate in subject.smaller(case):
            left -= 1
            if left < 0 or time.monotonic() > deadline:
                return case
            again = tried(subject, candidate)
            if isinstance(again, Failure) and again.name == failure.name:
                case, found = candidate, True
                break
    return case


@dataclass
class Search:
    """What a search has found: how often each outcome came, and the failures that were saved."""

    folder: Path
    seed: int
    outcomes: Counter[str] = field(default_factory=Counter)
    failures: dict[str, Path] = field(default_factory=dict)

    def run(self, name: str, subject: Subject, go_on: Callable[[], bool]) -> None:
        """Tries inputs as long as ``go_on`` says so; the same seed tries the same inputs in the same order."""
        random = np.random.default_rng([self.seed, *name.encode()])
        while go_on():
            case = subject.example(random)
            found = tried(subject, case)
            if isinstance(found, str):
                self.outcomes[f"{name}: {found}"] += 1
                continue
            self.outcomes[f"{name}: FAILURE {found.kind} in {found.where}"] += 1
            if f"{name} {found.name}" not in self.failures:
                self.failures[f"{name} {found.name}"] = self._save(name, subject, case, found)

    def _save(self, name: str, subject: Subject, case: bytes, failure: Failure) -> Path:
        suffix, content = subject.saved(made_small(subject, case, failure))
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / f"{name}-{failure.name}{suffix}"
        file.write_bytes(content)
        about = {"target": name, "seed": self.seed, "kind": failure.kind, "where": failure.where}
        file.with_name(f"{file.name}.txt").write_text(f"{json.dumps(about)}\n\n{failure.text}", "utf-8")
        return file


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """A folder for the files that are tried."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        yield Path(folder)
