"""The loop: the loss falls, the seed determines it, it stops at numbers that are not finite, every field matters."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Generator, Tensor

from moglow.corpus.window_spec import WindowSpec
from moglow.corpus.windows import Footage, Windows
from moglow.models.moglow import MoGlow
from moglow.training.free_running import FreeRunning
from moglow.training.spec import SCHEDULES, TrainingSpec
from moglow.training.trainer import Diverged, StepReport, Trainer, adam
from tests.support.tiny import tiny_context, tiny_corpus

WINDOWS = WindowSpec(length=10, pose_dropout=0.5, history_noise={"others": 0.01})
SPEC = TrainingSpec(steps=30, batch=4, rate=5e-3, warmup=5, rate_floor=1e-5, windows=WINDOWS)


@pytest.fixture(scope="module")
def footage() -> Footage:
    return Footage(tiny_corpus(), tiny_context())


def trainer(footage: Footage, spec: TrainingSpec = SPEC) -> Trainer:
    windows = Windows(footage, spec.windows, split="train", batch=spec.batch, seed=1)
    config = MoGlow.Config(steps=2, hidden=8, encoder=(8,), scale="bounded", latent="student")
    context = tiny_context()
    model = MoGlow(config, context.pose_dim, context.size, generator=Generator().manual_seed(1))
    return Trainer(model, windows, spec)


def losses(footage: Footage, steps: int = 8, **changes: Any) -> list[float]:
    return [report.losses["nll"] for report in trainer(footage, replace(SPEC, **changes)).run(steps)]


def test_the_loss_falls(footage: Footage) -> None:
    curve = losses(footage, steps=50)
    assert sum(curve[-10:]) / 10 < sum(curve[:10]) / 10 - 2.0  # nats a frame


def test_a_report_has_the_figures_of_a_step(footage: Footage) -> None:
    reports = list(trainer(footage).run(3))
    assert [report.step for report in reports] == [1, 2, 3]
    assert all(
        isinstance(report, StepReport) and report.frames == 40 and report.seconds > 0 for report in reports
    )
    assert [report.rate for report in reports] == pytest.approx([1e-3, 2e-3, 3e-3])
    assert reports[0].gradient > 0


def test_the_same_seed_trains_alike(footage: Footage) -> None:
    assert losses(footage) == losses(footage)


def test_windows_cut_ahead_are_those_of_their_step(footage: Footage) -> None:
    spec = replace(
        SPEC,
        steps=6,
        average=0.5,
        windows=replace(WINDOWS, order="consecutive"),
        free_running=FreeRunning(share=0.5, frames=2, start=2, ramp=0),
    )
    ahead, alone = trainer(footage, spec), trainer(footage, spec)
    list(ahead.run())
    for step in range(spec.steps):
        before, alone = alone.state()[0], trainer(footage, spec)  # whose windows are not cut ahead
        alone.restore(before, step, "state")
        list(alone.run(step + 1))
    one, other = (each.state()[0] for each in (ahead, alone))
    assert one.keys() == other.keys() and all((one[name] == other[name]).all() for name in one)


def test_moments_made_first_change_no_step() -> None:
    def walked(made_first: bool) -> list[Tensor]:
        weights = (torch.nn.Parameter(torch.linspace(-1, 1, 5)), torch.nn.Parameter(torch.zeros(2)))
        optimizer = (
            adam(weights, rate=0.1, weight_decay=0.5)
            if made_first
            else torch.optim.AdamW(weights, lr=0.1, weight_decay=0.5, fused=True)
        )
        for _ in range(3):
            optimizer.zero_grad(set_to_none=True)
            torch.autograd.backward(weights[0].pow(3).sum())  # the second gets no gradient
            optimizer.step()
        return [weight.detach() for weight in weights]

    for first, usual in zip(walked(True), walked(False), strict=True):
        assert torch.equal(first, usual)


@pytest.mark.parametrize(
    "change",
    [
        {"batch": 5}, {"rate": 1e-3}, {"warmup": 1}, {"weight_decay": 1.0}, {"clip": 1e-4},
        {"windows": replace(WINDOWS, length=8)}, {"free_running": FreeRunning(share=1.0, start=0, ramp=0)},
        {"free_running": FreeRunning(share=1.0, frames=3, start=0, ramp=0)},
    ],
)  # fmt: skip
def test_no_field_is_dead(footage: Footage, change: dict[str, Any]) -> None:
    assert losses(footage, **change) != losses(footage)


def test_the_rate_follows_its_schedule() -> None:
    peak = SPEC.warmup - 1
    for schedule in SCHEDULES:
        spec = replace(SPEC, schedule=schedule, steps=1000)
        rates = [spec.rate_at(step) for step in range(1000)]
        assert max(rates) == rates[peak] or schedule == "cosine"
        assert min(rates[peak:]) >= spec.rate_floor
    assert replace(SPEC, schedule="rsqrt").rate_at(4 * SPEC.warmup - 1) == pytest.approx(SPEC.rate / 2)
    assert replace(SPEC, schedule="cosine", steps=100).rate_at(49) == pytest.approx(SPEC.rate / 2)
    assert replace(SPEC, schedule="constant").rate_at(10**6) == SPEC.rate
    assert replace(SPEC, rate_floor=1e-3).rate_at(10**6) == 1e-3


def test_the_average_trails_the_weights(footage: Footage) -> None:
    one = trainer(footage, replace(SPEC, average=0.5))
    list(one.run(10))
    pairs = list(zip(one.average.parameters(), one.model.parameters(), strict=True))
    assert any(not torch.equal(a, b) for a, b in pairs)
    assert not any(a.requires_grad for a, _ in pairs)
    before = [a.clone() for a, _ in pairs]
    list(one.run(11))
    for old, (average, weight) in zip(before, pairs, strict=True):
        torch.testing.assert_close(average, torch.lerp(old, weight, 0.5))
    off = trainer(footage, replace(SPEC, average=0.0))
    assert off.average is off.model


def test_memory_is_carried_only_between_consecutive_windows(footage: Footage) -> None:
    spec = replace(SPEC, batch=5, windows=replace(WINDOWS, order="consecutive"))
    one = trainer(footage, spec)
    fresh = [one.windows.batch(step).fresh for step in range(12)]
    mixed = next(step for step in range(1, 12) if 0 < fresh[step].sum() < len(fresh[step]))
    seen: list[Any] = []
    loss = one._losses["nll"]
    loss.register_forward_pre_hook(lambda _, arguments: seen.append(arguments[2]))
    list(one.run(mixed + 1))
    hidden = seen[mixed]
    while isinstance(hidden, tuple):
        hidden = next(part for part in hidden if part is not None)
    rows = hidden.abs().sum((0, 2)) > 0
    assert torch.equal(rows, fresh[mixed] == 0)
    plain = trainer(footage)
    loss = plain._losses["nll"]
    seen.clear()
    loss.register_forward_pre_hook(lambda _, arguments: seen.append(arguments[2]))
    list(plain.run(2))
    assert seen == [None, None]


def test_a_run_of_windows_that_never_go_on_is_resumed(footage: Footage) -> None:
    short = replace(WINDOWS, order="consecutive", length=80, short=10)  # all clips are shorter than 80
    spec = replace(SPEC, windows=short)
    first, second = trainer(footage, spec), trainer(footage, spec)
    list(first.run(2))
    arrays, table = first.state()
    second.restore(arrays, table["step"], "state")
    assert [each.losses for each in second.run(4)] == [each.losses for each in first.run(4)]


def test_divergence_stops_with_the_last_good_weights(footage: Footage) -> None:
    one = trainer(footage, replace(SPEC, rate=1e12, warmup=0))
    with pytest.raises(Diverged, match=r"step \d+: nll is .*lower training.rate"):
        list(one.run())
    assert 0 < one.step < SPEC.steps
    for model in (one.model, one.average):
        assert all(torch.isfinite(parameter).all() for parameter in model.parameters())


def test_a_request_to_stop_ends_after_the_step(footage: Footage) -> None:
    one = trainer(footage)
    steps = []
    for report in one.run():
        steps.append(report.step)
        if report.step == 3:
            one.stop()
    assert steps == [1, 2, 3, 4]  # the step in which all processes hear of it


def test_nonsense_is_refused() -> None:
    for wrong in (
        {"steps": 0}, {"rate": 0.0}, {"average": 1.0}, {"schedule": "linear"}, {"choose": "loss"},
        {"validate_every": 0}, {"patience": 0}, {"precision": "half"},
    ):  # fmt: skip
        with pytest.raises(ValueError):
            TrainingSpec(**wrong)
