"""The contents of a motion file: figure, unit, axes, speed, feet and damage."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moglow.anatomy.unit_and_axes import UNITS, find_basis, find_unit
from moglow.cleaning.damage import in_words
from moglow.cleaning.jumps import Jump, find_jumps, repeated_frames
from moglow.cleaning.mend import Mended, mend
from moglow.errors import MoglowError
from moglow.formats.read import MOTIONS, clips_in, read_motion
from moglow.measures.metrics import Slide, bone_stretch, toe_slide
from moglow.motion.clip import Clip
from moglow.motion.contacts import toe_points
from moglow.motion.skeleton import Layout
from moglow.paths.control_path import ControlPath

_NONE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class InspectSpec:
    """The limits beyond which a clip has a problem without a repair."""

    flip: float = np.radians(120)
    """Least angle of a flip, a jump by which a solver changes to the wrong one of two solutions."""
    off_floor: float = 0.06
    """Largest height of the floor in metres; planted toe joints without end sites are up to 5 cm above it."""
    unsure: float = 0.5
    """Least confidence of a role."""
    stretch: float = 0.05
    """Largest relative change of a bone's length."""
    repeats: float = 0.1
    """Largest share of frames that repeat the one before."""


SPEC = InspectSpec()


@dataclass(frozen=True)
class Fault:
    """A problem and its description, in the frames from ``start`` to before ``stop`` or, if None, in the whole clip."""

    kind: str
    why: str
    start: int | None = None
    stop: int | None = None

    @property
    def place(self) -> str:
        """Returns the frames in words."""
        if self.start is None or self.stop is None:
            return ""
        return in_words(self.start, self.stop)

    def __str__(self) -> str:
        return f"{self.place}: {self.why}" if self.place else self.why


@dataclass(frozen=True)
class Figure:
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
class Motion:
    """Speed and absolute turning speed of the smoothed root (median and 95th percentile), height of the floor and foot
    slide, in SI units."""

    speed_median: float
    speed_p95: float
    turn_median: float
    turn_p95: float
    floor: float
    slide: Slide | None


@dataclass(frozen=True)
class Report:
    """The report on one file; only ``error`` is set for a file that cannot be used."""

    file: str
    error: str | None = None
    frames: int = 0
    fps: float = 0.0
    seconds: float = 0.0
    figure: Figure | None = None
    axes: Axes | None = None
    motion: Motion | None = None
    faults: tuple[Fault, ...] = field(default=())

    def to_json(self) -> dict[str, Any]:
        """Returns the report as plain values."""
        return {key: value for key, value in asdict(self).items() if value is not None}


def inspect_file(path: str | Path, overrides: Mapping[str, str] = _NONE) -> Report:
    """Returns the report on a file; for a file that cannot be used, a report with the error."""
    try:
        return inspect_clip(read_motion(path, overrides=overrides), str(path))
    except MoglowError as error:
        return Report(str(path), error=" ".join(str(error).split()))


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


def inspect_clip(clip: Clip, name: str = "") -> Report:
    """Returns the report on a clip."""
    motion = _motion(clip)
    return Report(
        file=name or clip.name,
        frames=len(clip),
        fps=clip.fps,
        seconds=len(clip) / clip.fps,
        figure=_figure(clip),
        axes=_axes(clip, clip.skeleton.layout) if clip.skeleton.layout else None,
        motion=motion,
        faults=tuple(find_faults(clip)),
    )


def _figure(clip: Clip) -> Figure:
    anatomy, names = clip.skeleton.anatomy, clip.skeleton.names
    roles = {role: (names[joint], anatomy.confidence[role]) for role, joint in anatomy.roles.items()}
    return Figure(len(names), len(anatomy.legs), roles, anatomy.confidence["partners"])


def _axes(clip: Clip, layout: Layout) -> Axes:
    """Returns the unit and axes, estimated again for their confidences."""
    skeleton, basis = clip.skeleton, np.array(layout.basis)
    rest = skeleton.rest_positions @ basis / layout.unit
    poses = clip.world()[0][:: max(1, len(clip) // 16)] @ basis / layout.unit
    unit = next((name for name, metres in UNITS.items() if metres == layout.unit), f"{layout.unit:g} m")
    _, unit_sure = find_unit(skeleton.names, skeleton.parents, rest, skeleton.overrides)
    _, axes_sure = find_basis(skeleton.names, skeleton.parents, rest, poses, skeleton.overrides)
    return Axes(unit, unit_sure, _axis(basis[1]), _axis(basis[2]), axes_sure)


def _axis(direction: np.ndarray) -> str:
    axis = int(np.abs(direction).argmax())
    return ("-" if direction[axis] < 0 else "") + "XYZ"[axis]


def _motion(clip: Clip) -> Motion:
    velocities = ControlPath.from_clip(clip).velocities()
    speed, turn = np.linalg.norm(velocities[:, :2], axis=-1), np.abs(velocities[:, 2])
    return Motion(
        speed_median=float(np.median(speed)),
        speed_p95=float(np.quantile(speed, 0.95)),
        turn_median=float(np.median(turn)),
        turn_p95=float(np.quantile(turn, 0.95)),
        floor=clip.floor_height(),
        slide=toe_slide(toe_points(clip), clip.fps) if clip.skeleton.anatomy.legs else None,
    )


def find_faults(clip: Clip) -> list[Fault]:
    """Returns all problems of a clip: the damage found by `mend` in order of time, then problems without a repair."""
    mended = mend(clip)
    damage = sorted((each.damage for each in mended.findings), key=lambda each: each.start)
    found = [Fault(each.kind, each.why, each.start, each.stop) for each in damage]
    return [
        *found,
        *_jumps(mended),
        *_repeats(mended),
        *_floor(mended.clip),
        *_stretch(mended.clip),
        *_doubts(clip),
    ]


def _jumps(mended: Mended) -> Iterator[Fault]:
    """Yields jumps of joints that do not return, from the repaired clip, in which swapped limbs do not jump."""
    names, frames = mended.clip.skeleton.names, np.maximum.accumulate(mended.source)  # of the file
    thawed = {each.damage.stop for each in mended.findings if each.left}
    jumps = [each for each in find_jumps(mended.clip) if each.angle and each.frame not in thawed]
    for jump in jumps:
        if jump.angle >= SPEC.flip:
            yield Fault(
                "flip", f"{names[jump.joint]} flips {np.degrees(jump.angle):.0f}°", *_at(frames, jump)
            )
    turned = [jump for jump in jumps if jump.angle < SPEC.flip]
    for joint, count in Counter(jump.joint for jump in turned).items():
        worst = max((jump for jump in turned if jump.joint == joint), key=lambda jump: jump.angle)
        times = f", {count} ×" if count > 1 else ""
        yield Fault(
            "jump", f"{names[joint]} jumps {np.degrees(worst.angle):.0f}°{times}", *_at(frames, worst)
        )


def _at(frames: NDArray[np.intp], jump: Jump) -> tuple[int, int]:
    """Returns the file's frame of a jump, and the next number."""
    frame = int(frames[jump.frame])
    return frame, frame + 1


def _repeats(mended: Mended) -> Iterator[Fault]:
    clip = mended.original
    share = float(repeated_frames(clip).mean()) if len(clip) > 1 else 0.0
    if share > SPEC.repeats and not any(each.damage.kind == "frozen" for each in mended.findings):
        rate = clip.fps * (1 - share)
        yield Fault(
            "repeats", f"{share:.0%} of the frames repeat the one before: captured at about {rate:.3g} fps"
        )


def _floor(clip: Clip) -> Iterator[Fault]:
    height = clip.floor_height()
    if abs(height) > SPEC.off_floor:
        yield Fault("floor", f"floor at {100 * height:+.0f} cm")


def _stretch(clip: Clip) -> Iterator[Fault]:
    stretch = bone_stretch(clip)
    if stretch > SPEC.stretch:
        yield Fault("stretch", f"a bone changes its length by {stretch:.0%}")


def _doubts(clip: Clip) -> Iterator[Fault]:
    anatomy = clip.skeleton.anatomy
    if not anatomy.legs:
        yield Fault("figure", "no legs found; name hip, knee and ankle in a map file")
    unsure = [role for role in anatomy.roles if anatomy.confidence[role] < SPEC.unsure]
    if unsure:
        yield Fault("figure", f"unsure of {len(unsure)} roles ({unsure[0]} …); confirm them in a map file")
