"""The plan of `moglow generate`: the motions, their files and their processes."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from moglow.compute.launch import process_number
from moglow.errors import ControlError, MoglowError
from moglow.files.atomic import check_output
from moglow.formats.export import CROWDS, writer_for
from moglow.paths.crowds import figures_of, split_source

FOLDER = Path("takes")
"""The default folder for the motions of several paths."""
SUFFIX = ".bvh"


@dataclass(frozen=True)
class Job:
    """Takes of one path, and the file that a single take would have."""

    control: str
    target: Path
    takes: tuple[int, ...]
    of: int

    def place(self, number: int) -> Path:
        """Returns the file of take or rank ``number``, counted from 0.

        >>> Job("line", Path("line.bvh"), (0, 1), 2).place(1).name
        'line_2.bvh'
        """
        if self.of == 1:
            return self.target
        return self.target.with_stem(f"{self.target.stem}_{number + 1:0{len(str(self.of))}d}")

    def waiting(self, take: int) -> Path:
        """Returns the file of a take that is not ranked yet."""
        return self.target.with_stem(f"{self.target.stem}.take{take}")


def plan(controls: Sequence[str], out: Path | None, takes: int) -> list[Job]:
    """Returns a job for each path; a folder stands for all CSV files in it, a file with ids for all of its figures.

    >>> [str(job.target) for job in plan(["circle:r=2", "line"], None, 1)]
    ['takes/circle_r=2.bvh', 'takes/line.bvh']
    >>> str(plan(["line"], Path("clips/{}.glb"), 1)[0].target)
    'clips/line.glb'
    """
    paths = [path for control in controls for path in _paths(control)]
    if out is None:
        out = FOLDER if len(paths) > 1 else Path("{}" + SUFFIX)
    if not out.is_dir():
        check_output(out)
    if "{}" not in out.name and (not out.suffix or out.is_dir()):
        out = out / ("{}" + SUFFIX)
    if len(paths) > 1 and "{}" not in out.name:
        raise MoglowError(
            f"{out}: one file for {len(paths)} paths; give a folder, or a pattern such as 'takes/{{}}{out.suffix}'"
        )
    writer_for(out)  # raises an error for a suffix without a format
    names = _names(paths)
    targets = [out.with_name(out.name.replace("{}", name)) for name in names]
    return [
        Job(path, target, tuple(range(takes)), takes) for path, target in zip(paths, targets, strict=True)
    ]


def share(jobs: Sequence[Job], part: int, parts: int, *, whole: bool) -> list[Job]:
    """Returns the jobs of process ``part``, from 0: every n-th take, or every n-th path if ``whole``.

    >>> [job.takes for job in share(plan(["line"], None, 5), 1, 2, whole=False)]
    [(1, 3)]
    """
    if whole:
        return list(jobs[part::parts])
    units = [(number, take) for number, job in enumerate(jobs) for take in job.takes][part::parts]
    mine = [(job, tuple(take for k, take in units if k == number)) for number, job in enumerate(jobs)]
    return [Job(job.control, job.target, takes, job.of) for job, takes in mine if takes]


def find_share(shard: str | None) -> tuple[int, int]:
    """Returns the part, from 0, and the number of parts, given ``3/8`` or torchrun's RANK and WORLD_SIZE.

    >>> find_share("3/8")
    (2, 8)
    """
    if shard is None:
        return process_number()
    match = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", shard.strip())
    part, parts = (int(match[1]), int(match[2])) if match else (0, 0)
    if not 1 <= part <= parts:
        raise MoglowError(f"shard {shard}: give part/parts, from 1/8 to 8/8")
    return part - 1, parts


def is_one_file(controls: Sequence[str], out: Path | None) -> bool:
    """Returns whether the figures of one crowd file are requested in one file."""
    if (
        out is None
        or len(controls) != 1
        or out.suffix.lower() not in CROWDS
        or "{}" in out.name
        or out.is_dir()
    ):
        return False
    return split_source(controls[0])[1] is None and len(figures_of(controls[0])) > 1


def _paths(control: str) -> Iterator[str]:
    if not Path(control).is_dir():
        figures = figures_of(control) if split_source(control)[1] is None else ()
        yield from [f"{control}#{figure}" for figure in figures] or [control]
        return
    files = sorted(Path(control).glob("*.csv"))
    if not files:
        raise ControlError(f"{control}: holds no .csv file; give a folder of paths, a file or a preset")
    yield from map(str, files)


def _names(paths: Sequence[str]) -> list[str]:
    """Returns a file name for each path, from its file or preset; a repeated name gets a number."""
    names: list[str] = []
    taken: set[str] = set()
    for path in paths:
        file, figure = split_source(path)
        stem = Path(file).stem if str(file).lower().endswith(".csv") else path
        plain = re.sub(r"[^\w.=+-]+", "_", f"{stem}_{figure}" if figure else stem)
        unique, number = plain, 2
        while unique.lower() in taken:  # some file systems ignore case
            unique, number = f"{plain}-{number}", number + 1
        taken.add(unique.lower())
        names.append(unique)
    return names
