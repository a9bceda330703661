"""The GAN in the loop that all models share: each objective moves its own weights, and patience ends it."""

from pathlib import Path

import pytest
import torch
from torch import Generator, Tensor

from moglow.flows.bijection import State
from moglow.models.gan import GAN
from moglow.recipe import Recipe
from moglow.training.plan import TrainingPlan
from moglow.training.run import TrainingRun
from moglow.training.validation import Validation
from tests.support.tiny import tiny_corpus, tiny_recipe


def test_each_objective_has_weights_of_its_own_and_moves_no_others() -> None:
    model = GAN(GAN.Config(hidden=6, encoded=4, noise=3, net=6), 3, 2, generator=Generator().manual_seed(1))
    pose, context = torch.randn(4, 5, 3, generator=Generator().manual_seed(2)), torch.zeros(4, 5, 2)
    sets = [{id(parameter) for parameter in objective.parameters} for objective in model.objectives()]
    assert not sets[0] & sets[1]
    loss, _ = model.critic_loss(pose, context, generator=Generator().manual_seed(3))
    torch.autograd.backward(loss)
    assert all((parameter.grad is not None) == (id(parameter) in sets[0]) for parameter in model.parameters())


def test_the_penalty_is_the_steepness_at_real_poses() -> None:
    models = [GAN(GAN.Config(hidden=6, encoded=4, net=6, penalty=weight), 3, 2) for weight in (0.0, 2.0)]
    for model in models:
        torch.nn.init.ones_(model.critic.head.weight)
    pose = torch.randn(4, 5, 3, generator=Generator().manual_seed(2)).requires_grad_()
    context = torch.zeros(4, 5, 2)
    free, bound = (
        model.critic_loss(pose, context, generator=Generator().manual_seed(3))[0] for model in models
    )
    (slope,) = torch.autograd.grad(models[0].judged(pose, context).sum(), pose)
    torch.testing.assert_close(bound - free, slope.square().sum(dim=-1).mean())


def test_a_step_samples_other_noise_for_each_objective(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seeds, generated = [], GAN.generated

    def noted(self: GAN, context: Tensor, state: State, generator: Generator) -> tuple[Tensor, State]:
        seeds.append(generator.initial_seed())
        return generated(self, context, state, generator)

    monkeypatch.setattr(GAN, "generated", noted)
    recipe = tiny_recipe(steps=2)
    tables = {**recipe.tables, "model": {"name": "gan", "preset": "toy", "hidden": 8, "net": 8}}
    run = TrainingRun(tmp_path / "run", TrainingPlan.of(Recipe("tiny.toml", tables)), tiny_corpus(), seed=1)
    assert len([*run.trainer.run()]) == 2
    assert len(seeds) == len(set(seeds)) == 4


def test_patience_stops_it_and_validations_tell_its_spread(tmp_path: Path) -> None:
    recipe = tiny_recipe(steps=200, validate_every=2, patience=2)
    tables = {**recipe.tables, "model": {"name": "gan", "preset": "toy", "hidden": 8, "net": 8}}
    run = TrainingRun(tmp_path / "run", TrainingPlan.of(Recipe("tiny.toml", tables)), tiny_corpus(), seed=1)
    events = list(run.events())
    assert run.trainer.step < 200
    spreads = [event.spread for event in events if isinstance(event, Validation)]
    assert len(spreads) >= 3 and all(0 < spread < 10 for spread in spreads)
