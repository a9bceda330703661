"""The critic: its roll-outs are those of generation with exact gradients, it is resumed, and it changes the model."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Generator, Tensor

from moglow.corpus.context import Context
from moglow.corpus.postures import AXES
from moglow.corpus.window_spec import WindowSpec
from moglow.corpus.windows import Footage, Windows
from moglow.encodings.encoding import FeatureSpec, carried_places
from moglow.errors import RecipeError
from moglow.evaluation.discrimination import seen_joints
from moglow.models import MODELS
from moglow.models.moglow import MoGlow
from moglow.sampling.posture_drift import HELD, SECONDS
from moglow.training.body_points import BodyPoints
from moglow.training.critic import EVERY as STRIDE
from moglow.training.critic import FULL, Critic, CriticSpec, SeenMotion
from moglow.training.drawn_paths import ALIKE, EVERY, DrawnPaths
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


def test_what_it_sees_is_the_motion_of_the_joints_and_a_planted_foot_has_no_velocity(
    footage: Footage,
) -> None:
    context, corpus, frames = footage.context, footage.corpus, WINDOWS.length
    stretch = max(corpus.split("train"), key=len)
    path, past = corpus.path(stretch), context.spec.history
    windows = Windows(footage, WINDOWS, split="train", batch=2, seed=1)
    like, span = windows.recorded(0), slice(stretch.start, stretch.start + past + frames)
    window = replace(
        like,
        poses=context.standardize_pose(torch.as_tensor(np.array(corpus.pose[span]), dtype=torch.float32))[
            None
        ],
        controls=context.standardize_control(
            torch.as_tensor(np.array(corpus.control[span]), dtype=torch.float32)
        )[None],
        shown=like.shown[:1],
    )
    seen = SeenMotion(context, [window])
    found = seen(window.poses, window, like.style[:1], torch.zeros(1))[0].T
    joints = len(seen.points.joints)
    values = found[:, : 6 * joints].reshape(-1, joints, 6) * seen.deviation + seen.mean
    expected = seen_joints(corpus.clip(stretch)[: path.positions.shape[0]])[past : past + frames - 1 : STRIDE]
    expected = expected[:, seen.points.joints]
    assert values.shape == expected.shape
    np.testing.assert_allclose(values[..., :3], expected[..., :3], atol=2e-3)  # a leg is nearly straight
    np.testing.assert_allclose(values[:, 0, 3:], expected[:, 0, 3:], atol=0.05)
    step = torch.tensor([[[1.0, 0.2, 0.5]]]) / 30
    point = torch.tensor([[[[0.1, 0.0, 0.3]]]])
    pose = torch.zeros(1, 1, len(corpus.encoding))
    x, z = (corpus.encoding.slice(group).start for group in ("toe_x", "toe_z"))
    pose[..., x], pose[..., z] = point[..., 0, 0], point[..., 0, 2]
    carried = corpus.encoding.carry(pose, step, torch)
    moved = carried_places(point[..., 0], point[..., 2], step, torch)
    torch.testing.assert_close(torch.cat(moved, -1)[0, 0], torch.stack([carried[0, 0, x], carried[0, 0, z]]))


def test_a_pose_beyond_the_length_of_a_leg_has_a_gradient_back(footage: Footage) -> None:
    windows = Windows(footage, WINDOWS, split="train", batch=2, seed=1)
    window, encoding = windows.recorded(0), footage.context.encoding
    seen = SeenMotion(footage.context, [window])
    toe = encoding.slice("toe_z").start
    far = window.poses.clone()
    far[..., toe] += 1.0 / float(footage.context.pose_deviation[toe])  # a metre ahead
    far.requires_grad_()
    missing = seen.overreach(far)
    assert FULL == 1.0 and (missing > 10).all() and (seen.overreach(window.poses) < 0.2).all()
    (slope,) = torch.autograd.grad(missing.sum(), far)
    assert (slope[..., toe] > 0).all()


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
    with pytest.raises(RecipeError, match=r"windows of at least 12 frames, training.windows.length is 10"):
        trainer(footage, replace(SPEC, windows=replace(WINDOWS, length=10)))
    made, context = MODELS["vae"], tiny_context()
    windows = Windows(footage, WINDOWS, split="train", batch=2, seed=1)
    with pytest.raises(RecipeError, match="needs a moglow with LSTM nets"):
        Trainer(made(next(iter(made.PRESETS.values())), context.pose_dim, context.size), windows, SPEC)
    encoding = FeatureSpec("rotations").fit([footage.corpus.clip(footage.corpus.stretches[0])])
    other = Footage(footage.corpus, replace(tiny_context(), encoding=encoding))
    with pytest.raises(RecipeError, match=r'needs features.encoding = "feet_first"'):
        SeenMotion(other.context, [windows.recorded(0)])
    for wrong in ({"weight": -1.0}, {"going_on": 2.0}, {"styled": -0.1}, {"hidden": 0}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            CriticSpec(**wrong)


def test_its_joints_are_those_of_the_decoded_pose() -> None:
    corpus = tiny_corpus()
    encoding, poses = corpus.encoding, np.array(corpus.pose[:50], float)
    points = BodyPoints.of(encoding, lambda array: torch.as_tensor(array, dtype=torch.float64))
    assert points is not None
    local = encoding.decode_frames(poses, np.zeros((50, 2)), np.zeros(50))
    joints = encoding.skeleton.forward_kinematics(*local)[0]
    found, stretch = points(torch.as_tensor(poses))
    np.testing.assert_allclose(found, joints[:, points.joints], atol=2e-3)  # nearly straight legs
    leg = encoding.skeleton.anatomy.legs[0]
    long = sum(np.linalg.norm(encoding.skeleton.offsets[joint]) for joint in (leg.knee, leg.ankle))
    distance = np.linalg.norm(joints[:, leg.hip] - joints[:, leg.ankle], axis=-1)
    np.testing.assert_allclose(stretch[:, 0].clamp_max(1), distance / long, atol=2e-3)
    torch.testing.assert_close(points.stretch(torch.as_tensor(poses)), stretch)


def test_it_does_not_see_the_posture_of_a_lent_label(footage: Footage) -> None:
    windows = Windows(footage, WINDOWS, split="train", batch=2, seed=1)
    window, lent = windows.recorded(0), torch.tensor([0.0, 1.0])
    seen = SeenMotion(footage.context, [window])
    found = seen(window.poses, window, window.style, lent)
    means = found[:, [6 * int(joint) + k for joint in seen.upper for k in range(3)]].mean(-1).abs().amax(1)
    assert means[0] > 0.05 and means[1] < 1e-4
    who = found[:, -footage.context.labels :][:, : len(footage.context.performers)]
    assert not who[1].any()


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


def test_drawn_paths_are_compared_with_mirror_images_too(footage: Footage) -> None:
    paths, generator = DrawnPaths(footage, 18, 3, seed=1), Generator().manual_seed(1)
    numbers, at, spec = *torch.zeros(2, 3, dtype=torch.int64), footage.context.spec
    images = 0
    for _ in range(8):
        drawn = paths.next(numbers, at, generator)
        numbers, at = drawn.numbers, drawn.at
        shown = drawn.like.controls[:, spec.history : spec.history + 18 : EVERY].flatten(1)
        distance, row = torch.cdist(shown, paths.known).min(1)
        assert distance.max() < 1e-3
        images += int((row >= len(paths.starts)).sum())
    assert 3 < images < 21


def test_recordings_like_drawn_motion_have_feet_as_far_apart(footage: Footage) -> None:
    numbers, at, x = *torch.zeros(2, 3, dtype=torch.int64), footage.context.encoding.slices["toe_x"]
    found = []
    for apart in (0.0, 0.02):
        paths, generator = DrawnPaths(footage, 18, 3, seed=1, apart=apart), Generator().manual_seed(1)
        likes = [paths.next(numbers, at + 18 * k, generator).like for k in range(8)]
        found.append(torch.cat([footage.context.physical_pose(like.poses)[..., x] for like in likes]))
    further = ((found[1] - found[0]) * torch.sign(footage.context.pose_mean[x])).flatten(1)
    moved = further.mean(1) > 0.01
    assert moved.any() and not moved.all()
    torch.testing.assert_close(further[moved], torch.full_like(further[moved], 0.02), atol=1e-6, rtol=0)
    assert further[~moved].abs().max() < 1e-6


def test_paths_in_a_style_are_compared_with_recordings_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moglow.training.drawn_paths.LEAST", 2)  # windows
    corpus = tiny_corpus()
    first, second = corpus.split("train")
    styled = replace(corpus, stretches=(replace(first, style="calm"), replace(second, style="brisk")))
    context = Context.of_corpus(replace(tiny_context().spec, usual="calm"), styled)
    footage = Footage(styled, context)
    paths, generator = DrawnPaths(footage, 18, 3, seed=1, styled=0.5), Generator().manual_seed(1)
    numbers, at = torch.zeros(2, 3, dtype=torch.int64)
    place, found = context.styles.index("brisk"), []
    for _ in range(30):
        drawn = paths.next(numbers, at, generator)
        numbers, at = drawn.numbers, drawn.at
        brisk = drawn.like.style[:, 0, place] == 1
        asked = drawn.labels[:, place] == 1
        assert (brisk | ~asked).all()
        torch.testing.assert_close(drawn.shown, drawn.labels * asked[:, None])
        found.append(asked)
    assert 0.2 < torch.cat(found).float().mean() < 0.8


def test_motion_that_begins_in_a_posture_is_judged_from_the_second_window_on(footage: Footage) -> None:
    made = trainer(footage, replace(SPEC, critic=replace(CRITIC, posed=1.0, drawn=0, going_on=0.0)))
    critics = made.criticism
    assert critics is not None
    window = critics.windows.recorded(0)
    motion = OwnMotion(critics.model, critics.context)
    scene = critics._scene(window, motion, None, Generator().manual_seed(1))
    posture = torch.as_tensor(critics.context.posture(scene.labels[:, 0]))
    torch.testing.assert_close(scene.start.history, posture[:, None].expand_as(scene.start.history))
    assert not scene.start.hidden.any() and not scene.judged.any()


def test_critics_see_postures_as_different_as_those_of_takes(footage: Footage) -> None:
    context, channel = footage.context, footage.context.encoding.slice("joints").start
    axes = np.zeros((len(context.styles), AXES, context.pose_dim), np.float32)
    axes[1, 0, channel] = 0.5
    posed = Footage(footage.corpus, replace(tiny_context(), posture_axes=axes))
    critics = trainer(posed).criticism
    assert critics is not None
    labels = torch.as_tensor(np.stack([context.style_vector(style) for style in context.styles])).repeat(
        500, 1
    )
    moved = critics._postures(labels, 20, Generator().manual_seed(1)).reshape(500, 2, 20, -1)
    assert not moved[:, 0].any()
    assert moved[:, 1, :, channel].std() == pytest.approx(0.5, rel=0.1)
    change = (moved[:, 1, -1, channel] - moved[:, 1, 0, channel]).std() / (19 / context.fps)
    assert change == pytest.approx(0.5 * (1 - HELD) ** 0.5 / SECONDS, rel=0.15)
