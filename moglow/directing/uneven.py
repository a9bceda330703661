"""Directed motion over a ground: it is sampled on a flat floor, then moved onto the ground. Needs numpy alone.

As in `moglow.sampling.on_ground`, steps on stairs are sampled with their usual length and scaled to the treads. Poses
are therefore scaled the other way before they are required of the model, and heights are those above a flat floor.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from moglow.checkpoint import Checkpoint
from moglow.corpus.context import Context
from moglow.directing.directed import Directed
from moglow.directing.goals import Goal, PoseGoal, ReachGoal, clip_of, find_goals
from moglow.directing.pins import Direction, Look, Pin
from moglow.encodings.chart import PLANTED
from moglow.encodings.stride import with_stride
from moglow.footsteps.standing import SOFT
from moglow.ground.surface import Ground
from moglow.ground.treads import Stairway, at_heights
from moglow.maths.rotations import Array
from moglow.maths.signals import smooth_gaussian
from moglow.measures.on_ground import above
from moglow.motion.clip import Clip
from moglow.motion.contacts import legs_of, toe_points
from moglow.paths.control_path import ControlPath
from moglow.sampling.fast.folded import Floats
from moglow.sampling.on_ground import check_path, way_over
from moglow.sampling.sampler import Sampler, Track

SUNK = 0.05
"""Depth in metres of a pose below the ground above which its height is taken to be that on a flat floor."""


@dataclass(frozen=True, eq=False)
class Uneven:
    """A ground, the way over it, and the heights in metres of the poses in the world, by frame."""

    ground: Ground
    way: Stairway
    heights: dict[int, float]

    @classmethod
    def of(cls, checkpoint: Checkpoint, temperature: float, track: Track, ground: Ground) -> Self:
        """Returns the way of a track over a ground."""
        sampler = Sampler.of(checkpoint, temperature=temperature, device="cpu")
        return cls(ground, way_over(sampler, checkpoint, track, ground), {})

    @property
    def path(self) -> ControlPath:
        """The path over the ground; its times are those of the motion."""
        return self.way.path

    def goals(self, context: Context, directions: Sequence[Direction]) -> tuple[list[Goal], Self]:
        """Returns the goals of directions above a flat floor, and the way, led through the poses in the world."""
        flat, raised = [], dict[str, float]()
        for each in directions:
            if isinstance(each, Pin) and each.world:
                each, height = self._flat_pin(each)
                raised |= {} if height is None else {str(each): height}
            flat.append(each)
        goals, path = find_goals(context, self.path, flat)
        check_path(path, self.ground)
        heights = {goal.frame: raised[goal.words] for goal in goals if goal.words in raised}
        return goals, replace(self, way=replace(self.way, path=path), heights=heights)

    def _flat_pin(self, pin: Pin) -> tuple[Pin, float | None]:
        """Returns a pin in the world with its clip lowered to a flat floor, and by how much, or None."""
        clip, _ = clip_of(pin.pose, str(pin))
        if not -len(clip) <= pin.frame < len(clip) or not legs_of(clip.skeleton):
            return pin, None
        toes = toe_points(clip[pin.frame % len(clip) :][:1])[0]
        off = float(above(toes, self.ground)[:, 1].min())
        if off < -SUNK:
            return pin, None
        height = float(toes[:, 1].min()) - off
        return replace(pin, pose=clip.moved((0.0, -height, 0.0))), height

    def required(self, context: Context, goals: Sequence[Goal]) -> list[Goal]:
        """Returns the goals for the model: steps have the length of the gait, and points are lower by the ground."""
        return [
            self.lowered(goal) if isinstance(goal, ReachGoal) else self._strode(context, goal)
            for goal in goals
        ]

    def _strode(self, context: Context, goal: PoseGoal) -> PoseGoal:
        groups = [name for name in PLANTED if name in context.encoding.slices]
        share = np.ones(context.pose_dim, np.float32)
        for name in groups:
            share[context.encoding.slice(name)] = self.way.stretch[goal.frame]
        onwards = None if goal.onwards is None else goal.onwards * share
        return replace(goal, pose=goal.pose * share, onwards=onwards)

    def lowered(self, goal: ReachGoal) -> ReachGoal:
        """Returns the goal with its point as high above a flat floor as it is above the ground below the body."""
        x, y, z = goal.point
        return replace(goal, point=(x, y - float(self.rises[goal.frame]), z))

    def flat(self, goals: Sequence[Goal]) -> list[Goal]:
        """Returns goals above a flat floor, where poses already are."""
        return [self.lowered(goal) if isinstance(goal, ReachGoal) else goal for goal in goals]

    def looks(self, directions: Sequence[Direction]) -> list[Look]:
        """Returns the looks with points above a flat floor."""
        out = []
        for each in directions:
            if isinstance(each, Look):
                frame = round(0.5 * (each.start + each.stop) * self.path.fps)
                x, y, z = each.point
                rise = float(self.rises[min(frame, len(self.path) - 1)])
                out.append(replace(each, point=(x, y - rise, z)))
        return out

    @property
    def rises(self) -> Array:
        """The height ``(T,)`` of the ground below the body, smooth as the movement of the body over it."""
        return smooth_gaussian(at_heights(self.path, self.ground)[:, 1], SOFT * self.path.fps)

    def shortened(self, context: Context, directed: Directed) -> Directed:
        """Returns sampled motion with steps of the length of the treads, on the way's path."""
        poses: Floats = with_stride(
            context.encoding, directed.poses, 1 / self.way.stretch, np.asarray(context.pose_mean, float)
        )
        return replace(directed, path=self.path, poses=poses)

    def lifted(self, goal: Goal, flat: Clip) -> Goal:
        """Returns the goal with its pose on the ground; ``flat`` is the motion on a flat floor."""
        if not isinstance(goal, PoseGoal):
            return goal
        usual = float(toe_points(flat)[goal.frame, :, 1].min()) if legs_of(flat.skeleton) else 0.0
        known = self.heights.get(goal.frame)

        def lifted(pose: Clip) -> Clip:
            if known is not None or not legs_of(pose.skeleton):
                return pose.moved((0.0, known or 0.0, 0.0))
            return pose.moved((0.0, usual - float(above(toe_points(pose)[0], self.ground)[:, 1].min()), 0.0))

        return replace(goal, posed=lifted(goal.posed), source=lifted(goal.source))
