"""The similarity of sets of motions to real motion: Fréchet distance and diversity. Needs numpy alone.

Both figures need a reference: a distance between finite samples is never zero, and the diversity of takes depends on
the path. The reference is real motion in the same computation: for the distance, real motion on both halves of the
held-out controls; for the diversity, real takes with similar controls in the same style and by the same performer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from moglow.evaluation.real_motion import RealMotion
from moglow.evaluation.trials import Trial
from moglow.maths.rotations import Array
from moglow.measures.similarity import (
    WindowSpace,
    body_positions,
    diversity,
    frechet_distance,
    motion_windows,
)
from moglow.motion.clip import Clip

BLOCK, WINDOW, HOP = 5.0, 1.0, 0.25
"""Seconds: length of the blocks by which motion is split in halves, of a window, and between starts of windows. No
window crosses two blocks."""
SPLITS = 10
"""Number of random splits of the blocks in halves; a distance is the mean over them."""
PROBE = 2.0
"""Seconds between starts of the stretches whose takes are compared; a stretch is as long as a window."""
TAKES = 5
"""Real takes with a similar control for each stretch."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """The real motion that motions on held-out controls are compared with; the same for all models."""

    real_motion: RealMotion
    trials: Sequence[Trial]

    @cached_property
    def space(self) -> WindowSpace:
        """The space of the windows, fitted to training motion, independent of held-out and generated motion."""
        windows = [motion_windows(clip, seconds=WINDOW, hop=HOP) for clip in self.real_motion.clips]
        return WindowSpace.fit(np.concatenate(windows))

    @cached_property
    def _blocks(self) -> NDArray[np.intp]:
        """The block of each window, numbered over all trials, −1 for windows that cross two blocks."""
        numbers, first = [], 0
        for trial in self.trials:
            starts = np.arange(0.0, trial.path.duration - WINDOW + 1e-9, HOP)
            block = (starts // BLOCK).astype(int)
            inside = starts % BLOCK <= BLOCK - WINDOW + 1e-9
            numbers.append(np.where(inside, first + block, -1))
            first += int(trial.path.duration // BLOCK) + 1
        return np.concatenate(numbers)

    def _points(self, clips: Sequence[Clip]) -> Array:
        return self.space(np.concatenate([motion_windows(clip, seconds=WINDOW, hop=HOP) for clip in clips]))

    @cached_property
    def _real(self) -> Array:
        return self._points([trial.real for trial in self.trials if trial.real is not None])

    def _halves(self) -> list[tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
        """Returns masks of the windows in either half of the blocks, for each split with enough windows."""
        blocks, count, halves = self._blocks, int(self._blocks.max()) + 1, []
        for split in range(SPLITS):
            chosen = np.random.default_rng([split, 3]).permutation(count)[: count // 2]
            one = np.isin(blocks, chosen)
            other = ~one & (blocks >= 0)
            if min(one.sum(), other.sum()) >= 2:
                halves.append((one, other))
        return halves

    def frechet(self, clips: Sequence[Clip] | None = None) -> float:
        """Returns the distance of one half of the real motion from the other half of these clips, one for each trial.

        Without clips it is the distance from the other half of the real motion, the lowest that can be expected. NaN
        for too little motion.
        """
        points = self._real if clips is None else self._points(clips)
        distances = [frechet_distance(self._real[one], points[other]) for one, other in self._halves()]
        return float(np.mean(distances)) if distances else float("nan")

    @cached_property
    def _probes(self) -> list[tuple[int, slice]]:
        """The stretches that are compared: the trial's number and frames."""
        fps = self.real_motion.corpus.fps
        length, step = round(WINDOW * fps), round(PROBE * fps)
        return [
            (number, slice(start, start + length))
            for number, trial in enumerate(self.trials)
            for start in range(0, len(trial.path) - length + 1, step)
        ]

    @cached_property
    def real_diversity(self) -> float:
        """Mean distance between training takes with the label and nearly the control of each stretch.

        Takes of a model have one style and one performer, so takes of other people are no reference.
        """
        if not self._probes:
            return float("nan")
        stretches: dict[tuple[str, str], list[Array]] = {}
        for number, frames in self._probes:
            trial = self.trials[number]
            style = trial.path.styles[frames.start] if trial.path.styles else ""
            stretches.setdefault((style, trial.performer or ""), []).append(trial.path.velocities()[frames])
        found = []
        for (style, performer), controls in stretches.items():
            length = len(controls[0])
            among = self.real_motion.alike(style, performer, frames=2 * TAKES * length)
            places, _ = self.real_motion.nearest(np.stack(controls), count=TAKES, apart=length, among=among)
            bodies = self.real_motion.bodies
            found += [diversity(np.stack([bodies[p : p + length] for p in row])) for row in places]
        return float(np.mean(found))

    def diversity(self, takes: Sequence[Sequence[Clip]]) -> float:
        """Returns the mean distance between takes, given for each trial, over the same stretches; NaN for one take."""
        if not self._probes or min(map(len, takes)) < 2:
            return float("nan")
        bodies = [np.stack([body_positions(clip) for clip in clips]) for clips in takes]
        return float(np.mean([diversity(bodies[number][:, frames]) for number, frames in self._probes]))


def most_similar(
    real_motion: RealMotion, trial: Trial, *, seconds: float = 2.0, count: int = 6
) -> tuple[list[Trial], float]:
    """Returns stretches of real motion whose control is nearest to the middle of a path's, and their distance.

    The distance is in deviations of the control.
    """
    corpus = real_motion.corpus
    length = round(seconds * corpus.fps)
    velocities = trial.path.velocities()
    middle = max(0, (len(velocities) - length) // 2)
    control = np.resize(velocities[middle : middle + length], (length, 3))
    places, distances = real_motion.nearest(control[None], count=count, apart=length // 2)
    found = []
    for start in sorted(set(places[0].tolist())):
        stretch = next(s for s in corpus.split("train") if s.start <= start < s.stop)
        frames = slice(start - stretch.start, start - stretch.start + length)
        clip = real_motion.clips[corpus.split("train").index(stretch)][frames]
        found.append(Trial(stretch.name, corpus.path(stretch)[frames], clip))
    return found, float(distances.mean())
