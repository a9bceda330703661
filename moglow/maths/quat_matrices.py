"""Quaternion products as matrix products: the same results as `rotations`, with fewer numpy calls.

For a single frame, as in a game, the cost is the number of numpy calls: a product written out takes thirty, as a matrix
product two. A product is linear in each factor, so the product with a constant rotation is a constant matrix.
"""

import numpy as np

from moglow.maths.rotations import Array, quat_multiply

_BASIS = np.eye(4)
# LEFT[i] is the matrix of the product with the i-th unit on the left, _RIGHT[i] on the right.
LEFT = np.stack([quat_multiply(unit, _BASIS).T for unit in _BASIS])
_RIGHT = np.stack([quat_multiply(_BASIS, unit).T for unit in _BASIS])
# q v q* is quadratic in q: row 4 i + j is the matrix that q_i q_j contributes.
_CONJUGATE = np.diag([1.0, -1.0, -1.0, -1.0])
TURN = np.einsum("iab,jbc,jk->ikac", LEFT, _RIGHT, _CONJUGATE)[:, :, 1:, 1:].reshape(16, 9)


def left_matrix(quat: Array) -> Array:
    """Returns the matrix ``(..., 4, 4)`` that multiplies by ``quat`` from the left.

    >>> a, b = np.array([0.6, 0.8, 0, 0]), np.array([0.8, 0, 0.6, 0])
    >>> bool(np.allclose(left_matrix(a) @ b, quat_multiply(a, b)))
    True
    """
    return (quat @ LEFT.reshape(4, 16)).reshape(*quat.shape[:-1], 4, 4)


def right_matrix(quat: Array) -> Array:
    """Returns the matrix ``(..., 4, 4)`` that multiplies by ``quat`` from the right."""
    return (quat @ _RIGHT.reshape(4, 16)).reshape(*quat.shape[:-1], 4, 4)


def apply(matrix: Array, vector: Array) -> Array:
    """Returns matrices ``(..., m, n)`` times vectors ``(..., n)``."""
    applied: Array = (matrix @ vector[..., None])[..., 0]
    return applied


def product(a: Array, b: Array) -> Array:
    """Returns the same as `quat_multiply`."""
    return apply(left_matrix(a), b)


def turning_matrix(quat: Array) -> Array:
    """Returns the same as `quat_to_matrix`, ``(..., 3, 3)``."""
    pairs = quat[..., :, None] * quat[..., None, :]
    matrix: Array = pairs.reshape(*quat.shape[:-1], 16) @ TURN
    return matrix.reshape(*quat.shape[:-1], 3, 3)


def expmap_to_quat(expmap: Array) -> Array:
    """Returns the same as `rotations.expmap_to_quat`; vectors shorter than 1e-150 give the identity."""
    half = 0.5 * np.sqrt((expmap * expmap).sum(-1, keepdims=True)) + 1e-150
    out = np.empty((*expmap.shape[:-1], 4))
    out[..., :1] = np.cos(half)
    out[..., 1:] = expmap * (np.sin(half) / (2 * half))
    return out


def quaternion_tables() -> tuple[Array, Array]:
    """Returns linear maps of pairs: ``(16, 4)`` of ``a_i b_j`` to a product, ``(16, 9)`` of ``q_i q_j`` to a matrix.

    The matrix is transposed, for vectors as rows.

    >>> q, v = np.array([0.6, 0.8, 0, 0]), np.array([0.0, 1.0, 0.0])
    >>> to_product, to_rotation = quaternion_tables()
    >>> pairs = np.outer(q, q).ravel()
    >>> (pairs @ to_product).round(2).tolist(), (v @ (pairs @ to_rotation).reshape(3, 3)).round(2).tolist()
    ([-0.28, 0.96, 0.0, 0.0], [0.0, -0.28, 0.96])
    """
    to_product = np.stack([matrix[:, j] for matrix in LEFT for j in range(4)])
    return to_product, TURN.reshape(16, 3, 3).swapaxes(-1, -2).reshape(16, 9)
