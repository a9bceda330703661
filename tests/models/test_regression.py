"""The regression: it learns the mean, sees no future, trains by the common road and generates from its checkpoint."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Generator

from moglow.checkpoint import BEST, Checkpoint
from moglow.errors import RecipeError, TrainingError
from moglow.models.regression import Regression
from moglow.paths.csv_files import read_path
from moglow.recipe import Recipe
from moglow.sampling.generate import generate
from moglow.training.plan import TrainingPlan
from moglow.training.run import TrainingRun
from tests.models.test_model_laws import C, T, build, windows
from tests.support.tiny import tiny_corpus, tiny_recipe


def recipe(**training: object) -> Recipe:
    made = tiny_recipe(**training)
    return Recipe(made.place, {**made.tables, "model": {"name": "regression", "hidden": 8, "layers": 1}})


def test_predictions_see_no_later_context_and_steps_are_predictions() -> None:
    model = build("regression")
    assert isinstance(model, Regression)
    (_, context), (_, later) = windows(), windows(seed=3)
    cut = torch.arange(T)[:, None] < 2
    whole, _ = model.predict(context)
    assert torch.equal(model.predict(torch.where(cut, context, later))[0][:, :2], whole[:, :2])
    state = model.initial_state()
    for t in range(T):
        pose, state = model.step(context[:, t], state, context[:, t, :0])
        torch.testing.assert_close(pose, whole[:, t], rtol=0, atol=1e-10)


def test_it_learns_the_mean_of_possible_poses() -> None:
    """If two poses follow the same context equally often, it predicts their mean; this is why its figures float."""
    model = Regression(Regression.Config(hidden=4, layers=1), 2, C)
    pose = torch.stack([torch.full((1, 2), 1.0), torch.full((1, 2), 3.0)])
    context = torch.ones(2, 1, C)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    for _ in range(100):
        optimizer.zero_grad()
        loss, _ = model.loss(pose, context, generator=Generator().manual_seed(0))
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    torch.testing.assert_close(model.predict(context)[0], torch.full((2, 1, 2), 2.0), rtol=0, atol=0.02)
    assert loss.item() == pytest.approx(1.0, abs=1e-3)


def test_it_trains_is_saved_and_generates(tmp_path: Path) -> None:
    run = TrainingRun(tmp_path, TrainingPlan.of(recipe()), tiny_corpus(), seed=0)
    list(run.events())
    assert "no likelihood" in run.health and np.isfinite(run.best.rollout_score)
    path = read_path("line:length=1", fps=20.0)
    one, two = generate(Checkpoint.read(tmp_path / BEST), path, takes=2, foot_lock=False)
    assert len(one.clip) == len(path)
    np.testing.assert_array_equal(one.clip.rotations, two.clip.rotations)


def test_it_cannot_be_chosen_by_a_likelihood_it_does_not_have(tmp_path: Path) -> None:
    run = TrainingRun(tmp_path, TrainingPlan.of(recipe(choose="likelihood")), tiny_corpus(), seed=0)
    with pytest.raises(TrainingError, match=r"regression has no likelihood.*training.choose=rollouts"):
        list(run.events())


@pytest.mark.parametrize("wrong", [{"hidden": 0}, {"layers": 0}, {"dropout": 1.0}])
def test_wrong_settings_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(RecipeError, match=f"regression: {next(iter(wrong))} is"):
        Regression.Config(**wrong)  # type: ignore[arg-type]


def test_dropout_has_an_effect() -> None:
    pose, context = windows()
    without, with_half = (
        build("regression", dropout=share)
        .objectives()[0]
        .loss(pose, context, generator=Generator().manual_seed(1))[0]
        for share in (0.0, 0.5)
    )
    assert not torch.allclose(without, with_half)
