"""Directed motion whose feet stand in requested footprints. Needs numpy alone."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from moglow.directing.draft import Draft
from moglow.directing.goals import Goal, PoseGoal
from moglow.directing.pins import Direction, Look, Pin, Reach
from moglow.directing.shifts import END, Shift, Shifts
from moglow.directing.stances import Fitting, Stance, standing_at
from moglow.footsteps.following import (
    CHOICE,
    Anchor,
    Followed,
    check_alike,
    figures_of,
    follow_footprints,
    missed,
    unlike,
)
from moglow.footsteps.footprints import Footprints
from moglow.footsteps.placing import carried_along
from moglow.motion.clip import Clip
from moglow.motion.contacts import contacts, toe_points
from moglow.paths.control_path import ControlPath
from moglow.sampling.sampler import Track

FRAMES, METRES = 3.0, 0.03
"""Largest difference in frames between the times of directions and of their poses up to which motion is not sampled
again, and the distance in metres that counts as a frame."""
EDITED = 0.3
"""Mean cost of the match of footprints up to which motion is not sampled again."""


@dataclass(frozen=True, eq=False)
class Attempt:
    """Sampled motion with shifted directions: the draft, and its clip on a level floor and the requested skeleton.

    ``followed`` is the clip in the requested footprints, regardless of the times of its goals.
    """

    shifts: Shifts
    draft: Draft
    clip: Clip
    followed: Followed

    @classmethod
    def of(cls, shifts: Shifts, draft: Draft, clip: Clip, requested: Footprints) -> "Attempt":
        """Returns an attempt for requested footprints."""
        return cls(shifts, draft, clip, follow_footprints(clip, requested))

    @property
    def frames(self) -> int:
        """The length of the motion that follows footprints."""
        return self.shifts.frames or len(self.followed.clip)

    @property
    def off(self) -> float:
        """The largest difference in frames between the time of a goal and that of its pose in ``followed``.

        A difference of `METRES` in place counts as a frame.
        """
        off, last = [0.0], len(self.followed.frames) - 1
        for goal in self.draft.goals:
            frame, shift = min(self.frame(goal), last), self.shifts.shift(goal)
            if shift.frame != END:
                off.append(abs(float(self.followed.frames[frame]) - goal.frame))
            if shift.offset is not None:
                off.append(float(np.linalg.norm(self.followed.offsets[frame] - shift.offset)) / METRES)
        return max(off)

    @property
    def nats(self) -> float:
        """The sum of the prices of all goals."""
        return sum(price.nats for price in self.draft.directed.prices)

    def frame(self, goal: Goal) -> int:
        """Returns the frame of a goal in the motion that follows footprints."""
        frame = self.shifts.shift(goal).frame
        return self.frames - 1 if frame == END else min(frame, self.frames - 1)

    def follow(self, requested: Footprints, *, placed: bool = False) -> Followed:
        """Returns the clip in requested footprints, with its goals at their times as far as footprints allow.

        Poses with legs are also in their places, if they are ``placed``.
        """
        fps, anchors = self.clip.fps, dict[int, Anchor]()
        for goal in self.draft.all_goals:
            frame, shift = self.frame(goal), self.shifts.shift(goal)
            anchor = Anchor(frame / fps, goal.frame / fps)
            if placed and isinstance(goal, PoseGoal) and goal.stands:
                toes = toe_points(self.placed(self.clip[goal.frame : goal.frame + 1], goal))[0]
                anchor = replace(anchor, offset=shift.offset, heading=shift.heading, toes=toes)
            anchors[frame] = anchor
        duration = (self.frames - 1) / fps
        anchors.setdefault(self.frames - 1, Anchor(duration, self.draft.directed.path.duration))
        return follow_footprints(self.clip, requested, anchors=[*anchors.values()], duration=duration)

    def placed(self, pose: Clip, goal: Goal) -> Clip:
        """Returns a pose of the sampled motion in its place in the motion that follows footprints."""
        shift = self.shifts.shift(goal)
        assert shift.offset is not None, "poses are in their places"
        if not shift.offset.any() and not shift.heading:
            return pose
        return carried_along(pose, shift.offset[None], np.array([shift.heading]))

    def in_place(self, requested: Footprints, followed: Followed) -> "Attempt":
        """Returns the attempt with a place for each pose on the path: its feet stand in their footprints.

        A pose without such feet moves with the body in ``followed``.
        """
        planted, shifts, fps = contacts(self.clip), [*self.shifts.shifts], self.clip.fps
        toes = toe_points(followed.clip)
        for goal in self.draft.goals:
            frame, shift = self.frame(goal), self.shifts.shift(goal)
            if shift.offset is not None:
                continue
            offset, heading = followed.offsets[frame], float(followed.headings[frame])
            pose = self.clip[goal.frame : goal.frame + 1]
            own, off = toe_points(carried_along(pose, np.zeros((1, 3)), np.array([heading])))[0], []
            for leg in np.flatnonzero(planted[goal.frame]):
                number = standing_at(requested, int(leg), frame / fps, fps)
                if number is not None:
                    each = requested[number]
                    off.append(np.array([each.x, toes[frame, leg, 1], each.z]) - own[leg])
            stands = isinstance(goal, PoseGoal) and goal.stands
            shifts[goal.number] = Shift(
                shift.frame, np.mean(off, axis=0) if off and stands else offset, heading
            )
        return replace(self, shifts=replace(self.shifts, shifts=tuple(shifts)))

    def goal(self, goal: Goal) -> Goal:
        """Returns a goal of the sampled motion at its time and place in the motion that follows footprints."""
        given = self.shifts.given[goal.number] if goal.number >= 0 else None
        if isinstance(goal, PoseGoal):
            posed, source = (self.placed(pose, goal) for pose in (goal.posed, goal.source))
            return replace(goal, frame=self.frame(goal), posed=posed, source=source)
        point = given.point if isinstance(given, Reach) else goal.point
        return replace(goal, frame=self.frame(goal), point=point)

    def walked(self, requested: Footprints) -> "InPrints":
        """Returns the motion in requested footprints, which are changed to agree with its poses."""
        first = self.follow(requested)
        return self.in_place(requested, first)._walked(requested, first)

    def _walked(self, requested: Footprints, first: Followed) -> "InPrints":
        clip, draft = self.clip, self.draft
        stances = [
            Stance.of(
                goal.words,
                goal.frame,
                self.frame(goal),
                self.placed(clip[goal.frame : goal.frame + 1], goal),
            )
            for goal in draft.poses
            if goal.stands
        ]
        prints, changes = Fitting(clip, first).fitted(requested, stances)
        followed = self.follow(prints, placed=True)
        goals = tuple(self.goal(goal) for goal in draft.goals)
        uneven = draft.uneven
        if uneven is not None:
            frames = {goal.frame: self.frame(goal) for goal in draft.goals}
            uneven = replace(uneven, heights={frames[k]: high for k, high in uneven.heights.items()})
        directed, fps = draft.directed, clip.fps
        frames_of = np.clip(np.round(followed.frames).astype(int), 0, len(directed.nats) - 1)
        prices = (
            replace(price, seconds=goal.frame / fps)
            for price, goal in zip(directed.prices, goals, strict=True)
        )
        directed = replace(
            directed,
            path=followed.along(directed.path),
            nats=directed.nats[frames_of],
            prices=tuple(prices),
        )
        return InPrints(
            followed.clip, replace(draft, directed=directed, goals=goals, uneven=uneven), prints, changes
        )


@dataclass(frozen=True, eq=False)
class InPrints:
    """Motion in footprints: its clip on a level floor, its draft, and the footprints with what was changed of them."""

    clip: Clip
    draft: Draft
    prints: Footprints
    changes: list[dict[str, Any]]

    def figures(self, clip: Clip) -> dict[str, Any]:
        """Returns the figures of the footprints in the finished clip as plain numbers, for a sidecar."""
        figures = figures_of(self.prints, missed(clip, self.prints))
        return {"footprints_followed": {**figures, "changed_for_pins": self.changes}}


def best_attempt(
    tried: Callable[[Shifts, Track], Attempt],
    track: Track,
    directions: Sequence[Direction],
    path: ControlPath,
    requested: Footprints,
    implied: bool,
) -> Attempt:
    """Returns the attempt whose poses come at the right times once the feet are in the footprints.

    Directions are tried as they are given, then shifted by what the footprints do to motion without directions.

    Args:
        tried: returns an attempt.
        track: the take; if the path is ``implied`` by the footprints, the one with the most similar steps is used.
        directions: the directions.
        path: the path of the motion, with its times.
        requested: the requested footprints.
        implied: whether the path is implied by the footprints.
    """
    nothing = Shifts.none((), path)
    if implied:
        takes = [replace(track, take=track.take * CHOICE + k) for k in range(CHOICE)]
        track = min(takes, key=lambda each: unlike(tried(nothing, each).clip, requested))
    times = [each.time for each in directions if not isinstance(each, Look)]
    attempts = []
    if all(time == np.inf or time <= path.duration for time in times):
        attempts.append(tried(Shifts.none(directions, path), track))
        check_alike(attempts[0].clip, requested)
        if attempts[0].off <= FRAMES and unlike(attempts[0].clip, requested) <= EDITED * len(requested):
            return attempts[0]
    plain = tried(nothing, track)
    check_alike(plain.clip, requested)
    placed = any(isinstance(each, Reach) or (isinstance(each, Pin) and each.world) for each in directions)
    for timed in (False, True):
        if timed or (placed and attempts):
            shifts = Shifts.of(directions, plain.followed, path, timed=timed)
            attempts.append(tried(shifts, track))
            if attempts[-1].off <= FRAMES:
                break
    return min(attempts, key=lambda attempt: (max(attempt.off - FRAMES, 0.0), attempt.nats))
