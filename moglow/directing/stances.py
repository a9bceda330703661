"""Requested footprints that agree with the feet of poses. Needs numpy alone.

Where a pose of the whole body and a footprint differ a little, the pose is met and the footprint is changed: it is
moved to the foot of the pose, and begins or ends at another time if the foot stands in one of them only. Where they
differ by more, an error names both.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from moglow.errors import ControlError
from moglow.footsteps.following import Followed
from moglow.footsteps.footprints import Footprint, Footprints, foot_names, footprints, in_order
from moglow.maths.rotations import Array, vector_to_heading, wrap_angle
from moglow.motion.clip import Clip
from moglow.motion.contacts import contacts, legs_of, toe_floor, toe_points


@dataclass(frozen=True)
class StanceSpec:
    """The largest differences between footprints and the feet of poses, in metres, seconds and radians."""

    away: float = 0.25
    """Distance over which a footprint is moved."""
    late: float = 0.2
    """Time by which a footprint begins earlier or later, or ends so."""
    near: float = 0.01
    """Distance up to which a footprint stays where it is …"""
    turned: float = 0.05
    """… and rotation up to which it does."""
    low: float = 0.05
    """Height of a toe up to which the foot may be standing."""
    hurry: float = 0.75
    """Shortest duration of a step before or after a pose, relative to the same step of the sampled motion."""
    apart: float = 0.1
    """Shortest time between two footprints of a foot."""


@dataclass(frozen=True, eq=False)
class Stance:
    """The feet of a pose: toes ``(L, 3)`` and headings ``(L,)`` in their places.

    ``frame`` is that of the sampled motion, ``after`` that of the motion that follows footprints.
    """

    words: str
    frame: int
    after: int
    toes: Array
    headings: Array

    @classmethod
    def of(cls, words: str, frame: int, after: int, pose: Clip) -> "Stance":
        """Returns the feet of a pose of one frame."""
        return cls(words, frame, after, toe_points(pose)[0], foot_headings(pose)[0])


def foot_headings(clip: Clip) -> Array:
    """Returns the directions ``(T, L)`` from ankles to toes in radians."""
    ankles = clip.world_positions[:, [leg.ankle for leg in legs_of(clip.skeleton)]]
    return np.asarray(vector_to_heading((toe_points(clip) - ankles)[..., [0, 2]]))


def standing_at(prints: Sequence[Footprint], leg: int, seconds: float, fps: float) -> int | None:
    """Returns the number of the footprint in which a foot stands at a time, or None."""
    half = 0.5 / fps
    found = (
        k for k, each in enumerate(prints) if each.leg == leg and each.on - half <= seconds <= each.off + half
    )
    return next(found, None)


@dataclass(frozen=True, eq=False)
class Fitting:
    """Changes requested footprints of a motion; ``followed`` is the ``clip`` in them as they are requested."""

    clip: Clip
    followed: Followed
    spec: StanceSpec = StanceSpec()

    def fitted(
        self, requested: Footprints, stances: Sequence[Stance]
    ) -> tuple[Footprints, list[dict[str, Any]]]:
        """Returns the footprints that agree with the stances, and a description of each that was changed."""
        planted, names = contacts(self.clip), foot_names(self.clip.skeleton)
        own, standing = footprints(self.clip, planted=planted), toe_floor(toe_points(self.clip))
        prints, changes = list(requested), list[dict[str, Any]]()
        for stance in stances:
            for leg, name in enumerate(names):
                before = [*prints]
                low = stance.toes[leg, 1] - standing[leg] < self.spec.low
                mine = [each for each in own if each.leg == leg]
                number = self._timed(prints, stance, leg, name, bool(planted[stance.frame, leg]), low, mine)
                if number is not None:
                    prints[number] = self._moved(prints[number], stance, name)
                changes += [
                    _change(old, new, stance, name)
                    for old, new in zip(before, prints, strict=True)
                    if old is not new
                ]
        return in_order(prints), changes

    def _timed(
        self,
        prints: list[Footprint],
        stance: Stance,
        leg: int,
        name: str,
        stands: bool,
        low: bool,
        own: Sequence[Footprint],
    ) -> int | None:
        """Returns the number of the footprint in which a foot stands in a pose, after changing its times, or None."""
        now, then = stance.after / self.clip.fps, stance.frame / self.clip.fps
        within = standing_at(prints, leg, now, self.clip.fps)
        if within is not None and (stands or low):
            return within
        if within is None and stands:
            return self._begun(prints, stance, leg, name, own)
        left = max((each.off for each in own if each.off < then), default=None)
        comes = min((each.on for each in own if each.on > then), default=None)
        for k in (k for k, each in enumerate(prints) if each.leg == leg):
            each = changed = prints[k]
            nearer_end = k != within or each.off - now <= now - each.on
            if left is not None and each.on <= now and nearer_end:
                changed = replace(changed, off=min(each.off, now - self.spec.hurry * (then - left)))
            elif comes is not None and each.off >= now:
                changed = replace(changed, on=max(each.on, now + self.spec.hurry * (comes - then)))
            if changed != each:
                text = f"is in the air, but stands in the footprint from {each.on:.2f} to {each.off:.2f} s"
                if k != within:
                    text = f"has no time for its step from or to the footprint from {each.on:.2f} to {each.off:.2f} s"
                self._check_times(each, changed, stance, name, text)
                prints[k] = changed
        return None

    def _begun(
        self, prints: list[Footprint], stance: Stance, leg: int, name: str, own: Sequence[Footprint]
    ) -> int:
        """Returns the number of the footprint nearest in time to a foot that stands, which begins or ends with it."""
        half = 0.5 / self.clip.fps
        now, then = stance.after / self.clip.fps, stance.frame / self.clip.fps
        mine = [k for k, each in enumerate(prints) if each.leg == leg]
        if not mine:
            raise ControlError(f"{stance.words}: its {name} foot stands, but has no footprint; add one")
        near = min(mine, key=lambda k: max(prints[k].on - now, now - prints[k].off))
        each = prints[near]
        held = next((other for other in own if other.on - half <= then <= other.off + half), None)
        others = [prints[k] for k in mine if k != near]
        if now < each.on:
            on = now - (then - held.on if held else 0.0)
            free = max((other.off for other in others if other.off < each.on), default=-1.0)
            changed = replace(each, on=max(min(now, max(on, free + self.spec.apart)), 0.0))
        else:
            off = now + (held.off - then if held else 0.0)
            free = min((other.on for other in others if other.on > each.off), default=np.inf)
            changed = replace(each, off=max(now, min(off, free - self.spec.apart)))
        text = f"stands, but its next footprint is from {each.on:.2f} to {each.off:.2f} s"
        self._check_times(each, changed, stance, name, text)
        prints[near] = changed
        return near

    def _check_times(self, before: Footprint, after: Footprint, stance: Stance, name: str, text: str) -> None:
        """Raises an error for a footprint that begins or ends much earlier or later, or has no duration."""
        late = max(abs(after.on - before.on), abs(after.off - before.off))
        if late > self.spec.late or after.off < after.on:
            raise ControlError(
                f"{stance.words}: its {name} foot {text}; give another time, or footprints written with this pose"
            )

    def _moved(self, each: Footprint, stance: Stance, name: str) -> Footprint:
        """Returns a footprint at the place of the foot in a pose."""
        fps, leg, done = self.clip.fps, each.leg, self.followed.clip
        at = min(max(stance.after, round(each.on * fps)), round(each.off * fps), len(done) - 1)
        one = done[at : at + 1]
        x, y, z = stance.toes[leg] - [each.x, toe_points(one)[0, leg, 1], each.z]
        turned = float(wrap_angle(stance.headings[leg] - foot_headings(one)[0, leg]))
        away = float(np.linalg.norm([x, y, z]))
        if away > self.spec.away:
            raise ControlError(
                f"{stance.words}: its {name} foot is {away:.2f} m from the footprint from {each.on:.2f} to "
                f"{each.off:.2f} s at x {each.x:.2f}, z {each.z:.2f}; move one of them"
            )
        if away < self.spec.near and abs(turned) < self.spec.turned:
            return each
        heading = each.heading if np.isfinite(each.heading) else float(foot_headings(one)[0, leg])
        return replace(
            each,
            x=each.x + float(x),
            z=each.z + float(z),
            height=each.height + float(y),
            heading=heading + turned,
        )


def _change(before: Footprint, after: Footprint, stance: Stance, name: str) -> dict[str, Any]:
    """Returns the description of a changed footprint, for a sidecar."""
    moved = float(np.hypot(after.x - before.x, after.z - before.z))
    return {
        "goal": stance.words,
        "foot": name,
        "t_on": [round(before.on, 3), round(after.on, 3)],
        "t_off": [round(before.off, 3), round(after.off, 3)],
        "moved_m": round(moved, 3),
    }
