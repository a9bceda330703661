"""The bones of a file in world coordinates, and their conversion to a clip. Needs numpy alone.

The local frames of joints depend on the format: glTF and FBX rotate them at rest, and Acclaim has axes for each bone.
World positions and rotations have the same meaning in all formats. The zero pose of the clip is the rest pose of the
file, and its rotations are relative to it.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np

from moglow.anatomy.unit_and_axes import UPS, find_basis, find_unit
from moglow.bvh.portable import unit_to_metres
from moglow.errors import MotionFileError
from moglow.formats.node_tree import NodeTree
from moglow.maths.rotations import (
    UP,
    Array,
    matrix_to_quat,
    quat_between,
    quat_conjugate,
    quat_multiply,
    quat_rotate,
    quat_to_matrix,
)
from moglow.motion.clip import Clip
from moglow.motion.skeleton import Layout, Skeleton

_NONE: Mapping[str, str] = MappingProxyType({})
_POSES = 16  # frames from which the axis up is estimated
_LEG = (0.1, 10.0)  # metres; with other lengths of legs, the declared unit is wrong
_RATES = (
    30,
    24,
    25,
    50,
    60,
    100,
    120,
    240,
)  # frame rates that are tried for an animation with keys in some frames only
_ON_FRAME = 0.02  # tolerance in frames; times have single precision


@dataclass(frozen=True, eq=False)
class Bones:
    """Named bones, parents first, at rest and in frames, in the world coordinates of a file.

    ``rest_positions`` ``(J, 3)`` and ``rest_rotations`` ``(J, 4)`` are the rest pose, ``positions`` ``(T, J, 3)`` and
    ``rotations`` ``(T, J, 4)`` the motion. ``unit`` is the declared number of metres per unit and ``up`` the declared
    axis that points up, or None. ``roles`` has the joints of roles that the file declares.
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    rest_positions: Array
    rest_rotations: Array
    positions: Array
    rotations: Array
    fps: float
    unit: float | None = None
    up: str | None = None
    end_sites: tuple[tuple[int, tuple[float, ...]], ...] = ()
    """Joints and the vectors to their tips, in world axes at rest."""
    roles: Mapping[str, str] = field(default_factory=dict)

    def clip(
        self,
        name: str,
        *,
        unit: str | float | None = None,
        up: str | None = None,
        overrides: Mapping[str, str] = _NONE,
    ) -> Clip:
        """Returns the motion in metres, Y up and +Z forward; ``unit`` and ``up`` replace the declared ones."""
        overrides = {**self.roles, **overrides}
        turns = quat_multiply(self.rotations, quat_conjugate(self.rest_rotations))
        above = list(self.parents[1:])
        back = quat_conjugate(turns[:, above])
        rotations, positions = turns.copy(), self.positions.copy()
        rotations[:, 1:] = quat_multiply(back, turns[:, 1:])
        positions[:, 1:] = quat_rotate(back, self.positions[:, 1:] - self.positions[:, above])
        offsets = self.rest_positions.copy()
        offsets[0] = 0.0
        offsets[1:] -= self.rest_positions[above]
        figure = Skeleton(self.names, self.parents, offsets, overrides=overrides)
        metres = self._metres(figure, unit)
        basis = self._basis(figure, up)
        ends = tuple(
            (joint, tuple((metres * basis @ np.array(tip)).tolist())) for joint, tip in self.end_sites
        )
        layout = Layout((), metres, tuple(map(tuple, basis.tolist())))
        skeleton = replace(figure, offsets=metres * offsets @ basis.T, end_sites=ends, layout=layout)
        rotations[..., 1:] = (
            rotations[..., 1:] @ basis.T
        )  # as a quaternion, whose vector part is rotated by the change of axes
        return Clip(skeleton, metres * positions @ basis.T, rotations, self.fps, name=name)

    def _metres(self, figure: Skeleton, unit: str | float | None) -> float:
        """Returns metres per unit: the argument, else the declared unit if legs have a plausible length, else found.

        A declared unit that is impossible is either wrong, or right and the figure has the wrong scale: centimetres
        that were imported as metres and exported again are 100 times too large. The more probable one is chosen.
        """
        if unit is not None:
            return unit_to_metres(unit)
        rest, guesses = figure.rest_positions, [1.0]
        if self.unit is not None:
            legs = [abs(rest[leg.hip] - rest[leg.ankle]).max() * self.unit for leg in figure.anatomy.legs]
            if not legs or _LEG[0] < np.mean(legs) < _LEG[1]:
                return self.unit
            guesses.append(self.unit)
        found = {
            guess: find_unit(figure.names, figure.parents, guess * rest, figure.overrides)
            for guess in guesses
            if guess > 0
        }
        likely = max(found, key=lambda guess: found[guess][1])
        return likely * found[likely][0]

    def _basis(self, figure: Skeleton, up: str | None) -> Array:
        """Returns the rotation to Y up and +Z forward; the declared axis up is used unless the poses contradict it."""
        declared = (up or self.up or "").upper()
        if declared and declared not in UPS:
            raise MotionFileError(f"up axis {up!r} is unknown, expected {', '.join(UPS)}")
        names, parents, rest = figure.names, figure.parents, figure.rest_positions
        upright = quat_to_matrix(quat_between(UPS[declared], UP)).round() if declared else np.eye(3)
        if up:
            return upright
        if declared:
            facing, _ = find_basis(names, parents, rest @ upright.T, None, figure.overrides)
            if facing[1, 1] > 0.5:
                return facing @ upright
        some = np.linspace(0, len(self.positions) - 1, _POSES).astype(int)
        basis, sure = find_basis(names, parents, rest, self.positions[some], figure.overrides)
        return basis if sure > 0.5 or not declared else upright


def compose(
    tree: NodeTree, positions: Array, rotations: Array, scales: Array, *, unscaled: Collection[int] = ()
) -> tuple[Array, Array]:
    """Returns world positions ``(..., N, 3)`` and rotations ``(..., N, 4)``, given local ones and scales.

    The scale of a node applies to its descendants; ``unscaled`` nodes inherit its effect on their position only.
    Rotations are composed without scales, since a non-uniformly scaled frame is not a rotation.
    """
    world = np.array(positions, float)
    turns = np.array(rotations, float)
    scales = np.asarray(scales, float)
    frames = quat_to_matrix(rotations) * scales[..., None, :]
    for node in tree.order:
        above = tree.above[node]
        if above < 0:
            continue
        frame = frames[..., above, :, :]
        world[..., node, :] = np.einsum("...ab,...b->...a", frame, world[..., node, :]) + world[..., above, :]
        if node in unscaled:
            frame = frame / np.where(scales == 0, 1.0, scales)[..., above, None, :]
        frames[..., node, :, :] = frame @ frames[..., node, :, :]
        turns[..., node, :] = quat_multiply(turns[..., above, :], turns[..., node, :])
    return world, turns


def matrices_to_poses(matrices: Array) -> tuple[Array, Array]:
    """Returns positions ``(..., 3)`` and rotations ``(..., 4)`` of affine matrices ``(..., 4, 4)`` that act on columns.

    The rotation is the nearest one; a reflection becomes a half turn.
    """
    left, _, right = np.linalg.svd(matrices[..., :3, :3])
    turns = left @ right
    turns = turns * np.sign(np.linalg.det(turns))[..., None, None]
    return np.array(matrices[..., :3, 3]), matrix_to_quat(turns)


def rate_of(times: Array) -> float:
    """Returns the frame rate of sorted key times ``(N,)`` in seconds: one with a frame at each of them.

    >>> rate_of(np.arange(9) / 47.0), rate_of(np.array([1.0, 4.0, 7.0, 20.0]) / 24.0), rate_of(np.array([0.0]))
    (47.0, 24.0, 30.0)
    """
    steps = np.diff(times)
    steps = steps[steps > 1e-5]
    if not len(steps):
        return 30.0
    rate = 1.0 / float(np.median(steps))
    span = float(times[-1] - times[0])
    rate = round(span * rate) / span if len(steps) > 1 else rate  # an integer number of frames in the span
    if len(steps) > 1 and np.abs(steps * rate - np.round(steps * rate)).max() <= _ON_FRAME and rate >= 10.0:
        return float(round(rate)) if abs(round(rate) - rate) < 4e-4 * rate else rate
    for candidate in _RATES:
        ticks = (times - times[0]) * candidate
        if np.abs(ticks - np.round(ticks)).max() <= _ON_FRAME:
            return float(candidate)
    return float(np.clip(round(rate), 30.0, 120.0))
