"""Motion from the last frame of a clip to the first frame of another, sampled and steered. Needs numpy alone."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np

from moglow.cleaning.gaps import fill_gaps
from moglow.corpus.context import Context
from moglow.directing.beginnings import BEFORE, LEAST, Continuation
from moglow.directing.directed import Director, Price
from moglow.directing.draft import Draft
from moglow.directing.goals import Goal, Seen, on_skeleton
from moglow.directing.pinned import Directing, usual_nats
from moglow.directing.pins import Pin
from moglow.directing.seam import fitted, warped
from moglow.directing.steer import SteerSpec
from moglow.errors import ClipError
from moglow.maths.rotations import Array
from moglow.measures.tally import Measured
from moglow.motion.clip import Clip
from moglow.paths.control_path import ControlPath

BEYOND = 0.7
"""Seconds of the second clip, or of the path, that are used as lookahead."""
SLOPE = 0.2
"""Seconds over which the velocity at the end of a path is measured."""
AVERAGED = 8
"""Number of sampled motions whose mean is used for the first take between two clips."""


@dataclass(frozen=True, eq=False)
class Bridged:
    """Motion from the last frame of a clip to the first frame of the next clip, including both frames.

    It has the skeleton and frame rate of the clips. ``prices`` is empty if there is no second clip.
    """

    clip: Clip
    measured: Measured
    prices: tuple[Price, ...]


@dataclass(frozen=True, eq=False)
class Bridge:
    """A gap between two clips with the same skeleton and frame rate.

    Args:
        context: the context of the model.
        before: the clip before the gap.
        after: the clip after the gap; None if there is none.
        steps: frames from the last frame of ``before`` to the first frame of ``after``, or the number of frames to
        make. way: the path at the model's frame rate: that of ``before`` as in `seen_before`, up to the first frame of
            ``after``, and `BEYOND` seconds more.
    """

    context: Context
    before: Clip
    after: Clip | None
    steps: int
    way: ControlPath
    likely: bool = False
    """Whether the first take is the mean of several motions, which is nearer to what is likely."""

    @classmethod
    def between(cls, context: Context, before: Clip, after: Clip, steps: int) -> Self:
        """Returns the gap between two clips, with a path that connects theirs."""
        own, other = seen_before(before, context), seen_after(after, context)
        frames = model_frames(steps / before.fps, context)
        values = values_of(implied_path(context, own, other, frames))
        way = _on(values, context.fps, len(own) - 1 + frames)
        return cls(context, before, after, steps, way, likely=True)

    @classmethod
    def within(cls, context: Context, clip: Clip, start: int, stop: int) -> Self:
        """Returns the gap of frames ``start`` up to ``stop`` of a clip, with the clip's own path."""
        before, after = clip[:start], clip[stop:] if stop < len(clip) else None
        steps = stop - start + (after is not None)
        at, seen = grid(context, clip, start, steps)
        first = max(0, start - 1 - round(BEFORE * clip.fps))
        around = clip[first : min(len(clip), stop + round(BEFORE * clip.fps))]
        path = context.encoding.spec.path(on_skeleton(around, context))
        values = values_of(path.at(at[at <= len(clip) - 1] - first))
        return cls(
            context,
            before,
            after,
            steps,
            _on(values, context.fps, seen - 1 + model_frames(steps / clip.fps, context)),
        )

    @property
    def frames(self) -> int:
        """Number of frames, at the model's rate, from the last one of ``before`` to the first one of ``after``."""
        return model_frames(self.steps / self.before.fps, self.context)

    @cached_property
    def continuation(self) -> Continuation:
        """Returns the continuation of ``before`` along the path."""
        seen = seen_before(self.before, self.context)
        return Continuation(seen, self.before[len(self.before) - 1 :], self.way, None)

    def goals(self, path: ControlPath) -> list[Goal]:
        """Returns the goal of reaching the first pose of ``after``."""
        if self.after is None:
            return []
        seen, at = seen_after(self.after, self.context), self.frames
        own = path[at : at + len(seen)]
        place = (*own.positions[0].tolist(), float(own.headings[0]))
        pin = Pin(at / path.fps, self.after, world=True)
        found = Seen(pin, seen[: len(own)], 0, self.after[:1], place, own)
        return [found.goal(self.context, path, at)]

    def make(self, directing: Directing, *, seed: int, take: int, style: str | None = None) -> Bridged:
        """Returns one take of the motion, which changes to a style if one is named."""
        goes_on = self.continuation
        if style is not None:
            styles = (style,) * (len(self.way) - len(goes_on.seen) + 1)
            goes_on = replace(goes_on, styles=styles, changes=True)
        path = goes_on.path
        beginning, goals = goes_on.beginning(directing.flow, path), self.goals(path)
        usual = usual_nats(directing.checkpoint)
        spec = SteerSpec(averaged=AVERAGED if self.likely and take == 0 else 1)
        director = Director(directing.flow, path, beginning, directing.temperature, seed, take, usual, spec)
        directed = director.direct(goals)
        rig = None if self.before.skeleton == self.context.encoding.skeleton else self.before
        made = directing.finished(Draft(directed, tuple(goals), beginning.first), [], rig=rig)
        at = np.linspace(0, self.frames, self.steps + 1)
        clip = fitted(warped(made.clip, at, self.before.fps), self.before, self.after)
        return Bridged(replace(clip, skeleton=self.before.skeleton), made.measured, made.prices)


def model_frames(seconds: float, context: Context) -> int:
    """Returns the number of frames of the model that is nearest to a duration, at least one."""
    return max(1, round(seconds * context.fps))


def grid(context: Context, clip: Clip, start: int, steps: int) -> tuple[Array, int]:
    """Returns the fractional frames ``(N,)`` of a clip at the model's rate, for ``steps`` frames from ``start`` on.

    These begin with the frames of `seen_before`, whose number is also returned, and end with those of `BEYOND`.
    """
    frames, ratio = model_frames(steps / clip.fps, context), clip.fps / context.fps
    seen = len(seen_before(clip[:start], context))
    before = np.maximum(start - 1 - ratio * np.arange(seen)[::-1], 0)
    inside = start - 1 + np.arange(1, frames + 1) * (steps / frames)
    beyond = inside[-1] + ratio * np.arange(1, round(BEYOND * context.fps) + 1)
    return np.concatenate([before, inside, beyond]), seen


def seen_before(clip: Clip, context: Context) -> Clip:
    """Returns the last seconds of a clip on the model's skeleton and at its rate, ending with its last frame."""
    ratio = clip.fps / context.fps
    count = int(min(clip.duration, BEFORE) * context.fps + 1e-6) + 1
    at = len(clip) - 1 - ratio * np.arange(count)[::-1]
    seen = on_skeleton(warped(clip, np.maximum(at, 0), context.fps), context)
    least = context.spec.history + round(LEAST * context.fps)
    if len(seen) < least:
        raise ClipError(
            f"{clip.name or 'clip'}: {clip.duration:.2g} s of motion before the made frames; the model needs "
            f"{least / context.fps:.2g} s"
        )
    return seen


def seen_after(clip: Clip, context: Context) -> Clip:
    """Returns the first seconds of a clip on the model's skeleton and at its rate, as many as are used."""
    ratio = clip.fps / context.fps
    count = int(min(clip.duration, BEFORE) * context.fps + 1e-6) + 1
    return on_skeleton(warped(clip, ratio * np.arange(count), context.fps), context)


def implied_path(context: Context, before: Clip, after: Clip, frames: int) -> ControlPath:
    """Returns the path of a clip, the gap after it, and another clip, which begins ``frames`` frames after its end.

    The body is interpolated in the gap, with its velocities on both sides, and the path of the whole motion is
    smoothed. Paths of the two clips alone are less accurate at their ends.
    """
    held, last = np.full(frames - 1, len(before) - 1), len(before)
    positions, rotations = (
        np.concatenate([own, own[held], other])
        for own, other in ((before.positions, after.positions), (before.rotations, after.rotations))
    )
    missing = np.zeros(len(positions), bool)
    missing[last : last + frames - 1] = True
    whole = replace(before, positions=positions, rotations=rotations)
    return context.encoding.spec.path(fill_gaps(whole, missing, longest=np.inf))


def values_of(path: ControlPath) -> Array:
    """Returns x, z and heading ``(T, 3)`` of a path."""
    return np.column_stack([path.positions, path.headings])


def _slope(values: Array) -> Array:
    """Returns the change per frame ``(3,)`` at the beginning of values ``(T, 3)`` at the model's rate."""
    near = min(round(SLOPE * 30), len(values) - 1)
    return np.asarray((values[near] - values[0]) / near if near else np.zeros(3))


def _on(values: Array, fps: float, frames: int) -> ControlPath:
    """Returns the path of x, z and heading, extended or cut to end after `BEYOND` seconds."""
    wanted = frames + 1 + round(BEYOND * fps)
    more = max(0, wanted - len(values))
    onwards = values[-1] + np.arange(1, more + 1)[:, None] * -_slope(values[::-1])
    values = np.concatenate([values, onwards])[:wanted]
    return ControlPath(values[:, :2], values[:, 2], fps)
