"""What a stretch of motion aims at: channels of a pose, or the place of a joint, at a frame. Needs numpy alone."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from moglow.corpus.context import Context
from moglow.encodings.encoding import Encoding
from moglow.maths.rotations import Array
from moglow.sampling.fast.folded import Floats

ROUND = ("foot_yaw", "foot_pitch", "hips_yaw", "hips_pitch")
"""Groups of angles in which a whole turn is no difference."""
METRES, RADIANS, SHARE = 0.005, 0.015, 0.015
"""Misses that hardly matter, of channels that are places or angles, and as a share of a channel's deviation."""
PLACES = ("toe_x", "toe_z", "toe_height", "hips_height", "hips_x", "hips_z")
"""Groups of channels in metres."""


class Aim(Protocol):
    """One thing that a frame of a stretch is to have."""

    @property
    def frame(self) -> int:
        """The frame, counted from the stretch's first."""
        ...

    def missed(self, poses: Floats) -> Floats:
        """How far standardised poses ``(B, D)`` are from it ``(B, R)``, in units of what hardly matters."""
        ...

    def slopes(self, pose: Floats) -> Floats:
        """The derivatives ``(R, D)`` of `missed` by a pose ``(D,)``."""
        ...

    def met(self, pose: Floats) -> Floats:
        """The pose nearest to the given one ``(D,)`` that has it."""
        ...


@dataclass(frozen=True, eq=False)
class PoseAim:
    """The ``channels`` ``(C,)`` of a standardised pose are to have these ``values`` ``(C,)``."""

    frame: int
    channels: NDArray[np.intp]
    values: Floats
    tolerance: Floats
    """The misses ``(C,)`` that hardly matter."""
    turns: Floats
    """A whole turn of each channel ``(C,)``; infinite where it is no angle that goes round."""

    @classmethod
    def of(
        cls,
        context: Context,
        frame: int,
        channels: NDArray[np.intp],
        pose: Floats,
        loose: float = 1.0,
    ) -> "PoseAim":
        """Aims at the channels of a standardised pose ``(D,)``, with so many times the usual tolerance."""
        groups, deviation = channel_groups(context.encoding), np.asarray(context.pose_deviation, float)
        size = np.where(np.isin(groups, PLACES), METRES, RADIANS) / deviation
        turns = np.where(np.isin(groups, ROUND), 2 * np.pi, np.inf) / deviation
        parts = (pose[channels], loose * (SHARE + size)[channels], turns[channels])
        return cls(frame, channels, *(np.asarray(part, np.float32) for part in parts))

    def away(self, poses: Floats) -> Floats:
        """From poses ``(..., D)`` to the values ``(..., C)``, the shorter way round."""
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
    """A joint is to be at a ``point`` ``(3,)`` of the world; the figure's path is at ``place``: x, z, heading."""

    frame: int
    context: Context
    joint: int
    point: Array
    place: Array
    willing: Floats
    """How far each channel ``(D,)`` goes, in deviations, to make the last centimetres; 0 where it stays."""

    def at(self, poses: Floats) -> Array:
        """Where the joint is ``(..., 3)`` in standardised poses ``(..., D)``."""
        encoding = self.context.encoding
        lead = poses.shape[:-1]
        local = encoding.decode_frames(
            self.context.physical_pose(poses),
            np.broadcast_to(self.place[:2], (*lead, 2)),
            np.broadcast_to(self.place[2], lead),
        )
        where: Array = encoding.skeleton.forward_kinematics(*local)[0][..., self.joint, :]
        return where

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
    """The channels of legs and hips, which say in which part of a step a figure is."""
    return np.flatnonzero(channel_groups(encoding) != "joints")


def channel_groups(encoding: Encoding) -> NDArray[np.str_]:
    """The group ``(D,)`` of each channel."""
    groups = np.empty(len(encoding), dtype="U16")
    for name, part in encoding.slices.items():
        groups[part] = name
    return groups
