"""Retargets a clip to another skeleton by roles, relative to the canonical pose, with feet on the same ground."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain, pairwise
from typing import Self

import numpy as np

from moglow.errors import SkeletonError
from moglow.maths.rotations import (
    IDENTITY,
    UP,
    Array,
    heading_to_quat,
    quat_between,
    quat_conjugate,
    quat_multiply,
    quat_rotate,
    quat_slerp,
)
from moglow.maths.signals import Flags, runs
from moglow.maths.two_bone_ik import across_leg
from moglow.motion.canonical_pose import canonical_rotations
from moglow.motion.clip import Clip
from moglow.motion.clip_stream import stretches
from moglow.motion.contacts import contacts, leg_lengths, legs_of, toe_floor, toe_points
from moglow.motion.foot_lock import carried, move_feet, turn_leg
from moglow.motion.skeleton import Skeleton, descendants

FORWARD = np.array([0.0, 0.0, 1.0])

LOW, HIGH = 0.02, 0.06
"""Heights relative to the leg's length: below the first, toes follow those of the source, above the second, rotations
of the legs do."""

AROUND = 2.0
"""Seconds before and after a block of a stream that are needed; every swing must lie between two contacts."""


def retarget(
    clip: Clip,
    skeleton: Skeleton,
    *,
    like: Clip | None = None,
    keep_feet: bool = True,
    keep_path: bool = False,
) -> Clip:
    """Returns the motion of a clip on another skeleton.

    A joint with a role in both figures has the same rotation away from the canonical pose. The joints of a longer spine
    are interpolated; all others (fingers, twist bones, helpers) stay at rest. The body is scaled by the length of the
    legs, and toes follow the scaled toes of the source, so that planted feet stay planted. The result has the hierarchy
    and layout of the target.

    Args:
        clip: the motion.
        skeleton: the target.
        like: a motion of the target, which helps if its zero pose is not a natural pose or has no flat feet.
        keep_feet: whether toes are placed by inverse kinematics; otherwise only the rotations of legs are copied.
        keep_path: whether the path over the ground keeps its length; otherwise it is scaled with the legs.
    """
    moved = Retargeting.of(clip, skeleton, like=like, keep_path=keep_path)
    return moved.feet_kept(clip) if keep_feet else moved.body(clip)


def retarget_blocks(
    blocks: Iterable[Clip], skeleton: Skeleton, *, like: Clip | None = None, keep_path: bool = False
) -> Iterator[Clip]:
    """Yields the retargeted blocks of a clip; the first block must be long enough to show how the figure stands."""
    blocks = iter(blocks)
    for first in blocks:
        moved = Retargeting.of(first, skeleton, like=like, keep_path=keep_path)
        around = stretches(chain([first], blocks), margin=round(AROUND * first.fps))
        yield from (moved.feet_kept(clip)[own] for clip, own in around)


@dataclass(frozen=True, eq=False)
class Retargeting:
    """The constants of a pair of figures: canonical poses, sizes and soles."""

    skeleton: Skeleton
    pose: Array
    """World rotations ``(J, 4)`` of the source's joints in the canonical pose."""
    target_pose: Array
    scales: Array
    """Scale ``(3,)`` from the source's lengths to the target's."""
    floor: Array
    """Height ``(L,)`` of the source's planted toes."""
    ahead: Array
    """Difference ``(3,)`` of the vectors from ankle to toe, source minus target."""
    sole: Array
    """Vector ``(3,)`` from the lowest point of the target's feet to their toe joints."""

    @classmethod
    def of(cls, clip: Clip, skeleton: Skeleton, *, like: Clip | None, keep_path: bool) -> Self:
        """Returns the constants of the figures of a clip and a skeleton; for the arguments see `retarget`."""
        source = clip.skeleton
        legs, others = legs_of(source, clip.name), legs_of(skeleton, like.name if like else "target")
        if len(legs) != len(others):
            raise SkeletonError(
                f"{clip.name or 'clip'}: {len(legs)} legs found, and in the target "
                f"{len(others)}; retarget between figures of one kind, or name the legs in a map file"
            )
        if like is None and skeleton == source:
            like = clip
        pose, target_pose = canonical_rotations(source, clip), canonical_rotations(skeleton, like)
        scale = float(leg_lengths(skeleton).mean() / leg_lengths(source).mean())
        scales = np.array([1.0, scale, 1.0]) if keep_path else np.full(3, scale)
        # The shape of feet differs: the vector from ankle to toe of a flat foot determines the hips' position over it.
        standing = _in_pose(skeleton, target_pose[None])
        foot = scales * _feet(_in_pose(source, pose[None])) - _feet(standing)
        floor = toe_floor(toe_points(clip))
        ahead = foot.mean(0) * (UP + FORWARD)
        return cls(skeleton, pose, target_pose, scales, floor, ahead, _sole(standing) * UP)

    def body(self, clip: Clip) -> Clip:
        """Returns the motion with the rotations of the source, with the hips placed over the feet."""
        turns = _world_rotations(clip, self.pose, self.skeleton, self.target_pose)
        body = _in_pose(self.skeleton, turns, clip.fps, clip.name)
        ahead = quat_rotate(heading_to_quat(clip.headings()), self.ahead)
        middle = _middle(clip) - self.floor.mean() * UP
        body = carried(body, self.scales * middle + ahead + self.sole - _middle(body))
        return _bent_forwards(body, turns, self.target_pose)

    def feet_kept(self, clip: Clip) -> Clip:
        """Returns the motion of `body` with the toes placed like the source's."""
        body, toes = self.body(clip), toe_points(clip) - self.floor[:, None] * UP
        height = toes[..., 1] / leg_lengths(clip.skeleton)
        shifts = self.scales * toes + self.sole - toe_points(body)
        planted = contacts(clip, floor=self.floor)
        return move_feet(body, _while_low(shifts, height, planted) + self._apart(clip, body, shifts, planted))

    def _apart(self, clip: Clip, body: Clip, shifts: Array, planted: Flags) -> Array:
        """Returns sideways shifts ``(T, L, 3)`` that keep the ankles as far apart as the source's.

        A longer foot with the same toe has its ankle farther behind and, with toes turned out, farther inside, so that
        steps would cross. Each contact is shifted as a whole, so that no planted foot slides; swings are interpolated.
        """
        ankles = self.scales * clip.world()[0][:, [leg.ankle for leg in legs_of(clip.skeleton)]]
        found = body.world()[0][:, [leg.ankle for leg in legs_of(body.skeleton)]] + shifts
        left = quat_rotate(heading_to_quat(clip.headings()), np.cross(UP, FORWARD))
        errors = ((ankles - found) * left[:, None]).sum(-1)
        apart = np.zeros_like(shifts)
        for leg, stands in enumerate(planted.T):
            stances = runs(stands)
            if not stances:
                continue
            knots = [frame for start, stop in stances for frame in (start, stop - 1)]
            places = [
                np.median(errors[start:stop, leg]) * left[(start + stop) // 2]
                for start, stop in stances
                for _ in range(2)
            ]
            for axis, values in enumerate(np.transpose(places)):
                apart[:, leg, axis] = np.interp(np.arange(len(clip)), knots, values)
        return apart


def _bent_forwards(body: Clip, turns: Array, pose: Array) -> Clip:
    """Returns the body with knees of a biped that bend backwards bent forwards; ankles and feet do not change.

    Markers and solvers may overextend a leg so that its knee is behind the line from hip to ankle. Inverse kinematics
    would keep that direction and, for a slightly shorter leg, bend the knee backwards visibly.
    """
    legs, rotations = legs_of(body.skeleton), body.rotations.copy()
    if len(legs) != 2:
        return body
    world = body.world_positions
    for leg in legs:
        hip, knee, ankle = world[:, leg.hip], world[:, leg.knee], world[:, leg.ankle]
        thigh = quat_multiply(turns[:, leg.hip], quat_conjugate(pose[leg.hip]))
        foot = quat_multiply(turns[:, leg.ankle], quat_conjugate(pose[leg.ankle]))
        along = (ankle - hip) / np.linalg.norm(ankle - hip, axis=-1, keepdims=True)
        ahead = across_leg(along, quat_rotate(thigh, FORWARD) + quat_rotate(foot, FORWARD))
        back = np.minimum(((knee - hip) * ahead).sum(-1), 0.0)
        at = np.flatnonzero(back < -1e-6)
        if at.size:
            there = knee[at] - 2 * back[at, None] * ahead[at]
            swing = quat_between(knee[at] - hip[at], there - hip[at])
            turn_leg(body, rotations, leg, at, swing, quat_between(ankle[at] - knee[at], ankle[at] - there))
    return replace(body, rotations=rotations)


def _while_low(shifts: Array, height: Array, planted: Flags) -> Array:
    """Returns the shifts (T, L, 3) of planted and low feet, interpolated smoothly while feet are up.

    A longer foot that strikes with its heel has a higher toe; following toes in the air would pull the hips down.
    """
    smooth = np.zeros_like(shifts)
    for leg, stands in enumerate(planted.T):
        for start, stop in runs(~stands):
            ends = [shifts[frame, leg] for frame in (start - 1, stop) if 0 <= frame < len(shifts)]
            if ends:
                share = np.linspace(0, 1, stop - start + 2)[1:-1, None]
                smooth[start:stop, leg] = ends[0] + share**2 * (3 - 2 * share) * (ends[-1] - ends[0])
    up = np.where(planted, 0.0, np.clip((height - LOW) / (HIGH - LOW), 0, 1))[..., None]
    mixed: Array = shifts + up**2 * (3 - 2 * up) * (smooth - shifts)
    return mixed


def _world_rotations(clip: Clip, pose: Array, skeleton: Skeleton, target_pose: Array) -> Array:
    """Returns the target's world rotations (T, J, 4), relative to its canonical pose equal to the source's."""
    roles, source_roles = skeleton.anatomy.roles, clip.skeleton.anatomy.roles
    turned = quat_multiply(clip.world_rotations, quat_conjugate(pose))
    driven = {joint: turned[:, source_roles[role]] for role, joint in roles.items() if role in source_roles}
    driven |= _shared_out(skeleton, driven)
    rotations = np.empty((len(clip), len(skeleton), 4))
    for joint, parent in enumerate(skeleton.parents):
        if joint in driven:
            rotations[:, joint] = quat_multiply(driven[joint], target_pose[joint])
        elif parent < 0:
            rotations[:, joint] = IDENTITY
        else:
            rest = quat_multiply(quat_conjugate(target_pose[parent]), target_pose[joint])
            rotations[:, joint] = quat_multiply(rotations[:, parent], rest)
    return rotations


def _shared_out(skeleton: Skeleton, driven: dict[int, Array]) -> dict[int, Array]:
    """Returns the rotations of spine and neck joints that the source lacks, interpolated between those around."""
    roles = skeleton.anatomy.roles
    path = [next(roles[role] for role in ("head", "neck", "chest", "spine", "hips") if role in roles)]
    while skeleton.parents[path[0]] >= 0:
        path.insert(0, skeleton.parents[path[0]])
    lengths = skeleton.bone_lengths[path]
    middle = np.cumsum(lengths) + np.append(lengths[1:], 0.0) / 2  # the middle of each joint's bone
    shared = {}
    for low, high in pairwise(k for k, joint in enumerate(path) if joint in driven):
        for k in range(low + 1, high):
            share = (middle[k] - middle[low]) / max(middle[high] - middle[low], 1e-9)
            shared[path[k]] = quat_slerp(driven[path[low]], driven[path[high]], np.full(1, share))
    return shared


def _in_pose(skeleton: Skeleton, rotations: Array, fps: float = 1.0, name: str = "") -> Clip:
    """Returns a clip at the skeleton's rest position with world rotations (T, J, 4)."""
    local = rotations.copy()
    for joint, parent in enumerate(skeleton.parents[1:], start=1):
        local[:, joint] = quat_multiply(quat_conjugate(rotations[:, parent]), rotations[:, joint])
    positions = np.tile(skeleton.offsets, (len(local), 1, 1))
    return Clip(skeleton, positions, local, fps, name)


def _middle(clip: Clip) -> Array:
    """Returns the midpoint (T, 3) of the hip joints; the offset of the hips from it depends on the skeleton."""
    middle: Array = clip.world_positions[:, [leg.hip for leg in legs_of(clip.skeleton)]].mean(1)
    return middle


def _feet(standing: Clip) -> Array:
    """Returns the vectors (L, 3) from ankle to toe in the only frame of a standing figure."""
    ankles = standing.world_positions[0, [leg.ankle for leg in legs_of(standing.skeleton)]]
    feet: Array = toe_points(standing)[0] - ankles
    return feet


def _sole(standing: Clip) -> float:
    """Returns the height of the toe joints over the lowest point of the feet in the only frame of a standing figure."""
    skeleton, heights = standing.skeleton, standing.world_positions[0, :, 1]
    tips = [joint for joint, _ in skeleton.end_sites]
    soles = []
    for leg, toe in zip(legs_of(skeleton), toe_points(standing)[0, :, 1], strict=True):
        foot = [leg.ankle, *descendants(skeleton, leg.ankle)]
        lowest = [*heights[foot], *standing.end_positions()[0, np.isin(tips, foot), 1]]
        soles.append(toe - min(toe, *lowest))
    return float(np.mean(soles))
