"""Quaternion products as matrix products: the same numbers as `rotations`, in a few larger numpy calls.

A single frame is decoded between two frames of a game, and there the number of numpy calls is the whole cost: a product
written out is thirty calls, as a matrix it is two. A product is linear in each factor, so one with a known rotation is
a constant matrix.
"""

import numpy as np

from moglow.maths.rotations import Array, quat_multiply

_BASIS = np.eye(4)
# _LEFT[i] is the matrix of "the i-th unit times …", _RIGHT[i] that of "… times the i-th unit".
_LEFT = np.stack([quat_multiply(unit, _BASIS).T for unit in _BASIS])
_RIGHT = np.stack([quat_multiply(_BASIS, unit).T for unit in _BASIS])
# q v q* is quadratic in q: row 4 i + j holds the matrix that q_i q_j contributes.
_CONJUGATE = np.diag([1.0, -1.0, -1.0, -1.0])
_TURN = np.einsum("iab,jbc,jk->ikac", _LEFT, _RIGHT, _CONJUGATE)[:, :, 1:, 1:].reshape(16, 9)


def left_matrix(quat: Array) -> Array:
    """The matrix ``(..., 4, 4)`` that multiplies by ``quat`` from the left.

    >>> a, b = np.array([0.6, 0.8, 0, 0]), np.array([0.8, 0, 0.6, 0])
    >>> bool(np.allclose(left_matrix(a) @ b, quat_multiply(a, b)))
    True
    """
    return (quat @ _LEFT.reshape(4, 16)).reshape(*quat.shape[:-1], 4, 4)


def right_matrix(quat: Array) -> Array:
    """The matrix ``(..., 4, 4)`` that multiplies by ``quat`` from the right."""
    return (quat @ _RIGHT.reshape(4, 16)).reshape(*quat.shape[:-1], 4, 4)


def apply(matrix: Array, vector: Array) -> Array:
    """Matrices ``(..., m, n)`` times vectors ``(..., n)``."""
    applied: Array = (matrix @ vector[..., None])[..., 0]
    return applied


def product(a: Array, b: Array) -> Array:
    """The same as `quat_multiply`."""
    return apply(left_matrix(a), b)


def turning_matrix(quat: Array) -> Array:
    """The same as `quat_to_matrix`, ``(..., 3, 3)``."""
    pairs = quat[..., :, None] * quat[..., None, :]
    matrix: Array = pairs.reshape(*quat.shape[:-1], 16) @ _TURN
    return matrix.reshape(*quat.shape[:-1], 3, 3)


def expmap_to_quat(expmap: Array) -> Array:
    """The same as `rotations.expmap_to_quat`; vectors shorter than 1e-150 count as no rotation."""
    half = 0.5 * np.sqrt((expmap * expmap).sum(-1, keepdims=True)) + 1e-150
    out = np.empty((*expmap.shape[:-1], 4))
    out[..., :1] = np.cos(half)
    out[..., 1:] = expmap * (np.sin(half) / (2 * half))
    return out
