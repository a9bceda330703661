"""The beginning of a motion: from a standing figure, or as the continuation of a clip. Needs numpy alone."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from moglow.corpus.context import Context
from moglow.directing.course import Course, Flow, Moment
from moglow.directing.goals import PoseGoal, on_skeleton
from moglow.encodings.stride import with_stride
from moglow.errors import ClipError
from moglow.footsteps.standing import on_floor, toe_heights
from moglow.ground.surface import Ground
from moglow.motion.clip import Clip
from moglow.motion.contacts import toe_points
from moglow.paths.control_path import ControlPath
from moglow.sampling.fast.folded import Floats
from moglow.sampling.start_and_stop import WARM_UP, setting_off

BEFORE = 6.0
"""Seconds of the clip from which the memory is computed."""
LEAST = 0.3
"""Smallest number of seconds of a clip, in addition to the poses in the model's history."""
CHANGE, SLOPE = 1.2, 0.1
"""Seconds in which the velocity of a clip changes to that of the path, and over which both are measured."""
STEPPED, DEEP, HIGH = 1.0, 0.1, 0.15
"""Last seconds of a clip in which its lowest toe joint is on the ground, and the largest accepted depth and height in
metres of that joint."""


@dataclass(frozen=True, eq=False)
class Beginning:
    """The beginning of a motion: the ``moment`` before ``frame`` of a course that ends with the frames of the path.

    ``known`` ``(k, D)`` are the standardised poses of the path's frames before it; ``first`` is the exact first pose if
    it is known, on a floor at height 0, and ``placed`` the same pose on the ground.
    """

    course: Course
    frame: int
    moment: Moment
    known: Floats
    first: PoseGoal | None = None
    placed: PoseGoal | None = None

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
    """The last seconds of a clip, on the model's skeleton and in the original, and the path from there.

    ``seen`` is on a floor at height 0; ``last`` is the last frame of the clip where it stands on a ground.
    """

    seen: Clip
    source: Clip
    way: ControlPath
    styles: tuple[str, ...] | None
    last: Clip | None = None
    changes: bool = False
    """Whether the styles begin after the clip, as a change of style; otherwise the clip counts as one of the first."""

    @classmethod
    def of(cls, context: Context, clip: Clip, path: ControlPath, ground: Ground | None = None) -> Self:
        """Returns the continuation of a clip along a path, which is moved to begin where the clip ends.

        The clip ends on the ground, if there is one.
        """
        near = _last_seconds(clip, context.fps)
        least = context.spec.history + round(LEAST * context.fps)
        if len(near) < least:
            raise ClipError(
                f"{clip.name or 'clip'}: {clip.duration:.2g} s are too short to continue; "
                f"give at least {least / context.fps:.2g} s"
            )
        last = None
        if ground is not None:
            _check_feet(near, ground, clip.name)
            last, near = clip[len(clip) - 1 :], on_floor(near, ground)
        seen = on_skeleton(near, context)
        way = joined_path(context.encoding.spec.path(seen), path)
        return cls(
            seen, clip[len(clip) - 1 :] if last is None else near[len(near) - 1 :], way, path.styles, last
        )

    @property
    def path(self) -> ControlPath:
        """The path, whose first frame is the last frame of the clip."""
        return replace(self.way[len(self.seen) - 1 :], styles=self.styles)

    def beginning(
        self, flow: Flow, path: ControlPath, performer: str | None = None, stretch: float = 1.0
    ) -> Beginning:
        """Returns the beginning for a path, which may differ from `path` after its first frame.

        The steps of the clip are ``stretch`` times as long for the model.
        """
        context, before = flow.context, self.way[: len(self.seen) - 1]
        end = path.positions[0]
        way = replace(
            before,
            positions=np.concatenate([end + stretch * (before.positions - end), path.positions]),
            headings=np.concatenate([before.headings, path.headings]),
        )
        poses = context.encoding.encode(self.seen, self.way[: len(self.seen)])
        if stretch != 1.0:
            poses = with_stride(context.encoding, poses, stretch, np.asarray(context.pose_mean, float))
        poses = context.standardize_pose(poses.astype(np.float32))
        labels = context.path_rows(path, performer)
        if (
            self.styles is None and performer is None
        ):  # the clip shows how to go on, better than a default style
            labels = np.zeros_like(labels)
        elif self.changes:
            labels[0] = 0.0  # of the clip's last frame; frames before it have the same label
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
        placed = first
        if self.last is not None:
            placed = replace(first, posed=on_skeleton(self.last, context), source=self.last)
        return Beginning(course, len(self.seen), remembered(flow, course, poses), poses[-1:], first, placed)


def _check_feet(clip: Clip, ground: Ground, name: str) -> None:
    """Raises an error for a clip that does not end on the ground."""
    toes = toe_points(clip)[-round(STEPPED * clip.fps) :]
    frame, leg = np.unravel_index(int(toe_heights(toes, ground).argmin()), toes.shape[:2])
    x, y, z = toes[frame, leg]
    off = y - float(ground.heights(x, z))
    if not -DEEP <= off <= HIGH:
        raise ClipError(
            f"{name or 'clip'}: it ends with its feet {abs(off):.2f} m {'above' if off > 0 else 'below'} the ground "
            f"{ground.name} at x {x:.2f}, z {z:.2f}; move the clip or the ground"
        )


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
