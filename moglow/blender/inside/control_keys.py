"""The channels of controls in Blender's rotation modes, and fewer keys for them. Needs numpy alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from moglow.blender.inside.control_tree import ControlTree, Pose, carried
from moglow.blender.inside.thinning import (
    MARGIN,
    Frames,
    Thinned,
    Tolerance,
    interpolated_values,
    peaks,
    sufficient,
)
from moglow.maths.rotations import (
    Array,
    euler_continuous,
    euler_to_quat,
    quat_angle,
    quat_continuous,
    quat_normalize,
    quat_to_euler,
)

QUATERNION = "QUATERNION"


@dataclass(frozen=True, eq=False)
class ControlChannels:
    """The values of a control in each frame: its rotation in its rotation mode, and its location if it is keyed."""

    name: str
    mode: str
    rotation: Array
    location: Array | None = None

    @classmethod
    def of(cls, name: str, mode: str, basis: Pose, *, placed: bool) -> "ControlChannels":
        """Returns the channels of a pose ``(T, …)`` relative to rest."""
        rotation = (
            quat_continuous(basis[0])
            if mode == QUATERNION
            else _euler_values(quat_continuous(basis[0]), mode)
        )
        return cls(name, mode, rotation, np.array(basis[1]) if placed else None)

    def basis(self, still: Pose, frames: Frames | None = None) -> Pose:
        """Returns the pose relative to rest, interpolated between the keys of ``frames``; ``still`` has the rest."""
        rotation, location = self.rotation, self.location
        if frames is not None:
            rotation = interpolated_values(rotation, frames)
            location = None if location is None else interpolated_values(location, frames)
        turn = quat_normalize(rotation) if self.mode == QUATERNION else _euler_quat(rotation, self.mode)
        return turn, np.broadcast_to(still[1], (len(turn), 3)) if location is None else location


def thinned_controls(
    tree: ControlTree,
    channels: Sequence[ControlChannels],
    points: Mapping[str, Array],
    tolerance: Tolerance,
    metres: float,
) -> Thinned:
    """Returns the frames with keys of each control that suffice for the tolerances; the ends are among them.

    ``points`` are places ``(N, 3)`` at rest that bones of the tree carry, and ``metres`` the length of the armature's
    unit. Where they are too far off, the control whose error moves them most gets more keys.
    """
    radians = np.radians(MARGIN * tolerance.degrees)
    far = MARGIN * tolerance.millimetres / 1000 / metres
    last = len(channels[0].rotation) - 1
    keys, stale = [{0, last} for _ in channels], set(range(len(channels)))
    still = [tree.bones[each.name].basis for each in channels]
    full = {each.name: each.basis(rest) for each, rest in zip(channels, still, strict=True)}
    whole = tree.with_bases(full)
    wanted = {name: carried(_lifted(whole.motion(name)), at) for name, at in points.items()}
    above = {name: tree.upstream(name) for name in points}
    while True:
        for k in stale:
            first, each = sorted(keys[k]), channels[k]
            keys[k] = sufficient(each.rotation, first, radians, turning=each.mode == QUATERNION)
            if each.location is not None:
                keys[k] |= sufficient(each.location, first, far, turning=False)
        frames = [np.array(sorted(each), np.intp) for each in keys]
        between = {
            each.name: each.basis(rest, at) for each, rest, at in zip(channels, still, frames, strict=True)
        }
        now, stale, worst = tree.with_bases(between), set(), 0.0
        angles = [quat_angle(between[each.name][0], full[each.name][0]) for each in channels]
        for name, at in points.items():
            off = np.linalg.norm(carried(_lifted(now.motion(name)), at) - wanted[name], axis=-1)
            worst = max(worst, float(off.max()))
            for n in range(len(at)):
                for frame in peaks(off[:, n], far):
                    shifts = {}  # of the point, by the error of each control that has no key here
                    for k, each in enumerate(channels):
                        if each.name in above[name] and frame not in keys[k]:
                            lever = np.linalg.norm(wanted[name][frame, n] - whole.pose(each.name)[1][frame])
                            moved = np.linalg.norm(between[each.name][1][frame] - full[each.name][1][frame])
                            shifts[k] = angles[k][frame] * lever + moved
                    if shifts:
                        guilty = max(shifts, key=shifts.__getitem__)
                        keys[guilty].add(frame)
                        stale.add(guilty)
        if not stale:
            break
    share = sum(map(len, frames)) / (len(channels) * (last + 1))
    degrees = float(np.degrees(max(each.max() for each in angles)))
    return Thinned(tuple(frames), degrees, 1000 * worst * metres, share)


def _lifted(pose: Pose) -> Pose:
    """Returns a pose ``(T, …)`` with an axis for several points."""
    return pose[0][:, None], pose[1][:, None]


def _euler_values(quats: Array, mode: str) -> Array:
    """Returns Blender's Euler angles ``(T, 3)`` about X, Y and Z; its mode "XYZ" turns about X first: Rz · Ry · Rx."""
    angles = euler_continuous(quat_to_euler(quats, mode[::-1]))
    return angles[..., [mode[::-1].index(axis) for axis in "XYZ"]]


def _euler_quat(angles: Array, mode: str) -> Array:
    return euler_to_quat(angles[..., ["XYZ".index(axis) for axis in mode[::-1]]], mode[::-1])
