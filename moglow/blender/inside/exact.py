"""Exact poses and points in the frames of pins of a finished clip. Needs numpy alone."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from moglow.directing.joint_groups import joints_named
from moglow.directing.reaching import reached
from moglow.directing.settle import Settled, settled
from moglow.maths.rotations import Array
from moglow.motion.clip import Clip
from moglow.motion.skeleton import Skeleton

SAME = 1e-3
"""Metres by which bones may differ in skeletons that count as the same."""
SHORT = 1e-3
"""Distance in metres between a joint and its point above which a warning is shown."""


@dataclass(frozen=True, eq=False)
class ExactPose:
    """A pose in the world, as one frame of a clip, for a frame of the scene; ``roles`` are empty for the whole body."""

    frame: int
    pose: Clip
    roles: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class ExactPoint:
    """A point in the world for the joint of a role in a frame of the scene."""

    frame: int
    role: str
    point: Array


def on_same(clip: Clip, skeleton: Skeleton) -> Clip | None:
    """Returns the clip with a skeleton that differs from its own by rounding alone; None for another skeleton."""
    own = clip.skeleton
    if (own.names, own.parents) != (skeleton.names, skeleton.parents):
        return None
    if np.abs(own.offsets[1:] - skeleton.offsets[1:]).max(initial=0.0) >= SAME:
        return None
    positions = np.broadcast_to(skeleton.offsets, clip.positions.shape).copy()
    positions[:, 0] = clip.positions[:, 0]
    return Clip(skeleton, positions, clip.rotations, clip.fps, clip.name)


def made_exact(
    clip: Clip, poses: Sequence[ExactPose], points: Sequence[ExactPoint], start: int
) -> tuple[Clip, list[str]]:
    """Returns the clip, whose first frame is ``start``, with exact poses and points, and warnings about the others.

    Poses of other skeletons are as near as retargeting brought them, and points out of reach as near as the limb goes.
    """
    targets = [found for pose in poses if (found := _pose(clip, pose, pose.frame - start))]
    posed = settled(clip, targets) if targets else clip
    frames, warnings = {target.frame for target in targets}, []
    for each in points:
        at, joint = each.frame - start, clip.skeleton.anatomy.roles.get(each.role)
        if joint is None:
            warnings.append(f"{each.role} at frame {each.frame}: the figure has no such joint")
            continue
        before = posed if at in frames else clip
        target = reached(before, at, joint, each.point)
        targets.append(target)
        world, _ = clip.skeleton.forward_kinematics(before.positions[at], target.rotations)
        short = float(np.linalg.norm(world[joint] - each.point))
        if short > SHORT:
            warnings.append(
                f"{each.role} stays {100 * short:.1f} cm short of its point at frame {each.frame}"
            )
    return settled(clip, targets), warnings


def _pose(clip: Clip, pose: ExactPose, at: int) -> Settled | None:
    own = on_same(pose.pose, clip.skeleton)
    if own is None:
        return None
    joints = joints_named(clip.skeleton, pose.roles, place=f"pose at frame {pose.frame}")
    return Settled(at, np.array(joints, np.intp), own.rotations[0], None if pose.roles else own.positions[0])
