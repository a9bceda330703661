"""Training on data with outliers: latent outlier exposure, for any model.

Qiu, Li, Kloft, Rudolph and Mandt, *Latent outlier exposure for anomaly detection with contaminated data*, ICML 2022
(arXiv 2202.08088). Each step alternates two parts: with fixed weights it infers from the scores of a batch which
windows are outliers, then it updates the weights with these labels.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import torch
from torch import Generator, Tensor, distributed
from torch.nn.functional import softplus

from moglow.compute.distributed import gathered
from moglow.corpus.context import Context
from moglow.corpus.window import Window
from moglow.flows.bijection import State, map_state
from moglow.models.model import Loss, MotionModel

ASSIGNMENTS: Mapping[str, tuple[float, float]] = {
    "hard": (0.0, 1.0),  # LOE_H: only the outlier loss
    "soft": (0.5, 0.5),  # LOE_S: both losses
    "refine": (0.0, 0.0),  # suspected windows are left out
}
"""Weights of a suspected window in the model's loss and in the outlier loss, which falls with its score."""


@dataclass(frozen=True)
class OutlierSpec:
    """The treatment of windows that may be outliers; [training.outliers]."""

    share: float = 0.0  # of the windows that are treated as outliers; 0 turns it off
    assignment: str = "soft"  # or "hard", "refine"
    start: int = 100  # step before which scores are unreliable and no window is treated as an outlier

    def __post_init__(self) -> None:
        if not 0 <= self.share < 0.5 or self.start < 0:
            raise ValueError(
                f"share {self.share}, start {self.start}: give a share from 0 to less than half, a step from 0"
            )
        if self.assignment not in ASSIGNMENTS:
            raise ValueError(f"assignment is {self.assignment!r}; choose one of {', '.join(ASSIGNMENTS)}")

    def count(self, batch: int) -> int:
        """Returns the number of outliers in a global batch of windows.

        >>> OutlierSpec(share=0.1).count(32)
        3
        """
        return round(self.share * batch)

    def suspicion(
        self, step: int, model: MotionModel, window: Window, context: Context, state: State
    ) -> "Suspicion | None":
        """Returns the windows of a batch that are treated as outliers at a step; None if there are none."""
        if not self.share or step < self.start:
            return None
        vectors = window.unhidden().context(context)
        return Suspicion.of(self, model, window.target(context), vectors, state)


@dataclass(frozen=True)
class Suspicion:
    """The suspected windows of a batch, and statistics of the others' scores.

    The outlier loss of a suspected window with score s is L = 2 d · softplus((m − s) / d). It decreases in s and is
    bounded by 0, so that the likelihood does not diverge. At the border m its slope is minus that of the model's loss,
    so "soft" has its equilibrium there; "hard" increases s further, until the loss is flat a few d beyond m.
    """

    spec: OutlierSpec
    rows: Tensor  # (B,) bool
    vectors: Tensor  # (B, T, C), contexts without dropped poses, which would raise the scores of good motion
    border: Tensor  # m, the highest score of a trusted window
    deviation: Tensor  # d, of the scores of the trusted windows
    after: State  # the model's state after the windows

    @classmethod
    @torch.no_grad()
    def of(cls, spec: OutlierSpec, model: MotionModel, target: Tensor, vectors: Tensor, state: State) -> Self:
        """Returns the suspicion by the scores of the global batch, which is the same in all processes."""
        frames, after = model.score(target, vectors, state)
        scores = gathered(frames.mean(dim=1), 0)
        first = distributed.get_rank() * len(frames) if distributed.is_initialized() else 0
        order = scores.argsort(stable=True)
        trusted, suspected = order.tensor_split((len(order) - spec.count(len(order)),))
        rows = torch.zeros_like(scores, dtype=torch.bool).index_fill(0, suspected, True)
        sound = scores[trusted]
        deviation = sound.std(correction=0).clamp(min=1e-6)
        return cls(spec, rows[first : first + len(frames)], vectors, sound[-1], deviation, after)

    def loss(
        self,
        model: MotionModel,
        usual: Loss,
        target: Tensor,
        vectors: Tensor,
        state: State,
        generator: Generator,
    ) -> tuple[Tensor, State]:
        """Returns the mean loss over the windows, with suspected ones by their assignment, and the state after them."""
        own, other = ASSIGNMENTS[self.spec.assignment]
        share = float(self.rows.double().mean())

        def of(rows: Tensor) -> Tensor:
            before = map_state(lambda memory: memory[..., rows, :], state)
            return usual(target[rows], vectors[rows], before, generator=generator)[0]

        # Every process computes the model's loss, even with weight zero, since its gradient is averaged over processes.
        total = (1 - share) * of(~self.rows if share < 1 else self.rows)
        if own and share:
            total = total + own * share * of(self.rows)
        if other and share:
            before = map_state(lambda memory: memory[..., self.rows, :], state)
            frames, _ = model.score(target[self.rows], self.vectors[self.rows], before)
            total = total + other * share * self.exposure(frames.mean(dim=1)).mean()
        return total, self.after

    def exposure(self, scores: Tensor) -> Tensor:
        """Returns the outlier loss (N,) of window scores (N,)."""
        return 2 * self.deviation * softplus((self.border - scores) / self.deviation)
