"""A validation of a model in training: likelihood, roll-outs, and a summary of the progress.

Likelihood does not rank motion as people do, so checkpoints are chosen by roll-outs: foot slide, smoothness and
distance from the mean pose of sampled motion are compared with those of real motion.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from moglow.scoring.likelihood import Likelihood
from moglow.scoring.style_evidence import StyleAccuracy
from moglow.training.rollouts import RolloutFigures


@dataclass(frozen=True)
class Validation:
    """The results of a validation after a step."""

    step: int
    likelihood: Likelihood
    figures: RolloutFigures
    real: RolloutFigures
    spread: float = math.nan  # of samples, see `moglow.scoring.spread`: 1 is ideal, 0 means a collapse
    styles: StyleAccuracy | None = None  # of held-out clips; None without styles, labels or a likelihood

    @property
    def rollout_score(self) -> float:
        """The distance of the roll-outs from real motion, smaller is better; infinite if they diverged."""
        return self.figures.distance(self.real)


CHOICES: Mapping[str, Callable[[Validation], float]] = {
    "rollouts": lambda validation: validation.rollout_score,
    "likelihood": lambda validation: validation.likelihood.standardized,
}
"""Criteria of the best checkpoint: smaller is better."""


OVERFITTING = 3  # consecutive validations above the best that count as overfitting


COLLAPSED = 0.3  # spread below which the summary warns


IMPROVING = 0.005  # nats per frame and channel; a smaller improvement counts as none


def health(validations: Sequence[Validation]) -> str:
    """Returns a one-line summary of the training from its validations so far.

    >>> health([])
    'too early to say'
    """
    if len(validations) < 2:
        return "too early to say"
    last, scores = validations[-1], [validation.rollout_score for validation in validations]
    choice = validations[min(range(len(scores)), key=scores.__getitem__)]
    motion = f"best motion at {_steps(choice.step)} (score {choice.rollout_score:.2f})"
    if last.spread < COLLAPSED:
        motion += (
            f"; samples differ {last.spread:.2f} times as much as they should: they are nearly one motion"
        )
    if scores[-1] == float("inf"):
        return f"roll-outs diverge: lower training.rate or the carry weights; {motion}"
    if math.isnan(last.likelihood.standardized):
        return f"the model has no likelihood; {motion}"
    losses = [validation.likelihood.per_channel for validation in validations]
    lowest = min(range(len(losses)), key=losses.__getitem__)
    behind, best = len(losses) - 1 - lowest, validations[lowest]
    if behind >= OVERFITTING:
        since = _steps(last.step - best.step)
        return f"validation rising for {since} steps: overfitting; best likelihood at {_steps(best.step)}; {motion}"
    if len(losses) > OVERFITTING and losses[-1 - OVERFITTING] - losses[lowest] < IMPROVING:
        return f"validation has stopped falling; {motion}"
    return f"still learning; {motion}"


def _steps(count: int) -> str:
    """Returns a short form of a count.

    >>> _steps(900), _steps(12_000), _steps(1_500)
    ('900', '12k', '1.5k')
    """
    return str(count) if count < 1000 else f"{count / 1000:.1f}".removesuffix(".0") + "k"
