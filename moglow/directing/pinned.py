"""Finished motion that meets directions, with locked feet, exact poses and turned faces. Needs numpy alone."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from moglow.checkpoint import Checkpoint
from moglow.directing.beginnings import Continuation, from_a_stand
from moglow.directing.clearance import cleared
from moglow.directing.course import Flow
from moglow.directing.directed import Directed, Director, Price
from moglow.directing.gaze import look
from moglow.directing.goals import Goal, PoseGoal, ReachGoal, find_goals
from moglow.directing.joint_groups import joints_named
from moglow.directing.pins import Direction, Look
from moglow.directing.reaching import reached
from moglow.directing.settle import Settled, settled
from moglow.directing.uneven import Uneven
from moglow.errors import ControlError
from moglow.footsteps.footprints import Footprints
from moglow.footsteps.soles import feet_of
from moglow.footsteps.standing import stand_on
from moglow.ground.surface import Ground
from moglow.maths.signals import Flags
from moglow.measures.on_ground import on_ground
from moglow.measures.tally import Measured, Tally
from moglow.motion.clip import Clip
from moglow.motion.foot_lock import LockSpec, bent_toes, lock_feet
from moglow.motion.retarget import retarget
from moglow.paths.control_path import ControlPath
from moglow.sampling.sampler import Track

LOCK = LockSpec(settle=0.5)


@dataclass(frozen=True, eq=False)
class Pinned:
    """A motion that meets directions, on the requested skeleton, with its path, figures and prices of pins."""

    clip: Clip
    path: ControlPath
    measured: Measured
    prices: tuple[Price, ...]
    prints: Footprints = ()
    """The footprints on a ground."""
    more: dict[str, Any] = field(default_factory=dict)
    """The figures of the feet on a ground."""

    @property
    def figures(self) -> dict[str, Any]:
        """Returns the figures as plain numbers, for a sidecar."""
        return {**self.measured.figures, "pins": [price.figures for price in self.prices], **self.more}


@dataclass(frozen=True, eq=False)
class Directing:
    """Makes motions of a checkpoint that meet directions."""

    checkpoint: Checkpoint
    temperature: float
    foot_lock: bool = True

    @cached_property
    def flow(self) -> Flow:
        return Flow.of(self.checkpoint)

    def make(
        self,
        path: ControlPath,
        directions: Sequence[Direction],
        *,
        seed: int,
        take: int = 0,
        performer: str | None = None,
        rig: Clip | None = None,
        continued: Clip | None = None,
        ground: Ground | None = None,
        stand: bool = True,
        name: str = "",
    ) -> Pinned:
        """Returns one take of a path at the model's frame rate; it may continue the last frames of a clip.

        On a ground the times of directions are those of the motion, which is slower on slopes and stairs than the path.
        Without ``stand`` the motion for the ground is on a flat floor, as `stand_on` requires.
        """
        context = self.checkpoint.context
        path = path.resample(context.fps)
        if ground is not None:
            uneven = Uneven.of(self.checkpoint, self.temperature, Track(path, seed, take, performer), ground)
            return self._over_ground(uneven, directions, seed, take, performer, rig, stand=stand, name=name)
        going_on = None if continued is None else Continuation.of(context, continued, path)
        goals, path = find_goals(context, going_on.path if going_on else path, directions)
        if going_on and goals and goals[0].frame == 0:
            raise ControlError(
                f"{goals[0].words}: the motion continues a clip, whose last frame is its first"
            )
        beginning = (
            going_on.beginning(self.flow, path, performer)
            if going_on
            else from_a_stand(self.flow, path, performer)
        )
        usual = usual_nats(self.checkpoint)
        director = Director(self.flow, path, beginning, self.temperature, seed, take, usual)
        directed = director.direct(goals)
        return self.finished(directed, goals, directions, first=beginning.first, rig=rig, name=name)

    def _over_ground(
        self,
        uneven: Uneven,
        directions: Sequence[Direction],
        seed: int,
        take: int,
        performer: str | None,
        rig: Clip | None,
        *,
        stand: bool,
        name: str,
    ) -> Pinned:
        """Returns one take over a ground."""
        context = self.checkpoint.context
        goals, uneven = uneven.goals(context, directions)
        gait = uneven.way.gait()
        beginning, usual = from_a_stand(self.flow, gait, performer), usual_nats(self.checkpoint)
        director = Director(self.flow, gait, beginning, self.temperature, seed, take, usual)
        directed = uneven.shortened(context, director.direct(uneven.required(context, goals)))
        tally, poses = Tally(), [goal for goal in goals if isinstance(goal, PoseGoal)]
        clip = context.encoding.decode(directed.poses, directed.path, name)
        tally.sampled(clip, directed.nats.astype(float))
        clip = bent_toes(cleared(lock_feet(clip, held=_held(clip, poses), spec=LOCK)))
        clip = _exact(clip, poses)
        tally.written(clip)
        measured = tally.measured(directed.path)
        if not stand:
            flat = [uneven.lowered(goal) if isinstance(goal, ReachGoal) else goal for goal in goals]
            clip = _exact(look(clip, uneven.looks(directions)), flat)
            return Pinned(clip, directed.path, measured, directed.prices)
        if rig is not None:
            clip = retarget(clip, rig.skeleton, like=rig, keep_path=True)
            clip = _exact_on(clip, poses)
        stood = stand_on(clip, uneven.ground, fixed=np.flatnonzero(_held(clip, poses)))
        exact = [uneven.lifted(goal, clip) for goal in goals]
        clip = look(stood.clip, [each for each in directions if isinstance(each, Look)])
        clip = _exact(clip, exact) if rig is None else _exact_on(clip, exact, moved=False)
        figures = on_ground(
            clip,
            uneven.ground,
            stood.planted,
            stood.soles.standing,
            stood.soles.points(*feet_of(clip)),
        )
        measured = replace(measured, slide=figures.slide)
        more = {"on_ground": figures.figures}
        return Pinned(clip, directed.path, measured, directed.prices, stood.prints, more)

    def finished(
        self,
        directed: Directed,
        goals: Sequence[Goal],
        directions: Sequence[Direction],
        *,
        first: PoseGoal | None = None,
        rig: Clip | None = None,
        name: str = "",
    ) -> Pinned:
        """Returns the clip of sampled poses on a rig, with locked feet, turned faces and exact poses.

        ``first`` is the last pose of the clip that is continued.
        """
        exact = goals if first is None else [first, *goals]
        encoding, tally = self.checkpoint.context.encoding, Tally()
        clip = encoding.decode(directed.poses, directed.path, name)
        tally.sampled(clip, directed.nats.astype(float))
        if self.foot_lock:
            clip = bent_toes(cleared(lock_feet(clip, held=_held(clip, exact), spec=LOCK)))
        clip = look(clip, [each for each in directions if isinstance(each, Look)])
        clip = _exact(clip, exact)
        tally.written(clip)
        measured = tally.measured(directed.path)
        if rig is not None:
            clip = retarget(clip, rig.skeleton, like=rig, keep_path=True)
            if first and first.source.skeleton == clip.skeleton:  # above the floor of the continued clip
                clip = clip.moved((0.0, -_above(clip, first), 0.0))
            clip = _exact_on(clip, exact)
        return Pinned(clip, directed.path, measured, directed.prices)


def usual_nats(checkpoint: Checkpoint) -> float:
    """Returns the log-likelihood in nats per frame of held-out recordings; infinite if it is not in the checkpoint."""
    likelihood = checkpoint.about.get("validation", {}).get("likelihood", {})
    return -float(likelihood["standardized"]) if "standardized" in likelihood else np.inf


def _held(clip: Clip, goals: Sequence[Goal]) -> Flags:
    """Returns the frames in which a goal determines the positions of feet."""
    held, skeleton = np.zeros(len(clip), bool), clip.skeleton
    feet = {joint for leg in skeleton.anatomy.legs for joint in (leg.ankle, leg.toe)}
    for goal in goals:
        joints = goal.joints if isinstance(goal, PoseGoal) else (goal.joint,)
        held[goal.frame] |= bool(feet & set(joints))
    return held


def _exact(clip: Clip, goals: Sequence[Goal]) -> Clip:
    """Returns the clip with bit-exact poses on the model's skeleton, and joints at their points."""
    posed = [goal for goal in goals if isinstance(goal, PoseGoal)]
    clip = settled(
        clip,
        [
            Settled(
                goal.frame,
                np.array(goal.joints, np.intp),
                goal.posed.rotations[0],
                goal.posed.positions[0] if goal.whole else None,
            )
            for goal in posed
        ],
    )
    for goal in goals:
        if isinstance(goal, ReachGoal):
            clip = settled(clip, [reached(clip, goal.frame, goal.joint, np.array(goal.point))])
    return clip


def _above(clip: Clip, goal: PoseGoal) -> float:
    """Returns the height of the lowest joint of a clip at a goal's frame above that of the original pose."""
    lowest = clip.world_positions[goal.frame, :, 1].min() - goal.source.world_positions[0, :, 1].min()
    return float(lowest)


def _exact_on(clip: Clip, goals: Sequence[Goal], *, moved: bool = True) -> Clip:
    """Returns the clip on another skeleton, exact for the poses that were given on that skeleton.

    Poses are ``moved`` to the floor of the motion; otherwise they are in their places.
    """
    poses = []
    for goal in goals:
        if isinstance(goal, PoseGoal) and goal.source.skeleton == clip.skeleton:
            joints = joints_named(clip.skeleton, goal.groups, place=goal.words)
            # The height is relative to the floor of the motion, not of the file.
            lift = clip.world_positions[goal.frame, :, 1].min() - goal.source.world_positions[0, :, 1].min()
            source = goal.source.moved((0.0, lift if moved else 0.0, 0.0))
            positions = source.positions[0] if goal.whole else None
            poses.append(Settled(goal.frame, np.array(joints, np.intp), source.rotations[0], positions))
    clip = settled(clip, poses)
    for goal in goals:
        if isinstance(goal, ReachGoal) and goal.role in clip.skeleton.anatomy.roles:
            joint = clip.skeleton.anatomy.roles[goal.role]
            clip = settled(clip, [reached(clip, goal.frame, joint, np.array(goal.point))])
    return clip
