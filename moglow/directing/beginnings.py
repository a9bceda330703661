"""The beginning of a motion: from a standing figure, or as the continuation of a clip. Needs numpy alone."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from moglow.corpus.context import Context
from moglow.directing.course import Course, Flow, Moment
from moglow.directing.goals import PoseGoal, on_skeleton
from moglow.errors import ClipError
from moglow.motion.clip import Clip
from moglow.paths.control_path import ControlPath
from moglow.sampling.fast.folded import Floats
from moglow.sampling.start_and_stop import WARM_UP, setting_off

BEFORE = 6.0
"""Seconds of the clip from which the memory is computed."""
LEAST = 0.3
"""Smallest number of seconds of a clip, in addition to the poses in the model's history."""
CHANGE, SLOPE = 1.2, 0.1
"""Seconds in which the velocity of a clip changes to that of the path, and over which both are measured."""


@dataclass(frozen=True, eq=False)
class Beginning:
    """The beginning of a motion: the ``moment`` before ``frame`` of a course that ends with the frames of the path.

    ``known`` ``(k, D)`` are the standardised poses of the path's frames before it; ``first`` is the exact first pose if
    it is known.
    """

    course: Course
    frame: int
    moment: Moment
    known: Floats
    first: PoseGoal | None = None

    def before_path(self, path: ControlPath) -> int:
        """Returns the number of frames of the course before the first frame of the path."""
        return len(self.course) - len(path)


def from_a_stand(flow: Flow, path: ControlPath, performer: str | None = None) -> Beginning:
    """Returns the beginning of a figure that stands and starts to move some seconds before the path begins."""
    context, fps = flow.context, flow.context.fps
    history, ahead, warm = context.spec.history, context.spec.lookahead, round(WARM_UP * fps)
    setting = np.pad(setting_off(fps), (history, len(path) + ahead), mode="edge")
    controls = np.pad(path.velocities(), ((history + warm, ahead), (0, 0)), mode="edge")
    standing = context.standardize_control((controls * setting[:, None]).astype(np.float32))
    labels = context.path_rows(path, performer)
    labels = np.concatenate([np.repeat(labels[:1], warm, axis=0), labels])
    posture = np.asarray(context.posture(labels[:1]), np.float32)
    moment = Moment(np.repeat(posture[:, None], history, axis=1), flow.model.initial_state(1))
    return Beginning(Course(standing, labels), 0, moment, posture[:0])


@dataclass(frozen=True, eq=False)
class Continuation:
    """The last seconds of a clip, on the model's skeleton and in the original, and the path from there."""

    seen: Clip
    source: Clip
    way: ControlPath
    styles: tuple[str, ...] | None

    @classmethod
    def of(cls, context: Context, clip: Clip, path: ControlPath) -> Self:
        """Returns the continuation of a clip along a path, which is moved to begin where the clip ends."""
        seen = on_skeleton(_last_seconds(clip, context.fps), context)
        least = context.spec.history + round(LEAST * context.fps)
        if len(seen) < least:
            raise ClipError(
                f"{clip.name or 'clip'}: {clip.duration:.2g} s are too short to continue; "
                f"give at least {least / context.fps:.2g} s"
            )
        return cls(
            seen, clip[len(clip) - 1 :], joined_path(context.encoding.spec.path(seen), path), path.styles
        )

    @property
    def path(self) -> ControlPath:
        """The path, whose first frame is the last frame of the clip."""
        return replace(self.way[len(self.seen) - 1 :], styles=self.styles)

    def beginning(self, flow: Flow, path: ControlPath, performer: str | None = None) -> Beginning:
        """Returns the beginning for a path, which may differ from `path` after its first frame."""
        context, before = flow.context, self.way[: len(self.seen) - 1]
        way = replace(
            before,
            positions=np.concatenate([before.positions, path.positions]),
            headings=np.concatenate([before.headings, path.headings]),
        )
        poses = context.encoding.encode(self.seen, way[: len(self.seen)])
        poses = context.standardize_pose(poses.astype(np.float32))
        labels = context.path_rows(path, performer)
        if (
            self.styles is None and performer is None
        ):  # the clip shows how to go on, better than a default style
            labels = np.zeros_like(labels)
        course = course_of(context, way, labels)
        first = PoseGoal(
            0,
            "the clip's last frame",
            np.arange(context.pose_dim),
            poses[-1],
            tuple(range(len(self.seen.skeleton))),
            self.seen[len(self.seen) - 1 :],
            self.source,
        )
        return Beginning(course, len(self.seen), remembered(flow, course, poses), poses[-1:], first)


def course_of(context: Context, way: ControlPath, labels: Floats) -> Course:
    """Returns the course of a path whose last frames have these labels ``(N, P + S)``; earlier ones have the first."""
    history, ahead = context.spec.history, context.spec.lookahead
    controls = np.pad(way.velocities(), ((history, ahead), (0, 0)), mode="edge").astype(np.float32)
    missing = len(way) - len(labels)
    labels = np.concatenate([np.repeat(labels[:1], max(missing, 0), axis=0), labels])
    return Course(np.asarray(context.standardize_control(controls), np.float32), labels)


def remembered(flow: Flow, course: Course, poses: Floats) -> Moment:
    """Returns the state after the poses ``(n, D)`` with which a course begins."""
    history = flow.context.spec.history
    start = Moment(poses[None, :history], flow.model.initial_state(1))
    *_, moments = flow.score(course, history, start, poses[history:, None])
    return moments[-1]


def joined_path(own: ControlPath, path: ControlPath) -> ControlPath:
    """Returns a path followed by another one, moved to its end; the velocity changes smoothly from one to the other.

    If the first path was faster, the rest is shifted forward by the additional distance.
    """
    whole, last = replace(own, styles=None).then(replace(path, styles=None)), len(own) - 1
    near = max(1, round(SLOPE * own.fps))
    values = np.column_stack([whole.positions, whole.headings])
    before = values[last] - values[max(last - near, 0)]
    after = values[min(last + near, len(values) - 1)] - values[last]
    faster = (before - after) / near  # per frame
    at = np.clip(np.arange(len(values) - last) / (CHANGE * own.fps), 0, 1)
    share = 1 - at**3 * (10 - 15 * at + 6 * at**2)
    values[last:, :2] += np.append(0.0, np.cumsum(share[:-1]))[:, None] * faster[:2]
    values[last:, 2] += np.arange(len(share)) * share * faster[2]
    return replace(whole, positions=values[:, :2], headings=values[:, 2])


def _last_seconds(clip: Clip, fps: float) -> Clip:
    """Returns the last seconds of a clip at another frame rate, ending with its last frame."""
    count = int(min(clip.duration, BEFORE) * fps + 1e-6) + 1
    at = len(clip) - 1 - np.arange(count)[::-1] * (clip.fps / fps)
    return clip.sampled(np.maximum(at, 0), fps)
