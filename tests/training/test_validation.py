"""Validation: likelihood in stated units, roll-outs held against real motion, and health in words."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Generator

from moglow.corpus.window_spec import WindowSpec
from moglow.corpus.windows import Footage, Windows
from moglow.models.moglow import MoGlow
from moglow.scoring.likelihood import Likelihood, likelihood
from moglow.training.rollouts import RolloutFigures, Rollouts, RolloutSpec, nearest_start
from moglow.training.validation import CHOICES, Validation, health
from tests.support.tiny import tiny_context, tiny_corpus

SPEC = RolloutSpec(takes=1, seconds=1.0)
REAL = RolloutFigures(0.05, 0.07, 100.0, 1.0)


@pytest.fixture(scope="module")
def footage() -> Footage:
    return Footage(tiny_corpus(), tiny_context())


def model(noise: float = 0.0) -> MoGlow:
    """Returns a model that is the identity, but for noise in its weights."""
    context = tiny_context()
    made = MoGlow(
        MoGlow.Config(steps=2, hidden=8, encoder=(8,), scale="bounded"), context.pose_dim, context.size
    )
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(noise * torch.randn(parameter.shape, generator=Generator().manual_seed(1)))
    return made


def test_the_likelihood_counts_every_held_out_frame_once(footage: Footage) -> None:
    context, found = tiny_context(), []
    for batch in (3, 100):
        spec = WindowSpec(length=8, dequantise=0.0).clean()
        windows = Windows(footage, spec, split="val", batch=batch, seed=1)
        found.append(likelihood(model(), windows, context))
    assert found[0].standardized == pytest.approx(found[1].standardized, abs=1e-3)
    # An untrained model is a rotation of a standard normal: its density is known.
    windows = Windows(footage, WindowSpec(length=8, dequantise=0.0).clean(), split="val", batch=100, seed=1)
    target = windows.batch(0).target(footage.context)
    squares, channels = target.square().sum(-1).mean().item(), context.pose_dim
    normal = squares / 2 + channels / 2 * math.log(2 * math.pi) + context.log_scale
    shrunk = found[1].standardized
    assert shrunk == pytest.approx(normal, abs=1e-2)
    assert found[1].physical - shrunk == pytest.approx(context.log_deviation)
    assert found[1].per_channel == pytest.approx(shrunk / channels)
    assert found[1].dequantised == 0.0


def test_rollouts_are_the_same_for_the_same_model(footage: Footage) -> None:
    rollouts = Rollouts(footage, tiny_context(), SPEC, seed=1)
    assert len(rollouts.starts) == rollouts.held_out + 7 and rollouts.held_out == 1
    first = rollouts.figures(model())
    assert first == rollouts.figures(model())
    assert first != rollouts.figures(model(0.1))
    assert first != Rollouts(footage, tiny_context(), SPEC, seed=2).figures(model())
    assert first.distance(rollouts.real) > 1  # an untrained model does not walk
    assert rollouts.real.distance(rollouts.real) == 0.0


@pytest.mark.parametrize("change", [{"takes": 2}, {"seconds": 1.2}, {"temperature": 0.5}])
def test_no_field_is_dead(footage: Footage, change: dict[str, Any]) -> None:
    corpus = tiny_corpus()
    stretches = tuple(replace(stretch, split="val") for stretch in corpus.stretches)
    both = Footage(replace(corpus, stretches=stretches + corpus.split("train")), tiny_context())
    before, after = (
        Rollouts(both, tiny_context(), spec, seed=1).figures(model())
        for spec in (SPEC, replace(SPEC, **change))
    )
    assert before != after


def test_a_model_that_diverges_scores_infinity(footage: Footage) -> None:
    wild = model()
    with torch.no_grad():
        for parameter in wild.parameters():
            parameter.mul_(1e4)
    figures = Rollouts(footage, tiny_context(), SPEC, seed=1).figures(wild)
    assert figures.distance(REAL) == math.inf


def test_a_start_follows_its_control() -> None:
    corpus = tiny_corpus()
    for stretch in corpus.split("train"):
        middle = stretch.start + 30
        poses = nearest_start(corpus, corpus.control[middle], 3)
        np.testing.assert_array_equal(poses, corpus.pose[middle - 1 : middle + 2])


def test_sliding_shaking_and_freezing_all_cost() -> None:
    assert replace(REAL, slide_median=0.01).distance(REAL) == 0.0
    for worse in (
        {"slide_median": 0.1},
        {"slide_mean": 0.1},
        {"jerk": 50.0},
        {"jerk": 200.0},
        {"energy": 0.1},
    ):
        assert replace(REAL, **worse).distance(REAL) > 0.1
    for wrong in ({"takes": 0}, {"seconds": 0.0}):
        with pytest.raises(ValueError):
            RolloutSpec(**wrong)


def history(losses: list[float], scores: list[float]) -> list[Validation]:
    """Returns validations every 1000 steps, with losses per channel and slides."""
    rows = []
    for step, (loss, score) in enumerate(zip(losses, scores, strict=True), start=1):
        figures = replace(REAL, jerk=REAL.jerk * math.exp(score))
        rows.append(Validation(1000 * step, Likelihood(loss * 10, loss * 10, 10, 0.0), figures, REAL))
    return rows


@pytest.mark.parametrize(
    ("losses", "scores", "words"),
    [
        ([1.0], [1.0], "too early to say"),
        ([1.0, 0.9, 0.8], [3.0, 2.0, 1.0], "still learning; best motion at 3k (score 1.00)"),
        ([1.0, 0.5, 0.6, 0.7, 0.8], [3.0, 2.0, 1.0, 1.5, 2.0],
         "validation rising for 3k steps: overfitting; best likelihood at 2k; best motion at 3k"),
        ([1.0, 0.5, 0.5, 0.4999, 0.4998], [3.0, 2.0, 1.0, 1.0, 1.0], "validation has stopped falling"),
        ([1.0, 0.5], [1.0, math.inf], "roll-outs diverge"),
    ],
)  # fmt: skip
def test_health_is_described(losses: list[float], scores: list[float], words: str) -> None:
    assert health(history(losses, scores)).startswith(words)


def test_checkpoints_can_be_chosen_by_either() -> None:
    rows = history([0.5, 0.6], [2.0, 1.0])
    assert min(rows, key=CHOICES["rollouts"]).step == 2000
    assert min(rows, key=CHOICES["likelihood"]).step == 1000


def test_a_motion_is_named_by_its_control(footage: Footage) -> None:
    paths = {
        clip.name: path for clip, path in Rollouts(footage, tiny_context(), SPEC, seed=1).motions(model())
    }
    velocities = {name: path.velocities().mean(0) for name, path in paths.items()}
    reach = tiny_corpus().control_range
    assert next(iter(paths)) == "held-out 1" and paths["stand"].length == 0
    assert velocities["walk"][0] > 0.1 and abs(velocities["walk"][2]) < 1e-6
    assert velocities["circle"][2] > 0.01
    assert velocities["backward"][0] == pytest.approx(-0.5 * reach.backward, abs=1e-6)
    assert velocities["side-step left"][1] == pytest.approx(0.5 * reach.sideways, abs=1e-6)
    assert velocities["side-step right"][1] == pytest.approx(-0.5 * reach.sideways, abs=1e-6)
    assert list(paths)[-1] == "stop and go"
