"""Edits of motion by the model: `between` fills a gap, `redo` replaces a stretch, `blend` makes a transition."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from moglow.checkpoint import Checkpoint, real_slide
from moglow.directing.bridge import Bridge, Bridged, seen_after, seen_before
from moglow.directing.partial import Partial
from moglow.directing.pinned import Directing
from moglow.errors import ClipError, ControlError
from moglow.maths.signals import eased, sample_linear
from moglow.motion.clip import Clip
from moglow.motion.retarget import retarget
from moglow.paths.control_path import ControlPath
from moglow.sampling.generate import PRETRAINED, TEMPERATURE
from moglow.sampling.ranking import scores
from moglow.takes.directions import read_whole

FASTEST = 4.0
"""Largest speed in m/s; clips that are farther apart are not joined by motion on foot."""
LONGEST = 60.0
"""Longest motion in seconds that is made."""


@dataclass(frozen=True, eq=False)
class Edit:
    """One take of an edit: the whole ``clip``, in which the frames ``start`` up to ``stop`` are new."""

    clip: Clip
    start: int
    stop: int
    number: int
    score: float
    figures: dict[str, Any]

    @property
    def summary(self) -> str:
        """A line that describes the edit."""
        slide = 100 * self.figures["foot_slide_m_s"]["written"]["mean"]
        price = "".join(
            f", {pin['nats_more_than_usual']:.0f} nats more than usual" for pin in self.figures["pins"]
        )
        return f"frames {self.start} to {self.stop - 1} made, foot slide {slide:.1f} cm/s{price}"


def between(
    first: Clip | str | Path,
    second: Clip | str | Path,
    *,
    seconds: float,
    takes: int = 1,
    seed: int = 0,
    move: bool = False,
    style: str | None = None,
    checkpoint: Checkpoint | str | Path | None = None,
    temperature: float | None = None,
) -> tuple[Edit, ...]:
    """Fills the gap between the last frame of a clip and the first frame of another; returns the best take first.

    Args:
        first, second: clips or motion files; the second is retargeted to the skeleton of the first if they differ.
        seconds: duration from the last frame of the first to the first frame of the second.
        takes: the number of takes; the first is near to the most likely motion, the others vary more.
        seed: the same seed gives the same motion.
        move: whether the second clip is moved to where the first leads in that time; otherwise it is not moved.
        style: the style of the new motion; by default that of the motion before it.
        checkpoint: a trained model or its file; by default the model inside the package.
        temperature: 0 is the calmest, 1 is as varied as the data; by default that of `generate`.

    >>> import moglow
    >>> walk = moglow.generate("line:length=2").clip
    >>> (edit,) = between(walk[:50], walk[68:], seconds=0.6)
    >>> len(edit.clip), edit.start, edit.stop
    (132, 50, 67)
    """
    model = _model(checkpoint)
    before, after = _alike(_clip(first), _clip(second))
    steps = _steps(before, seconds)
    if move:
        after = _led_on(model, before, after, seconds)
    else:
        _near(before, after, seconds)
    return _joined(model, before, after, steps, style, takes, seed, temperature)


def blend(
    first: Clip | str | Path,
    second: Clip | str | Path,
    *,
    at: float,
    seconds: float = 1.0,
    takes: int = 1,
    seed: int = 0,
    style: str | None = None,
    checkpoint: Checkpoint | str | Path | None = None,
    temperature: float | None = None,
) -> tuple[Edit, ...]:
    """Makes a transition from a clip to another by the model; returns the best take first.

    The second clip begins at ``at``, when the first one ends. The transition lasts for ``seconds``, and its path is an
    interpolation of both paths. The second clip then continues, moved to the end of that path.

    Args:
        first, second: clips or motion files; the second is retargeted to the skeleton of the first if they differ.
        at: time in seconds of the first clip at which the transition begins.
        seconds: duration of the transition.
        takes, seed, style, checkpoint, temperature: as in `between`.
    """
    model = _model(checkpoint)
    one, other = _alike(_clip(first), _clip(second))
    start, steps = round(at * one.fps), _steps(one, seconds)
    if not 0 < start < len(one):
        raise ControlError(f"blend: at {at:g} s; {one.name or 'the first clip'} lasts {one.duration:.4g} s")
    if steps >= len(other) - 1:
        raise ControlError(
            f"blend: {seconds:g} s of made motion; {other.name or 'the second clip'} lasts {other.duration:.4g} s, "
            "give less"
        )
    before = one[: start + 1]
    after = _mixed_on(model, one, other, start, steps)
    return _joined(model, before, after, steps, style, takes, seed, temperature)


def redo(
    clip: Clip | str | Path,
    start: int,
    stop: int,
    *,
    joints: Sequence[str] = (),
    takes: int = 1,
    seed: int = 0,
    style: str | None = None,
    checkpoint: Checkpoint | str | Path | None = None,
    temperature: float | None = None,
) -> tuple[Edit, ...]:
    """Replaces frames ``start`` up to ``stop`` of a clip by new motion on the clip's path; returns the best take first.

    Args:
        clip: a clip or a motion file.
        start, stop: as in a slice: ``stop`` is the first frame after the new motion.
        joints: groups of joints (arms, left_arm, legs, spine, head), roles or names; by default the whole body.
        takes, seed, style, checkpoint, temperature: as in `between`.
    """
    model, clip = _model(checkpoint), _clip(clip)
    if not 0 <= start < stop <= len(clip):
        raise ControlError(
            f"frames {start}:{stop}: {clip.name or 'the clip'} has {len(clip)} frames; give two numbers of 0 to "
            f"{len(clip)}, the smaller first"
        )
    _steps(clip, (stop - start) / clip.fps)
    if joints:
        part = Partial.of(model.context, clip, start, stop, joints)
        make: Callable[..., Bridged] = part.make
    else:
        make = Bridge.within(model.context, clip, start, stop).make

    def whole(made: Clip) -> Clip:
        positions, rotations = clip.positions.copy(), clip.rotations.copy()
        positions[start:stop] = made.positions[1 : 1 + stop - start]
        rotations[start:stop] = made.rotations[1 : 1 + stop - start]
        return replace(clip, positions=positions, rotations=rotations)

    return _ranked(model, partial(make, style=style), whole, start, stop, takes, seed, temperature)


def _joined(
    model: Checkpoint,
    before: Clip,
    after: Clip,
    steps: int,
    style: str | None,
    takes: int,
    seed: int,
    temperature: float | None,
) -> tuple[Edit, ...]:
    make = partial(Bridge.between(model.context, before, after, steps).make, style=style)

    def whole(made: Clip) -> Clip:
        parts = before, made[1:steps], after
        return replace(
            before,
            positions=np.concatenate([part.positions for part in parts]),
            rotations=np.concatenate([part.rotations for part in parts]),
        )

    start = len(before)
    return _ranked(model, make, whole, start, start + steps - 1, takes, seed, temperature)


def _ranked(
    model: Checkpoint,
    make: Callable[..., Bridged],
    whole: Callable[[Clip], Clip],
    start: int,
    stop: int,
    takes: int,
    seed: int,
    temperature: float | None,
) -> tuple[Edit, ...]:
    directing = Directing(model, TEMPERATURE if temperature is None else temperature)
    made = [make(directing, seed=seed, take=take) for take in range(takes)]
    order, values, figures = ranked(model, made)
    return tuple(Edit(whole(made[k].clip), start, stop, int(k), float(values[k]), figures[k]) for k in order)


def ranked(model: Checkpoint, made: Sequence[Bridged]) -> tuple[list[int], list[float], list[dict[str, Any]]]:
    """Returns the indices of takes, the best first, and their scores and figures in the given order."""
    figures = [{**each.measured.figures, "pins": [price.figures for price in each.prices]} for each in made]
    values = scores(
        [each["path_error_m"]["mean"] for each in figures],
        [each["foot_slide_m_s"]["written"]["mean"] for each in figures],
        [each["log_likelihood_nats"]["mean"] for each in figures],
        channels=model.context.pose_dim,
        real_slide=real_slide(model),
    )
    return np.argsort(values, kind="stable").tolist(), values.tolist(), figures


def _model(checkpoint: Checkpoint | str | Path | None) -> Checkpoint:
    if isinstance(checkpoint, Checkpoint):
        return checkpoint
    return Checkpoint.read(Path(checkpoint or PRETRAINED))


def _clip(given: Clip | str | Path) -> Clip:
    if isinstance(given, Clip):
        return given
    clip = read_whole(given)
    return replace(clip, name=str(given))


def _alike(first: Clip, second: Clip) -> tuple[Clip, Clip]:
    """Returns the first clip, and the second clip on the skeleton and at the frame rate of the first."""
    if second.skeleton != first.skeleton:
        second = retarget(second, first.skeleton, like=first, keep_path=True)
    return first, second if second.fps == first.fps else second.resample(first.fps)


def _steps(clip: Clip, seconds: float) -> int:
    if not 0 < seconds <= LONGEST:
        raise ControlError(f"{seconds:g} s of made motion; give more than 0 and at most {LONGEST:g}")
    steps = round(seconds * clip.fps)
    if steps < 2:
        raise ControlError(
            f"{seconds:g} s are no frame of motion at {clip.fps:g} fps; give at least {2 / clip.fps:.2g}"
        )
    return steps


def _near(before: Clip, after: Clip, seconds: float) -> None:
    away = float(np.linalg.norm(after.ground_positions()[0] - before.ground_positions()[-1]))
    if away > FASTEST * seconds:
        raise ClipError(
            f"{after.name or 'the second clip'}: begins {away:.2g} m from where {before.name or 'the first'} ends, too "
            f"far for {seconds:g} s; give more seconds, or move it there",
            setting="move",
        )


def _led_on(model: Checkpoint, before: Clip, after: Clip, seconds: float) -> Clip:
    """Returns the second clip, moved to where the velocities of both clips lead in a time."""
    paths = _paths(model, before, after)
    frames = max(1, round(seconds * model.context.fps))
    ends = np.stack([paths[0].velocities()[-1], paths[1].velocities()[0]])
    share = np.linspace(0, 1, frames + 1)
    return _placed(after, paths[1][:1], _way(paths[0][-1:], sample_linear([0.0, 1.0], ends, share)))


def _mixed_on(model: Checkpoint, first: Clip, second: Clip, start: int, steps: int) -> Clip:
    """Returns the second clip from a number of frames on, moved along the interpolation of both paths."""
    spec = model.context.encoding.spec
    one, other = spec.path(first), spec.path(second)
    frames = np.arange(steps + 1)
    share = eased(frames[:, None] / steps)
    going = one.velocities()[np.minimum(start + frames, len(one) - 1)]
    mixed = going + share * (other.velocities()[frames] - going)
    return _placed(second[steps:], other[steps : steps + 1], _way(one[start : start + 1], mixed))


def _paths(model: Checkpoint, before: Clip, after: Clip) -> tuple[ControlPath, ControlPath]:
    context = model.context
    return (
        context.encoding.spec.path(seen_before(before, context)),
        context.encoding.spec.path(seen_after(after, context)),
    )


def _way(start: ControlPath, velocities: Any) -> ControlPath:
    """Returns the path of velocities, starting at the only frame of another path."""
    place = (*start.positions[0].tolist(), float(start.headings[0]))
    return ControlPath.from_velocities(velocities, start.fps, start=place)


def _placed(clip: Clip, own: ControlPath, way: ControlPath) -> Clip:
    """Returns a clip whose path begins with the only frame of ``own``, moved to the last frame of a path."""
    home = clip.moved((-own.positions[0, 0], 0.0, -own.positions[0, 1]))
    turned = home.moved(heading=float(way.headings[-1] - own.headings[0]))
    return turned.moved((way.positions[-1, 0], 0.0, way.positions[-1, 1]))
