"""The folder of a training run: one run at a time writes to it, and existing files are never lost."""

import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from moglow.checkpoint import BEST
from moglow.compute.distributed import Place
from moglow.errors import CheckpointError, TrainingError
from moglow.files.atomic import append_line, check_output, replacing
from moglow.files.descriptions import parse_json_table
from moglow.files.locks import locked
from moglow.files.reading import read_text

LAST, STATE, LOG = "last.safetensors", "training.safetensors", "log.jsonl"
LARGEST_LOG = 2_000_000_000  # bytes


@contextlib.contextmanager
def occupied(folder: Path, place: Place) -> Iterator[None]:
    """Context manager that creates the folder of a run and holds its lock; only the first of several processes does so.

    A folder that was created is removed at the end if it is empty.
    """
    if place.rank:
        yield
        return
    if not folder.is_dir():
        check_output(folder)
        if folder.exists():
            raise TrainingError(f"{folder}: is a file, expected the folder of a run; give another name")
    made = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with locked(folder):
            yield
    finally:
        if made:
            with contextlib.suppress(OSError):  # it is not empty
                folder.rmdir()


def refuse_used(folder: Path) -> None:
    """Raises `TrainingError` if a folder holds a run, a model or another program's log, none of which is replaced."""
    if (folder / STATE).exists():
        raise TrainingError(
            f"{folder}: holds a training run already; choose another folder, or resume it", setting="resume"
        )
    for name in (BEST, LAST):
        if (folder / name).exists():
            raise TrainingError(
                f"{folder}: holds a model, {name}, without the state to resume from; choose another folder"
            )
    log = folder / LOG
    if log.exists() and not _is_log(log):
        raise TrainingError(
            f"{log}: is not the log of a training run, which would replace it; choose another folder"
        )


def begin(folder: Path) -> None:
    """Creates the folder of a new run, and removes the log of an earlier run that saved nothing."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / LOG).unlink(missing_ok=True)


def log_line(folder: Path, row: dict[str, object]) -> None:
    """Adds a row to the log of a run."""
    append_line(folder / LOG, json.dumps(row))


def keep_lines(folder: Path, lines: list[str]) -> None:
    """Replaces the log of a run by some of its lines."""
    with replacing(folder / LOG) as file:
        file.write("".join(f"{line}\n" for line in lines).encode())


def forget_after(folder: Path, step: int) -> None:
    """Removes the rows of steps after the saved one from the log of a run, since they will be repeated."""
    path, kept = folder / LOG, []
    if not path.exists():
        return
    lines = read_text(path, LARGEST_LOG, CheckpointError).splitlines()
    for number, line in enumerate(lines, start=1):
        try:
            at = _step_of(line, f"{path}: line {number}")
        except CheckpointError:
            if number == len(lines):
                break  # the line that a killed process did not finish
            raise
        if at > step:
            break
        kept.append(line)
    keep_lines(folder, kept)


def _step_of(line: str, place: str) -> int:
    """Returns the step of a line of the log, 0 for a line without one.

    >>> _step_of('{"validation": {"step": 500}}', "log.jsonl: line 3")
    500
    """
    row = parse_json_table(line, place, CheckpointError)
    found = row.get("validation", row)
    step = found.get("step", 0) if isinstance(found, Mapping) else None
    if not isinstance(step, int):
        raise CheckpointError(f"{place}: 'step' should be a whole number; remove the line")
    return step


def _is_log(file: Path) -> bool:
    """Returns whether a file is empty or begins like the log of a run."""
    if not file.is_file():
        return False
    with open(file, "rb") as lines:
        first = lines.readline(1 << 20)
    try:
        row = json.loads(first) if first else {"step": 0}
    except (ValueError, RecursionError):
        return first.startswith(b'{"step": ')  # a line that a killed process did not finish
    return isinstance(row, dict) and ("step" in row or "validation" in row)
