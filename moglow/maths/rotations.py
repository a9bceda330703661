"""Rotations in numpy: quaternions, Euler angles, rotation vectors, headings. Imports nothing else of moglow.

Conventions of all functions: quaternions ``(..., 4)`` are w-first and unit; rotations are active and act on column
vectors; ``quat_multiply(a, b)`` applies ``b`` first. Angles are in radians. Y is up and +Z is forward, so a heading
``h`` faces along ``(sin h, 0, cos h)`` and increases to the left. Leading axes are free and broadcast.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.floating[Any]]

IDENTITY = np.array([1.0, 0.0, 0.0, 0.0])
UP = np.array([0.0, 1.0, 0.0])

# Below this angle (radians) sin(x)/x is 1 to the last bit of a double, and dividing by x is no longer safe.
_TINY_ANGLE = 1e-8
# Closer than this to gimbal lock the outer angles are rounding noise; only their sum or difference is defined.
_POLE = 1e-12


def quat_normalize(quat: ArrayLike) -> Array:
    """Returns quaternions scaled to unit length; a zero quaternion becomes the identity."""
    quat = np.asarray(quat, float)
    norm = np.linalg.norm(quat, axis=-1, keepdims=True)
    return np.where(norm > 0, quat / np.where(norm > 0, norm, 1.0), IDENTITY)


def quat_conjugate(quat: ArrayLike) -> Array:
    """Returns the inverse of a unit quaternion."""
    conjugate: Array = np.asarray(quat, float) * np.array([1.0, -1.0, -1.0, -1.0])
    return conjugate


def quat_multiply(a: ArrayLike, b: ArrayLike) -> Array:
    """Returns the Hamilton product: first ``b``, then ``a``.

    >>> quarter = heading_to_quat(np.pi / 2)
    >>> quat_rotate(quat_multiply(quarter, quarter), [0.0, 0.0, 1.0]).round(6) + 0.0
    array([ 0.,  0., -1.])
    """
    a, b = np.asarray(a, float), np.asarray(b, float)
    aw, ax, ay, az = a[..., 0], a[..., 1], a[..., 2], a[..., 3]
    bw, bx, by, bz = b[..., 0], b[..., 1], b[..., 2], b[..., 3]
    out = np.empty((*np.broadcast_shapes(aw.shape, bw.shape), 4))
    out[..., 0] = aw * bw - ax * bx - ay * by - az * bz
    out[..., 1] = aw * bx + ax * bw + ay * bz - az * by
    out[..., 2] = aw * by - ax * bz + ay * bw + az * bx
    out[..., 3] = aw * bz + ax * by - ay * bx + az * bw
    return out


def quat_rotate(quat: ArrayLike, vector: ArrayLike) -> Array:
    """Returns vectors ``(..., 3)`` rotated by quaternions ``(..., 4)``."""
    quat, vector = np.asarray(quat, float), np.asarray(vector, float)
    qw, qx, qy, qz = quat[..., 0], quat[..., 1], quat[..., 2], quat[..., 3]
    vx, vy, vz = vector[..., 0], vector[..., 1], vector[..., 2]
    # v + 2 w (u × v) + 2 u × (u × v), written out, since np.cross is several times slower on small arrays.
    tx, ty, tz = 2 * (qy * vz - qz * vy), 2 * (qz * vx - qx * vz), 2 * (qx * vy - qy * vx)
    out = np.empty((*np.broadcast_shapes(qw.shape, vx.shape), 3))
    out[..., 0] = vx + qw * tx + qy * tz - qz * ty
    out[..., 1] = vy + qw * ty + qz * tx - qx * tz
    out[..., 2] = vz + qw * tz + qx * ty - qy * tx
    return out


def quat_angle(a: ArrayLike, b: ArrayLike) -> Array:
    """Returns the angle in [0, π] of the rotation from ``a`` to ``b``."""
    a, b = np.asarray(a, float), np.asarray(b, float)
    aw, ax, ay, az = a[..., 0], a[..., 1], a[..., 2], a[..., 3]
    bw, bx, by, bz = b[..., 0], b[..., 1], b[..., 2], b[..., 3]
    # The conjugate of a times b, written out: whole recordings are compared frame by frame.
    w = aw * bw + ax * bx + ay * by + az * bz
    x = aw * bx - ax * bw - ay * bz + az * by
    y = aw * by + ax * bz - ay * bw - az * bx
    z = aw * bz - ax * by + ay * bx - az * bw
    angle: Array = 2 * np.arctan2(np.sqrt(x * x + y * y + z * z), np.abs(w))
    return angle


def quat_between(a: ArrayLike, b: ArrayLike) -> Array:
    """Returns the shortest rotation from direction ``a`` to direction ``b``; the identity where one has length zero.

    For opposite directions it is a rotation by π about some axis perpendicular to both.
    """
    a, b = np.broadcast_arrays(np.asarray(a, float), np.asarray(b, float))
    lengths = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    cosine = np.sum(a * b, axis=-1)
    out = np.concatenate([(lengths + cosine)[..., None], np.cross(a, b)], axis=-1)
    opposite = (lengths > 0) & (lengths + cosine < 1e-12 * lengths)
    if np.any(opposite):
        least = np.eye(3)[np.argmin(np.abs(a), axis=-1)]
        across = np.cross(a, least)
        out = np.where(opposite[..., None], np.concatenate([np.zeros_like(across[..., :1]), across], -1), out)
    return quat_normalize(out)


def quat_slerp(a: ArrayLike, b: ArrayLike, t: ArrayLike) -> Array:
    """Returns the rotation at a share ``t`` of the shorter arc from ``a`` to ``b``."""
    a, b, t = np.asarray(a, float), np.asarray(b, float), np.asarray(t, float)[..., None]
    step = quat_to_expmap(quat_multiply(quat_conjugate(a), b))
    return quat_multiply(a, expmap_to_quat(step * t))


def quat_continuous(quat: ArrayLike) -> Array:
    """Returns quaternions with signs such that neighbours along the first axis have a positive dot product."""
    quat = np.array(quat, float)
    flips = np.sum(quat[1:] * quat[:-1], axis=-1) < 0
    quat[1:] *= np.where(np.cumsum(flips, axis=0) % 2, -1.0, 1.0)[..., None]
    return quat


def quat_mean(quat: ArrayLike) -> Array:
    """Returns the mean rotation over the first axis: the dominant eigenvector of Σ q qᵀ (Markley et al. 2007)."""
    quat = np.moveaxis(np.asarray(quat, float), 0, -2)  # (..., T, 4)
    mean = np.linalg.eigh(np.swapaxes(quat, -1, -2) @ quat)[1][..., -1]
    return mean * np.where(mean[..., :1] < 0, -1.0, 1.0)


def quat_to_matrix(quat: ArrayLike) -> Array:
    """Returns the rotation matrix ``(..., 3, 3)``."""
    quat = np.asarray(quat, float)[..., None, :]
    return np.swapaxes(quat_rotate(quat, np.eye(3)), -1, -2)


def matrix_to_quat(matrix: ArrayLike) -> Array:
    """Returns the quaternion with w ≥ 0 of a rotation matrix ``(..., 3, 3)``, accurate for every angle.

    The four candidates of Shepperd's method are the rows of 4 q qᵀ; the one with the largest diagonal is stable.
    """
    m = np.asarray(matrix, float)
    trace = np.trace(m, axis1=-2, axis2=-1)
    outer = np.empty((*m.shape[:-2], 4, 4))
    outer[..., 0, 0] = 1 + trace
    for i in range(3):
        j, k = (i + 1) % 3, (i + 2) % 3
        outer[..., i + 1, i + 1] = 1 + 2 * m[..., i, i] - trace
        outer[..., 0, i + 1] = outer[..., i + 1, 0] = m[..., k, j] - m[..., j, k]
        outer[..., j + 1, i + 1] = outer[..., i + 1, j + 1] = m[..., j, i] + m[..., i, j]
    best = np.argmax(np.diagonal(outer, axis1=-2, axis2=-1), axis=-1)
    quat = quat_normalize(np.take_along_axis(outer, best[..., None, None], axis=-2)[..., 0, :])
    return quat * np.where(quat[..., :1] < 0, -1.0, 1.0)


def quat_to_expmap(quat: ArrayLike) -> Array:
    """Returns the rotation vector (axis times angle in [0, π]): the log map.

    ``2 atan2(|v|, w)`` has full precision at every angle, whereas ``2 acos(w)`` loses half the digits near zero.
    """
    quat = np.asarray(quat, float)
    quat = quat * np.where(quat[..., :1] < 0, -1.0, 1.0)
    sine = np.linalg.norm(quat[..., 1:], axis=-1, keepdims=True)
    scale = np.where(
        sine > _TINY_ANGLE, 2 * np.arctan2(sine, quat[..., :1]) / np.maximum(sine, _TINY_ANGLE), 2.0
    )
    return quat[..., 1:] * scale


def expmap_to_quat(expmap: ArrayLike) -> Array:
    """Returns the quaternion of a rotation vector of any length.

    >>> expmap_to_quat([0.0, np.pi, 0.0]).round(6)
    array([0., 0., 1., 0.])
    """
    expmap = np.asarray(expmap, float)
    half = np.linalg.norm(expmap, axis=-1, keepdims=True) / 2
    return np.concatenate([np.cos(half), expmap * (np.sinc(half / np.pi) / 2)], axis=-1)


def axis_angle_to_quat(axis: ArrayLike, angle: ArrayLike) -> Array:
    """Returns the rotation by ``angle`` about a unit ``axis``."""
    return expmap_to_quat(np.asarray(axis, float) * np.asarray(angle, float)[..., None])


def quat_twist(quat: ArrayLike, axis: ArrayLike) -> Array:
    """Returns the angle in (−π, π] of the twist of a rotation, swing ∘ twist, about a unit ``axis``."""
    quat = np.asarray(quat, float)
    along = np.sum(quat[..., 1:] * np.asarray(axis, float), axis=-1)
    return wrap_angle(2 * np.arctan2(along, quat[..., 0]))


def euler_to_quat(angles: ArrayLike, order: str) -> Array:
    """Returns the rotation of intrinsic Euler angles ``(..., n)``: order "ZYX" is R = Rz · Ry · Rx, as in BVH files.

    >>> bool(np.allclose(euler_to_quat([0.3], "Y"), heading_to_quat(0.3)))
    True
    """
    half = np.moveaxis(np.asarray(angles, float), -1, 0) / 2
    w, vector = np.ones(half.shape[1:]), [np.zeros(half.shape[1:]) for _ in "XYZ"]
    for axis, cosine, sine in zip(order, np.cos(half), np.sin(half), strict=True):
        i = "XYZ".index(axis)
        j, k = (i + 1) % 3, (i + 2) % 3
        # The product with (cosine, sine · axis), written out: half of the terms of a full product are zero.
        w, vector[i] = w * cosine - vector[i] * sine, vector[i] * cosine + w * sine
        vector[j], vector[k] = vector[j] * cosine + vector[k] * sine, vector[k] * cosine - vector[j] * sine
    return np.stack([w, *vector], axis=-1)


def quat_to_euler(quat: ArrayLike, order: str) -> Array:
    """Returns intrinsic Euler angles ``(..., 3)`` in an order of three different axes; the middle one in [−π/2, π/2].

    It is exact up to and at gimbal lock, where the third angle is 0: half the sum and half the difference of the outer
    angles are arctangents of sums of quaternion components (Bernardes and Viollet 2022).
    """
    i, j, k = ("XYZ".index(axis) for axis in order)
    sign = (
        1.0 if (j - i) % 3 == 1 else -1.0
    )  # an odd order is the mirror image of an even one: angles negated
    quat = np.asarray(quat, float)
    w, x, y, z = quat[..., 0], sign * quat[..., 1 + i], sign * quat[..., 1 + j], sign * quat[..., 1 + k]
    upper, lower = np.hypot(w + y, x + z), np.hypot(w - y, x - z)
    half_sum, half_difference = np.arctan2(x + z, w + y), np.arctan2(x - z, w - y)
    half_sum = np.where(upper < _POLE, half_difference, half_sum)
    half_difference = np.where(lower < _POLE, half_sum, half_difference)
    middle = 2 * np.arctan2(upper, lower) - np.pi / 2
    return sign * wrap_angle(
        np.stack([half_sum + half_difference, middle, half_sum - half_difference], axis=-1)
    )


def euler_continuous(angles: ArrayLike) -> Array:
    """Returns Euler angles ``(T, ..., 3)`` of three different axes for the same rotations, continuous in time.

    Each rotation has two triples, (a, b, c) and (a + π, π − b, c + π), each modulo 2π. The one nearer to the previous
    frame is chosen, so no angle jumps by ±360° or flips by 180°. The change to the other triple is an isometry, so
    whether a frame changes does not depend on the triple of the previous frame, and one cumulative sum is enough.
    """
    angles = np.asarray(angles, float)
    twins = angles * np.array([1.0, -1.0, 1.0]) + np.pi
    staying = np.abs(wrap_angle(angles[1:] - angles[:-1]))
    changing = np.abs(wrap_angle(twins[1:] - angles[:-1]))
    changes = sum(changing[..., i] - staying[..., i] for i in range(3)) < 0
    on_twin = np.zeros(angles.shape[:-1], bool)
    on_twin[1:] = np.cumsum(changes, axis=0) % 2 == 1
    return angle_continuous(np.where(on_twin[..., None], twins, angles))


def angle_continuous(angles: ArrayLike) -> Array:
    """Returns angles plus whole turns such that neighbours along the first axis differ by at most π, as `np.unwrap`."""
    angles = np.array(angles, float)
    angles[1:] -= 2 * np.pi * np.cumsum(np.rint(np.diff(angles, axis=0) / (2 * np.pi)), axis=0)
    return angles


def wrap_angle(angle: ArrayLike) -> Array:
    """Returns the same angle in (−π, π]."""
    angle = np.asarray(angle, float)
    return angle - 2 * np.pi * np.ceil(angle / (2 * np.pi) - 0.5)


def heading_to_quat(heading: ArrayLike) -> Array:
    """Returns the rotation about the vertical that faces along a heading."""
    return axis_angle_to_quat(UP, heading)


def quat_to_heading(quat: ArrayLike) -> Array:
    """Returns the heading of a rotation, its twist about Y."""
    return quat_twist(quat, UP)


def heading_to_vector(heading: ArrayLike) -> Array:
    """Returns the ground direction ``(..., 2)``, (x, z), of a heading."""
    heading = np.asarray(heading, float)
    return np.stack([np.sin(heading), np.cos(heading)], axis=-1)


def vector_to_heading(vector: ArrayLike) -> Array:
    """Returns the heading of ground directions ``(..., 2)``, (x, z)."""
    vector = np.asarray(vector, float)
    heading: Array = np.arctan2(vector[..., 0], vector[..., 1])
    return heading


def is_euler_order(order: Sequence[str]) -> bool:
    """Returns whether an order has three different axes, so that every rotation has angles in that order."""
    return sorted(order) == ["X", "Y", "Z"]
