"""The aims of a stretch of motion: values of channels, or the position of a joint, in a frame. Needs numpy alone."""

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from moglow.corpus.context import Context
from moglow.encodings.encoding import Encoding
from moglow.maths.rotations import Array
from moglow.sampling.fast.folded import Floats

ROUND = ("foot_yaw", "foot_pitch", "hips_yaw", "hips_pitch")
"""Groups of angles that are equal up to a full turn."""
METRES, RADIANS, SHARE = 0.005, 0.015, 0.015
"""Tolerances of lengths and angles, and the tolerance relative to the standard deviation of a channel."""
ASTRAY = 0.6
"""Largest distance in metres of the hips from the path that is not missing in a reach; recorded ones stay below 0.2."""
PLACES = ("toe_x", "toe_z", "toe_height", "hips_height", "hips_x", "hips_z")
"""Groups of channels in metres."""


class Aim(Protocol):
    """A condition on one frame of a stretch."""

    @property
    def frame(self) -> int:
        """The index of the frame in the stretch."""
        ...

    def missed(self, poses: Floats) -> Floats:
        """Returns the errors ``(B, R)`` of standardised poses ``(B, D)``, divided by their tolerances."""
        ...

    def slopes(self, pose: Floats) -> Floats:
        """Returns the derivatives ``(R, D)`` of `missed` with respect to a pose ``(D,)``."""
        ...

    def met(self, pose: Floats) -> Floats:
        """Returns the pose nearest to the given one ``(D,)`` that meets the aim."""
        ...


@dataclass(frozen=True, eq=False)
class PoseAim:
    """Required ``values`` ``(C,)`` of the ``channels`` ``(C,)`` of a standardised pose."""

    frame: int
    channels: NDArray[np.intp]
    values: Floats
    tolerance: Floats
    """The tolerances ``(C,)`` of the errors."""
    turns: Floats
    """A full turn in each channel ``(C,)``; infinite for channels that are not periodic."""

    @classmethod
    def of(
        cls,
        context: Context,
        frame: int,
        channels: NDArray[np.intp],
        pose: Floats,
        loose: float = 1.0,
    ) -> "PoseAim":
        """Returns the aim for channels of a standardised pose ``(D,)``, with ``loose`` times the usual tolerances."""
        groups, deviation = channel_groups(context.encoding), np.asarray(context.pose_deviation, float)
        size = np.where(np.isin(groups, PLACES), METRES, RADIANS) / deviation
        parts = (pose[channels], loose * (SHARE + size)[channels], full_turns(context)[channels])
        return cls(frame, channels, *(np.asarray(part, np.float32) for part in parts))

    def away(self, poses: Floats) -> Floats:
        """Returns the differences ``(..., C)`` from poses ``(..., D)`` to the values; for angles, the shorter ones."""
        off = self.values - poses[..., self.channels]
        whole = np.round(off / self.turns) * np.where(np.isfinite(self.turns), self.turns, 0.0)
        return np.asarray(off - whole, np.float32)

    def missed(self, poses: Floats) -> Floats:
        return -self.away(poses) / self.tolerance

    def slopes(self, pose: Floats) -> Floats:
        slopes = np.zeros((len(self.channels), len(pose)), np.float32)
        slopes[np.arange(len(self.channels)), self.channels] = 1 / self.tolerance
        return slopes

    def met(self, pose: Floats) -> Floats:
        out = pose.copy()
        out[self.channels] += self.away(pose)
        return out


@dataclass(frozen=True, eq=False)
class ReachAim:
    """A ``point`` ``(3,)`` in the world for a joint; ``place`` is the position on the path: x, z and heading."""

    frame: int
    context: Context
    joint: int
    point: Array
    place: Array
    willing: Floats
    """Weight of each channel ``(D,)`` in the correction of the error, in deviations; 0 for those that do not move."""

    def at(self, poses: Floats) -> Array:
        """Returns the positions ``(..., 3)`` of the joint in standardised poses ``(..., D)``."""
        encoding = self.context.encoding
        lead = poses.shape[:-1]
        local = encoding.decode_frames(
            self.context.physical_pose(poses),
            np.broadcast_to(self.place[:2], (*lead, 2)),
            np.broadcast_to(self.place[2], lead),
        )
        where: Array = encoding.skeleton.forward_kinematics(*local)[0][..., self.joint, :]
        return where

    def short(self, pose: Floats) -> float:
        """Returns how many metres the joint is short of the point, with hips up to `ASTRAY` off the path."""
        hips = replace(self, joint=self.context.encoding.skeleton.hips).at(pose)
        astray = float(np.linalg.norm(hips[[0, 2]] - self.place[:2]))
        return float(np.linalg.norm(self.at(pose) - self.point)) + max(0.0, astray - ASTRAY)

    def missed(self, poses: Floats) -> Floats:
        return np.asarray((self.at(poses) - self.point) / METRES, np.float32)

    def slopes(self, pose: Floats) -> Floats:
        step = 1e-2 * np.eye(len(pose), dtype=np.float32)
        return np.asarray((self.missed(pose + step) - self.missed(pose - step)).T / 2e-2, np.float32)

    def met(self, pose: Floats) -> Floats:
        out, weights = pose.copy(), np.square(self.willing, dtype=float)
        for _ in range(12):
            miss = self.missed(out).astype(float)
            if np.linalg.norm(miss) < 1e-4:
                break
            slopes = self.slopes(out).astype(float)
            pull = weights * slopes
            step = pull.T @ np.linalg.solve(slopes @ pull.T + 1e-3 * np.eye(3), -miss)
            out += (step * min(1.0, 1.0 / max(np.abs(step).max(), 1e-9))).astype(np.float32)
        return out


def walking_channels(encoding: Encoding) -> NDArray[np.intp]:
    """Returns the channels of legs and hips, which determine the phase of a step."""
    return np.flatnonzero(channel_groups(encoding) != "joints")


def channel_groups(encoding: Encoding) -> NDArray[np.str_]:
    """Returns the name of the group ``(D,)`` of each channel."""
    groups = np.empty(len(encoding), dtype="U16")
    for name, part in encoding.slices.items():
        groups[part] = name
    return groups


def full_turns(context: Context) -> Array:
    """Returns a full turn in each standardised channel ``(D,)``; infinite for channels that are not periodic."""
    turns = np.where(np.isin(channel_groups(context.encoding), ROUND), 2 * np.pi, np.inf)
    return np.asarray(turns / np.asarray(context.pose_deviation, float))
