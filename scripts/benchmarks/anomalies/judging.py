"""Held-out motion with faults at known places, and how well a judge of frames finds them.

Faults are those of `injuries`, one kind at a time, at most one in 4 seconds. Judged are frames, and moments of half a
second, by the strangest of their frames: where a figure has been elsewhere for a second, only its leaving and its
coming back look wrong. Sound frames within a second of a fault do not count: models see it in their past, and the path
that poses are seen from is smoothed over a second.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moglow.cleaning.injuries import inject
from moglow.corpus.context import Context
from moglow.corpus.corpus import Corpus
from moglow.errors import ClipError
from moglow.motion.clip import Clip

Scores = NDArray[np.float64]
Flags = NDArray[np.bool_]

KINDS = ("spike", "swap", "frozen", "floor", "teleport", "rate")
PIECE = 120
"""Frames with at most one fault, 4 s."""
NEAR = 30
"""Sound frames around a fault that do not count."""
MOMENT = 15
"""Frames of a moment, half a second: bad if any frame of it is, and as strange as the strangest."""
DRAWS = 200
"""Resamplings of the pieces that a deviation is made from."""


@dataclass(frozen=True)
class Judged:
    """Held-out motion with faults of one kind: a corpus of it, its clips, and for each frame whether it is bad."""

    corpus: Corpus
    clips: tuple[Clip, ...]
    bad: tuple[Flags, ...]


def pieces(clip: Clip, length: int) -> list[Clip]:
    """Returns a clip in pieces of at least a length, or whole where it is shorter."""
    cuts = np.linspace(0, len(clip), max(1, len(clip) // length) + 1).astype(int)
    return [clip[start:stop] for start, stop in pairwise(cuts)]


def joined(parts: Sequence[Clip]) -> Clip:
    """Returns pieces as one clip again."""
    positions, rotations = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("positions", "rotations")
    )
    return replace(parts[0], positions=positions, rotations=rotations)


def injured(clip: Clip, kinds: Sequence[str], random: np.random.Generator) -> tuple[Clip, Flags]:
    """Returns a piece with a fault of the first kind that it can have, and its bad frames."""
    for kind in kinds:
        try:
            found = inject(clip, kind, generator=random)
        except (ClipError, ValueError):  # too short, or no foot stands in it
            continue
        return found.clip, found.frames
    return clip, np.zeros(len(clip), bool)


def judged_motion(corpus: Corpus, kind: str) -> Judged:
    """Returns the held-out clips with a fault of a kind in every 4 s; the same for all judges."""
    random, clips, bad = np.random.default_rng(KINDS.index(kind)), [], []
    for stretch in corpus.split("val"):
        parts = [injured(part, [kind], random) for part in pieces(corpus.clip(stretch), PIECE)]
        clips.append(joined([clip for clip, _ in parts]))
        bad.append(np.concatenate([flags for _, flags in parts]))
    labels = [(stretch.name, stretch.style, "train") for stretch in corpus.split("val")]
    features = [corpus.encoding.features(clip) for clip in clips]
    return Judged(Corpus.build(corpus.encoding, features, labels, fps=corpus.fps), tuple(clips), tuple(bad))


def jerk_scores(judged: Judged, context: Context) -> list[Scores]:
    """Returns the largest jerk of any joint in the world around each frame: what a threshold looks at."""
    found = []
    for clip in judged.clips:
        # Third differences lie between frames, so each frame has one before and one after it.
        jerk = np.linalg.norm(np.diff(clip.world_positions, n=3, axis=0), axis=-1).max(1)
        around = np.maximum(np.append(jerk, 0), np.append(0, jerk))
        found.append(np.concatenate([[np.nan], around, [np.nan]]))
    return found


def pose_scores(judged: Judged, context: Context) -> list[Scores]:
    """Returns the z-score of each pose, of its most unusual channel."""
    features = map(judged.corpus.features, judged.corpus.stretches)
    return [np.abs(context.standardize_pose(each.pose)).max(1).astype(float) for each in features]


def step_scores(judged: Judged, context: Context) -> list[Scores]:
    """Returns the z-score of each step, of its most unusual channel: what models learn to foretell."""
    found = []
    for each in map(judged.corpus.features, judged.corpus.stretches):
        pose, control = context.standardize_pose(each.pose), context.standardize_control(each.control)
        steps = np.abs(context.to_target(pose[1:], pose[:-1], control[1:])).max(1)
        found.append(np.append(np.nan, steps))
    return found


BLIND: Mapping[str, Callable[[Judged, Context], list[Scores]]] = {
    "jerk": jerk_scores,
    "z-score of poses": pose_scores,
    "z-score of steps": step_scores,
}


def roc_area(scores: Scores, bad: Flags) -> float:
    """Returns the chance that a bad one is stranger than a sound one, ties counting half.

    >>> roc_area(np.array([1.0, 2.0, 2.0, 3.0]), np.array([False, False, True, True]))
    0.875
    """
    _, place, count = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(count) - (count - 1) / 2)[place]
    positive = int(bad.sum())
    return float((ranks[bad].sum() - positive * (positive + 1) / 2) / (positive * (len(bad) - positive)))


def average_precision(scores: Scores, bad: Flags) -> float:
    """Returns the mean over bad ones of the share of bad ones among all that are as strange.

    >>> average_precision(np.array([3.0, 2.0, 1.0]), np.array([True, False, True])).__round__(3)
    0.833
    """
    order = np.argsort(-scores, kind="stable")
    ordered, hits = scores[order], np.cumsum(bad[order])
    last = np.searchsorted(-ordered, -ordered, side="right") - 1  # of those that are as strange
    return float((hits[last] / (last + 1))[bad[order]].mean())


def moments(scores: Scores, bad: Flags, judged: Flags) -> Iterator[tuple[int, float, bool]]:
    """Yields the piece of each half second, how strange it is and whether it is bad; mixed ones are left out."""
    for start in range(0, len(bad) - MOMENT + 1, MOMENT):
        part = slice(start, start + MOMENT)
        if (bad[part].any() or judged[part].all()) and np.isfinite(scores[part]).any():
            yield start // PIECE, float(np.nanmax(scores[part])), bool(bad[part].any())


def judgement(judged: Judged, scores: list[Scores], history: int) -> dict[str, Any]:
    """Returns AUROC and average precision, per frame and per half second, and the latter's deviation over pieces."""
    of_frames, of_moments = [], []
    for clip, (found, bad) in enumerate(zip(scores, judged.bad, strict=True)):
        near = np.convolve(bad, np.ones(2 * NEAR + 1))[NEAR : NEAR + len(bad)] > 0
        counted = np.isfinite(found) & (bad | ~near)
        counted[:history] = False  # models have no past there; all are judged on the same frames
        of_frames.append(np.stack([found[counted], bad[counted]]))
        of_moments += [(1000 * clip + piece, *rest) for piece, *rest in moments(found, bad, counted)]
    frames = np.concatenate(of_frames, axis=1)
    piece, strange, is_bad = (np.array(column) for column in zip(*of_moments, strict=True))
    random, names, draws = np.random.default_rng(0), np.unique(piece), []
    rows = [np.flatnonzero(piece == name) for name in names]
    for _ in range(DRAWS):
        drawn = np.concatenate([rows[number] for number in random.integers(len(rows), size=len(rows))])
        draws.append(roc_area(strange[drawn], is_bad[drawn]))
    return {
        "frames": [
            roc_area(frames[0], frames[1] > 0),
            average_precision(frames[0], frames[1] > 0),
            frames[1].mean(),
        ],
        "moments": [roc_area(strange, is_bad), average_precision(strange, is_bad), is_bad.mean()],
        "deviation": float(np.std(draws)),
    }
