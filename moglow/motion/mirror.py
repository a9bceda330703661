"""The mirror image of a skeleton's frames, also for zero poses that are not T-poses. Needs numpy alone.

The mirror plane is x = 0, M = diag(−1, 1, 1). If ``p`` is the partner of joint ``j`` (``j`` itself on the mid-line),
the mirrored world rotation is ``W'ⱼ = M Wₚ Sⱼ``, where the reflection ``Sⱼ`` maps vectors of j's frame to p's. Changing
the signs of Euler channels implies Sⱼ = M, which requires a symmetric zero pose; in other rigs (bones along ±X in every
frame) each joint has its own reflection.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations, product

import numpy as np

from moglow.maths.rotations import (
    Array,
    heading_to_quat,
    matrix_to_quat,
    quat_conjugate,
    quat_multiply,
    quat_to_matrix,
)
from moglow.motion.skeleton import Skeleton

WORLD_MIRROR = np.diag([-1.0, 1.0, 1.0])
_TURN = matrix_to_quat(-WORLD_MIRROR)  # −M and −S are rotations, so quaternions can carry both
_REFLECTIONS = np.array(
    [
        np.eye(3)[list(axes)] * np.array(signs)[:, None]
        for axes in permutations(range(3))
        for signs in product((1.0, -1.0), repeat=3)
        if np.linalg.det(np.eye(3)[list(axes)] * np.array(signs)[:, None]) < 0
    ]
)


@dataclass(frozen=True, eq=False)
class Mirror:
    """Partners ``(J,)`` and reflections ``(J, 3, 3)`` from each joint's frame to its partner's."""

    skeleton: Skeleton
    reflections: Array

    @property
    def partners(self) -> list[int]:
        return list(self.skeleton.anatomy.partners)

    def rotations(self, local: Array, joints: Sequence[int] | None = None) -> Array:
        """Returns mirrored local rotations ``(..., J, 4)`` of all joints, or of some ``joints``."""
        chosen = list(range(len(self.partners)) if joints is None else joints)
        turns = matrix_to_quat(-self.reflections)
        before = np.concatenate([_TURN[None], quat_conjugate(turns)[list(self.skeleton.parents[1:])]])
        theirs = local[..., np.array(self.partners)[chosen], :]
        return quat_multiply(quat_multiply(before[chosen], theirs), turns[chosen])

    def positions(self, local: Array) -> Array:
        """Returns mirrored local positions ``(..., J, 3)``; joints at their offsets stay there, so lengths are kept."""
        maps = np.concatenate([WORLD_MIRROR[None], self.reflections[list(self.skeleton.parents[1:])]])
        mirrored = np.einsum("jba,...jb->...ja", maps, local[..., self.partners, :])
        still = np.all(np.isclose(local, self.skeleton.offsets, atol=1e-6), axis=(*range(local.ndim - 2), -1))
        still &= still[self.partners]
        still[0] = False
        return np.where(still[:, None], local, mirrored)


def find_mirror(skeleton: Skeleton, rotations: Array, headings: Array) -> Mirror:
    """Returns each joint's reflection, from the zero pose if it is symmetric, otherwise from motion.

    ``rotations`` ``(T, J, 4)`` are world rotations and ``headings`` ``(T,)`` the body's. The mean posture of a clip is
    nearly symmetric, and the bones are exactly so. Together they determine a signed permutation of axes for each joint,
    the nearest of 24.
    """
    partners = list(skeleton.anatomy.partners)
    rest = skeleton.rest_positions - skeleton.rest_positions[0]
    across = (rest - rest[partners])[np.arange(len(rest)) < partners].sum(0)
    if np.linalg.norm(across) < 1e-9:
        across = np.array([1.0, 0.0, 0.0])
    across = np.where(np.abs(across) < 1e-2 * np.abs(across).max(), 0.0, across)
    normal = across / np.linalg.norm(across)
    plane = np.eye(3) - 2 * np.outer(normal, normal)
    size = np.ptp(rest, axis=0).max()
    if np.abs(rest[partners] @ plane - rest).max() < 0.05 * size:
        return Mirror(skeleton, np.broadcast_to(plane, (len(skeleton), 3, 3)))

    in_body = quat_multiply(quat_conjugate(heading_to_quat(headings))[:, None], rotations)
    mean = quat_to_matrix(in_body).mean(0)  # (J, 3, 3), posture relative to the body's heading
    evidence = np.swapaxes(mean[partners], -1, -2) @ WORLD_MIRROR @ mean
    for child, parent in enumerate(skeleton.parents[1:], start=1):
        bone, twin = skeleton.offsets[child], skeleton.offsets[partners[child]]
        length = np.linalg.norm(bone) * np.linalg.norm(twin)
        if length > 0:
            evidence[parent] += 4 * np.outer(twin, bone) / length
    above_hips = set(range(skeleton.hips))
    best = np.argmax(np.einsum("rab,jab->jr", _REFLECTIONS, evidence), axis=1)
    reflections = _REFLECTIONS[best]
    for j, partner in enumerate(partners):
        if j in above_hips:
            reflections[j] = WORLD_MIRROR
        elif partner < j:
            reflections[j] = reflections[partner].T  # so that mirroring twice changes nothing
    return Mirror(skeleton, reflections)
