"""Frames of a clip with the exact poses and points of goals. Needs numpy alone."""

from collections.abc import Sequence

import numpy as np

from moglow.directing.goals import Goal, PoseGoal, ReachGoal
from moglow.directing.joint_groups import joints_named
from moglow.directing.reaching import reached
from moglow.directing.settle import Settled, settled
from moglow.maths.rotations import Array
from moglow.maths.signals import Flags
from moglow.motion.clip import Clip


def held_frames(clip: Clip, goals: Sequence[Goal]) -> Flags:
    """Returns the frames in which a goal determines the positions of feet."""
    held, skeleton = np.zeros(len(clip), bool), clip.skeleton
    feet = {joint for leg in skeleton.anatomy.legs for joint in (leg.ankle, leg.toe)}
    for goal in goals:
        held[goal.frame] |= goal.stands if isinstance(goal, PoseGoal) else goal.joint in feet
    return held


def exactly(clip: Clip, poses: Sequence[Settled], points: Sequence[tuple[int, int, Array]]) -> Clip:
    """Returns the clip with bit-exact poses, and with joints at points: each a frame, a joint and a point ``(3,)``.

    The correction of a limb does not change the poses of other frames.
    """
    clip = settled(clip, poses)
    for joint in dict.fromkeys(joint for _, joint, _ in points):
        limbs = [reached(clip, frame, joint, point) for frame, each, point in points if each == joint]
        frames = {limb.frame for limb in limbs}
        kept = [
            Settled(pose.frame, limbs[0].joints, clip.rotations[pose.frame], clip.positions[pose.frame])
            for pose in poses
            if pose.frame not in frames
        ]
        clip = settled(clip, [*kept, *limbs])
    return clip


def with_goals(clip: Clip, goals: Sequence[Goal]) -> Clip:
    """Returns the clip with bit-exact poses on the model's skeleton, and joints at their points."""
    poses = [
        Settled(
            goal.frame,
            np.array(goal.joints, np.intp),
            goal.posed.rotations[0],
            goal.posed.positions[0] if goal.whole else None,
        )
        for goal in goals
        if isinstance(goal, PoseGoal)
    ]
    points = [(goal.frame, goal.joint, np.array(goal.point)) for goal in goals if isinstance(goal, ReachGoal)]
    return exactly(clip, poses, points)


def height_above(clip: Clip, goal: PoseGoal) -> float:
    """Returns the height of the lowest joint of a clip at a goal's frame above that of the original pose."""
    lowest = clip.world_positions[goal.frame, :, 1].min() - goal.source.world_positions[0, :, 1].min()
    return float(lowest)


def with_goals_on(clip: Clip, goals: Sequence[Goal], *, moved: bool = True) -> Clip:
    """Returns the clip on another skeleton, exact for the poses that were given on that skeleton.

    Poses are ``moved`` to the floor of the motion; otherwise they are in their places.
    """
    poses = []
    for goal in goals:
        if isinstance(goal, PoseGoal) and goal.source.skeleton == clip.skeleton:
            joints = joints_named(clip.skeleton, goal.groups, place=goal.words)
            # The height is relative to the floor of the motion, not of the file.
            source = goal.source.moved((0.0, height_above(clip, goal) if moved else 0.0, 0.0))
            positions = source.positions[0] if goal.whole else None
            poses.append(Settled(goal.frame, np.array(joints, np.intp), source.rotations[0], positions))
    roles = clip.skeleton.anatomy.roles
    points = [
        (goal.frame, roles[goal.role], np.array(goal.point))
        for goal in goals
        if isinstance(goal, ReachGoal) and goal.role in roles
    ]
    return exactly(clip, poses, points)
