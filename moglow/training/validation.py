"""One validation of a model while it trains: likelihood, roll-outs, and what they say of the training.

Likelihood does not rank what people see, so checkpoints are chosen by roll-outs: the model walks free for some
seconds, and its feet, smoothness and distance from the mean pose are held against those of real motion.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from moglow.scoring.likelihood import Likelihood
from moglow.scoring.style_evidence import Telling
from moglow.training.rollouts import Figures


@dataclass(frozen=True)
class Validation:
    """What was found after a step."""

    step: int
    likelihood: Likelihood
    figures: Figures
    real: Figures
    spread: float = (
        math.nan
    )  # of draws for one context over their error: 1 is right, 0 a collapse; `moglow.scoring.spread`
    styles: Telling | None = None  # of held-out clips; None without styles, labels or a likelihood

    @property
    def rollout_score(self) -> float:
        """Smaller is better; infinite where the model blew up."""
        return self.figures.distance(self.real)


CHOICES: Mapping[str, Callable[[Validation], float]] = {
    "rollouts": lambda validation: validation.rollout_score,
    "likelihood": lambda validation: validation.likelihood.standardized,
}
"""What the best checkpoint is chosen by: the smaller, the better."""


OVERFITTING = 3  # validations in a row above the best before it is called so


COLLAPSED = 0.3  # spread of draws over their error below which so is said


IMPROVING = 0.005  # nats per frame and channel: less is no progress


def health(validations: Sequence[Validation]) -> str:
    """Returns one line on how training goes, from its validations so far.

    >>> health([])
    'too early to say'
    """
    if len(validations) < 2:
        return "too early to say"
    last, scores = validations[-1], [validation.rollout_score for validation in validations]
    choice = validations[min(range(len(scores)), key=scores.__getitem__)]
    motion = f"best motion at {_steps(choice.step)} (score {choice.rollout_score:.2f})"
    if last.spread < COLLAPSED:
        motion += f"; draws differ {last.spread:.2f} times as much as they should: they are nearly one motion"
    if scores[-1] == float("inf"):
        return f"roll-outs blow up: lower training.rate or the carry weights; {motion}"
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
    """Returns a count as people say it.

    >>> _steps(900), _steps(12_000), _steps(1_500)
    ('900', '12k', '1.5k')
    """
    return str(count) if count < 1000 else f"{count / 1000:.1f}".removesuffix(".0") + "k"
