"""Joins recordings in different styles, so that a model learns to change the style within a motion. Needs numpy alone.

Recordings rarely change their style. The method finds two frames with similar gait, one in each recording, and
continues the first recording with the second one from the same pose. The label changes with them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from moglow.corpus.corpus import Corpus, Stretch
from moglow.corpus.rows import parts_of, together
from moglow.encodings.chart import PLANTED
from moglow.encodings.encoding import Encoding, Features
from moglow.maths.rotations import Array
from moglow.maths.signals import Flags, eased, runs


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


Frames = NDArray[np.int64]
"""Numbers of frames of a corpus."""

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
    more = []
    for features, change, first, second in _splices(corpus, train, spec, seed):
        one, other = train[first], train[second]
        performer = other.performer if one.performer == other.performer else ""
        name = f"{one.name} + {other.name}"
        more.append((Stretch(name, other.style, "train", 0, 0, True, performer, one.style, change), features))
    return extended(corpus, more)


def extended(corpus: Corpus, more: Sequence[tuple[Stretch, Features]]) -> Corpus:
    """Returns a corpus with further motion after its own; the stretches get their frames."""
    if not more:
        return corpus
    pose = np.concatenate([features.pose for _, features in more])
    control = np.concatenate([features.control for _, features in more])
    stretches, at = list(corpus.stretches), len(corpus.pose)
    for stretch, features in more:
        stretches.append(replace(stretch, start=at, stop=at + len(features.pose)))
        at += len(features.pose)
    return replace(
        corpus,
        pose=together([*parts_of(corpus.pose), pose]),
        control=together([*parts_of(corpus.control), control]),
        stretches=tuple(stretches),
    )


def _splices(
    corpus: Corpus, clips: Sequence[Stretch], spec: SpliceSpec, seed: int
) -> Iterator[tuple[Features, int, int, int]]:
    """Yields joined features, the frame at which the style changes, and the indices of the two clips.

    Pairs of styles alternate; clips without a style are not used. Only the frames that are compared are read.
    """
    encoding, fps = corpus.encoding, corpus.fps
    before, after, blend = (round(seconds * fps) for seconds in (spec.before, spec.after, spec.blend))
    leaving: dict[str, list[Frames]] = {}
    arriving: dict[str, list[Frames]] = {}
    for clip in clips:
        speed = np.linalg.norm(corpus.control[clip.frames][:, :2], axis=1)
        moving = np.flatnonzero(speed > spec.moving) if clip.style else np.zeros(0, int)
        for found, first, last in ((leaving, before, len(clip) - blend), (arriving, 1, len(clip) - after)):
            usable = moving[(moving >= first) & (moving < last)]
            found.setdefault(clip.style, []).append(clip.start + usable)
    ends = {style: np.concatenate(frames) for style, frames in leaving.items()}
    starts = {style: np.concatenate(frames) for style, frames in arriving.items()}
    pairs = [
        (one, other)
        for one, other in permutations(sorted(ends), 2)
        if len(ends[one]) >= blend and len(starts[other]) >= blend
    ]
    begins = np.array([clip.start for clip in clips])
    random = np.random.default_rng(seed)
    for number in range(spec.count if pairs else 0):
        one, other = pairs[number % len(pairs)]
        lasts, firsts = _some(ends[one], spec.choices, random), _some(starts[other], spec.choices, random)
        mirrored = bool(random.integers(2))
        apart = distances(gait(corpus, lasts, begins), gait(corpus, firsts, begins, mirrored=mirrored))
        row, column = np.unravel_index(np.argmin(apart), apart.shape)
        end, start = int(lasts[row]), int(firsts[column])
        if apart[row, column] > spec.apart**2:
            continue
        head = corpus.part(end - before, end + blend)
        tail = corpus.part(start, start + after)
        joint = joined(encoding, head, tail.mirrored(encoding) if mirrored else tail, blend, fps)
        yield joint, before, _clip_at(begins, end), _clip_at(begins, start)


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
    swinging = _swinging(encoding, own, fps)
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


def swings(encoding: Encoding, features: Features, fps: float) -> Flags:
    """Returns the frames (T, feet) in which each foot moves over the ground."""
    return _swinging(encoding, _moves(encoding, features, fps), fps)


def _swinging(encoding: Encoding, own: Array, fps: float) -> Flags:
    """Returns the frames with feet that move over the ground, for changes (T, D) apart from the step of the path."""
    aside, ahead, *_ = _feet(encoding)
    return np.asarray(np.hypot(own[:, aside], own[:, ahead]) * fps >= PLANTED_SPEED)


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


def gait(corpus: Corpus, frames: Frames, begins: Frames, *, mirrored: bool = False) -> Array:
    """Returns the features (T, M) compared for a splice: weighted positions and speeds of the feet, and the control.

    ``begins`` are the first frames of the clips.
    """
    encoding = corpus.encoding
    previous = np.maximum(frames - 1, begins[np.searchsorted(begins, frames, side="right") - 1])
    here = Features(corpus.pose[frames], corpus.control[frames])
    past = Features(corpus.pose[previous], corpus.control[previous])
    if mirrored:
        here, past = here.mirrored(encoding), past.mirrored(encoding)
    channels = np.concatenate([np.arange(len(encoding))[encoding.slice(name)] for name in GAIT])
    place, before = (np.asarray(each.pose[:, channels], float) for each in (here, past))
    return np.concatenate([FAR * place, 0.3 * (place - before) * corpus.fps, 0.5 * here.control], axis=1)


def _clip_at(begins: Frames, frame: int) -> int:
    """Returns the index of the clip with a frame."""
    return int(np.searchsorted(begins, frame, side="right")) - 1


def distances(ones: Array, others: Array) -> Array:
    """Returns the squared distances (N, M) between two sets of points."""
    squares = np.square(ones).sum(1)[:, None] + np.square(others).sum(1)
    return np.asarray(squares - 2 * ones @ others.T)


def _some(frames: Frames, most: int, random: np.random.Generator) -> Frames:
    """Returns at most ``most`` of the frames, chosen at random."""
    return frames[random.permutation(len(frames))[:most]]
