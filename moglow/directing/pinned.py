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
from moglow.directing.directed import Director, Price
from moglow.directing.draft import Draft
from moglow.directing.exact import height_above, held_frames, with_goals, with_goals_on
from moglow.directing.footing import Attempt, best_attempt
from moglow.directing.gaze import look
from moglow.directing.goals import Goal, PoseGoal, find_goals
from moglow.directing.pins import Direction, Look
from moglow.directing.settle import AROUND
from moglow.directing.shifts import Shifts
from moglow.directing.uneven import Uneven
from moglow.errors import ControlError
from moglow.footsteps.following import on_flat
from moglow.footsteps.footprints import Footprints
from moglow.footsteps.holds import SPEC, HoldSpec
from moglow.footsteps.soles import feet_of
from moglow.footsteps.standing import lifted_near, stand_on
from moglow.ground.surface import Ground
from moglow.measures.metrics import jerk, toe_slide
from moglow.measures.on_ground import on_ground
from moglow.measures.tally import Measured, Tally
from moglow.motion.clip import Clip
from moglow.motion.contacts import toe_points
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
        prints: Footprints | None = None,
        implied: bool = False,
        stand: bool = True,
        name: str = "",
    ) -> Pinned:
        """Returns one take of a path at the model's frame rate; it may continue the last frames of a clip.

        The times of directions are those of the motion, which is slower on slopes and stairs than the path. Feet follow
        requested ``prints``, of a figure with the rig's feet; if they ``implied`` the path, the take with the most
        similar steps is used. Without ``stand`` the motion for a ground is on a flat floor, as `stand_on` requires.
        """
        path = path.resample(self.checkpoint.context.fps)
        goes_on = (
            None if continued is None else Continuation.of(self.checkpoint.context, continued, path, ground)
        )
        track = Track(goes_on.path if goes_on else path, seed, take, performer)
        if prints is not None:
            return self._in_prints(
                track, directions, goes_on, ground, on_flat(prints, ground), rig, implied, name
            )
        draft = self.draft(track, directions, goes_on, self._uneven(track, ground))
        return self.finished(draft, directions, rig=rig, stand=stand, name=name)

    def _uneven(self, track: Track, ground: Ground | None) -> Uneven | None:
        return None if ground is None else Uneven.of(self.checkpoint, self.temperature, track, ground)

    def draft(
        self,
        track: Track,
        directions: Sequence[Direction],
        goes_on: Continuation | None = None,
        uneven: Uneven | None = None,
    ) -> Draft:
        """Returns sampled motion along the path of a track, which begins where the continued clip ends."""
        context = self.checkpoint.context
        if uneven is None:
            goals, path = find_goals(context, track.path, directions)
            gait, required, stretch = path, goals, 1.0
        else:
            goals, uneven = uneven.goals(context, directions)
            gait, required = uneven.way.gait(), uneven.required(context, goals)
            stretch = float(uneven.way.stretch[0])
        if goes_on and goals and goals[0].frame == 0:
            raise ControlError(
                f"{goals[0].words}: the motion continues a clip, whose last frame is its first"
            )
        beginning = (
            goes_on.beginning(self.flow, gait, track.performer, stretch)
            if goes_on
            else from_a_stand(self.flow, gait, track.performer)
        )
        usual = usual_nats(self.checkpoint)
        director = Director(self.flow, gait, beginning, self.temperature, track.seed, track.take, usual)
        directed = director.direct(required)
        if uneven:
            directed = uneven.shortened(context, directed)
        return Draft(directed, tuple(goals), beginning.first, beginning.placed, uneven)

    def finished(
        self,
        draft: Draft,
        directions: Sequence[Direction],
        *,
        rig: Clip | None = None,
        stand: bool = True,
        name: str = "",
    ) -> Pinned:
        """Returns the clip of sampled motion on a rig, with locked feet, turned faces and exact poses."""
        uneven, looks = draft.uneven, [each for each in directions if isinstance(each, Look)]
        if uneven is None:
            made = self._level(draft, draft.all_goals, looks, name)
            return replace(made, clip=_on_rig(made.clip, draft.all_goals, rig, draft.first))
        made = self._level(draft, draft.poses, (), name)
        if not stand:
            clip = with_goals(look(made.clip, uneven.looks(directions)), uneven.flat(draft.all_goals))
            return replace(made, clip=clip)
        return self._standing(replace(made, clip=_on_rig(made.clip, draft.poses, rig)), draft, looks, rig)

    def _level(self, draft: Draft, goals: Sequence[Goal], looks: Sequence[Look], name: str) -> Pinned:
        """Returns motion on a level floor and the model's skeleton, with locked feet and exact goals."""
        encoding, tally = self.checkpoint.context.encoding, Tally()
        clip = encoding.decode(draft.directed.poses, draft.directed.path, name)
        tally.sampled(clip, draft.directed.nats.astype(float))
        if self.foot_lock:
            clip = bent_toes(cleared(lock_feet(clip, held=held_frames(clip, goals), spec=LOCK)))
        clip = with_goals(look(clip, looks), goals)
        tally.written(clip)
        measured = tally.measured(draft.directed.path)
        return Pinned(clip, draft.directed.path, measured, draft.directed.prices)

    def _in_prints(
        self,
        track: Track,
        directions: Sequence[Direction],
        goes_on: Continuation | None,
        ground: Ground | None,
        requested: Footprints,
        rig: Clip | None,
        implied: bool,
        name: str,
    ) -> Pinned:
        """Returns one take whose feet stand in requested footprints, with heights relative to the ground."""
        uneven = self._uneven(track, ground)

        def tried(shifts: Shifts, track: Track) -> Attempt:
            draft = self.draft(track, shifts.sampled, goes_on, uneven).named(shifts.given)
            clip = self._level(draft, draft.poses, (), name).clip
            return Attempt.of(shifts, draft, _on_rig(clip, draft.poses, rig), requested)

        attempt = best_attempt(
            tried, track, directions, uneven.path if uneven else track.path, requested, implied
        )
        made = self._level(attempt.draft, attempt.draft.poses, (), name)
        walked = attempt.walked(requested)
        measured = replace(made.measured, nats=walked.draft.directed.nats.astype(float))
        made = Pinned(walked.clip, walked.draft.directed.path, measured, walked.draft.directed.prices)
        looks = [each for each in directions if isinstance(each, Look)]
        made = self._standing(made, walked.draft, looks, rig, HoldSpec(farthest=0.0))
        return replace(made, prints=walked.prints, more={**walked.figures(made.clip), **made.more})

    def _standing(
        self, made: Pinned, draft: Draft, looks: Sequence[Look], rig: Clip | None, spec: HoldSpec = SPEC
    ) -> Pinned:
        """Returns motion on a level floor, moved onto the ground, with its goals in their places there."""
        flat, uneven = made.clip, draft.uneven
        if uneven is None:
            clip = _above_floor(look(flat, looks), draft.first, rig)
            clip = with_goals(clip, draft.all_goals) if rig is None else with_goals_on(clip, draft.all_goals)
            slide = toe_slide(toe_points(clip), clip.fps)
            measured = replace(made.measured, slide=slide, jerk=jerk(clip.world_positions, clip.fps))
            return replace(made, clip=clip, measured=measured)
        held = np.flatnonzero(held_frames(flat, draft.poses))
        stood = stand_on(flat, uneven.ground, spec, fixed=held)
        goals = [uneven.lifted(goal, flat) for goal in draft.goals]
        if draft.placed:
            goals = [draft.placed, *goals]
        clip = look(stood.clip, looks)
        clip = with_goals(clip, goals) if rig is None else with_goals_on(clip, goals, moved=False)
        clip = lifted_near(clip, stood, uneven.ground, held, AROUND)
        figures = on_ground(
            clip,
            uneven.ground,
            stood.planted,
            stood.soles.standing,
            stood.soles.points(*feet_of(clip)),
        )
        measured = replace(made.measured, slide=figures.slide)
        return replace(
            made, clip=clip, measured=measured, prints=stood.prints, more={"on_ground": figures.figures}
        )


def _on_rig(clip: Clip, goals: Sequence[Goal], rig: Clip | None, first: PoseGoal | None = None) -> Clip:
    """Returns a clip on a rig with exact goals; ``first`` is the pose of a continued clip, above whose floor it is."""
    if rig is None:
        return clip
    clip = retarget(clip, rig.skeleton, like=rig, keep_path=True)
    return with_goals_on(_above_floor(clip, first, rig), goals)


def _above_floor(clip: Clip, first: PoseGoal | None, rig: Clip | None) -> Clip:
    """Returns a clip on a rig above the floor of the clip that it continues on the same skeleton."""
    if first is None or rig is None or first.source.skeleton != clip.skeleton:
        return clip
    return clip.moved((0.0, -height_above(clip, first), 0.0))


def usual_nats(checkpoint: Checkpoint) -> float:
    """Returns the log-likelihood in nats per frame of held-out recordings; infinite if it is not in the checkpoint."""
    likelihood = checkpoint.about.get("validation", {}).get("likelihood", {})
    return -float(likelihood["standardized"]) if "standardized" in likelihood else np.inf
