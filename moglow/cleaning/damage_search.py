"""Searches a clip for damage and measures its motion, in stretches of frames.

A stretch has at most `DamageSearchSpec.together` frames (twice that in a clip of a single stretch), so time and memory
are proportional to the clip's length.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from moglow.cleaning.damage import Damage, in_words
from moglow.cleaning.jumps import Jump, find_jumps, repeated_frames
from moglow.cleaning.mend import Mended, mend
from moglow.maths.rotations import Array
from moglow.maths.signals import smooth_gaussian
from moglow.measures.metrics import Slide, toe_slide
from moglow.motion.clip import Clip
from moglow.motion.clip_stream import Frames
from moglow.motion.contacts import toe_points
from moglow.motion.skeleton import Skeleton
from moglow.paths.control_path import SMOOTHING, ControlPath


@dataclass(frozen=True)
class DamageSearchSpec:
    """The length of a stretch, and the limits beyond which a clip has damage without a repair."""

    together: int = 4096
    """Largest number of frames of a stretch."""
    around: int = 256
    """Number of further frames before and after a stretch, so that damage at a seam is found as a whole."""
    flip: float = np.radians(120)
    """Least angle of a flip, a jump by which a solver changes to the wrong one of two solutions."""
    off_floor: float = 0.06
    """Largest height of the floor in metres; planted toe joints without end sites are up to 5 cm above it."""
    unsure: float = 0.5
    """Least confidence of a role."""
    stretch: float = 0.05
    """Largest relative change of a bone's length."""
    shortest_bone: float = 1e-3
    """Length in metres below which bones are ignored."""
    repeats: float = 0.1
    """Largest share of frames that repeat the one before."""


SPEC = DamageSearchSpec()


@dataclass(frozen=True)
class ReportedDamage:
    """The kind and reason of damage, in the frames from ``start`` to before ``stop`` or, if None, in the whole clip."""

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
class MotionSummary:
    """Speed and absolute turning speed of the smoothed root (median and 95th percentile), height of the floor and foot
    slide, in SI units."""

    speed_median: float
    speed_p95: float
    turn_median: float
    turn_p95: float
    floor: float
    slide: Slide | None


@dataclass
class DamageSearch:
    """The measurements of a clip, accumulated over its stretches."""

    skeleton: Skeleton
    fps: float
    frames: int
    damage: list[Damage] = field(default_factory=list)
    open_damage: list[int] = field(default_factory=list)
    """Indices of damage that the next stretch may continue."""
    jumps: list[Jump] = field(default_factory=list)
    repeated: int = 0
    frozen: bool = False
    places: list[Array] = field(default_factory=list)
    headings: list[Array] = field(default_factory=list)
    toes: list[Array] = field(default_factory=list)
    lowest: list[Array] = field(default_factory=list)
    """Heights ``(T,)`` of the lowest point."""
    mended_lowest: list[Array] = field(default_factory=list)
    """Heights of the lowest point in the repaired clip."""
    bones: list[Array] = field(default_factory=list)
    """The median, smallest and largest length ``(3, J - 1)`` of each bone in the repaired clip."""

    @classmethod
    def of(cls, clip: Frames) -> "DamageSearch":
        """Returns the completed search of a clip."""
        search = cls(clip.skeleton, clip.fps, len(clip))
        for around, own in stretches_of(len(clip)):
            search._look(clip[around], around.start, own)
        return search

    def _look(self, part: Clip, first: int, own: slice) -> None:
        """Adds the frames ``own`` of the clip, from a part that begins at frame ``first``."""
        inner = slice(own.start - first, own.stop - first)
        self.places.append(part.ground_positions()[inner])
        self.headings.append(part.headings()[inner])
        self.lowest.append(_lowest(part)[inner])
        if self.skeleton.anatomy.legs:
            self.toes.append(toe_points(part)[inner])
        self.repeated += int(
            np.count_nonzero(repeated_frames(part)[max(0, inner.start - 1) : inner.stop - 1])
        )
        mended = mend(part)
        source = np.maximum.accumulate(mended.source)  # frames of the part
        kept = (source >= inner.start) & (source < inner.stop)
        self.mended_lowest.append(self.lowest[-1] if mended.clip is part else _lowest(mended.clip)[kept])
        lengths = np.linalg.norm(mended.clip.positions[kept][:, 1:], axis=-1)
        self.bones.append(np.stack([np.median(lengths, 0), lengths.min(0), lengths.max(0)]))
        self.frozen |= any(each.damage.kind == "frozen" for each in mended.found)
        self._add_damage([each.damage for each in mended.found], len(part), first, own)
        self._add_jumps(mended, source, first, own)

    def _add_damage(self, found: list[Damage], length: int, first: int, own: slice) -> None:
        """Adds damage that overlaps ``own``, joined with its part in the stretch before."""
        before = [at for at in self.open_damage if self._reaches(self.damage[at], first)]
        self.open_damage = list(before)
        for each in found:
            stop = self.frames if each.lasts and each.stop == length else first + each.stop
            moved = replace(each, start=first + each.start, stop=stop)
            if not (moved.start < own.stop and moved.stop > own.start):
                continue
            part = next((at for at in before if _is_same(self.damage[at], moved)), None)
            if part is None:
                self.open_damage.append(len(self.damage))
                self.damage.append(moved)
            else:
                self.damage[part] = self.damage[part].joined(moved, self.fps)

    @staticmethod
    def _reaches(damage: Damage, frame: int) -> bool:
        """Returns whether damage can be found again in a part that begins at ``frame``."""
        return (damage.start if damage.lasts else damage.stop) > frame

    def _add_jumps(self, mended: Mended, source: NDArray[np.intp], first: int, own: slice) -> None:
        """Adds jumps of joints that do not return, at their frames in the file.

        They are found in the repaired clip, in which swapped limbs do not jump.
        """
        thawed = {each.damage.stop for each in mended.found if each.left}
        for jump in find_jumps(mended.clip):
            frame = first + int(source[jump.frame])
            if jump.angle and jump.frame not in thawed and own.start <= frame < own.stop:
                self.jumps.append(replace(jump, frame=frame))

    def motion(self) -> MotionSummary:
        """Returns the figures of the motion."""
        sigma = SMOOTHING * self.fps
        places, headings = np.concatenate(self.places), np.unwrap(np.concatenate(self.headings))
        path = ControlPath(smooth_gaussian(places, sigma), smooth_gaussian(headings, sigma), self.fps)
        velocities = path.velocities()
        speed, turn = np.linalg.norm(velocities[:, :2], axis=-1), np.abs(velocities[:, 2])
        return MotionSummary(
            speed_median=float(np.median(speed)),
            speed_p95=float(np.quantile(speed, 0.95)),
            turn_median=float(np.median(turn)),
            turn_p95=float(np.quantile(turn, 0.95)),
            floor=_floor_height(self.lowest),
            slide=toe_slide(np.concatenate(self.toes), self.fps) if self.toes else None,
        )

    def reported(self) -> list[ReportedDamage]:
        """Returns all damage: what `mend` finds, in order of time, then damage without a repair."""
        damage = sorted(self.damage, key=lambda each: each.start)
        return [
            *(ReportedDamage(each.kind, each.why, each.start, each.stop) for each in damage),
            *self._jumps(),
            *self._repeats(),
            *self._floor(),
            *self._stretch(),
            *self._doubts(),
        ]

    def _jumps(self) -> Iterator[ReportedDamage]:
        names = self.skeleton.names
        for jump in (jump for jump in self.jumps if jump.angle >= SPEC.flip):
            yield ReportedDamage(
                "flip", f"{names[jump.joint]} flips {np.degrees(jump.angle):.0f}°", jump.frame, jump.frame + 1
            )
        turned = [jump for jump in self.jumps if jump.angle < SPEC.flip]
        worst: dict[int, Jump] = {}
        for jump in turned:
            if jump.joint not in worst or jump.angle > worst[jump.joint].angle:
                worst[jump.joint] = jump
        for joint, count in Counter(jump.joint for jump in turned).items():
            jump, times = worst[joint], f", {count} ×" if count > 1 else ""
            text = f"{names[joint]} jumps {np.degrees(jump.angle):.0f}°{times}"
            yield ReportedDamage("jump", text, jump.frame, jump.frame + 1)

    def _repeats(self) -> Iterator[ReportedDamage]:
        share = self.repeated / (self.frames - 1) if self.frames > 1 else 0.0
        if share > SPEC.repeats and not self.frozen:
            rate = self.fps * (1 - share)
            yield ReportedDamage(
                "repeats",
                f"{share:.0%} of the frames repeat the one before: captured at about {rate:.3g} fps",
            )

    def _floor(self) -> Iterator[ReportedDamage]:
        height = _floor_height(self.mended_lowest)
        if abs(height) > SPEC.off_floor:
            yield ReportedDamage("floor", f"floor at {100 * height:+.0f} cm")

    def _stretch(self) -> Iterator[ReportedDamage]:
        middle, lowest, highest = np.stack(self.bones).swapaxes(0, 1)
        medians, least, greatest = np.median(middle, axis=0), lowest.min(0), highest.max(0)
        # The position of the hips below a root places the body and is not a bone.
        bones = (medians > SPEC.shortest_bone) & (np.arange(1, len(self.skeleton)) != self.skeleton.hips)
        off = np.maximum(greatest - medians, medians - least)[bones] / medians[bones]
        if off.max(initial=0.0) > SPEC.stretch:
            yield ReportedDamage("stretch", f"a bone changes its length by {off.max():.0%}")

    def _doubts(self) -> Iterator[ReportedDamage]:
        anatomy = self.skeleton.anatomy
        if not anatomy.legs:
            yield ReportedDamage("figure", "no legs found; name hip, knee and ankle in a map file")
        unsure = [role for role in anatomy.roles if anatomy.confidence[role] < SPEC.unsure]
        if unsure:
            yield ReportedDamage(
                "figure", f"unsure of {len(unsure)} roles ({unsure[0]} …); confirm them in a map file"
            )


def stretches_of(frames: int) -> Iterator[tuple[slice, slice]]:
    """Yields the frames of each stretch with those around it, and the stretch itself.

    >>> [(around.start, own.start, own.stop, around.stop) for around, own in stretches_of(10_000)]
    [(0, 0, 5000, 5256), (4744, 5000, 10000, 10000)]
    """
    count = max(1, frames // SPEC.together)
    for start, stop in pairwise(frames * k // count for k in range(count + 1)):
        yield slice(max(0, start - SPEC.around), min(frames, stop + SPEC.around)), slice(start, stop)


def _is_same(old: Damage, new: Damage) -> bool:
    """Returns whether parts found in two stretches are of one damage; what lasts is the same if it begins alike."""
    if (old.kind, old.joints) != (new.kind, new.joints) or not (
        new.start < old.stop and old.start < new.stop
    ):
        return False
    return old.start == new.start or not (old.lasts and new.lasts)


def _lowest(clip: Clip) -> Array:
    """Returns the height ``(T,)`` of the figure's lowest point."""
    lowest: Array = np.minimum(
        clip.world_positions[..., 1].min(1), clip.end_positions()[..., 1].min(1, initial=np.inf)
    )
    return lowest


def _floor_height(lowest: list[Array]) -> float:
    """Returns the height of the floor, computed as in `Clip.floor_height`."""
    return float(np.quantile(np.concatenate(lowest), 0.01))
