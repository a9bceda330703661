"""The options of `moglow generate`, and the takes to make: their paths, files and settings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from moglow import __version__
from moglow.checkpoint import BEST, Checkpoint
from moglow.errors import ControlError, MoglowError
from moglow.files.atomic import file_digest
from moglow.paths.control_path import ControlPath
from moglow.paths.crowds import number_of, split_source
from moglow.paths.csv_files import read_path
from moglow.sampling.generate import PRETRAINED, styled, within_range
from moglow.sampling.sampler import Sampler
from moglow.takes.directions import Directions
from moglow.takes.footwork import Footwork
from moglow.takes.jobs import Job

LISTED = 5
"""Number of failed paths that are listed in the error."""


@dataclass(frozen=True)
class Wish:
    """The options of `moglow generate` that are the same for all of its motions."""

    checkpoint: Path | None
    takes: int
    rank: bool
    seed: int
    temperature: float | None
    style: str | None
    performer: str | None
    fps: float | None
    unit: str | None
    skeleton: Path | None
    foot_lock: bool
    loop: bool
    strides: int | None
    in_place: bool
    root_motion: bool
    mirror: bool
    footwork: Footwork
    as_asked: bool
    strict: bool
    device: str
    shard: str | None
    overwrite: bool
    directions: Directions = field(default_factory=Directions)
    scheduler: str | None = None
    """The scheduler whose workers make the motions; this process if there is none."""


@dataclass(frozen=True, eq=False)
class Order:
    """A take to make: its path, its file, and the settings that identify a finished one."""

    path: ControlPath
    take: int
    performer: str | None
    seed: int
    target: Path
    settings: Mapping[str, Any]
    warnings: tuple[str, ...]
    implied: bool = False
    """Whether the path is implied by footprints."""


def settings_of(wish: Wish, sampler: Sampler) -> dict[str, Any]:
    """Returns the settings that determine the bytes of a motion, except for its path and its take."""
    file = wish.checkpoint or PRETRAINED
    file = file / BEST if file.is_dir() else file
    return {
        "moglow": __version__,
        "model": file.name,
        "model_sha256": file_digest(file),
        "device": sampler.device,
        "seed": wish.seed,
        "temperature": sampler.temperature,
        "style": wish.style,
        "foot_lock": wish.foot_lock,
        "loop": wish.loop,
        "strides": wish.strides,
        "in_place": wish.in_place,
        "root_motion": wish.root_motion,
        "mirror": wish.mirror,
        "asked_fps": wish.fps,
        "skeleton": wish.skeleton and str(wish.skeleton),
        "skeleton_sha256": wish.skeleton and file_digest(wish.skeleton),
        **wish.directions.settings(),
        "axes": "Y up, +Z forward",
        **wish.footwork.settings,
    }


def orders_of(job: Job, wish: Wish, model: Checkpoint, common: Mapping[str, Any]) -> list[Order]:
    try:
        implied = wish.footwork.path(job.control, model)
        path = implied or read_path(job.control, fps=model.context.fps)
        path = styled(path, wish.style).resample(model.context.fps)
        for style in sorted(set(path.styles or ())):
            model.context.label_vector(style)  # an unknown style makes only this path fail
        path, warnings = within_range(model, path, as_asked=wish.as_asked, strict=wish.strict)
    except ControlError as error:
        raise ControlError(named(error, job.control), setting=error.setting) from error
    seed, performer = wish.seed, wish.performer
    if split_source(job.control)[1] is not None:  # figures of a crowd do not move alike
        seed += number_of(job.control)
    cast = [(take, model.context.cast(performer, seed, take)) for take in job.takes]
    content = [path.positions.tobytes(), path.headings.tobytes(), repr(path.styles).encode()]
    settings = {
        **common,
        "seed": seed,
        "control": job.control,
        "control_sha256": sha256(b"".join(content)).hexdigest(),
        "unit": "m" if job.target.suffix != ".bvh" else wish.unit or ("the rig's" if wish.skeleton else "cm"),
    }
    return [
        Order(
            path,
            take,
            performer,
            seed,
            job.waiting(take) if wish.rank else job.place(take),
            {**settings, "take": take, "performer": performer},
            (*path.notes, *warnings),
            implied is not None,
        )
        for take, performer in cast
    ]


def named(error: MoglowError, control: str) -> str:
    """Returns the message of an error, with the path that caused it.

    >>> named(ControlError("path: no frames"), "walk.csv")
    'walk.csv: no frames'
    """
    message = str(error).removeprefix("path: ")
    return message if message.startswith(control) else f"{control}: {message}"


def summary(failures: Sequence[str], jobs: int) -> MoglowError:
    """Returns one error for all paths whose motion failed; the others are written."""
    if jobs == 1:
        return ControlError(failures[0])
    more = f"; and {len(failures) - LISTED} more" if len(failures) > LISTED else ""
    return ControlError(f"{len(failures)} of {jobs} paths failed: {'; '.join(failures[:LISTED])}{more}")
