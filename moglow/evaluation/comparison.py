"""How like real motion many motions are, as a whole: Fréchet distance and diversity; numpy alone.

Both say nothing by themselves: a distance between finite samples is never zero, and how much takes may differ depends
on the path. So real motion goes through the same code: other real motion on the same halves of the held-out controls,
other real takes where the control is alike.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from moglow.evaluation.real_motion import Library
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
"""Seconds: motion is halved block by block; windows last and begin so often. None lies across two blocks."""
SPLITS = 10
"""Ways to halve the blocks; a distance is the mean over them."""
PROBE = 2.0
"""Seconds from one stretch whose takes are compared to the next; a stretch lasts as long as a window."""
TAKES = 5
"""Real takes that are looked up for each stretch."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """What motions on held-out controls are compared with; made once, asked for each model."""

    library: Library
    trials: Sequence[Trial]

    @cached_property
    def space(self) -> WindowSpace:
        """Fitted on training motion, which is neither the held-out nor the generated one."""
        return WindowSpace.fit(
            np.concatenate([motion_windows(clip, seconds=WINDOW, hop=HOP) for clip in self.library.clips])
        )

    @cached_property
    def _blocks(self) -> NDArray[np.intp]:
        """The block of each window, one number for each over all trials, −1 for windows across two."""
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
        """Which windows are in one half of the blocks, which in the other, for each split; none if too few."""
        blocks, count, halves = self._blocks, int(self._blocks.max()) + 1, []
        for split in range(SPLITS):
            chosen = np.random.default_rng([split, 3]).permutation(count)[: count // 2]
            one = np.isin(blocks, chosen)
            other = ~one & (blocks >= 0)
            if min(one.sum(), other.sum()) >= 2:
                halves.append((one, other))
        return halves

    def frechet(self, clips: Sequence[Clip] | None = None) -> float:
        """Distance of a half of the real motion to the other half of these clips, one for each trial.

        Without clips to the other half of real motion: the floor. Not a number where there is too little motion.
        """
        points = self._real if clips is None else self._points(clips)
        distances = [frechet_distance(self._real[one], points[other]) for one, other in self._halves()]
        return float(np.mean(distances)) if distances else float("nan")

    @cached_property
    def _probes(self) -> list[tuple[int, slice]]:
        """The stretches that are compared: the trial's number and frames."""
        fps = self.library.corpus.fps
        length, step = round(WINDOW * fps), round(PROBE * fps)
        return [
            (number, slice(start, start + length))
            for number, trial in enumerate(self.trials)
            for start in range(0, len(trial.path) - length + 1, step)
        ]

    @cached_property
    def real_diversity(self) -> float:
        """Mean distance of real takes, of the training set, whose controls are nearest to those of each stretch."""
        if not self._probes:
            return float("nan")
        asked = np.stack([self.trials[number].path.velocities()[frames] for number, frames in self._probes])
        length = asked.shape[1]
        places, _ = self.library.nearest(asked, count=TAKES, apart=length)
        bodies = self.library.bodies
        return float(np.mean([diversity(np.stack([bodies[p : p + length] for p in row])) for row in places]))

    def diversity(self, takes: Sequence[Sequence[Clip]]) -> float:
        """Mean distance of takes, given for each trial, over the same stretches; not a number for single takes."""
        if not self._probes or min(map(len, takes)) < 2:
            return float("nan")
        bodies = [np.stack([body_positions(clip) for clip in clips]) for clips in takes]
        return float(np.mean([diversity(bodies[number][:, frames]) for number, frames in self._probes]))


def alike(
    library: Library, trial: Trial, *, seconds: float = 2.0, count: int = 6
) -> tuple[list[Trial], float]:
    """Stretches of real motion whose control is nearest to the middle of a path's, and how far off theirs is.

    The distance is in deviations of the control.
    """
    corpus = library.corpus
    length = round(seconds * corpus.fps)
    velocities = trial.path.velocities()
    middle = max(0, (len(velocities) - length) // 2)
    asked = np.resize(velocities[middle : middle + length], (length, 3))
    places, distances = library.nearest(asked[None], count=count, apart=length // 2)
    found = []
    for start in sorted(set(places[0].tolist())):
        stretch = next(s for s in corpus.split("train") if s.start <= start < s.stop)
        frames = slice(start - stretch.start, start - stretch.start + length)
        clip = library.clips[corpus.split("train").index(stretch)][frames]
        found.append(Trial(stretch.name, corpus.path(stretch)[frames], clip))
    return found, float(distances.mean())
