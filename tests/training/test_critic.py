"""The critic: its roll-outs are those of generation with exact gradients, it is resumed, and it changes the model."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Generator, Tensor

from moglow.corpus.context import Context
from moglow.corpus.window_spec import WindowSpec
from moglow.corpus.windows import Footage, Windows
from moglow.errors import RecipeError
from moglow.models import MODELS
from moglow.models.moglow import MoGlow
from moglow.training.critic import SEEN_BEFORE, Critic, CriticSpec, SeenMotion, changes
from moglow.training.drawn_paths import ALIKE, EVERY, DrawnPaths
from moglow.training.leg_points import LegPoints
from moglow.training.own_motion import OwnMotion
from moglow.training.rollouts import roll_out
from moglow.training.spec import TrainingSpec
from moglow.training.trainer import Trainer
from tests.support.tiny import tiny_context, tiny_corpus

WINDOWS = WindowSpec(length=18, order="consecutive", pose_dropout=0.0)
CRITIC = CriticSpec(weight=1.0, hidden=6, drawn=2, alone=1)
SPEC = TrainingSpec(steps=30, batch=2, rate=2e-3, warmup=0, windows=WINDOWS, critic=CRITIC)


@pytest.fixture(scope="module")
def footage() -> Footage:
    return Footage(tiny_corpus(), tiny_context())


def model(layers: int = 1) -> MoGlow:
    """Returns a small model whose nets do something."""
    config = MoGlow.Config(steps=3, hidden=8, layers=layers, encoder=(8,), scale="bounded", latent="student")
    context = tiny_context()
    made = MoGlow(config, context.pose_dim, context.size, generator=Generator().manual_seed(1))
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=Generator().manual_seed(2)), alpha=0.05)
    return made


def trainer(footage: Footage, spec: TrainingSpec = SPEC) -> Trainer:
    windows = Windows(footage, spec.windows, split="train", batch=spec.batch, seed=1)
    return Trainer(model(), windows, spec)


@pytest.mark.parametrize("layers", [1, 2])
def test_its_motion_is_that_of_generation_and_its_gradients_those_of_autograd(
    footage: Footage, layers: int
) -> None:
    made, context = model(layers).double(), tiny_context().mapped(torch.as_tensor, torch)
    windows = Windows(footage, WINDOWS, split="train", batch=2, seed=1)
    window, past, frames = windows.recorded(0), context.spec.history, 6
    history, controls, labels = (
        each.double()
        for each in (
            window.poses[:, :past],
            window.controls[:, : past + frames + context.spec.lookahead],
            window.style[:, :frames],
        )
    )
    noise = torch.randn(2, frames, made.noise_dim, generator=Generator().manual_seed(3), dtype=torch.float64)
    motion = OwnMotion(made, context)
    poses, memory = motion.roll_out(
        history, controls, labels, 0.7 * made.latent.from_noise(noise), motion.memory(None, history)
    )
    expected, state = roll_out(made, context, history, controls, labels[:, 0], noise, temperature=0.7)
    torch.testing.assert_close(poses, expected)
    for one, other in zip(memory, motion.memory(state, history), strict=True):
        torch.testing.assert_close(one, other)

    def loss(poses: Tensor) -> Tensor:
        return (poses * torch.linspace(-1, 1, poses.numel(), dtype=poses.dtype).reshape(poses.shape)).sum()

    parameters = tuple(made.parameters())
    torch.autograd.backward(loss(poses))
    found = motion.products.gradients(parameters)
    by_autograd = torch.autograd.grad(
        loss(plainly(made, context, history, controls, labels, noise)), parameters, materialize_grads=True
    )
    for one, other in zip(found, by_autograd, strict=True):
        torch.testing.assert_close(one, other)


def plainly(
    made: MoGlow, context: Context, history: Tensor, controls: Tensor, labels: Tensor, noise: Tensor
) -> Tensor:
    """Returns the poses by the model's own steps, with gradients."""
    poses, state = list(history.unbind(1)), made.initial_state()
    past, reach = context.spec.history, context.spec.history + 1 + context.spec.lookahead
    for t in range(noise.shape[1]):
        shown = torch.stack(poses[-past:], 1)
        vector = context.build(shown, controls[:, t : t + reach], labels[:, t])
        target, state = made.step(vector, state, noise[:, t], temperature=0.7)
        poses.append(context.from_target(target, shown, controls[:, t + past]))
    return torch.stack(poses[past:], 1)


def test_planted_feet_do_not_move_for_it(footage: Footage) -> None:
    context = footage.context
    controls = context.standardize_control(torch.tensor([[[1.0, 0.2, 0.5]]]).expand(1, 6, 3))
    poses = [torch.zeros(1, context.pose_dim)]
    for t in range(1, 6):
        poses.append(context.carried(poses[-1], controls[:, t]))
    seen = changes(torch.stack(poses, 1), controls, context)
    velocities = seen[..., context.pose_dim :]
    torch.testing.assert_close(velocities, torch.zeros_like(velocities), atol=1e-5, rtol=0)


def test_it_learns_to_tell_windows_apart() -> None:
    critic = Critic(3, 4, generator=Generator().manual_seed(1))
    optimizer = torch.optim.Adam(critic.parameters(), 1e-2)
    still, shaking = torch.zeros(8, 3, 20), torch.randn(8, 3, 20, generator=Generator().manual_seed(2))
    for _ in range(50):
        loss = torch.nn.functional.softplus(critic(shaking) - critic(still)).mean()
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
    assert (critic(still) > critic(shaking)).all()


def test_it_changes_the_model_and_both_are_resumed_bit_for_bit(footage: Footage) -> None:
    whole, first, second = trainer(footage), trainer(footage), trainer(footage)
    reports = list(whole.run(6))
    assert all((report.critic or 0) > 0 for report in reports)
    list(first.run(3))
    arrays, _ = first.state()
    second.restore(arrays, 3, "state")
    list(second.run(6))
    one, other = (each.state()[0] for each in (whole, second))
    assert one.keys() == other.keys() and all((one[name] == other[name]).all() for name in one)
    alone = trainer(footage, replace(SPEC, critic=CriticSpec()))
    assert not any(name.startswith("critic") for name in alone.state()[0])
    assert list(alone.run(6))[-1].critic is None
    name = "model.flow.step00.coupling.conditioner.head.weight"
    assert (alone.state()[0][name] != one[name]).any()


def test_it_begins_at_its_first_step(footage: Footage) -> None:
    late = trainer(footage, replace(SPEC, critic=replace(CRITIC, start=2)))
    assert [report.critic is not None for report in late.run(4)] == [False, False, True, True]


def test_what_it_cannot_judge_is_one_line(footage: Footage) -> None:
    with pytest.raises(RecipeError, match=r"windows of at least 17 frames, training.windows.length is 10"):
        trainer(footage, replace(SPEC, windows=replace(WINDOWS, length=10)))
    made, context = MODELS["vae"], tiny_context()
    windows = Windows(footage, WINDOWS, split="train", batch=2, seed=1)
    with pytest.raises(RecipeError, match="needs a moglow with LSTM nets"):
        Trainer(made(next(iter(made.PRESETS.values())), context.pose_dim, context.size), windows, SPEC)
    for wrong in ({"weight": -1.0}, {"going_on": 2.0}, {"hidden": 0}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            CriticSpec(**wrong)


def test_its_knees_and_ankles_are_those_of_the_decoded_pose() -> None:
    corpus = tiny_corpus()
    encoding, poses = corpus.encoding, np.array(corpus.pose[:50], float)
    points = LegPoints.of(encoding, lambda array: torch.as_tensor(array, dtype=torch.float64))
    assert points is not None
    local = encoding.decode_frames(poses, np.zeros((50, 2)), np.zeros(50))
    joints = encoding.skeleton.forward_kinematics(*local)[0]
    legs = encoding.skeleton.anatomy.legs
    expected = joints[:, [leg.knee for leg in legs] + [leg.ankle for leg in legs]]
    np.testing.assert_allclose(points(torch.as_tensor(poses)), expected, atol=2e-3)  # nearly straight legs


def test_it_does_not_see_the_posture_of_a_lent_label(footage: Footage) -> None:
    windows = Windows(footage, WINDOWS, split="train", batch=2, seed=1)
    window, lent = windows.recorded(0), torch.tensor([0.0, 1.0])
    seen = SeenMotion(footage.context, [window])
    past, channels = footage.context.spec.history, footage.context.pose_dim
    poses = window.poses[:, past - SEEN_BEFORE :]
    leaning = poses + torch.cat([torch.zeros(seen.feet), torch.full((channels - seen.feet,), 0.1)])
    one, two = (seen(each, window, window.style, lent)[:, seen.feet : channels] for each in (poses, leaning))
    assert (one[0] != two[0]).all()
    torch.testing.assert_close(one[1], two[1], atol=1e-4, rtol=0)


def test_drawn_paths_go_on_until_they_end_and_are_compared_with_similar_recordings(footage: Footage) -> None:
    paths, generator = DrawnPaths(footage, 18, 3, seed=1), Generator().manual_seed(1)
    spec, numbers, at = (
        footage.context.spec,
        torch.zeros(3, dtype=torch.int64),
        torch.zeros(3, dtype=torch.int64),
    )
    first = paths.next(numbers, at, generator)
    second = paths.next(first.numbers, first.at, generator)
    seen = first.controls.shape[1] - 18
    torch.testing.assert_close(first.controls[:, 18:], second.controls[:, :seen])  # the path goes on
    assert (first.begins == 1).all() and (second.begins == 0).all()
    assert first.controls[:, :10].var(1).max() == 0  # it begins with a stand
    last = paths.next(first.numbers, torch.full((3,), 10**6), generator)
    assert (last.numbers == 1).all() and (last.begins == 1).all()
    assert first.like.poses.shape == (3, spec.history + 18, footage.context.pose_dim)
    asked, recorded = (
        each[:, spec.history : spec.history + 18 : EVERY].flatten(1)
        for each in (second.controls, second.like.controls)
    )
    nearest = torch.cdist(asked, paths.known).topk(ALIKE, largest=False).values
    assert ((asked - recorded).norm(dim=1) <= nearest[:, -1] + 1e-4).all()
