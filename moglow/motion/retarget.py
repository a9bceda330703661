"""Retargets a clip to another skeleton: by roles, in the canonical pose, with feet at their old places."""

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
"""Shares of the leg's length: below the one toes follow the source's toes, above the other legs its legs."""

AROUND = 2.0
"""Seconds to both sides that a block in a stream sees: a foot in the air stands before and after it."""


def retarget(
    clip: Clip,
    skeleton: Skeleton,
    *,
    like: Clip | None = None,
    keep_feet: bool = True,
    keep_path: bool = False,
) -> Clip:
    """Puts the motion of a clip on another skeleton.

    Each joint that has a role in both figures turns away from the canonical pose as its counterpart does; the joints
    of a longer spine share out what lies between, all others (fingers, twist bones, helpers) stay at rest. The body is
    scaled by the length of the legs, and toes follow the scaled toes of the source, so that what stood still stands
    still. The result has the target's hierarchy and layout as they are.

    Args:
        clip: the motion.
        skeleton: the figure that is to move like it.
        like: a motion of that figure. Worth giving where its zero pose is no pose at all, or shows no flat feet.
        keep_feet: whether toes are put in their places by inverse kinematics, rather than only legs turned alike.
        keep_path: whether the way over the ground keeps its length, rather than growing with the legs.
    """
    moved = Retargeting.of(clip, skeleton, like=like, keep_path=keep_path)
    return moved.feet_kept(clip) if keep_feet else moved.body(clip)


def retarget_blocks(
    blocks: Iterable[Clip], skeleton: Skeleton, *, like: Clip | None = None, keep_path: bool = False
) -> Iterator[Clip]:
    """The same for a clip that comes in blocks, the first of which shows how its figure stands."""
    blocks = iter(blocks)
    for first in blocks:
        moved = Retargeting.of(first, skeleton, like=like, keep_path=keep_path)
        around = stretches(chain([first], blocks), margin=round(AROUND * first.fps))
        yield from (moved.feet_kept(clip)[own] for clip, own in around)


@dataclass(frozen=True, eq=False)
class Retargeting:
    """What is known of two figures before any frame: their canonical poses, sizes and soles."""

    skeleton: Skeleton
    pose: Array
    """World rotations ``(J, 4)`` of the source's joints in the canonical pose."""
    target_pose: Array
    scales: Array
    """Times ``(3,)`` the source's lengths."""
    floor: Array
    """Height ``(L,)`` of the source's standing toes."""
    ahead: Array
    """Where the source's toe is, seen from its ankle, more than the target's ``(3,)``."""
    sole: Array
    """From the lowest point of the target's feet to their toe joints ``(3,)``."""

    @classmethod
    def of(cls, clip: Clip, skeleton: Skeleton, *, like: Clip | None, keep_path: bool) -> Self:
        """Looks at both figures, at the source's where a clip of it shows it; see `retarget`."""
        source = clip.skeleton
        if len(legs_of(skeleton)) != len(legs_of(source)):
            raise SkeletonError(
                f"{clip.name or 'clip'}: {len(legs_of(source))} legs were found, in the target "
                f"{len(legs_of(skeleton))}; retarget between figures of one kind, or name the legs in a map file"
            )
        if like is None and skeleton == source:
            like = clip
        pose, target_pose = canonical_rotations(source, clip), canonical_rotations(skeleton, like)
        scale = float(leg_lengths(skeleton).mean() / leg_lengths(source).mean())
        scales = np.array([1.0, scale, 1.0]) if keep_path else np.full(3, scale)
        # Feet are built differently: where a flat foot's toe is, seen from the ankle, decides where the hips are
        # over it.
        standing = _in_pose(skeleton, target_pose[None])
        foot = scales * _feet(_in_pose(source, pose[None])) - _feet(standing)
        floor = toe_floor(toe_points(clip))
        ahead = foot.mean(0) * (UP + FORWARD)
        return cls(skeleton, pose, target_pose, scales, floor, ahead, _sole(standing) * UP)

    def body(self, clip: Clip) -> Clip:
        """The motion of a clip with legs turned alike, the hips where the feet want them."""
        turns = _world_rotations(clip, self.pose, self.skeleton, self.target_pose)
        body = _in_pose(self.skeleton, turns, clip.fps, clip.name)
        ahead = quat_rotate(heading_to_quat(clip.headings()), self.ahead)
        middle = _middle(clip) - self.floor.mean() * UP
        body = carried(body, self.scales * middle + ahead + self.sole - _middle(body))
        return _bent_forwards(body, turns, self.target_pose)

    def feet_kept(self, clip: Clip) -> Clip:
        """The same with toes in their places."""
        body, toes = self.body(clip), toe_points(clip) - self.floor[:, None] * UP
        height = toes[..., 1] / leg_lengths(clip.skeleton)
        shifts = self.scales * toes + self.sole - toe_points(body)
        planted = contacts(clip, floor=self.floor)
        return move_feet(body, _while_low(shifts, height, planted) + self._apart(clip, body, shifts, planted))

    def _apart(self, clip: Clip, body: Clip, shifts: Array, planted: Flags) -> Array:
        """Returns sideways shifts ``(T, L, 3)`` that keep the ankles as far apart as the source's.

        A longer foot whose toe is kept has its ankle farther behind, and with toes turned out farther inside: steps
        would cross. Each stance is shifted as a whole, so that no planted foot slides; swings pass between the shifts.
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
    """The body with a biped's knees that bend backwards bent forwards as far; ankles and feet stay as they are.

    A leg that markers or a solver overstretch has its knee behind the line from hip to ankle. Whatever is done to such
    a leg later would follow that: a leg that gets a little shorter would fold up like a bird's.
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
    """The shifts (T, L, 3) where feet stand or are low, and a smooth way from one stance to the next where they are up.

    A longer foot that strikes with its heel has its toe higher: to follow toes in flight would pull the hips down.
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
    """World rotations (T, J, 4) of the target's joints, each turned away from its canonical pose like the source's."""
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
    """The turns of joints of the spine and neck that the source has not: between those below and above."""
    roles = skeleton.anatomy.roles
    path = [next(roles[role] for role in ("head", "neck", "chest", "spine", "hips") if role in roles)]
    while skeleton.parents[path[0]] >= 0:
        path.insert(0, skeleton.parents[path[0]])
    lengths = skeleton.bone_lengths[path]
    middle = np.cumsum(lengths) + np.append(lengths[1:], 0.0) / 2  # of the bone that a joint turns
    shared = {}
    for low, high in pairwise(k for k, joint in enumerate(path) if joint in driven):
        for k in range(low + 1, high):
            share = (middle[k] - middle[low]) / max(middle[high] - middle[low], 1e-9)
            shared[path[k]] = quat_slerp(driven[path[low]], driven[path[high]], np.full(1, share))
    return shared


def _in_pose(skeleton: Skeleton, rotations: Array, fps: float = 1.0, name: str = "") -> Clip:
    """A clip at the skeleton's rest place with the given world rotations (T, J, 4)."""
    local = rotations.copy()
    for joint, parent in enumerate(skeleton.parents[1:], start=1):
        local[:, joint] = quat_multiply(quat_conjugate(rotations[:, parent]), rotations[:, joint])
    positions = np.tile(skeleton.offsets, (len(local), 1, 1))
    return Clip(skeleton, positions, local, fps, name)


def _middle(clip: Clip) -> Array:
    """The middle (T, 3) between the hip joints: hips themselves lie above or behind it, each skeleton its own way."""
    middle: Array = clip.world_positions[:, [leg.hip for leg in legs_of(clip.skeleton)]].mean(1)
    return middle


def _feet(standing: Clip) -> Array:
    """From ankle to toe (L, 3) in the one frame of a standing figure."""
    ankles = standing.world_positions[0, [leg.ankle for leg in legs_of(standing.skeleton)]]
    feet: Array = toe_points(standing)[0] - ankles
    return feet


def _sole(standing: Clip) -> float:
    """How high the toe joints are over the lowest point of their feet in the one frame of a standing figure."""
    skeleton, heights = standing.skeleton, standing.world_positions[0, :, 1]
    tips = [joint for joint, _ in skeleton.end_sites]
    soles = []
    for leg, toe in zip(legs_of(skeleton), toe_points(standing)[0, :, 1], strict=True):
        foot = [leg.ankle, *descendants(skeleton, leg.ankle)]
        lowest = [*heights[foot], *standing.end_positions()[0, np.isin(tips, foot), 1]]
        soles.append(toe - min(toe, *lowest))
    return float(np.mean(soles))
