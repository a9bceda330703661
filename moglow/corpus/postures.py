"""The postures of a corpus: the mean ones of its labels, and how they differ within a style. Needs numpy alone.

People who walk in one style at one speed hold arms, trunk and head in many ways, and change them within seconds. A
model whose next pose depends on a third of a second returns to the mean posture. The axes of a style are those of
recorded poses, averaged over seconds, about the mean posture of the performer at the speed.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from moglow.maths.rotations import Array
from moglow.maths.signals import smooth_gaussian

if TYPE_CHECKING:
    from moglow.corpus.corpus import Corpus, Stretch
Standardize = Callable[[Array], Array]
"""Standardises poses ``(T, D)``."""

AXES = 8
"""Number of axes of a style."""
PIECE = 6.0
"""Seconds over which poses are averaged; shorter clips are averaged as a whole."""
SHORTEST = 1.5
"""Seconds; shorter clips are left out."""
LEAST = 20.0
"""Seconds of motion of a style; less has no axes."""
GROUPS = ("hips_yaw", "hips_roll", "hips_pitch", "joints")
"""The channels that differ: the rotations of hips, trunk, head and arms, so that feet and hips stay where they are."""
DOUBT = 30.0
"""Weight, in frames, of the assumption that a posture does not depend on the speed."""


def posture_of(corpus: "Corpus", style: str, standardize: Standardize) -> Array:
    """Returns the mean pose (D,) of a style, or zero, the mean of all styles, if all its clips are held out."""
    chosen = (s for s in corpus.split("train") if s.style == style)
    return mean_frame((standardize(corpus.features(s).pose) for s in chosen), len(corpus.encoding))


def offset_of(
    corpus: "Corpus", performer: str, postures: Mapping[str, Array], standardize: Standardize
) -> Array:
    """Returns the mean difference (D,) between a performer's poses and the mean poses of their styles."""
    offsets = (
        standardize(corpus.features(s).pose) - postures.get(s.style, 0.0)
        for s in corpus.split("train")
        if s.performer == performer
    )
    return mean_frame(offsets, len(corpus.encoding))


def mean_frame(parts: Iterable[Array], channels: int = 1) -> Array:
    """Returns the mean (D,) over the frames of parts (T, D), of which one at a time is kept; zeros without parts."""
    total, frames = np.zeros(channels), 0
    for part in parts:
        total, frames = total + part.sum(0, dtype=float), frames + len(part)
    return total / max(frames, 1)


def posture_axes(corpus: "Corpus", styles: Sequence[str], standardize: Standardize) -> Array:
    """Returns the axes (S, R, D) of each style, standardised; each is as long as the deviation along it.

    They are zero for styles with little motion, and for encodings other than feet first.
    """
    found = np.zeros((len(styles), AXES, len(corpus.encoding)), np.float32)
    slices = [corpus.encoding.slice(group) for group in GROUPS]
    channels = np.concatenate([np.arange(each.start, each.stop) for each in slices])
    if corpus.encoding.spec.encoding != "feet_first" or not len(channels):
        return found
    for number, style in enumerate(styles):
        clips = [
            stretch
            for stretch in corpus.split("train")
            if stretch.style == style and not stretch.again and len(stretch) >= SHORTEST * corpus.fps
        ]
        pieces = [
            piece
            for performer in sorted({stretch.performer for stretch in clips})
            for piece in _pieces(
                corpus, channels, [s for s in clips if s.performer == performer], standardize
            )
        ]
        lengths = np.array([length for length, _ in pieces])
        if len(pieces) < 2 or lengths.sum() < LEAST * corpus.fps:
            continue
        means = np.stack([mean for _, mean in pieces])
        values, vectors = np.linalg.eigh(means.T @ (means * lengths[:, None]) / lengths.sum())
        longest = slice(None, -1 - min(AXES, len(values)), -1)
        axes = (vectors * np.sqrt(np.maximum(values, 0.0)))[:, longest].T
        found[number][: len(axes), channels] = axes
    return found


def _pieces(
    corpus: "Corpus", channels: NDArray[np.intp], clips: Sequence["Stretch"], standardize: Standardize
) -> Iterable[tuple[int, Array]]:
    """Yields the length of each piece of a performer's clips, and its mean pose (C,) about his mean at the speed."""
    poses = [np.asarray(standardize(corpus.features(s).pose), float)[:, channels] for s in clips]
    speeds = [_speeds(np.asarray(corpus.features(s).control, float), corpus.fps) for s in clips]
    known, wanted = np.concatenate(speeds), np.concatenate(poses)
    doubt = np.diag([0.0, *[DOUBT] * (known.shape[1] - 1)])
    usual = np.linalg.solve(known.T @ known + doubt, known.T @ wanted)
    for pose, speed in zip(poses, speeds, strict=True):
        count = max(1, round(len(pose) / (PIECE * corpus.fps)))
        for piece in np.array_split(pose - speed @ usual, count):
            yield len(piece), piece.mean(0)


def _speeds(control: Array, fps: float) -> Array:
    """Returns 1, the speed, its square and the size of the turn (T, 4), averaged over a second."""
    size = np.stack([np.hypot(control[:, 0], control[:, 1]), np.abs(control[:, 2])], axis=1)
    speed, turn = smooth_gaussian(size, 0.5 * fps).T
    return np.stack([np.ones_like(speed), speed, speed**2, turn], axis=1)
