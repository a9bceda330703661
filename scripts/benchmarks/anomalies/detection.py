"""Held-out motion with damage at known frames, and how well a detector finds those frames.

The damage is made by `moglow.cleaning.injection`, one kind at a time, at most once in 4 seconds. Frames are evaluated,
and intervals of half a second by the highest score of their frames: where a figure is displaced for a second, only the
frames at which it leaves and returns look wrong. Sound frames within a second of damage do not count: they have it in
the past that a model sees, and the path is smoothed over a second.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moglow.cleaning.injection import inject
from moglow.corpus.context import Context
from moglow.corpus.corpus import Corpus
from moglow.errors import ClipError
from moglow.motion.clip import Clip

Scores = NDArray[np.float64]
Flags = NDArray[np.bool_]

KINDS = ("spike", "swap", "frozen", "floor", "teleport", "rate")
PIECE = 120
"""Frames that are damaged at most once, 4 s."""
NEAR = 30
"""Sound frames on each side of damage that do not count."""
INTERVAL = 15
"""Frames of an interval, half a second: bad if any of its frames is; its score is the highest of its frames."""
RESAMPLES = 200
"""Resamples of the pieces from which a standard deviation is computed."""


@dataclass(frozen=True)
class DamagedMotion:
    """Held-out motion with one kind of damage: a corpus of it, its clips, and for each frame whether it is bad."""

    corpus: Corpus
    clips: tuple[Clip, ...]
    bad: tuple[Flags, ...]


def pieces(clip: Clip, length: int) -> list[Clip]:
    """Returns a clip cut into pieces of at least ``length`` frames, or whole if it is shorter."""
    cuts = np.linspace(0, len(clip), max(1, len(clip) // length) + 1).astype(int)
    return [clip[start:stop] for start, stop in pairwise(cuts)]


def join(parts: Sequence[Clip]) -> Clip:
    """Returns the pieces of a clip as one clip."""
    positions, rotations = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("positions", "rotations")
    )
    return replace(parts[0], positions=positions, rotations=rotations)


def damage_piece(clip: Clip, kinds: Sequence[str], random: np.random.Generator) -> tuple[Clip, Flags]:
    """Returns a piece with damage of the first kind that is possible in it, and flags of its bad frames."""
    for kind in kinds:
        try:
            damaged = inject(clip, kind, generator=random)
        except (ClipError, ValueError):  # too short, or no foot is planted in it
            continue
        return damaged.clip, damaged.frames
    return clip, np.zeros(len(clip), bool)


def damaged_motion(corpus: Corpus, kind: str) -> DamagedMotion:
    """Returns the held-out clips with one kind of damage in every 4 s; the same for all detectors."""
    random, clips, bad = np.random.default_rng(KINDS.index(kind)), [], []
    for stretch in corpus.split("val"):
        parts = [damage_piece(part, [kind], random) for part in pieces(corpus.clip(stretch), PIECE)]
        clips.append(join([clip for clip, _ in parts]))
        bad.append(np.concatenate([flags for _, flags in parts]))
    labels = [(stretch.name, stretch.style, "train") for stretch in corpus.split("val")]
    features = [corpus.encoding.features(clip) for clip in clips]
    return DamagedMotion(
        Corpus.build(corpus.encoding, features, labels, fps=corpus.fps), tuple(clips), tuple(bad)
    )


def jerk_scores(motion: DamagedMotion, context: Context) -> list[Scores]:
    """Returns the largest world-space jerk of any joint around each frame; a threshold is applied to it."""
    found = []
    for clip in motion.clips:
        # A third difference belongs to the middle between two frames; each frame takes the larger of its neighbours.
        jerk = np.linalg.norm(np.diff(clip.world_positions, n=3, axis=0), axis=-1).max(1)
        around = np.maximum(np.append(jerk, 0), np.append(0, jerk))
        found.append(np.concatenate([[np.nan], around, [np.nan]]))
    return found


def pose_scores(motion: DamagedMotion, context: Context) -> list[Scores]:
    """Returns the largest z-score of any channel of each pose."""
    features = map(motion.corpus.features, motion.corpus.stretches)
    return [np.abs(context.standardize_pose(each.pose)).max(1).astype(float) for each in features]


def step_scores(motion: DamagedMotion, context: Context) -> list[Scores]:
    """Returns the largest z-score of any channel of each step, the quantity that models learn to predict."""
    found = []
    for each in map(motion.corpus.features, motion.corpus.stretches):
        pose, control = context.standardize_pose(each.pose), context.standardize_control(each.control)
        steps = np.abs(context.to_target(pose[1:], pose[:-1, None], control[1:])).max(1)
        found.append(np.append(np.nan, steps))
    return found


BASELINES: Mapping[str, Callable[[DamagedMotion, Context], list[Scores]]] = {
    "jerk": jerk_scores,
    "z-score of poses": pose_scores,
    "z-score of steps": step_scores,
}


def roc_area(scores: Scores, bad: Flags) -> float:
    """Returns the probability that a bad sample scores higher than a sound one; ties count half.

    >>> roc_area(np.array([1.0, 2.0, 2.0, 3.0]), np.array([False, False, True, True]))
    0.875
    """
    _, place, count = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(count) - (count - 1) / 2)[place]
    positive = int(bad.sum())
    return float((ranks[bad].sum() - positive * (positive + 1) / 2) / (positive * (len(bad) - positive)))


def average_precision(scores: Scores, bad: Flags) -> float:
    """Returns the precision at the score of each bad sample, averaged over the bad samples.

    >>> average_precision(np.array([3.0, 2.0, 1.0]), np.array([True, False, True])).__round__(3)
    0.833
    """
    order = np.argsort(-scores, kind="stable")
    ordered, hits = scores[order], np.cumsum(bad[order])
    last = np.searchsorted(-ordered, -ordered, side="right") - 1  # of those with the same score
    return float((hits[last] / (last + 1))[bad[order]].mean())


def intervals(scores: Scores, bad: Flags, counted: Flags) -> Iterator[tuple[int, float, bool]]:
    """Yields the piece, the score and the badness of each half second; sound ones must count in all their frames."""
    for start in range(0, len(bad) - INTERVAL + 1, INTERVAL):
        part = slice(start, start + INTERVAL)
        if (bad[part].any() or counted[part].all()) and np.isfinite(scores[part]).any():
            yield start // PIECE, float(np.nanmax(scores[part])), bool(bad[part].any())


def detection_figures(motion: DamagedMotion, scores: list[Scores], history: int) -> dict[str, Any]:
    """Returns AUROC, average precision and the bad share of frames and of intervals.

    ``deviation`` is the standard deviation of the AUROC of intervals over resampled pieces.
    """
    of_frames, of_intervals = [], []
    for clip, (found, bad) in enumerate(zip(scores, motion.bad, strict=True)):
        near = np.convolve(bad, np.ones(2 * NEAR + 1))[NEAR : NEAR + len(bad)] > 0
        counted = np.isfinite(found) & (bad | ~near)
        counted[:history] = False  # models have no past there; all detectors are evaluated on the same frames
        of_frames.append(np.stack([found[counted], bad[counted]]))
        of_intervals += [(1000 * clip + piece, *rest) for piece, *rest in intervals(found, bad, counted)]
    frames = np.concatenate(of_frames, axis=1)
    piece, score, is_bad = (np.array(column) for column in zip(*of_intervals, strict=True))
    random, names, areas = np.random.default_rng(0), np.unique(piece), []
    rows = [np.flatnonzero(piece == name) for name in names]
    for _ in range(RESAMPLES):
        sampled = np.concatenate([rows[number] for number in random.integers(len(rows), size=len(rows))])
        areas.append(roc_area(score[sampled], is_bad[sampled]))
    return {
        "frames": [
            roc_area(frames[0], frames[1] > 0),
            average_precision(frames[0], frames[1] > 0),
            frames[1].mean(),
        ],
        "intervals": [roc_area(score, is_bad), average_precision(score, is_bad), is_bad.mean()],
        "deviation": float(np.std(areas)),
    }
