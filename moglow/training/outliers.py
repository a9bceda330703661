"""Training on motion of which some is not sound: latent outlier exposure, around any model.

Qiu, Li, Kloft, Rudolph and Mandt, *Latent outlier exposure for anomaly detection with contaminated data*, ICML 2022
(arXiv 2202.08088): which windows are outliers is inferred from the scores of a batch, with the weights as they are;
then the weights move, as if that were known; and so on, in turns.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import torch
from torch import Generator, Tensor, distributed
from torch.nn.functional import softplus

from moglow.compute.distributed import gathered
from moglow.corpus.context import Context
from moglow.corpus.windows import Window
from moglow.flows.bijection import State, map_state
from moglow.models.model import Loss, MotionModel

ASSIGNMENTS: Mapping[str, tuple[float, float]] = {
    "hard": (0.0, 1.0),  # LOE_H: what is taken for an outlier is made stranger
    "soft": (0.5, 0.5),  # LOE_S: it may be either, so both losses pull at it
    "refine": (0.0, 0.0),  # it is left out
}
"""What a suspected window weighs: in the model's own loss, and in the loss that is small where it is strange."""


@dataclass(frozen=True)
class OutlierSpec:
    """How training deals with windows that may not be sound; [training.outliers]."""

    share: float = 0.0  # of the windows, that are taken for outliers; 0 trusts them all
    assignment: str = "soft"  # or "hard", "refine"
    start: int = 100  # step before which scores say nothing yet, and all windows are trusted

    def __post_init__(self) -> None:
        if not 0 <= self.share < 0.5 or self.start < 0:
            raise ValueError(
                f"share {self.share}, start {self.start}: give a share from 0 to less than half, a step from 0"
            )
        if self.assignment not in ASSIGNMENTS:
            raise ValueError(f"assignment is {self.assignment!r}; choose one of {', '.join(ASSIGNMENTS)}")

    def count(self, batch: int) -> int:
        """Returns how many of a global batch of windows are taken for outliers.

        >>> OutlierSpec(share=0.1).count(32)
        3
        """
        return round(self.share * batch)

    def suspicion(
        self, step: int, model: MotionModel, window: Window, context: Context, state: State
    ) -> "Suspicion | None":
        """Returns which windows of a batch are taken for outliers at a step, None where all are trusted."""
        if not self.share or step < self.start:
            return None
        vectors = window.unhidden().context(context)
        return Suspicion.of(self, model, window.target(context), vectors, state)


@dataclass(frozen=True)
class Suspicion:
    """Which windows of a batch are taken for outliers, and how strange the others are.

    The loss of a suspected window is L = 2 d · softplus((m − s) / d) of its score s: it falls as s grows and is never
    below 0, so that no likelihood runs away to minus infinity. At the border m it is as steep as the model's own loss,
    so both halves of "soft" are at rest there; "hard" pushes on, until a few d beyond it nothing pulls any more.
    """

    spec: OutlierSpec
    rows: Tensor  # (B,) bool
    vectors: Tensor  # (B, T, C), contexts of which nothing is hidden: hidden poses make sound motion strange
    border: Tensor  # m, score of the strangest window that is trusted
    deviation: Tensor  # d, of the scores of trusted windows
    after: State  # of the model, after the windows

    @classmethod
    @torch.no_grad()
    def of(cls, spec: OutlierSpec, model: MotionModel, target: Tensor, vectors: Tensor, state: State) -> Self:
        """Returns what the scores of a batch say; all processes agree on it."""
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
        """Returns an objective's mean over the windows, the suspected ones as assigned, and the state after them."""
        own, other = ASSIGNMENTS[self.spec.assignment]
        share = float(self.rows.double().mean())

        def of(rows: Tensor) -> Tensor:
            before = map_state(lambda memory: memory[..., rows, :], state)
            return usual(target[rows], vectors[rows], before, generator=generator)[0]

        # Every process goes through the model's own loss, if only to add nothing: the others wait for its gradient.
        total = (1 - share) * of(~self.rows if share < 1 else self.rows)
        if own and share:
            total = total + own * share * of(self.rows)
        if other and share:
            before = map_state(lambda memory: memory[..., self.rows, :], state)
            frames, _ = model.score(target[self.rows], self.vectors[self.rows], before)
            total = total + other * share * self.exposure(frames.mean(dim=1)).mean()
        return total, self.after

    def exposure(self, scores: Tensor) -> Tensor:
        """Returns the loss (N,) of being an outlier, of window scores (N,)."""
        return 2 * self.deviation * softplus((self.border - scores) / self.deviation)
