"""Context and target: the paper's order and size; numpy equals torch; the target is invertible; parts are split."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from moglow.corpus.context import ARRAYS, Context
from moglow.corpus.context_spec import ContextSpec
from moglow.errors import ControlError, RecipeError
from moglow.maths.rotations import Array
from moglow.paths.control_path import ControlPath
from tests.support.tiny import CARRY, MOMENTUM, tiny_context, tiny_corpus

CLOSE = 1e-5  # float32, values about one


def pairs(poses: Array) -> Array:
    """Returns the two poses before each one (T − 2, 2, D)."""
    return np.stack([poses[:-2], poses[1:-1]], axis=1)


def window(context: Context, frames: int = 40) -> tuple[Array, Array]:
    """Returns standardised poses and controls of the first walk."""
    corpus = tiny_corpus()
    pose, control = corpus.pose[:frames], corpus.control[:frames]
    return context.standardize_pose(pose), context.standardize_control(control)


def test_the_papers_context_is_poses_then_controls_oldest_first() -> None:
    context = tiny_context(ContextSpec(styles=False))
    poses, controls = window(context)
    vector = context.build(poses[:10], controls[:11])
    np.testing.assert_array_equal(vector, np.concatenate([poses[:10].ravel(), controls[:11].ravel()]))
    assert vector.shape == (context.size,) == (10 * context.pose_dim + 33,)
    assert vector.dtype == np.float32


def test_flags_styles_and_lookahead_come_last() -> None:
    context = tiny_context()
    poses, controls = window(context)
    shown, style = np.array([1, 0, 1], np.float32), context.style_vector("calm")
    vector = context.build(poses[:3], controls[:6], style, shown)
    assert vector.shape == (context.size,)
    np.testing.assert_array_equal(vector[-5:], [1, 0, 1, 0, 1])  # flags, then "brisk", "calm"
    hidden = vector[: 3 * context.pose_dim].reshape(3, -1)
    np.testing.assert_array_equal(hidden[1], 0)
    np.testing.assert_array_equal(hidden[[0, 2]], poses[[0, 2]])
    np.testing.assert_array_equal(context.build(poses[:3], controls[:6], style)[-5:-2], 1)


def test_a_path_without_style_has_the_default_style() -> None:
    context = tiny_context(ContextSpec(history=3, usual="calm"))
    path = ControlPath.from_velocities(np.tile([1.0, 0, 0], (3, 1)), 20.0)
    assert context.style_or_default(None) == "calm" and context.style_or_default("brisk") == "brisk"
    assert list(context.styles_of(path)) == ["calm"]
    partly_styled = replace(path, styles=("brisk", "", "calm"))
    assert list(context.styles_of(partly_styled)) == ["brisk", "calm", "calm"]
    # Of a clip without a label nothing is known, whatever is usual.
    assert not context.style_vector(None).any()


def test_a_path_that_goes_sideways_has_its_own_default_style() -> None:
    context = tiny_context(ContextSpec(history=3, sideways="calm"))
    ahead, aside = (
        ControlPath.from_velocities(np.tile(each, (30, 1)), 20.0) for each in ([1.0, 0, 0], [0, 0.4, 0])
    )
    back = ControlPath.from_velocities(np.tile([-0.5, 0, 0], (30, 1)), 20.0)
    assert context.styles_of(back) == ("calm",)
    assert list(context.styles_of(ahead)) == [None] and context.styles_of(aside) == ("calm",)
    for steps, frames, expected in ((back, 20, [None]), (aside, 4, [None]), (aside, 15, ["calm"])):
        mixed = np.concatenate([ahead.velocities(), steps.velocities()[:frames]])
        assert list(context.styles_of(ControlPath.from_velocities(mixed, 20.0))) == expected
    styled = replace(aside, styles=("brisk",) * 30)
    assert tuple(context.styles_of(styled)) == styled.styles
    assert list(tiny_context().styles_of(aside)) == [None]
    with pytest.raises(RecipeError, match=r"\[context\] sideways: no style or performer 'calm '"):
        tiny_context(ContextSpec(history=3, sideways="calm "))


def test_an_unknown_style_is_refused() -> None:
    np.testing.assert_array_equal(tiny_context().style_vector(None), [0, 0])
    with pytest.raises(ControlError, match="did you mean 'calm'"):
        tiny_context().style_vector("clam")


def test_numpy_and_torch_agree_with_leading_axes_free() -> None:
    context = tiny_context()
    theirs = context.mapped(torch.as_tensor, torch)
    poses, controls = window(context)
    style = context.style_vector("brisk")
    windows = np.stack([poses[t : t + 3] for t in range(30)]).reshape(5, 6, 3, -1)
    steps = np.stack([controls[t : t + 6] for t in range(30)]).reshape(5, 6, 6, 3)
    styles = np.broadcast_to(style, (5, 6, 2))
    ours = context.build(windows, steps, styles)
    np.testing.assert_array_equal(ours[2, 3], context.build(windows[2, 3], steps[2, 3], style))
    tensors = [torch.as_tensor(np.array(array)) for array in (windows, steps, styles)]
    np.testing.assert_array_equal(theirs.build(*tensors).numpy(), ours)
    arguments = poses[2:], pairs(poses), controls[2:]
    target = theirs.to_target(*(torch.as_tensor(array) for array in arguments))
    np.testing.assert_allclose(target.numpy(), context.to_target(*arguments), atol=CLOSE)


@pytest.mark.parametrize("momentum", [{}, MOMENTUM])
def test_the_target_is_undone_and_has_unit_size(momentum: dict[str, float]) -> None:
    context = tiny_context(ContextSpec(history=3, lookahead=2, carry=CARRY, momentum=momentum))
    poses, controls = window(context)
    past = pairs(poses)
    target = context.to_target(poses[2:], past, controls[2:])
    assert target.dtype == np.float32
    np.testing.assert_allclose(context.from_target(target, past, controls[2:]), poses[2:], atol=CLOSE)
    first = 1 + bool(momentum)
    sizes = [
        np.square(context.to_target(pose[first:], pairs(pose) if momentum else pose[:-1, None], control[first:]))
        for stretch in tiny_corpus().split("train")
        for pose, control in [(
            context.standardize_pose(tiny_corpus().pose[stretch.frames]),
            context.standardize_control(tiny_corpus().control[stretch.frames]),
        )]
    ]  # fmt: skip
    moving = context.scale > 0.011
    assert moving.sum() > 10
    np.testing.assert_allclose(np.concatenate(sizes).mean(0)[moving], 1.0, atol=1e-3)


def test_momentum_is_the_correlation_of_successive_changes() -> None:
    corpus = tiny_corpus()
    momentum = tiny_context(
        ContextSpec(history=3, carry=CARRY, momentum={**MOMENTUM, "others": 1.0})
    ).momentum
    assert momentum[corpus.encoding.slice("hips_height")] > 0.5
    assert (
        (momentum >= 0).all() and (momentum <= 1).all() and not momentum[corpus.encoding.slice("toe_z")].any()
    )
    noise = np.random.default_rng(0).normal(size=corpus.pose.shape).astype(np.float32)
    trembling = Context.of_corpus(
        ContextSpec(history=3, carry=CARRY, momentum={**MOMENTUM, "others": 1.0}),
        replace(corpus, pose=corpus.pose + noise),
    )
    assert trembling.momentum.max() == 0


def test_a_standing_foot_has_residual_zero_and_the_paper_predicts_the_pose() -> None:
    context, corpus = tiny_context(), tiny_corpus()
    poses, controls = window(context)
    target = context.to_target(poses[2:], pairs(poses), controls[2:])
    slide = (target * context.scale * context.pose_deviation)[:, corpus.encoding.slice("toe_z")]
    standing = np.abs(slide) < 1e-4  # metres a frame
    assert 0.3 < standing.mean() < 0.8
    paper = tiny_context(ContextSpec())
    np.testing.assert_array_equal(paper.to_target(poses[2:], pairs(poses), controls[2:]), poses[2:])
    assert paper.log_scale == 0.0


def test_log_scale_is_the_logarithm_of_the_jacobian() -> None:
    context = tiny_context().mapped(lambda array: torch.as_tensor(array).double(), torch)
    poses, controls = (torch.as_tensor(array).double() for array in window(tiny_context()))

    def pose(target: torch.Tensor) -> torch.Tensor:
        back: torch.Tensor = context.from_target(target, poses[:2], controls[2])
        return back

    jacobian: Any = torch.autograd.functional.jacobian(pose, poses[2])  # type: ignore[no-untyped-call]
    assert torch.linalg.slogdet(jacobian)[1].item() == pytest.approx(tiny_context().log_scale, abs=1e-4)


def test_a_posture_is_the_mean_of_the_styles_training_poses() -> None:
    context, corpus = tiny_context(), tiny_corpus()
    for style in context.styles:
        poses = [corpus.features(s).pose for s in corpus.split("train") if s.style == style]
        mean = context.standardize_pose(np.concatenate(poses)).mean(0)
        np.testing.assert_allclose(context.posture(context.style_vector(style)), mean, atol=CLOSE)
    np.testing.assert_array_equal(context.posture(context.style_vector(None)), 0)
    held_out = replace(
        corpus,
        stretches=tuple(replace(s, split="val" if s.style == "calm" else s.split) for s in corpus.stretches),
    )
    unseen = Context.of_corpus(ContextSpec(history=3), held_out)
    np.testing.assert_array_equal(unseen.posture(unseen.style_vector("calm")), 0)
    assert np.any(unseen.posture(unseen.style_vector("brisk")))
    arrays, table = context.to_parts()
    del arrays["postures"]  # as checkpoints once were
    assert not np.any(Context.from_parts(arrays, table, "test").postures)


def test_parts_are_split_again() -> None:
    context = tiny_context()
    arrays, table = context.to_parts()
    back = Context.from_parts(arrays, table, "test")
    assert (back.spec, back.fps, back.styles) == (context.spec, context.fps, context.styles)
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(back, name), getattr(context, name))
    poses, controls = window(context)
    arguments = poses[2:], pairs(poses), controls[2:]
    np.testing.assert_array_equal(back.to_target(*arguments), context.to_target(*arguments))


@pytest.mark.parametrize(
    "change",
    [
        {"history": 4},
        {"lookahead": 1},
        {"flags": False},
        {"styles": False},
        {"carry": {"others": 0.5}},
        {"momentum": {}},
    ],
)
def test_no_field_is_dead(change: dict[str, Any]) -> None:
    spec: dict[str, Any] = {
        "history": 3,
        "lookahead": 2,
        "flags": True,
        "carry": CARRY,
        "momentum": MOMENTUM,
    } | change
    before, after = tiny_context(), tiny_context(ContextSpec(**spec))
    assert after.size != before.size or not np.array_equal(before.scale, after.scale)


def test_nonsense_is_refused() -> None:
    with pytest.raises(RecipeError, match="no channels 'toe_hight'; did you mean 'toe_height'"):
        tiny_context(ContextSpec(carry={"toe_hight": 1.0}))
    with pytest.raises(
        RecipeError, match="momentum: toe_x is above 0, but the path's step moves it; give it 0"
    ):
        tiny_context(ContextSpec(momentum={"others": 0.5, "toe_x": 0.1}))
    for wrong in (
        {"history": 0},
        {"lookahead": -1},
        {"carry": {"others": 1.5}},
        {"momentum": {"others": 1.5}},
        {"momentum": MOMENTUM, "history": 1},
    ):
        with pytest.raises(ValueError):
            ContextSpec(**wrong)
