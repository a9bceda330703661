"""The contents of a motion file: figure, unit, axes, speed, feet and damage."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from moglow.anatomy.unit_and_axes import UNITS, find_basis, find_unit
from moglow.cleaning.damage_search import DamageSearch, MotionSummary, ReportedDamage
from moglow.errors import MoglowError
from moglow.formats.read import MOTIONS, clips_in, open_motion
from moglow.motion.clip_stream import Frames
from moglow.motion.skeleton import Layout

_NONE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class FigureSummary:
    """The anatomy of the skeleton: joint and confidence of each role, and the confidence of the partners."""

    joints: int
    legs: int
    roles: dict[str, tuple[str, float]]
    partners: float

    @property
    def sure(self) -> float:
        """Returns the lowest confidence of a role."""
        return min((confidence for _, confidence in self.roles.values()), default=0.0)


@dataclass(frozen=True)
class Axes:
    """The unit of the file and its axes that point up and forward (where the rest pose faces), with confidences."""

    unit: str
    unit_confidence: float
    up: str
    forward: str
    confidence: float


@dataclass(frozen=True)
class Report:
    """The report on one file; only ``error`` is set for a file that cannot be used."""

    file: str
    error: str | None = None
    frames: int = 0
    fps: float = 0.0
    seconds: float = 0.0
    figure: FigureSummary | None = None
    axes: Axes | None = None
    motion: MotionSummary | None = None
    damage: tuple[ReportedDamage, ...] = field(default=())

    def to_json(self) -> dict[str, Any]:
        """Returns the report as plain values, with the damage under the key ``faults``."""
        values = asdict(self)
        values["faults"] = values.pop("damage")
        return {key: value for key, value in values.items() if value is not None}


def inspect_file(path: str | Path, overrides: Mapping[str, str] = _NONE) -> Report:
    """Returns the report on a file; for a file that cannot be used, a report with the error."""
    try:
        return inspect_clip(open_motion(path, overrides=overrides), str(path))
    except MoglowError as error:
        return Report(str(path), error=" ".join(str(error).split()))


def inspect_with(overrides: Mapping[str, str], path: str | Path) -> Report:
    """Returns the report of `inspect_file`, as a task for workers."""
    return inspect_file(path, overrides)


def inspect_folder(path: str | Path, overrides: Mapping[str, str] = _NONE) -> Iterator[Report]:
    """Yields the reports of all motion files below a folder, sorted by name."""
    for file in motion_files(path):
        yield inspect_file(file, overrides)


def motion_files(path: str | Path) -> list[Path]:
    """Returns the file itself, or all motion files below a folder; raises a MoglowError if there is none.

    A file with several clips is listed as ``file#name`` for each clip.
    """
    path = Path(path)
    if not path.is_dir():
        return clips_in(path)
    files = sorted(file for file in path.rglob("*") if file.suffix.lower() in MOTIONS and file.is_file())
    if not files:
        raise MoglowError(
            f"{path}: no motion file in this folder ({', '.join(MOTIONS)}); name a file or another folder"
        )
    return [clip for file in files for clip in clips_in(file)]


def inspect_clip(clip: Frames, name: str = "") -> Report:
    """Returns the report on a clip; long clips are processed in stretches, to limit the memory."""
    search = DamageSearch.of(clip)
    figure, axes = _figure(clip), _axes(clip, clip.skeleton.layout) if clip.skeleton.layout else None
    name = name or clip.name
    del clip  # the numbers of a long file take more memory than the rest, and are not needed any more
    return Report(
        file=name,
        frames=search.frames,
        fps=search.fps,
        seconds=search.frames / search.fps,
        figure=figure,
        axes=axes,
        motion=search.motion(),
        damage=tuple(search.reported()),
    )


def _figure(clip: Frames) -> FigureSummary:
    anatomy, names = clip.skeleton.anatomy, clip.skeleton.names
    roles = {role: (names[joint], anatomy.confidence[role]) for role, joint in anatomy.roles.items()}
    return FigureSummary(len(names), len(anatomy.legs), roles, anatomy.confidence["partners"])


def _axes(clip: Frames, layout: Layout) -> Axes:
    """Returns the unit and axes, estimated again for their confidences."""
    skeleton, basis = clip.skeleton, np.array(layout.basis)
    rest = skeleton.rest_positions @ basis / layout.unit
    poses = clip[:: max(1, len(clip) // 16)].world()[0] @ basis / layout.unit
    unit = next((name for name, metres in UNITS.items() if metres == layout.unit), f"{layout.unit:g} m")
    # A figure in a unit without a name has the size of a person in metres, or not.
    measured = rest if unit in UNITS else skeleton.rest_positions
    _, unit_sure = find_unit(skeleton.names, skeleton.parents, measured, skeleton.overrides)
    _, axes_sure = find_basis(skeleton.names, skeleton.parents, rest, poses, skeleton.overrides)
    return Axes(unit, unit_sure, _axis(basis[1]), _axis(basis[2]), axes_sure)


def _axis(direction: np.ndarray) -> str:
    axis = int(np.abs(direction).argmax())
    return ("-" if direction[axis] < 0 else "") + "XYZ"[axis]


def find_damage(clip: Frames) -> list[ReportedDamage]:
    """Returns all damage of a clip: what `mend` finds, in order of time, then damage without a repair."""
    return DamageSearch.of(clip).reported()
