"""The spread of samples: right for a model of the truth, nothing where modes have collapsed."""

import pytest
import torch
from torch import Tensor

from moglow.corpus.window_spec import WindowSpec
from moglow.corpus.windows import Footage, Windows
from moglow.flows.bijection import State
from moglow.models.model import MotionModel, Objective
from moglow.scoring.likelihood import Likelihood
from moglow.scoring.spread import spread
from moglow.training.rollouts import RolloutFigures
from moglow.training.validation import Validation, health
from tests.support.tiny import tiny_context, tiny_corpus


class Known(MotionModel):
    """Draws the targets' own mean and deviation over the batch it was shown, times a factor."""

    mean: Tensor
    deviation: Tensor
    factor = 1.0

    @property
    def noise_dim(self) -> int:
        return self.pose_dim

    def initialize(self, pose: Tensor, context: Tensor) -> None:
        self.mean, self.deviation = pose.mean(dim=0), pose.std(dim=0, correction=0)

    def objectives(self) -> tuple[Objective, ...]:
        return ()

    def log_prob(self, pose: Tensor, context: Tensor, state: State = None) -> tuple[Tensor, State]:
        return pose.new_zeros(pose.shape[:-1]), state

    def step(
        self, context: Tensor, state: State, noise: Tensor, *, temperature: float = 1.0
    ) -> tuple[Tensor, State]:
        return self.mean + self.factor * self.deviation * noise, state


@pytest.mark.parametrize(
    ("factor", "low", "high"), [(1.0, 0.9, 1.1), (3.0, 1.5, 3.3), (0.1, 0.05, 0.15), (0.0, 0.0, 0.0)]
)
def test_spread_is_that_of_the_truth(factor: float, low: float, high: float) -> None:
    windows = Windows(
        Footage(tiny_corpus(), tiny_context()), WindowSpec(length=1).clean(), split="train", batch=64, seed=1
    )
    context = windows.footage.context
    targets = torch.cat([windows.batch(n).target(context)[:, -1] for n in range(len(windows))])
    model = Known(MotionModel.Config(), context.pose_dim, context.size)
    model.initialize(targets, targets)
    model.factor = factor
    assert low <= spread(model, windows) <= high
    assert spread(model, windows) == spread(model, windows)  # a function of the seed


def test_health_reports_collapsed_modes() -> None:
    real, likelihood = RolloutFigures(0.05, 0.07, 100.0, 1.0), Likelihood(1.0, 1.0, 10, 0.0)

    def text(spread: float) -> str:
        return health([Validation(step, likelihood, real, real, spread) for step in (100, 200)])

    assert "nearly one motion" in text(0.1)
    assert "nearly one motion" not in text(0.9) and "nearly one motion" not in text(float("nan"))
