"""A clip: the motion of a skeleton. Needs numpy alone.

All joints have local positions, not only the root, since some captures translate all joints.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from importlib import import_module

import numpy as np
from numpy.typing import ArrayLike

from moglow.errors import ClipError
from moglow.maths.rotations import (
    IDENTITY,
    Array,
    heading_to_quat,
    quat_continuous,
    quat_multiply,
    quat_normalize,
    quat_rotate,
    quat_to_heading,
    vector_to_heading,
)
from moglow.maths.signals import low_pass, sample_cubic, sample_turns
from moglow.motion.mirror import find_mirror
from moglow.motion.skeleton import Skeleton

LARGEST = 100_000_000
"""Joints times frames that a clip is resampled to; more take over 5 GB and are taken for a mistake."""


@dataclass(frozen=True, eq=False)
class Clip:
    """Local joint ``positions`` ``(T, J, 3)`` in metres and ``rotations`` ``(T, J, 4)`` at ``fps`` frames a second.

    >>> figure = Skeleton(("Hips", "Spine"), (-1, 0), [[0, 0.9, 0], [0, 0.5, 0]])
    >>> clip = Clip.at_rest(figure, frames=31, fps=30.0)
    >>> len(clip), clip.duration, len(clip.resample(20.0)), len(clip[5:10])
    (31, 1.0, 21, 5)
    """

    skeleton: Skeleton
    positions: Array
    rotations: Array
    fps: float
    name: str = ""

    def __post_init__(self) -> None:
        shape = (len(self.rotations), len(self.skeleton))
        if self.positions.shape != (*shape, 3) or self.rotations.shape != (*shape, 4):
            raise ClipError(
                f"{self.name or 'clip'}: positions {self.positions.shape} and rotations {self.rotations.shape} do not "
                f"fit a skeleton of {len(self.skeleton)} joints; expected (T, J, 3) and (T, J, 4)"
            )
        if not len(self):
            raise ClipError(f"{self.name or 'clip'}: no frames; give at least one")
        if not (self.fps > 0 and np.isfinite(self.fps)):
            raise ClipError(f"{self.name or 'clip'}: {self.fps} frames a second; give a positive rate")
        if not (np.isfinite(self.positions).all() and np.isfinite(self.rotations).all()):
            raise ClipError(f"{self.name or 'clip'}: a value is not finite; clean the clip first")

    @classmethod
    def at_rest(cls, skeleton: Skeleton, *, frames: int = 1, fps: float = 30.0) -> "Clip":
        """Returns a clip of the zero pose."""
        positions = np.broadcast_to(skeleton.offsets, (frames, len(skeleton), 3)).copy()
        rotations = np.broadcast_to(IDENTITY, (frames, len(skeleton), 4)).copy()
        return cls(skeleton, positions, rotations, fps)

    def __len__(self) -> int:
        return len(self.rotations)

    def __getitem__(self, frames: slice) -> "Clip":
        part = replace(self, positions=self.positions[frames], rotations=self.rotations[frames])
        if "_world" in self.__dict__:
            part.__dict__["_world"] = tuple(values[frames] for values in self._world)
        return part

    def followed(self, *others: "Clip") -> "Clip":
        """Returns the clip and, after it, the frames of others of the same skeleton and rate.

        World positions and rotations that all of them have computed are not computed again.
        """
        parts = (self, *others)
        whole = replace(
            self,
            positions=np.concatenate([part.positions for part in parts]),
            rotations=np.concatenate([part.rotations for part in parts]),
        )
        if all("_world" in part.__dict__ for part in parts):
            worlds = zip(*(part.world() for part in parts), strict=True)
            whole.__dict__["_world"] = tuple(np.concatenate(values) for values in worlds)
        return whole

    @property
    def duration(self) -> float:
        """Returns the time in seconds from the first frame to the last."""
        return (len(self) - 1) / self.fps

    @property
    def times(self) -> Array:
        """Returns the times ``(T,)`` of the frames in seconds."""
        return np.arange(len(self)) / self.fps

    @cached_property
    def _world(self) -> tuple[Array, Array]:
        return self.skeleton.forward_kinematics(self.positions, self.rotations)

    def world(self) -> tuple[Array, Array]:
        """Returns world positions ``(T, J, 3)`` and rotations ``(T, J, 4)`` of the joints."""
        return self._world

    @property
    def world_positions(self) -> Array:
        """Returns the world positions ``(T, J, 3)`` of the joints."""
        return self._world[0]

    @property
    def world_rotations(self) -> Array:
        """Returns the world rotations ``(T, J, 4)`` of the joints."""
        return self._world[1]

    def end_positions(self) -> Array:
        """Returns the world positions ``(T, E, 3)`` of the end sites."""
        return self.skeleton.end_positions(*self._world)

    def headings(self) -> Array:
        """Returns the body's heading ``(T,)`` in radians, unwrapped.

        It is perpendicular to the mean of the lines between the hips and between the shoulders, so that hip sway counts
        half. For a skeleton without left and right it is the heading of the hips' rotation.
        """
        world, rotations = self._world
        roles = self.skeleton.anatomy.roles
        across = np.zeros((len(self), 3))
        for part in ("thigh", "upper_arm", "front_thigh"):
            if f"left_{part}" in roles and f"right_{part}" in roles:
                side = world[:, roles[f"left_{part}"]] - world[:, roles[f"right_{part}"]]
                across += side / np.maximum(np.linalg.norm(side, axis=-1, keepdims=True), 1e-9)
        if not np.any(across):
            return np.unwrap(quat_to_heading(rotations[:, self.skeleton.hips]))
        return np.unwrap(vector_to_heading(np.stack([-across[:, 2], across[:, 0]], axis=-1)))

    def ground_positions(self) -> Array:
        """Returns the ground positions ``(T, 2)`` of the hips, as (x, z)."""
        return self._world[0][:, self.skeleton.hips][:, [0, 2]]

    def resample(self, fps: float) -> "Clip":
        """Returns the motion at another frame rate, interpolated by cubics (for rotations, on the sphere).

        For a lower rate, a low-pass filter is applied first. The first frame is at time zero, the last within the
        duration of the clip.
        """
        if not (fps > 0 and np.isfinite(fps)):
            raise ClipError(
                f"{self.name or 'clip'}: cannot resample to {fps} frames a second; give a positive rate"
            )
        if not self.duration * fps * len(self.skeleton) < LARGEST:
            raise ClipError(
                f"{self.name or 'clip'}: {self.duration:.6g} s at {fps:g} frames a second; "
                f"give at most {LARGEST // len(self.skeleton)} frames of this skeleton"
            )
        frames = int(np.floor(self.duration * fps + 1e-6)) + 1
        return self.sampled(np.arange(frames) * (self.fps / fps), fps)

    def sampled(self, at: ArrayLike, fps: float) -> "Clip":
        """Returns the motion at fractional frames ``(N,)``, as a clip of ``fps`` frames a second."""
        if fps == self.fps or len(self) == 1:
            frames = np.round(np.asarray(at, float)).astype(int)
            return replace(
                self, positions=self.positions[frames], rotations=self.rotations[frames], fps=float(fps)
            )
        positions, rotations = self.positions, quat_continuous(self.rotations)
        if fps < self.fps:
            positions = low_pass(positions, fps / self.fps)
            rotations = quat_normalize(low_pass(rotations, fps / self.fps))
        at = np.clip(np.asarray(at, float), 0, len(self) - 1)
        return replace(
            self, positions=sample_cubic(positions, at), rotations=sample_turns(rotations, at), fps=float(fps)
        )

    def mirrored(self) -> "Clip":
        """Returns the mirror image across the plane x = 0, with left and right exchanged and bones of the same length.

        Mirroring twice gives the original clip.
        """
        mirror = find_mirror(self.skeleton, self._world[1], self.headings())
        return replace(
            self, positions=mirror.positions(self.positions), rotations=mirror.rotations(self.rotations)
        )

    def reversed(self) -> "Clip":
        """Returns the motion backwards in time."""
        return self[::-1]

    def moved(self, offset: ArrayLike = (0.0, 0.0, 0.0), heading: float = 0.0) -> "Clip":
        """Returns the clip, rotated by ``heading`` about the vertical at the origin, then shifted by ``offset``."""
        turn, positions, rotations = heading_to_quat(heading), self.positions.copy(), self.rotations.copy()
        positions[:, 0] = quat_rotate(turn, positions[:, 0]) + np.asarray(offset, float)
        rotations[:, 0] = quat_multiply(turn, rotations[:, 0])
        return replace(self, positions=positions, rotations=rotations)

    def at_origin(self) -> "Clip":
        """Returns the clip, moved so that it starts above the origin and faces +Z; heights do not change."""
        turned = self.moved(heading=-float(self.headings()[0]))
        x, z = turned.ground_positions()[0]
        return turned.moved((-x, 0.0, -z))

    def in_place(self) -> "Clip":
        """Returns the clip with the hips above the origin, for game engines; rotation and height do not change."""
        positions = self.positions.copy()
        positions[:, 0, [0, 2]] -= self.ground_positions()
        return replace(self, positions=positions)

    def floor_height(self) -> float:
        """Returns the height of the floor: the 1st percentile over frames of the height of the lowest point."""
        lowest = np.concatenate([self._world[0], self.end_positions()], axis=1)[..., 1].min(1)
        return float(np.quantile(lowest, 0.01))

    def on_floor(self) -> "Clip":
        """Returns the clip, shifted vertically so that the floor is at height 0."""
        return self.moved((0.0, -self.floor_height(), 0.0))

    def as_frame(self, **page: object) -> str:
        """Returns the page that plays the clip, in an HTML frame; ``page`` has arguments of the viewer's `make_page`.

        The viewer is imported by name here, because it depends on this package and only notebooks need it.
        """
        import html  # takes milliseconds, which commands do not need

        text = import_module("moglow_viewer.pages.clip_page").make_page([self], **page)
        return f'<iframe srcdoc="{html.escape(text)}" width="960" height="600" style="border:0"></iframe>'

    def _repr_html_(self) -> str:
        """Returns the clip as a page in a frame, for notebooks."""
        return self.as_frame()
