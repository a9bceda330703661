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
from moglow.paths.control_range import ControlRange
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
LEAST = 40
"""Least number of recorded windows of a style with paths of its own."""
USUAL = 0.95
"""Share of the frames of a style in which no velocity is larger than along its paths."""


@dataclass(frozen=True)
class DrawnWindows:
    """The next windows of the drawn paths."""

    controls: Tensor  # (N, K + T + L, 3), standardised
    begins: Tensor  # (N,), 1 where a path begins
    labels: Tensor  # (N, P + S)
    shown: Tensor  # (N, P + S), the labels that a critic sees: the style, unless it is the default one
    like: Window  # recorded windows with similar controls
    numbers: Tensor  # (N,), of the paths of each row
    at: Tensor  # (N,), the frames at which the windows after these begin


class DrawnPaths:
    """Paths of random manoeuvres, one after the other in each of some rows, in the default style or in a random one."""

    def __init__(
        self, footage: Footage, length: int, rows: int, *, seed: int, apart: float = 0.0, styled: float = 0.0
    ) -> None:
        """Takes the windows' ``length`` and the number of ``rows``.

        ``apart`` is how far apart feet are, see `WindowSpec`, and ``styled`` the share of paths in a random style.
        """
        self.footage, self.rows, self.seed, self.apart, self.styled = footage, rows, seed, apart, styled
        self._path = lru_cache(maxsize=2 * rows)(self._drawn)  # a path lasts for many windows
        spec, corpus, context = footage.context.spec, footage.corpus, footage.context
        self.length, self.span = length, spec.history + length + spec.lookahead
        found = [
            (start, stretch.style)
            for stretch in corpus.split("train")
            if not stretch.again
            for start in range(stretch.start, stretch.stop - spec.history - length, HOP)
        ]
        if not found:
            raise TrainingError(f"[training.critic] drawn: no recording holds a window of {self.span} frames")
        starts, styles = zip(*found, strict=True)
        self.starts = torch.as_tensor(starts, dtype=torch.int64, device=footage.device)
        controls = context.standardize_control(footage.control)
        frames = range(spec.history, spec.history + length, EVERY)
        known = torch.stack([controls[self.starts + frame] for frame in frames], 1)
        # Few people were recorded at some speeds, with uneven steps; together with mirror images they are even.
        self.known = torch.cat([known, known * footage.control_signs]).flatten(1)
        usual = context.style_or_default(None)
        self.of_style = {
            style: torch.as_tensor(np.flatnonzero(np.array(styles * 2) == style), device=footage.device)
            for style in context.styles
            if style != usual and styles.count(style) >= LEAST
        }
        self.reach = {style: self._reach(style) for style in (None, *self.of_style)}

    def next(self, numbers: Tensor, at: Tensor, generator: Generator) -> DrawnWindows:
        """Returns the next windows of paths by their numbers (N,), from frames (N,) on; ended paths are replaced."""
        numbers, at, parts, styles = numbers.clone(), at.clone(), [], []
        for row in range(self.rows):
            path = self._path(row, int(numbers[row]))
            if int(at[row]) + self.span > len(path):
                numbers[row] += 1
                at[row] = 0
                path = self._path(row, int(numbers[row]))
            parts.append(path[int(at[row]) : int(at[row]) + self.span])
            styles.append(self._style(row, int(numbers[row])))
        context, past = self.footage.context, self.footage.context.spec.history
        controls = context.standardize_control(torch.as_tensor(np.stack(parts), device=self.footage.device))
        asked = controls[:, past : past + self.length : EVERY].flatten(1)
        lots = torch.randint(
            min(ALIKE, len(self.known)), (self.rows,), generator=generator, device=generator.device
        )
        chosen = torch.stack([self._alike(*each) for each in zip(asked, styles, lots, strict=True)])
        mirror, start = chosen >= len(self.starts), self.starts[chosen % len(self.starts)]
        plain = torch.zeros_like(mirror)
        cuts = Cuts(start, mirror, plain, plain, torch.zeros_like(start))
        like = self.footage.cut(cuts, past, self.length, context.spec.lookahead)
        styled = torch.tensor([style is not None for style in styles], device=self.footage.device)
        if self.apart:
            like = self._further_out(like, ~styled)
        labels = torch.as_tensor(
            np.stack([np.asarray(context.label_vector(style)) for style in styles]),
            device=self.footage.device,
        )
        shown = labels * styled[:, None]
        return DrawnWindows(controls, (at == 0).float(), labels, shown, like, numbers, at + self.length)

    def _alike(self, asked: Tensor, style: str | None, lot: Tensor) -> Tensor:
        """Returns the number of one of the recorded windows with the nearest controls, of a style if it is given."""
        among = self.known if style is None else self.known[self.of_style[style]]
        near = torch.cdist(asked[None], among)[0].topk(min(ALIKE, len(among)), largest=False).indices
        number = near[lot % len(near)]
        return number if style is None else self.of_style[style][number]

    def _further_out(self, like: Window, usual: Tensor) -> Window:
        """Returns windows whose feet are further out where a default performer walks ahead, whom ``usual`` flags."""
        context = self.footage.context
        steps = context.physical_control(like.controls[:, context.spec.history :][:, : self.length])
        forward, aside, turn = steps.mean(1).unbind(-1)
        ahead = (forward > AHEAD) & (aside.abs() < ASIDE) & (turn.abs() < TURNING)
        return set_apart(like, context, self.apart * (ahead & usual))

    def _style(self, row: int, number: int) -> str | None:
        """Returns the style of a path, None for the default one."""
        random, styles = np.random.default_rng([self.seed, 12, row, number]), tuple(self.of_style)
        return styles[random.integers(len(styles))] if styles and random.random() < self.styled else None

    def _reach(self, style: str | None) -> ControlRange:
        """Returns the range of velocities of a path: that of the corpus, or the usual one of a style."""
        corpus = self.footage.corpus
        if style is None:
            return replace(corpus.control_range, forward=min(corpus.control_range.forward, FASTEST))
        clips = [s.frames for s in corpus.split("train") if s.style == style and not s.again]
        frames = np.concatenate([np.asarray(corpus.control[each]) for each in clips])
        (forward, _, _), (backward, _, _), (_, aside, turn) = (
            np.quantile(each, USUAL, axis=0).tolist()
            for each in (np.maximum(frames, 0), np.maximum(-frames, 0), np.abs(frames))
        )
        return ControlRange(forward, backward, aside, turn)

    def _drawn(self, row: int, number: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        """Returns the control (frames, 3) of a path."""
        corpus, random = self.footage.corpus, np.random.default_rng([self.seed, 11, row, number])
        frames, reach = round(SECONDS * corpus.fps), self.reach[self._style(row, number)]
        moves = wandering(reach, frames, corpus.fps, random, seconds=STEADY, hurry=HURRY)
        eased = np.linspace(0, 1, round(0.5 * corpus.fps), dtype=np.float32)[:, None] * moves[:1]
        still = np.zeros((round(STANDING * corpus.fps), 3), np.float32)
        return np.concatenate([still, eased, moves])
