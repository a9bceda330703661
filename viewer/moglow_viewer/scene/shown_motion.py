"""A clip prepared for display, at any time between frames, with its footprints and figures. Needs numpy alone."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moglow.ground.surface import Ground
from moglow.maths.rotations import Array, quat_continuous, quat_normalize
from moglow.maths.signals import runs
from moglow.measures.on_ground import above
from moglow.motion.capsule_body import joint_radii, joint_sides
from moglow.motion.clip import Clip
from moglow.motion.contacts import contacts, ground_speed, toe_floor, toe_points
from moglow.motion.skeleton import Skeleton

SWAY = 0.5
"""Seconds to both sides over which the hips' track is averaged, twice, so that a camera does not sway with steps."""


@dataclass(frozen=True)
class Bone:
    """A bone between two points (joints, then end sites), its radii in metres, and its side: 1 left, −1 right, 0."""

    start: int
    end: int
    start_radius: float
    end_radius: float
    side: int


@dataclass(frozen=True)
class ShownFootprint:
    """A stretch of frames in which a foot is planted: leg, frames, place, and mean speed (m/s)."""

    leg: int
    start: int
    stop: int
    x: float
    z: float
    speed: float
    height: float = 0.0
    """The height of the ground."""


@dataclass(frozen=True, eq=False)
class ShownMotion:
    """A clip and the figures of its sidecar.

    >>> from moglow.motion.skeleton import Skeleton
    >>> motion = ShownMotion(Clip.at_rest(Skeleton(("Hips",), (-1,), [[0.0, 0.9, 0.0]]), frames=31))
    >>> motion.frame_at(0.5), motion.at(0.5)[0].tolist(), motion.footprints
    (15, [[0.0, 0.9, 0.0]], ())
    """

    clip: Clip
    figures: Mapping[str, Any] = field(default_factory=dict)
    real: bool = False
    """A recording, shown in grey beside generated motion."""
    ground: Ground | None = None
    """The ground below the figure; by default a flat floor."""

    def frame_at(self, seconds: float) -> int:
        """Returns the frame at a time, the first or the last one outside the clip."""
        return int(np.clip(np.floor(seconds * self.clip.fps + 1e-4), 0, len(self.clip) - 1))

    def at(self, seconds: float) -> tuple[Array, Array]:
        """Returns world positions ``(J, 3)`` and rotations ``(J, 4)`` at a time, interpolated between frames."""
        frame, share = self._between(seconds)
        positions, (following, turned) = self.clip.world_positions, self._next(frame)
        near = self._rotations[frame]
        return (
            positions[frame] + share * (following - positions[frame]),
            quat_normalize(near + share * (turned - near)),
        )

    def track_at(self, seconds: float) -> Array:
        """Returns the point ``(3,)`` that a camera follows at a time: the hips without the sway of steps."""
        frame, share = self._between(seconds)
        following = self.track[min(frame + 1, len(self.clip) - 1)]
        place: Array = self.track[frame] + share * (following - self.track[frame])
        return place

    def _between(self, seconds: float) -> tuple[int, float]:
        frame = self.frame_at(seconds)
        return frame, float(np.clip(seconds * self.clip.fps - frame, 0.0, 1.0))

    def _next(self, frame: int) -> tuple[Array, Array]:
        following = min(frame + 1, len(self.clip) - 1)
        return self.clip.world_positions[following], self._rotations[following]

    @cached_property
    def _rotations(self) -> Array:
        return quat_continuous(self.clip.world_rotations)

    @cached_property
    def track(self) -> Array:
        """The smoothed track of the hips ``(T, 3)``."""
        track, reach = self.clip.world_positions[:, self.hips], round(SWAY * self.clip.fps)
        frames = np.arange(len(track))
        width = np.minimum(np.minimum(frames, len(track) - 1 - frames), reach)[:, None]  # equal on both sides
        for _ in range(2):
            sums = np.concatenate([np.zeros((1, 3)), np.cumsum(track, axis=0)])
            track = (sums[frames + width[:, 0] + 1] - sums[frames - width[:, 0]]) / (2 * width + 1)
        return track

    @property
    def hips(self) -> int:
        return self.clip.skeleton.hips

    @cached_property
    def size(self) -> float:
        """The largest distance (m) of the body from its hips, in a sample of a hundred frames."""
        some = slice(None, None, -(-len(self.clip) // 100))
        points = np.concatenate([self.clip.world_positions, self.clip.end_positions()], axis=1)[some]
        body = sorted({point for bone in self.bones for point in (bone.start, bone.end)})
        away = np.linalg.norm(points[:, body] - points[:, [self.hips]], axis=-1)
        return max(0.1, float(away.max()))

    @cached_property
    def bones(self) -> tuple[Bone, ...]:
        return bones(self.clip.skeleton)

    @cached_property
    def toes(self) -> Array:
        """World positions ``(T, L, 3)`` of the toes; L is 0 without legs."""
        return toe_points(self.clip) if self.clip.skeleton.anatomy.legs else np.zeros((len(self.clip), 0, 3))

    @cached_property
    def planted(self) -> NDArray[np.bool_]:
        """Flags ``(T, L)`` of planted feet."""
        if not self.clip.skeleton.anatomy.legs:
            return np.zeros(self.toes.shape[:2], bool)
        if self.ground is None:
            return contacts(self.clip)
        return contacts(
            self.clip, floor=toe_floor(self.toes_above) + self.toes[..., 1] - self.toes_above[..., 1]
        )

    @cached_property
    def toes_above(self) -> Array:
        """The toes ``(T, L, 3)``, with heights relative to the ground."""
        return self.toes if self.ground is None else above(self.toes, self.ground)

    def floor_at(self, places: Array) -> Array:
        """Returns the heights ``(...)`` of the ground at places ``(..., 2)``."""
        return (
            np.zeros(places.shape[:-1])
            if self.ground is None
            else self.ground.heights(places[..., 0], places[..., 1])
        )

    @cached_property
    def foot_speed(self) -> Array:
        """Horizontal speeds ``(T, L)`` of the toes, m/s."""
        return ground_speed(self.toes, self.clip.fps)

    @cached_property
    def slide(self) -> Array:
        """Foot slide ``(T,)``, m/s."""
        return lowest_speed(self.toes_above, self.clip.fps)

    @cached_property
    def footprints(self) -> tuple[ShownFootprint, ...]:
        """All stretches in which a foot is planted."""
        prints = []
        for leg in range(self.planted.shape[1]):
            for start, stop in runs(self.planted[:, leg]):
                x, _, z = self.toes[start:stop, leg].mean(0).tolist()
                speed = float(self.foot_speed[start:stop, leg].mean())
                height = float(self.floor_at(np.array([x, z])))
                prints.append(ShownFootprint(leg, start, stop, x, z, speed, height))
        return tuple(prints)


def lowest_speed(toes: Array, fps: float) -> Array:
    """Returns the foot slide ``(T,)``: the horizontal speed of the toe that is lowest on the step to each frame."""
    if toes.shape[0] < 2 or not toes.shape[1]:
        return np.zeros(len(toes))
    lowest = (toes[1:] + toes[:-1])[..., 1].argmin(1)
    step = np.diff(toes, axis=0)[np.arange(len(toes) - 1), lowest]
    speed = np.linalg.norm(step[:, [0, 2]], axis=-1) * fps
    return np.concatenate([speed[:1], speed])


def bones(skeleton: Skeleton) -> tuple[Bone, ...]:
    """Returns the bones below the hips, without a root on the floor and its IK handles."""
    radii, sides = joint_radii(skeleton).tolist(), joint_sides(skeleton)
    body = {skeleton.hips}
    for joint, parent in enumerate(skeleton.parents):
        if parent in body:
            body.add(joint)
    found = [
        Bone(parent, joint, radii[parent], radii[joint], sides[parent])
        for joint, parent in enumerate(skeleton.parents)
        if parent in body
    ]
    found += [
        Bone(joint, len(skeleton) + end, radii[joint], 0.9 * radii[joint], sides[joint])
        for end, (joint, _) in enumerate(skeleton.end_sites)
        if joint in body
    ]
    return tuple(found) or (Bone(0, 0, radii[0], radii[0], 0),)  # a single joint is shown as a ball
