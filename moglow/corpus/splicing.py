"""Joins recordings in different styles, so that a model learns to change the style within a motion. Needs numpy alone.

Recordings rarely change their style. The method finds two frames with similar gait, one in each recording, and
continues the first recording with the second one from the same pose. The label changes with them.
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
    """The settings of joined recordings; the recipe's ``[data] splices``."""

    count: int = 0
    """Number of splices, equally divided among the ordered pairs of styles with enough motion."""
    before: float = 1.5
    """Duration in seconds of the first style."""
    after: float = 3.0
    """Duration in seconds of the second style."""
    blend: float = 0.3
    """Duration in seconds of the transition of the body; feet make theirs during their next swing."""
    moving: float = 0.4
    """Smallest speed in m/s of both recordings; otherwise most splices would join bodies at rest."""
    choices: int = 2000
    """Number of frames of each style that are compared for a splice."""
    apart: float = 0.9
    """Largest difference between gaits of a splice: 0.3 is 10 cm of a toe, or 1 m/s of its speed."""


PLANTED_SPEED = 0.25
"""Speed in m/s below which a toe counts as planted."""
GAIT = ("toe_x", "toe_z", "toe_height")
"""Channels that are compared for a splice."""
FAR = 3.0
"""Weight of the position of a toe in metres relative to speeds in m/s."""


def spliced(corpus: Corpus, spec: SpliceSpec, *, seed: int = 0) -> Corpus:
    """Returns a corpus with joined training clips; the same corpus and settings give the same splices."""
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
    """Yields joined features, the frame at which the style changes, and the indices of the two clips.

    Pairs of styles alternate; clips without a style are not used.
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
    """Returns a clip that changes from ``head`` to ``tail`` in the last ``blend`` frames of ``head``.

    The body and the control are interpolated in these frames. A foot keeps its position on the ground until its next
    swing in the tail and moves during that swing, so that planted feet do not slide.
    """
    cut, feet = len(head.pose) - blend, _feet(encoding)
    share = eased(np.linspace(0.0, 1.0, blend + 2)[1:-1])[:, None]
    pose, control = np.array(tail.pose, float), np.array(tail.control, float)
    pose[:blend] = (1 - share) * head.pose[cut:] + share * pose[:blend]
    control[:blend] = (1 - share) * head.control[cut:] + share * control[:blend]
    own = np.concatenate([_moves(encoding, head, fps)[cut : cut + 1], _moves(encoding, tail, fps)[1:]])
    swinging = np.hypot(own[:, feet[0]], own[:, feet[1]]) * fps >= PLANTED_SPEED
    swinging[0] = swinging[1]  # those of the tail
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
    """Returns shares from 0 to 1 with zero slope at start and end.

    >>> eased(np.array([0.0, 0.25, 0.5, 1.0]))
    array([0.     , 0.15625, 0.5    , 1.     ])
    """
    return share * share * (3 - 2 * share)


def _feet(encoding: Encoding) -> list[slice]:
    """Returns the channels of the position of each foot, which are constant while it is planted."""
    return [encoding.slice(group) for group in PLANTED]


def _moves(encoding: Encoding, features: Features, fps: float) -> Array:
    """Returns the change (T, D) of each frame's pose apart from the step of the path; zero in the first frame."""
    carried = encoding.carry(features.pose[:-1], features.control[1:] / fps)
    return np.concatenate([np.zeros_like(carried[:1]), features.pose[1:] - carried])


def _kept(swinging: Flags) -> Array:
    """Returns the share (T, feet) of the offset of a foot in each frame: 1 while it is planted, decreasing in a swing.

    At the end of a swing the share is 0.
    """
    kept = np.ones(swinging.shape)
    for foot in range(swinging.shape[1]):
        for start, stop in runs(swinging[:, foot]):
            left = 1 - eased(np.linspace(0.0, 1.0, stop - start + 1))
            kept[start:stop, foot] = left[1:] / left[:-1]
    return kept


def _gait(encoding: Encoding, clip: Features, fps: float) -> Array:
    """Returns the features (T, M) compared for a splice: weighted positions and speeds of the feet, and the control."""
    channels = np.concatenate([np.arange(len(encoding))[encoding.slice(name)] for name in GAIT])
    place = np.asarray(clip.pose[:, channels], float)
    speed = np.diff(place, axis=0, prepend=place[:1]) * fps
    return np.concatenate([FAR * place, 0.3 * speed, 0.5 * clip.control], axis=1)


def _distances(ones: Array, others: Array) -> Array:
    """Returns the squared distances (N, M) between two sets of points."""
    squares = np.square(ones).sum(1)[:, None] + np.square(others).sum(1)
    return np.asarray(squares - 2 * ones @ others.T)


def _some(frames: Sequence[tuple[int, int]], most: int, random: np.random.Generator) -> list[tuple[int, int]]:
    """Returns at most ``most`` of the frames, chosen at random."""
    return [frames[k] for k in random.permutation(len(frames))[:most]]


def _part(features: Features, start: int, stop: int) -> Features:
    return replace(features, pose=features.pose[start:stop], control=features.control[start:stop])
