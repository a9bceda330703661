"""Estimates the unit and axes of a motion file from its figure. Needs numpy alone.

Motion files specify neither. People are 1 to 2 m tall, have their head above their hips above their feet, and their
toes in front. Both results have a confidence from 0 to 1.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np

from moglow.anatomy.anatomy import Anatomy, Leg, find_anatomy
from moglow.maths.rotations import Array

# Metres per unit, and the prior probability of each in motion files. CMU's own unit is 1/0.45 inch.
UNITS = {"m": 1.0, "dm": 0.1, "cm": 0.01, "mm": 0.001, "inch": 0.0254, "foot": 0.3048, "CMU": 0.0254 / 0.45}
UPS = {
    f"{sign}{axis}": scale * np.eye(3)["XYZ".index(axis)]
    for sign, scale in (("", 1.0), ("-", -1.0))
    for axis in "XYZ"
}
"""The names of axes that may point up in a file."""

_HOW_COMMON = {"m": 0.30, "dm": 0.02, "cm": 0.52, "mm": 0.05, "inch": 0.05, "foot": 0.01, "CMU": 0.05}

# Length of thigh and shin in metres: (median, deviation of the logarithm, weight). The first entry is adults, the
# second children and giants; animals on four legs range from cats to horses.
_TWO_LEGS = ((0.83, 0.10, 0.85), (0.65, 0.35, 0.15))
_FOUR_LEGS = ((0.40, 0.50, 1.0),)
# Without legs, the greatest extent of the rest pose is used.
_EXTENT = ((1.7, 0.35, 1.0),)

_NONE: Mapping[str, str] = MappingProxyType({})
_UPS = (
    (0.0, 1.0, 0.0),
    (0.0, 0.0, 1.0),
    (0.0, -1.0, 0.0),
    (0.0, 0.0, -1.0),
    (1.0, 0.0, 0.0),
    (-1.0, 0.0, 0.0),
)


def find_unit(
    names: Sequence[str], parents: Sequence[int], rest: Array, overrides: Mapping[str, str] = _NONE
) -> tuple[float, float]:
    """Returns the metres per unit of the rest positions ``(J, 3)``, from the length of the legs, and the confidence.

    ``overrides`` is the user's map, as for `find_anatomy`.

    >>> names = ("Hips", "LeftUpLeg", "LeftLeg", "LeftFoot", "RightUpLeg", "RightLeg", "RightFoot")
    >>> rest = [[0, 9, 0], [1, 9, 0], [1, 4.8, 0], [1, 0.8, 0], [-1, 9, 0], [-1, 4.8, 0], [-1, 0.8, 0]]
    >>> unit, confidence = find_unit(names, (-1, 0, 1, 2, 0, 4, 5), 10 * np.array(rest))
    >>> unit, round(confidence, 2)
    (0.01, 1.0)
    """
    rest = np.asarray(rest, float)
    anatomy = find_anatomy(names, parents, rest, overrides)
    legs = [_length(leg, rest) for leg in anatomy.legs]
    kind = (_FOUR_LEGS if len(legs) > 2 else _TWO_LEGS) if legs else _EXTENT
    sizes = legs or [float(np.ptp(rest, axis=0).max())]
    size = float(np.mean(sizes))
    if not size > 0:
        return UNITS["cm"], 0.0
    scores = {
        unit: _HOW_COMMON[unit]
        * sum(
            share / spread * np.exp(-0.5 * (np.log(size * metres / median) / spread) ** 2)
            for median, spread, share in kind
        )
        for unit, metres in UNITS.items()
    }
    total = sum(scores.values())
    if not total > 1e-12:
        return UNITS["cm"], 0.0
    best = max(scores, key=scores.__getitem__)
    return UNITS[best], float(scores[best] / total) * (1.0 if legs else 0.5)


def find_basis(
    names: Sequence[str],
    parents: Sequence[int],
    rest: Array,
    poses: Array | None = None,
    overrides: Mapping[str, str] = _NONE,
) -> tuple[Array, float]:
    """Returns the rotation ``(3, 3)`` from a file's axes to Y up and +Z forward, and the confidence.

    Up is the axis along which the head is above the hips and these above the feet. It is found in ``poses``
    ``(N, J, 3)``, world positions of some frames in the file's axes, by default in the rest positions ``(J, 3)``.
    Forward is the direction that the rest pose faces. It is not changed if the rest pose does not stand, as in files
    whose bones lie along X.

    >>> names = ("Hips", "LeftUpLeg", "LeftLeg", "LeftFoot", "RightUpLeg", "RightLeg", "RightFoot")
    >>> rest = [[0, 0, 9], [1, 0, 9], [1, 0, 5], [1, 0, 1], [-1, 0, 9], [-1, 0, 5], [-1, 0, 1]]
    >>> find_basis(names, (-1, 0, 1, 2, 0, 4, 5), rest)[0] + 0.0
    array([[ 1.,  0.,  0.],
           [ 0.,  0.,  1.],
           [ 0., -1.,  0.]])
    """
    rest = np.asarray(rest, float)
    frames = rest[None] if poses is None or not len(poses) else np.asarray(poses, float)
    scores = {}
    for up in _UPS:
        anatomy = find_anatomy(names, parents, rest @ _turn(up).T, overrides)
        scores[up] = _upright(anatomy, rest, frames @ np.array(up))
    up = max(_UPS, key=scores.__getitem__)
    if scores[up] < 0.3:
        return np.eye(3), 0.0
    confidence = scores[up] - max(0.0, *(score for axis, score in scores.items() if axis != up))
    basis = _turn(up)
    turned = rest @ basis.T
    anatomy = find_anatomy(names, parents, turned, overrides)
    if _upright(anatomy, turned, turned[None, :, 1]) > 0.6:
        basis = _facing(anatomy, turned) @ basis
    return basis, float(np.clip(confidence, 0.0, 1.0))


def _turn(up: tuple[float, float, float]) -> Array:
    """Returns the smallest rotation that maps the axis ``up`` to Y; for −Y, that about X."""
    x, y, z = up
    if y:
        return np.diag([1.0, y, y])
    return np.array([[1.0 - abs(x), -x, 0.0], [x, 0.0, z], [0.0, -z, 1.0 - abs(z)]])


def _upright(anatomy: Anatomy, rest: Array, heights: Array) -> float:
    """Returns a score of uprightness, 1 if the legs and, on two legs, the line from hips to head are vertical.

    ``heights`` ``(N, J)`` are those of the joints. Bone lengths are those of the rest positions.
    """
    drops = [
        float(np.mean(heights[:, leg.hip] - heights[:, leg.ankle])) / max(_length(leg, rest), 1e-9)
        for leg in anatomy.legs
    ]
    scores = [min(drops)] if drops else []  # the worst leg: where bones lie along X, one leg points up
    if len(drops) <= 2 and {"hips", "head"} <= set(anatomy.roles):  # on four legs the head is in front
        hips, head = anatomy.roles["hips"], anatomy.roles["head"]
        trunk = max(float(np.linalg.norm(rest[head] - rest[hips])), 1e-9)
        scores.append(float(np.mean(heights[:, head] - heights[:, hips])) / trunk)
    return float(np.clip(np.mean(scores), -1.0, 1.0)) if scores else 0.0


def _length(leg: Leg, rest: Array) -> float:
    """Returns the length of thigh and shin."""
    hip, knee, ankle = rest[[leg.hip, leg.knee, leg.ankle]]
    return float(np.linalg.norm(hip - knee) + np.linalg.norm(knee - ankle))


def _facing(anatomy: Anatomy, rest: Array) -> Array:
    """Returns the rotation about Y by quarter turns after which left is +X.

    Left must be near one of the axes. Toes must not point backwards, since some rigs use the viewer's left.
    """
    lefts = [rest[leg.hip] - rest[anatomy.partners[leg.hip]] for leg in anatomy.legs if leg.side == "left"]
    left = np.sum(lefts, axis=0) if lefts else np.zeros(3)
    axis = 0 if abs(left[0]) >= abs(left[2]) else 2
    if not left.any() or abs(left[axis]) < 0.9 * np.linalg.norm(left):
        return np.eye(3)
    x, z = (np.sign(left[0]), 0.0) if axis == 0 else (0.0, np.sign(left[2]))
    turn = np.array([[x, 0.0, z], [0.0, 1.0, 0.0], [-z, 0.0, x]])
    toes = [turn @ (rest[leg.toe] - rest[leg.ankle]) for leg in anatomy.legs if leg.toe is not None]
    return turn if not toes or np.sum(toes, axis=0)[2] >= 0 else np.eye(3)
