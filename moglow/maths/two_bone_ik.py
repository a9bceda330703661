"""Two-bone inverse kinematics: the knee between a hip and an ankle, and the bones' rotations.

Leading axes are free and broadcast. Bone lengths are exact up to rounding, and a straight leg is not singular.
"""

import numpy as np
from numpy.typing import ArrayLike

from moglow.maths.rotations import Array, quat_between, quat_multiply, quat_rotate

DOWN = np.array([0.0, -1.0, 0.0])

TINY = 1e-9
"""Length in metres below which a vector has no direction."""


def soft_reach(distance: Array, longest: Array | float, softness: float = 0.0) -> Array:
    """Returns distances shortened to what a leg of length `longest` can reach.

    Up to `(1 - softness) * longest` a distance is unchanged; beyond, it approaches `longest` exponentially, with a
    continuous slope, so that the knee never snaps straight. Without softness it is clipped.

    >>> soft_reach(np.array([0.5, 0.99, 2.0]), 1.0).tolist()
    [0.5, 0.99, 1.0]
    >>> soft_reach(np.array([0.5, 0.99, 2.0]), 1.0, softness=0.02).round(4).tolist()
    [0.5, 0.9879, 1.0]
    """
    if softness <= 0:
        return np.minimum(distance, longest)
    width = softness * np.asarray(longest)
    beyond = np.maximum(distance - (longest - width), 0.0)
    return np.where(beyond > 0, longest - width * np.exp(-beyond / width), distance)


def solve_leg(
    hip: Array,
    ankle: Array,
    thigh: ArrayLike,
    shin: ArrayLike,
    direction: Array,
    *,
    softness: float = 0.0,
) -> tuple[Array, Array]:
    """Solves for the knee of a leg from `hip` towards `ankle` that bends towards `direction`.

    Args:
        hip, ankle: world positions (..., 3).
        thigh, shin: bone lengths (...).
        direction: direction of the knee (..., 3), of any length; only its component across the leg matters.
        softness: share of the reach over which the leg resists being straightened, see `soft_reach`.

    Returns:
        The knee and the reached ankle, (..., 3) each: the given ankle if the leg can reach it, else the nearest
        point on the line from the hip. Both bones have exactly their lengths.

    >>> knee, ankle = solve_leg(np.zeros(3), np.array([0, -0.8, 0]), 0.5, 0.5, np.array([0, 0, 1]))
    >>> knee.round(3).tolist(), ankle.round(3).tolist()
    ([0.0, -0.4, 0.3], [0.0, -0.8, 0.0])
    """
    thigh, shin = np.asarray(thigh, float), np.asarray(shin, float)
    along, wanted = _unit(ankle - hip, DOWN)
    reached = np.maximum(soft_reach(wanted, thigh + shin, softness), np.abs(thigh - shin))
    down, across = knee_offset(thigh, shin, reached)
    knee = hip + down[..., None] * along + across[..., None] * across_leg(along, direction)
    return knee, hip + reached[..., None] * along


def knee_offset(thigh: Array, shin: Array, distance: Array) -> tuple[Array, Array]:
    """Returns the knee's coordinates (...) along and across the line from hip to ankle, for their `distance`.

    >>> along, across = knee_offset(np.array(0.5), np.array(0.5), np.array([0.8, 1.0]))
    >>> along.round(3).tolist(), across.round(3).tolist()
    ([0.4, 0.5], [0.3, 0.0])
    """
    safe = np.maximum(distance, TINY)
    # Heron's formula keeps full precision for a straight leg, where thigh² − along² would cancel digits.
    area = (thigh + shin + distance) * (thigh + shin - distance)
    area = area * (distance + thigh - shin) * (distance - thigh + shin)
    folded = distance <= TINY
    across = np.where(folded, thigh, np.sqrt(np.maximum(area, 0.0)) / (2 * safe))
    return np.where(folded, 0.0, (distance + (thigh - shin) * (thigh + shin) / safe) / 2), across


def across_part(vector: Array, axis: Array) -> Array:
    """Returns the component (..., 3) of a vector perpendicular to an axis of any length."""
    along = _unit(axis, DOWN)[0]
    return vector - _dot(vector, along) * along


def across_leg(along: Array, direction: Array) -> Array:
    """Returns the unit vector (..., 3) of the component of `direction` perpendicular to the unit vector `along`.

    For a direction parallel to `along` it is some perpendicular vector.
    """
    along, direction = np.broadcast_arrays(along, direction)
    axis = np.eye(3)[np.argmin(np.abs(along), axis=-1)]
    spare = _unit(axis - _dot(axis, along) * along, axis)[0]
    return _unit(direction - _dot(direction, along) * along, spare)[0]


def knee_direction(hip: Array, knee: Array, ankle: Array, straight: Array, *, width: float = 0.02) -> Array:
    """Returns the direction of a posed knee: the unit vector (..., 3) from the line hip-ankle to the knee.

    For a knee within about `width` metres of that line the direction is undetermined, and the result blends into
    `straight`, a direction that the caller takes from elsewhere (the thigh's frame).

    >>> hip, knee, ankle = np.array([[0, 0, 0], [0, -0.4, 0.3], [0, -0.8, 0]])
    >>> knee_direction(hip, knee, ankle, np.array([1, 0, 0])).round(3)
    array([0., 0., 1.])
    """
    along = _unit(ankle - hip, DOWN)[0]
    bend = across_part(knee - hip, along)
    height = np.linalg.norm(bend, axis=-1, keepdims=True)
    return across_leg(along, bend + width * np.exp(-((height / width) ** 2)) * across_leg(along, straight))


def swivel_to_direction(hip: Array, ankle: Array, swivel: Array, forward: Array) -> Array:
    """Returns the knee direction (..., 3) at an angle `swivel` (...) about the leg from `forward`.

    >>> hip, ankle, forward = np.array([[0, 0, 0], [0, -1, 0], [0, 0, 1]])
    >>> swivel_to_direction(hip, ankle, np.array(np.pi / 2), forward).round(3)
    array([-1.,  0.,  0.])
    """
    along = _unit(ankle - hip, DOWN)[0]
    ahead = across_leg(along, forward)
    return np.cos(swivel)[..., None] * ahead + np.sin(swivel)[..., None] * np.cross(along, ahead)


def direction_to_swivel(hip: Array, ankle: Array, direction: Array, forward: Array) -> Array:
    """Returns the angle (...) about the leg from `forward` to `direction`; the inverse of `swivel_to_direction`."""
    along = _unit(ankle - hip, DOWN)[0]
    ahead = across_leg(along, forward)
    side = np.cross(along, ahead)
    swivel: Array = np.arctan2(np.sum(direction * side, axis=-1), np.sum(direction * ahead, axis=-1))
    return swivel


def aim(rotation: Array, bone: Array, towards: Array) -> Array:
    """Returns a world rotation (..., 4) turned by the smallest angle that makes the local vector `bone` point
    `towards`.

    The twist about the bone follows the given rotation, so that it is continuous where the bone barely moves.

    >>> aim(np.array([1.0, 0, 0, 0]), np.array([0.0, -1, 0]), np.array([0.0, -2, 0])).tolist()
    [1.0, 0.0, 0.0, 0.0]
    """
    pointing, towards = np.broadcast_arrays(quat_rotate(rotation, bone), towards)
    return quat_multiply(quat_between(_unit(pointing, pointing)[0], _unit(towards, pointing)[0]), rotation)


def _dot(a: Array, b: Array) -> Array:
    product: Array = np.sum(a * b, axis=-1, keepdims=True)
    return product


def _unit(vector: Array, otherwise: Array) -> tuple[Array, Array]:
    """Returns the direction of `vector`, or `otherwise` where its length is zero, and the length (...)."""
    length = np.linalg.norm(vector, axis=-1)
    direction = vector / np.maximum(length, TINY)[..., None]
    return np.where((length > TINY)[..., None], direction, otherwise), length
