"""Joins recordings in different styles, so that a model learns to change style in mid-walk; numpy alone.

Recordings hardly ever change style. Two frames with nearly the same gait are found, one in each recording, and the
second recording goes on from the first one's pose. The label changes with them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import permutations

import numpy as np

from moglow.corpus.corpus import Corpus, Stretch
from moglow.encodings.chart import PLANTED
from moglow.encodings.encoding import Encoding, Features
from moglow.maths.rotations import Array
from moglow.maths.signals import Flags, runs


@dataclass(frozen=True)
class SpliceSpec:
    """How recordings are joined; the recipe's ``[data] splices``."""

    count: int = 0
    """Splices in all, as many for each ordered pair of styles that have enough motion."""
    before: float = 1.5
    """Seconds of the first style."""
    after: float = 3.0
    """Seconds of the second style."""
    blend: float = 0.3
    """Seconds in which the body passes from one recording to the other; feet do so in their next swing."""
    moving: float = 0.4
    """Metres a second that both recordings move at least: bodies at rest are joined too easily."""
    choices: int = 2000
    """Frames of each style that are compared for a splice."""
    apart: float = 0.9
    """Splices whose gaits differ by more are left out: 0.3 is 10 cm of a toe, or 1 m/s of its speed."""


PLANTED_SPEED = 0.25
"""Metres a second below which a toe counts as planted."""
GAIT = ("toe_x", "toe_z", "toe_height")
"""Channels that must agree at a splice."""
FAR = 3.0
"""Weight of a toe's place, in metres, against speeds in metres a second."""


def spliced(corpus: Corpus, spec: SpliceSpec, *, seed: int = 0) -> Corpus:
    """Returns a corpus with joined training clips added; the same corpus and specification give the same splices."""
    if not spec.count:
        return corpus
    train = corpus.split("train")
    poses, controls, stretches, at = [corpus.pose], [corpus.control], list(corpus.stretches), len(corpus.pose)
    clips = [corpus.features(stretch) for stretch in train]
    styles = [stretch.style for stretch in train]
    for features, change, first, second in _splices(corpus.encoding, clips, styles, spec, corpus.fps, seed):
        one, other = train[first], train[second]
        performer = other.performer if one.performer == other.performer else ""
        stop = at + len(features.pose)
        name = f"{one.name} + {other.name}"
        stretches.append(Stretch(name, other.style, "train", at, stop, True, performer, one.style, change))
        poses.append(features.pose)
        controls.append(features.control)
        at = stop
    pose, control = np.concatenate(poses), np.concatenate(controls)
    return replace(corpus, pose=pose, control=control, stretches=tuple(stretches))


def _splices(
    encoding: Encoding,
    clips: Sequence[Features],
    styles: Sequence[str],
    spec: SpliceSpec,
    fps: float,
    seed: int,
) -> Iterator[tuple[Features, int, int, int]]:
    """Yields joined features, the frame at which the style changes, and the numbers of the two clips.

    Pairs of styles take turns; clips without a style are left out.
    """
    before, after, blend = (round(seconds * fps) for seconds in (spec.before, spec.after, spec.blend))
    ways = [clips, [clip.mirrored(encoding) for clip in clips]]
    gaits = [[_gait(encoding, clip, fps) for clip in way] for way in ways]
    leaving: dict[str, list[tuple[int, int]]] = {}
    arriving: dict[str, list[tuple[int, int]]] = {}
    for k, style in enumerate(styles):
        frames, speed = len(clips[k].pose), np.linalg.norm(clips[k].control[:, :2], axis=1)
        moving = np.flatnonzero(speed > spec.moving) if style else np.zeros(0, int)
        for found, first, last in ((leaving, before, frames - blend), (arriving, 1, frames - after)):
            usable = moving[(moving >= first) & (moving < last)]
            found.setdefault(style, []).extend((k, int(frame)) for frame in usable)
    pairs = [
        (one, other)
        for one, other in permutations(sorted(leaving), 2)
        if len(leaving[one]) >= blend and len(arriving[other]) >= blend
    ]
    random = np.random.default_rng(seed)
    for number in range(spec.count if pairs else 0):
        one, other = pairs[number % len(pairs)]
        ends = _some(leaving[one], spec.choices, random)
        starts = _some(arriving[other], spec.choices, random)
        way = int(random.integers(2))
        apart = _distances(
            np.stack([gaits[0][k][frame] for k, frame in ends]),
            np.stack([gaits[way][k][frame] for k, frame in starts]),
        )
        row, column = np.unravel_index(np.argmin(apart), apart.shape)
        (first, end), (second, start) = ends[row], starts[column]
        if apart[row, column] > spec.apart**2:
            continue
        head = _part(clips[first], end - before, end + blend)
        tail = _part(ways[way][second], start, start + after)
        yield joined(encoding, head, tail, blend, fps), before, first, second


def joined(encoding: Encoding, head: Features, tail: Features, blend: int, fps: float) -> Features:
    """Returns a clip that goes on as ``tail`` where ``head`` has ``blend`` frames left.

    The body and the control cross from one to the other in these frames. A foot keeps its place on the ground until
    its next swing in the tail, and moves over during that swing, so that no planted foot slides.
    """
    cut, feet = len(head.pose) - blend, _feet(encoding)
    share = eased(np.linspace(0.0, 1.0, blend + 2)[1:-1])[:, None]
    pose, control = np.array(tail.pose, float), np.array(tail.control, float)
    pose[:blend] = (1 - share) * head.pose[cut:] + share * pose[:blend]
    control[:blend] = (1 - share) * head.control[cut:] + share * control[:blend]
    own = np.concatenate([_moves(encoding, head, fps)[cut : cut + 1], _moves(encoding, tail, fps)[1:]])
    swinging = np.hypot(own[:, feet[0]], own[:, feet[1]]) * fps >= PLANTED_SPEED
    swinging[0] = swinging[1]  # the tail's
    kept, before = _kept(swinging), np.asarray(head.pose[cut - 1], float)
    for t, move in enumerate(own):
        there = encoding.carry(before, control[t] / fps) + move
        for group in feet:
            pose[t, group] = tail.pose[t, group] + kept[t] * (there[group] - tail.pose[t, group])
        before = pose[t]
    return Features(
        np.concatenate([head.pose[:cut], pose]).astype(np.float32),
        np.concatenate([head.control[:cut], control]).astype(np.float32),
    )


def eased(share: Array) -> Array:
    """Returns shares from 0 to 1 with a level start and end.

    >>> eased(np.array([0.0, 0.25, 0.5, 1.0]))
    array([0.     , 0.15625, 0.5    , 1.     ])
    """
    return share * share * (3 - 2 * share)


def _feet(encoding: Encoding) -> list[slice]:
    """Returns the channels of the feet that stay where they are while a foot stands."""
    return [encoding.slice(group) for group in PLANTED]


def _moves(encoding: Encoding, features: Features, fps: float) -> Array:
    """Returns the change (T, D) of each frame's pose beyond what the path's step alone gives; zeros at first."""
    carried = encoding.carry(features.pose[:-1], features.control[1:] / fps)
    return np.concatenate([np.zeros_like(carried[:1]), features.pose[1:] - carried])


def _kept(swinging: Flags) -> Array:
    """Returns the share (T, feet) of a foot's offset that each frame keeps: 1 while planted, less in a swing.

    At the end of a swing nothing is left.
    """
    kept = np.ones(swinging.shape)
    for foot in range(swinging.shape[1]):
        for start, stop in runs(swinging[:, foot]):
            left = 1 - eased(np.linspace(0.0, 1.0, stop - start + 1))
            kept[start:stop, foot] = left[1:] / left[:-1]
    return kept


def _gait(encoding: Encoding, clip: Features, fps: float) -> Array:
    """Returns what must agree at a splice (T, M): place and speed of the feet, and the control, in comparable units."""
    channels = np.concatenate([np.arange(len(encoding))[encoding.slice(name)] for name in GAIT])
    place = np.asarray(clip.pose[:, channels], float)
    speed = np.diff(place, axis=0, prepend=place[:1]) * fps
    return np.concatenate([FAR * place, 0.3 * speed, 0.5 * clip.control], axis=1)


def _distances(ones: Array, others: Array) -> Array:
    """Returns the squared distances (N, M) between two sets of points."""
    squares = np.square(ones).sum(1)[:, None] + np.square(others).sum(1)
    return np.asarray(squares - 2 * ones @ others.T)


def _some(frames: Sequence[tuple[int, int]], most: int, random: np.random.Generator) -> list[tuple[int, int]]:
    """Returns at most so many of the frames, chosen at random."""
    return [frames[k] for k in random.permutation(len(frames))[:most]]


def _part(features: Features, start: int, stop: int) -> Features:
    return replace(features, pose=features.pose[start:stop], control=features.control[start:stop])
