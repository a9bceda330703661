"""Motion along drawn paths in training: paths as users draw and steer them, and recordings that are like them."""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch
from torch import Generator, Tensor

from moglow.corpus.shifted_feet import set_apart
from moglow.corpus.window import Window
from moglow.corpus.window_order import Cuts
from moglow.corpus.windows import Footage
from moglow.errors import TrainingError
from moglow.training.rehearsal import wandering

SECONDS = 30.0
"""Duration of a drawn path."""
STEADY = 1.5, 6.0
"""Shortest and longest duration of a manoeuvre in seconds."""
HURRY = 0.5
"""Share of the manoeuvres ahead that may be runs."""
FASTEST = 3.5
"""Upper limit in m/s of the speed."""
STANDING = 1.5
"""Seconds of standing before a path, in which the pose of the start is forgotten."""
EVERY = 6
"""Number of frames from one control that is compared to the next."""
ALIKE = 12
"""Number of recorded windows with the nearest controls from which one is sampled."""
AHEAD, ASIDE, TURNING = 0.5, 0.2, 0.5
"""Smallest speed ahead in m/s, and largest speed to the side and turn in rad/s, of windows that walk ahead."""
HOP = 12
"""Number of frames between the recorded windows that are compared."""


@dataclass(frozen=True)
class DrawnWindows:
    """The next windows of the drawn paths."""

    controls: Tensor  # (N, K + T + L, 3), standardised
    begins: Tensor  # (N,), 1 where a path begins
    like: Window  # recorded windows with similar controls
    numbers: Tensor  # (N,), of the paths of each row
    at: Tensor  # (N,), the frames at which the windows after these begin


class DrawnPaths:
    """Paths of random manoeuvres, one after the other in each of some rows."""

    def __init__(self, footage: Footage, length: int, rows: int, *, seed: int, apart: float = 0.0) -> None:
        """Takes the windows' ``length``, the number of ``rows``, and how far ``apart`` feet are, see `WindowSpec`."""
        self.footage, self.rows, self.seed, self.apart = footage, rows, seed, apart
        self._path = lru_cache(maxsize=2 * rows)(self._drawn)  # a path lasts for many windows
        spec, corpus = footage.context.spec, footage.corpus
        self.length, self.span = length, spec.history + length + spec.lookahead
        starts = [
            start
            for stretch in corpus.split("train")
            if not stretch.again
            for start in range(stretch.start, stretch.stop - spec.history - length, HOP)
        ]
        if not starts:
            raise TrainingError(f"[training.critic] drawn: no recording holds a window of {self.span} frames")
        self.starts = torch.as_tensor(starts, dtype=torch.int64, device=footage.device)
        controls = footage.context.standardize_control(footage.control)
        frames = range(spec.history, spec.history + length, EVERY)
        known = torch.stack([controls[self.starts + frame] for frame in frames], 1)
        # Few people were recorded at some speeds, with uneven steps; together with mirror images they are even.
        self.known = torch.cat([known, known * footage.control_signs]).flatten(1)

    def next(self, numbers: Tensor, at: Tensor, generator: Generator) -> DrawnWindows:
        """Returns the next windows of paths by their numbers (N,), from frames (N,) on; ended paths are replaced."""
        numbers, at, parts = numbers.clone(), at.clone(), []
        for row in range(self.rows):
            path = self._path(row, int(numbers[row]))
            if int(at[row]) + self.span > len(path):
                numbers[row] += 1
                at[row] = 0
                path = self._path(row, int(numbers[row]))
            parts.append(path[int(at[row]) : int(at[row]) + self.span])
        context, past = self.footage.context, self.footage.context.spec.history
        controls = context.standardize_control(torch.as_tensor(np.stack(parts), device=self.footage.device))
        asked = controls[:, past : past + self.length : EVERY].flatten(1)
        near = torch.cdist(asked, self.known).topk(min(ALIKE, len(self.known)), largest=False).indices
        lots = torch.randint(near.shape[1], (self.rows, 1), generator=generator, device=generator.device)
        chosen = near.gather(1, lots)[:, 0]
        mirror, start = chosen >= len(self.starts), self.starts[chosen % len(self.starts)]
        plain = torch.zeros_like(mirror)
        cuts = Cuts(start, mirror, plain, plain, torch.zeros_like(start))
        like = self.footage.cut(cuts, past, self.length, context.spec.lookahead)
        if self.apart:
            like = self._further_out(like)
        return DrawnWindows(controls, (at == 0).float(), like, numbers, at + self.length)

    def _further_out(self, like: Window) -> Window:
        """Returns windows whose feet are further out where they walk ahead, as those of the default performer."""
        context = self.footage.context
        steps = context.physical_control(like.controls[:, context.spec.history :][:, : self.length])
        forward, aside, turn = steps.mean(1).unbind(-1)
        ahead = (forward > AHEAD) & (aside.abs() < ASIDE) & (turn.abs() < TURNING)
        return set_apart(like, context, self.apart * ahead)

    def _drawn(self, row: int, number: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        """Returns the control (frames, 3) of a path."""
        corpus, random = self.footage.corpus, np.random.default_rng([self.seed, 11, row, number])
        reach = replace(corpus.control_range, forward=min(corpus.control_range.forward, FASTEST))
        frames = round(SECONDS * corpus.fps)
        moves = wandering(reach, frames, corpus.fps, random, seconds=STEADY, hurry=HURRY)
        eased = np.linspace(0, 1, round(0.5 * corpus.fps), dtype=np.float32)[:, None] * moves[:1]
        still = np.zeros((round(STANDING * corpus.fps), 3), np.float32)
        return np.concatenate([still, eased, moves])
