"""Latent outlier exposure: the suspected windows, their effect on the loss, and unchanged training without it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Generator, Tensor

from moglow.corpus.window_spec import WindowSpec
from moglow.corpus.windows import Footage, Windows
from moglow.models import MODELS
from moglow.models.regression import Regression
from moglow.training.outliers import ASSIGNMENTS, OutlierSpec, Suspicion
from moglow.training.spec import TrainingSpec
from moglow.training.trainer import Trainer
from tests.models.test_model_laws import C, D, build
from tests.support.tiny import tiny_context, tiny_corpus
from tests.training.test_resume import halves

B, T, BAD = 10, 4, (2, 7)
WINDOWS = WindowSpec(length=10, pose_dropout=0.5, history_noise={"others": 0.01})
SPEC = TrainingSpec(steps=30, batch=8, rate=5e-3, warmup=5, windows=WINDOWS)
LOE = OutlierSpec(share=0.25, start=3)


def contaminated() -> tuple[Tensor, Tensor]:
    """Returns windows of which two are far from the rest."""
    generator = Generator().manual_seed(1)
    pose = 0.1 * torch.randn(B, T, D, dtype=torch.float64, generator=generator)
    pose[list(BAD)] += 4.0
    return pose, torch.randn(B, T, C, dtype=torch.float64, generator=generator)


def suspicion(assignment: str = "soft", model: Any = None) -> Suspicion:
    spec = OutlierSpec(share=0.2, assignment=assignment)
    return Suspicion.of(spec, model or build("regression"), *contaminated(), None)


def test_the_share_with_the_highest_scores_is_suspected() -> None:
    found = suspicion()
    assert found.rows.nonzero().flatten().tolist() == list(BAD)
    scores = build("regression").score(*contaminated())[0].mean(dim=1)
    torch.testing.assert_close(found.border, scores[~found.rows].max())


def test_the_loss_of_outliers_falls_is_bounded_and_as_steep_as_a_score_at_the_border() -> None:
    found = suspicion()
    scores = (found.border + torch.linspace(-9, 9, 19) * found.deviation).requires_grad_()
    exposed = found.exposure(scores)
    (slope,) = torch.autograd.grad(exposed.sum(), scores)
    assert (slope < 0).all() and (exposed > 0).all()
    assert exposed[-1] < 1e-3 * exposed[0] and slope[-1] > -1e-3
    torch.testing.assert_close(slope[9], -torch.ones_like(slope[9]))


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_a_loss_is_the_sum_over_windows_as_they_are_assigned(assignment: str) -> None:
    model, (pose, context) = build("regression"), contaminated()
    assert isinstance(model, Regression)
    found = suspicion(assignment, model)
    loss, _ = found.loss(model, model.loss, pose, context, None, Generator().manual_seed(1))
    own, other = ASSIGNMENTS[assignment]
    scores = model.score(pose, context)[0].mean(dim=1)  # a regression's score is its loss
    each = torch.where(found.rows, own * scores + other * found.exposure(scores), scores)
    torch.testing.assert_close(loss, each.mean(), rtol=0, atol=1e-10)


def test_nothing_is_lost_where_a_process_has_outliers_alone_or_none() -> None:
    model, (pose, context) = build("regression"), contaminated()
    assert isinstance(model, Regression)
    for rows in (torch.ones(B, dtype=torch.bool), torch.zeros(B, dtype=torch.bool)):
        for assignment in ASSIGNMENTS:
            model.zero_grad()
            found = replace(suspicion(assignment, model), rows=rows)
            loss, _ = found.loss(model, model.loss, pose, context, None, Generator().manual_seed(1))
            torch.autograd.backward(loss)
            assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_it_wraps_every_model(name: str, assignment: str) -> None:
    model, (pose, context), state = build(name), contaminated(), None
    for objective in model.objectives():
        found = suspicion(assignment, model)
        loss, state = found.loss(model, objective.loss, pose, context, None, Generator().manual_seed(1))
        torch.autograd.backward(loss)
        assert loss.isfinite()
    again, _ = model.score(pose, context, state)
    assert again.shape == (B, T)


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_outliers_have_less_effect_than_in_plain_training(assignment: str) -> None:
    """A regression to one constant pose predicts the mean; two of ten windows at 4 move it by 0.8."""
    model, (pose, context) = Regression(Regression.Config(hidden=4, layers=1), D, C).double(), contaminated()
    context = torch.zeros_like(context)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    for _ in range(80):
        found = suspicion(assignment, model)
        optimizer.zero_grad()
        loss, _ = found.loss(model, model.loss, pose, context, None, Generator().manual_seed(1))
        torch.autograd.backward(loss)
        optimizer.step()
    predicted = model.predict(context)[0].mean()
    assert abs(predicted) < 0.5


@pytest.fixture(scope="module")
def footage() -> Footage:
    return Footage(tiny_corpus(), tiny_context())


def losses(footage: Footage, outliers: OutlierSpec, steps: int = 6) -> list[float]:
    spec = replace(SPEC, outliers=outliers)
    windows = Windows(footage, spec.windows, split="train", batch=spec.batch, seed=1)
    context = tiny_context()
    model = Regression(Regression.Config(hidden=8, layers=1), context.pose_dim, context.size)
    return [report.losses["squared_error"] for report in Trainer(model, windows, spec).run(steps)]


def test_no_setting_is_dead_and_nothing_changes_before_the_start(footage: Footage) -> None:
    plain, exposed = losses(footage, OutlierSpec()), losses(footage, LOE)
    assert losses(footage, LOE) == exposed
    assert exposed[: LOE.start] == plain[: LOE.start] and exposed[LOE.start :] != plain[LOE.start :]
    changes: tuple[dict[str, Any], ...] = (
        {"share": 0.4},
        {"start": 1},
        *({"assignment": a} for a in ASSIGNMENTS),
    )
    assert len({tuple(losses(footage, replace(LOE, **change))) for change in changes}) == len(changes)


def test_a_run_with_outliers_is_resumed_bit_for_bit(tmp_path: Path) -> None:
    windows = {"length": 10, "pose_dropout": 0.5, "order": "consecutive"}
    halves(tmp_path, 20, validate_every=20, windows=windows, outliers={"share": 0.25, "start": 4})


def test_wrong_settings_are_refused() -> None:
    nonsense: tuple[dict[str, Any], ...] = (
        {"share": 0.5},
        {"share": -0.1},
        {"start": -1},
        {"assignment": "blind"},
    )
    for wrong in nonsense:
        with pytest.raises(ValueError, match=r"give|choose"):
            OutlierSpec(**wrong)
    with pytest.raises(ValueError, match="no window in a batch of 8; raise"):
        replace(SPEC, outliers=OutlierSpec(share=0.01))
