"""Training motion that is searched by its control, and motion copied from it.

Copied motion is the baseline without learning: stretches of real motion whose control is nearest to the requested one,
cross-faded. Their feet do not continue from one stretch to the next.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from moglow.corpus.corpus import Corpus, Stretch
from moglow.maths.rotations import Array
from moglow.measures.similarity import body_positions
from moglow.motion.clip import Clip
from moglow.paths.control_path import ControlPath

PIECE = 1.0
"""Seconds of a copied piece."""
FADE = 0.2
"""Seconds of the cross-fade between copied pieces."""
CHOICE = 5
"""Number of nearest pieces of which a copy takes a random one, so that takes differ."""
QUERIES = 64
"""Controls that are searched at once; the width of the table of distances."""


@dataclass(frozen=True, eq=False)
class RealMotion:
    """The training motion of a corpus, searched by control."""

    corpus: Corpus

    @cached_property
    def clips(self) -> list[Clip]:
        """The training motion; each clip begins at the origin and faces +Z."""
        return [self.corpus.clip(stretch) for stretch in self.corpus.split("train")]

    @cached_property
    def bodies(self) -> Array:
        """Joint positions ``(N, J, 3)`` of the corpus' frames in the figure's frame; zero for held-out frames."""
        places = np.zeros((len(self.corpus.pose), len(self.corpus.encoding.skeleton), 3), np.float32)
        for stretch, clip in zip(self.corpus.split("train"), self.clips, strict=True):
            places[stretch.frames] = body_positions(clip)
        return places

    @cached_property
    def known_poses(self) -> Array:
        """Joint positions ``(N, J, 3)`` of the training frames in the figure's frame."""
        return np.concatenate([self.bodies[stretch.frames] for stretch in self.corpus.split("train")])

    @cached_property
    def _control(self) -> NDArray[np.float32]:
        return self.corpus.control_normalizer.normalize(np.asarray(self.corpus.control)).astype(np.float32)

    def alike(self, style: str, performer: str, *, frames: int) -> list[Stretch]:
        """Returns the training clips of a style and performer, each once, if they are ``frames`` long in all.

        Otherwise those of the style, or of all.
        """
        once = [stretch for stretch in self.corpus.split("train") if not stretch.again]
        of_style = [stretch for stretch in once if stretch.style == style]
        both = [stretch for stretch in of_style if stretch.performer == performer]
        return next((found for found in (both, of_style) if sum(map(len, found)) >= frames), once)

    def nearest(
        self, velocities: Array, *, count: int, apart: int, among: Sequence[Stretch] | None = None
    ) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Returns the first frames ``(M, count)`` of the stretches with the nearest control, and their distances.

        ``velocities`` ``(M, n, 3)`` are M controls of n frames each; the results for one control begin at least
        ``apart`` frames apart. Distances are root mean squares in deviations of the control. If there are too few
        stretches, the nearest one is repeated. The clips ``among`` which they are found are all of the training split
        by default.
        """
        length, control = velocities.shape[1], self._control
        wanted = self.corpus.control_normalizer.normalize(velocities).reshape(len(velocities), -1)
        clips = self.corpus.split("train") if among is None else among
        starts = np.concatenate([np.arange(s.start, s.stop - length + 1) for s in clips if len(s) >= length])
        windows = sliding_window_view(control, length, axis=0)[starts].transpose(0, 2, 1)  # (S, n, 3)
        flat = np.ascontiguousarray(windows).reshape(len(starts), -1)
        energy = np.square(flat).sum(1)
        chosen, distances = [], []
        for first in range(0, len(wanted), QUERIES):
            queries = wanted[first : first + QUERIES].astype(np.float32)
            square = energy[:, None] - 2 * flat @ queries.T + np.square(queries).sum(1)  # (S, M)
            for column in np.maximum(square, 0).T:
                places = _spread(starts, column, count, apart)
                chosen.append(starts[places])
                distances.append(np.sqrt(column[places] / flat.shape[1]))
        return np.array(chosen), np.array(distances, float)

    def copies(self, path: ControlPath, seeds: range) -> list[Clip]:
        """Returns takes along a path, one for each seed, copied from the training motion piece by piece."""
        encoding, fps = self.corpus.encoding, self.corpus.fps
        path = path.resample(fps)
        piece, fade = max(1, round(PIECE * fps)), max(1, round(FADE * fps))
        pieces = -(-len(path) // piece)
        velocities = np.pad(path.velocities(), ((0, pieces * piece + fade - len(path)), (0, 0)), mode="edge")
        controls = np.stack([velocities[k * piece : (k + 1) * piece + fade] for k in range(pieces)])
        places, _ = self.nearest(controls, count=CHOICE, apart=piece)
        weight = np.linspace(0, 1, fade + 2)[1:-1, None]
        clips = []
        for seed in seeds:
            choices = np.random.default_rng([seed, 2]).integers(CHOICE, size=pieces)
            pose = np.zeros((pieces * piece + fade, len(encoding)))
            for k, place in enumerate(places[np.arange(pieces), choices]):
                copied, start = self.corpus.pose[place : place + piece + fade], k * piece
                pose[start + fade : start + piece + fade] = copied[fade:]
                before = pose[start : start + fade] if k else copied[:fade]
                pose[start : start + fade] = (1 - weight) * before + weight * copied[:fade]
            clips.append(encoding.decode(pose[: len(path)], path))
        return clips


def _spread(starts: NDArray[np.intp], cost: NDArray[np.float32], count: int, apart: int) -> NDArray[np.intp]:
    """Returns the indices of the lowest costs whose starts are apart; the lowest again if there are too few."""
    chosen: list[int] = []
    open_ = np.ones(len(starts), bool)
    for _ in range(count):
        if not open_.any():
            break
        best = int(np.where(open_, cost, np.inf).argmin())
        chosen.append(best)
        open_ &= np.abs(starts - starts[best]) >= apart
    return np.array(chosen + chosen[:1] * (count - len(chosen)), np.intp)
