"""Windows: cut at the right frames, augmented correctly, the same for any number of processes; every field matters."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from moglow.corpus.context import Context
from moglow.corpus.context_spec import ContextSpec
from moglow.corpus.misplaced_feet import BACK
from moglow.corpus.other_bodies import FEET
from moglow.corpus.shifted_feet import RAISED, sampled_offsets
from moglow.corpus.window import Window
from moglow.corpus.window_order import Cuts
from moglow.corpus.window_spec import WindowSpec
from moglow.corpus.windows import Footage, Windows, repeats
from moglow.errors import RecipeError, TrainingError
from moglow.maths.rotations import Array
from tests.support.tiny import tiny_context, tiny_corpus

CLOSE = 1e-5  # float32, values about one
K, L, T = 3, 2, 10
SPEC = WindowSpec(length=T, dequantise=1e-3, history_noise={"others": 0.01}, pose_dropout=0.5)
PLAIN = WindowSpec(length=T, dequantise=0.0, pose_dropout=0.0, style_dropout=0.0)


@pytest.fixture(scope="module")
def footage() -> Footage:
    return Footage(tiny_corpus(), tiny_context())


def windows(footage: Footage, spec: WindowSpec = SPEC, **changes: Any) -> Windows:
    arguments: dict[str, Any] = {"split": "train", "batch": 6, "seed": 1} | changes
    return Windows(footage, spec, **arguments)


def fields(window: Window) -> dict[str, torch.Tensor]:
    return {name: getattr(window, name) for name in Window.__dataclass_fields__}


def cut(footage: Footage, start: int, *, mirror: bool = False, reverse: bool = False) -> tuple[Array, Array]:
    """Returns poses and controls of one bare window, standardised."""
    cuts = Cuts(*(torch.tensor([value]) for value in (start, mirror, reverse, True, 0)))
    window = footage.cut(cuts, K, T, L)
    return window.poses[0].numpy(), window.controls[0].numpy()


def test_a_window_is_a_part_of_the_corpus(footage: Footage) -> None:
    corpus, context = tiny_corpus(), tiny_context()
    poses, controls = cut(footage, 5)
    np.testing.assert_allclose(poses, context.standardize_pose(corpus.pose[5 : 5 + K + T]), atol=CLOSE)
    np.testing.assert_allclose(controls, context.standardize_control(corpus.control[5:20]), atol=CLOSE)


def test_mirror_and_reverse_are_those_of_the_features(footage: Footage) -> None:
    corpus, context = tiny_corpus(), tiny_context()
    stretch = corpus.stretches[0]
    features, frames = corpus.features(stretch), len(stretch)
    mirrored = features.mirrored(corpus.encoding)
    poses, controls = cut(footage, 5, mirror=True)
    np.testing.assert_allclose(poses, context.standardize_pose(mirrored.pose[5 : 5 + K + T]), atol=CLOSE)
    np.testing.assert_allclose(controls, context.standardize_control(mirrored.control[5:20]), atol=CLOSE)
    backward = features.reversed()
    for start in (2, 5, frames - K - T):
        at = frames - K - T - start  # where the reversed window begins in the reversed clip
        poses, controls = cut(footage, start, reverse=True)
        np.testing.assert_allclose(
            poses, context.standardize_pose(backward.pose[at : at + K + T]), atol=CLOSE
        )
        expected = context.standardize_control(backward.control[at : at + 15])
        np.testing.assert_allclose(controls, expected, atol=CLOSE)


def test_context_and_target_are_those_of_single_frames(footage: Footage) -> None:
    context = tiny_context()
    window = windows(footage).batch(0)
    vectors, targets = window.context(footage.context), window.target(footage.context)
    assert vectors.shape == (6, T, context.size) and targets.shape == (6, T, context.pose_dim)
    row, t = 2, 4
    history, controls = window.history[row].numpy(), window.controls[row].numpy()
    style, shown = window.style[row, t].numpy(), window.shown[row, t].numpy()
    one = context.build(history[t : t + K], controls[t : t + K + 1 + L], style, shown)
    np.testing.assert_allclose(vectors[row, t].numpy(), one, atol=CLOSE)
    pose = window.poses[row, t + K].numpy()
    target = context.to_target(pose, history[t : t + K], controls[t + K])
    np.testing.assert_allclose(targets[row, t].numpy(), target, atol=1e-3)  # divided by small scales


@pytest.mark.parametrize("order", ["shuffled", "consecutive"])
def test_only_clips_that_go_aside_are_reversed(order: str) -> None:
    corpus = tiny_corpus()
    first, second, *_ = corpus.stretches
    control = np.array(corpus.control)
    control[second.frames] = control[second.frames][:, [1, 0, 2]]  # forward becomes sideways
    footage = Footage(replace(corpus, control=control), tiny_context())
    spec = replace(PLAIN, order=order)
    for aside in (False, True):
        order_of = windows(footage, replace(spec, reverse_aside=aside), batch=3).orders[T]
        cuts = [order_of.cuts(step) for step in range(12)]
        starts, reverse = (torch.cat([getattr(each, name) for each in cuts]) for name in ("start", "reverse"))
        assert set(reverse[starts >= second.start].tolist()) == {False, True}
        assert set(reverse[starts < first.stop].tolist()) == ({False} if aside else {False, True})


def test_a_batch_is_a_function_of_its_number(footage: Footage) -> None:
    first, again, other = (windows(footage).batch(n) for n in (3, 3, 4))
    for name, tensor in fields(first).items():
        assert torch.equal(tensor, fields(again)[name])
    assert not torch.equal(first.poses, other.poses)
    assert not torch.equal(first.poses, windows(footage, seed=2).batch(3).poses)


@pytest.mark.parametrize("order", ["shuffled", "consecutive"])
def test_the_rows_of_all_processes_are_the_global_batch(footage: Footage, order: str) -> None:
    spec = replace(SPEC, order=order)
    whole = windows(footage, spec, batch=4).batch(2)
    parts = [windows(footage, spec, batch=4, rank=rank, ranks=2).batch(2) for rank in range(2)]
    for name, tensor in fields(whole).items():
        assert torch.equal(tensor, torch.cat([fields(part)[name] for part in parts])), name
    with pytest.raises(TrainingError, match="cannot be shared by 3 processes"):
        windows(footage, batch=4, ranks=3)


def test_epochs_contain_every_training_frame_and_no_other(footage: Footage) -> None:
    corpus = tiny_corpus()
    order = windows(footage, PLAIN, batch=5).orders[T]
    epochs = 20 * len(windows(footage, PLAIN, batch=5))
    cuts = [order.cuts(n).start.numpy() for n in range(epochs)]
    seen = {frame for start in np.concatenate(cuts) for frame in range(start, start + K + T)}
    assert seen == {frame for s in corpus.split("train") for frame in range(s.start, s.stop)}
    clean = windows(footage, SPEC.clean(), split="val", batch=5)
    held_out = corpus.split("val")[0]
    listed = clean.orders[T]
    starts = np.concatenate([listed.cuts(n).start.numpy() for n in range(len(clean))])
    assert len(starts) == listed.windows == len(set(starts))
    assert starts.min() == held_out.start and starts.max() + K + T == held_out.stop


def test_a_lookahead_past_its_clip_holds_the_last_control(footage: Footage) -> None:
    stretch = tiny_corpus().stretches[0]
    for start, reverse in ((stretch.stop - K - T, False), (stretch.start, True)):
        _, controls = cut(footage, start, reverse=reverse)
        np.testing.assert_array_equal(controls[K + T :], np.repeat(controls[K + T - 1 : K + T], L, axis=0))


def test_clips_too_short_for_a_window_are_in_separate_batches(footage: Footage) -> None:
    corpus = tiny_corpus()
    long, *others = corpus.split("train")
    brief = replace(long, stop=long.start + K + 6)
    footage = Footage(replace(corpus, stretches=(brief, *others)), tiny_context())
    spec = replace(PLAIN, length=T, short=6, short_share=0.25)
    cutting = windows(footage, spec)
    assert cutting.used == cutting.total > windows(footage, replace(spec, short=0)).used
    frames = [cutting.batch(step).shown.shape[1] for step in range(8)]
    assert frames == 2 * [spec.length, spec.length, spec.length, spec.short]
    listed = windows(footage, replace(spec, order="listed"))
    frames = [listed.batch(step).shown.shape[1] for step in range(len(listed))]
    assert frames == sorted(frames, reverse=True) and set(frames) == {spec.length, spec.short}
    going = windows(footage, replace(spec, order="consecutive"), batch=2)
    assert [going.goes_on(step) for step in range(4)] == [True, True, True, False]
    assert going.batch(3).fresh.all()


def test_a_share_of_windows_forgets(footage: Footage) -> None:
    spec = replace(PLAIN, order="consecutive")
    kept, forgot = (
        torch.stack(
            [windows(footage, replace(spec, forget=share), batch=3).batch(n).fresh for n in range(200)]
        )
        for share in (0.0, 0.5)
    )
    assert (forgot >= kept).all()
    assert abs(float(forgot[kept == 0].mean()) - 0.5) < 0.1
    with pytest.raises(ValueError, match="no shuffled window has a memory"):
        replace(PLAIN, forget=0.5)


def test_consecutive_rows_go_on_where_they_ended(footage: Footage) -> None:
    order = windows(footage, replace(PLAIN, order="consecutive"), batch=3).orders[T]
    continued = 0
    for step in range(12):
        before, after = order.cuts(step), order.cuts(step + 1)
        for row in range(3):
            if after.fresh[row]:
                continue
            continued += 1
            ahead = -T if before.reverse[row] else T
            assert after.start[row] == before.start[row] + ahead
            assert after.reverse[row] == before.reverse[row] and after.mirror[row] == before.mirror[row]
    assert continued > 12
    assert order.cuts(0).fresh.all()
    with pytest.raises(TrainingError, match=r"lower training\.batch"):
        windows(footage, replace(PLAIN, order="consecutive"), batch=1000).batch(0)


@pytest.mark.parametrize(
    "change",
    [
        {"length": 9}, {"overlap": 0.2}, {"order": "consecutive"}, {"mirror": False}, {"reverse": False},
        {"dequantise": 2e-3}, {"history_noise": {"others": 0.02}}, {"pose_dropout": 0.9}, {"dropout_windows": 0.5},
        {"dropout_drawn": True}, {"dropout_shared": True}, {"style_dropout": 0.9},
        {"order": "consecutive", "forget": 0.5}, {"misplaced": 1.0}, {"misplaced": 1.0, "misplaced_by": 0.3},
        {"other_body": 1.0}, {"shifted": 1.0}, {"shifted": 1.0, "shifted_by": 0.3},
    ],
)  # fmt: skip
def test_no_field_is_dead(footage: Footage, change: dict[str, Any]) -> None:
    before = fields(windows(footage).batch(0))
    after = fields(windows(footage, replace(SPEC, **change)).batch(0))
    assert any(not torch.equal(before[name], after[name]) for name in before)


def test_dropout_hides_the_stated_share(footage: Footage) -> None:
    def hidden(**changes: Any) -> torch.Tensor:
        spec = replace(PLAIN, pose_dropout=0.6, **changes)
        return 1 - windows(footage, spec, batch=2000).batch(0).shown

    assert hidden().mean().item() == pytest.approx(0.6, abs=0.01)
    half = hidden(dropout_windows=0.5)
    assert (half.mean((1, 2)) == 0).float().mean().item() == pytest.approx(0.5, abs=0.05)
    sampled = hidden(dropout_drawn=True)
    assert sampled.mean().item() == pytest.approx(0.3, abs=0.02)
    assert sampled.mean((1, 2)).std() > 0.15
    shared = hidden(dropout_shared=True)
    assert torch.equal(shared[:, 1:, 0], shared[:, :-1, 1])  # frame t + 1 at lag k is frame t at lag k − 1
    assert shared.mean().item() == pytest.approx(0.6, abs=0.01)
    styles = windows(footage, replace(PLAIN, style_dropout=0.3), batch=2000).batch(0).style
    assert (styles[:, 0].sum(-1) == 0).float().mean().item() == pytest.approx(0.3, abs=0.03)


def test_balance_repeats_rare_styles() -> None:
    """An epoch contains the stretches of a style by the power of its duration, and batches follow."""
    stretches = [replace(tiny_corpus().stretches[0], style=name) for name in ("a",) * 16 + ("b",) * 4 + ("",)]
    assert repeats(stretches, 0.0) == {"a": 1, "b": 1, "": 1}
    assert repeats(stretches, 0.5) == {"a": 1, "b": 2, "": 4}
    assert repeats(stretches, 1.0) == {"a": 1, "b": 4, "": 16}
    corpus = tiny_corpus()
    rare, *others = corpus.split("train")
    uneven = replace(
        corpus,
        stretches=(
            replace(rare, style="rare", stop=rare.start + 30),
            *(replace(o, style="a") for o in others),
        ),
    )
    context = Context.of_corpus(ContextSpec(), uneven)
    plain, balanced = (
        windows(Footage(uneven, context), replace(PLAIN, balance=balance)) for balance in (0.0, 1.0)
    )
    assert balanced.used == plain.used and len(balanced) > len(plain)


def test_misplaced_feet_come_back(footage: Footage) -> None:
    """Only feet are moved; a raised one comes down within the window, and one far off ends where it was recorded."""
    long = replace(PLAIN, length=30)
    plain, moved = (
        windows(footage, spec, batch=64).batch(0) for spec in (long, replace(long, misplaced=0.5))
    )
    context, slices = footage.context, footage.context.encoding.slices
    apart = context.physical_pose(moved.poses) - context.physical_pose(plain.poses)
    feet = [slices[name] for name in ("toe_x", "toe_z", "toe_height")]
    others = torch.ones(apart.shape[-1], dtype=torch.bool)
    for part in feet:
        others[part] = False
    assert apart[..., others].abs().max() == 0
    changed = (apart.abs().amax((1, 2)) > 0).float().mean().item()
    assert changed == pytest.approx(0.5 * 0.75, abs=0.2)  # each of two feet with a chance of a half
    x, z, height = (apart[..., part] for part in feet)
    assert height[:, 0].max() > 0.1 and height[:, -1].abs().max() < 0.01 and height.min() > -1e-5
    far = (x[:, 0] ** 2 + z[:, 0] ** 2).sqrt() > 0.15
    left = (x[:, -1] ** 2 + z[:, -1] ** 2).sqrt()
    assert far.any() and left[far].max() < 0.01
    torch.testing.assert_close(moved.history, moved.poses)


def test_shifted_feet_return_when_raised(footage: Footage) -> None:
    """The history is off by a constant of the clip; planted feet stay, raised ones lose a part of it in a frame."""
    long = replace(PLAIN, order="consecutive")
    plain, moved = (windows(footage, spec, batch=3) for spec in (long, replace(long, shifted=1.0)))
    context, slices = footage.context, footage.context.encoding.slices
    x, height = slices["toe_x"], slices["toe_height"]
    seen: set[float] = set()
    last, continued = torch.zeros(3, 1, 2), 0
    raised = 0
    for step in range(12):
        before, after = plain.batch(step), moved.batch(step)
        history = context.physical_pose(after.history) - context.physical_pose(before.history)
        target = context.physical_pose(after.poses) - context.physical_pose(before.poses)
        others = torch.ones(history.shape[-1], dtype=torch.bool)
        others[x] = False
        assert history[..., others].abs().max() == 0
        others[slices["toe_z"]] = False
        assert target[..., others].abs().max() == 0
        offset = history[:, :1, x]
        torch.testing.assert_close(history[..., x], offset.expand_as(history[..., x]), atol=1e-6, rtol=0)
        going_on = ~before.fresh.bool()
        continued += int(going_on.sum())
        torch.testing.assert_close(offset[going_on], last[going_on], atol=1e-6, rtol=0)
        last = offset
        seen |= set(offset.abs().flatten().round(decimals=4).tolist())
        heights = context.physical_pose(before.poses)[..., height]
        high = heights > heights.amin(1, keepdim=True) + RAISED
        kept = torch.where(high, 1 - 1 / (BACK * context.fps), 1.0)
        there, here = (
            context.physical_pose(context.carried(window.history[:, :-1], window.controls[:, 1 : K + T]))
            for window in (after, before)
        )
        for part in (x, slices["toe_z"]):
            stays = (there - here)[..., part]
            torch.testing.assert_close(target[:, 1:, part], kept[:, 1:] * stays, atol=1e-6, rtol=0)
        raised += int(high.sum())
    assert continued > 12 and raised and len(seen) > 3 and max(seen) <= 0.18


def test_only_feet_of_walks_ahead_are_shifted() -> None:
    corpus = tiny_corpus()
    ahead, aside = np.array(corpus.control), np.array(corpus.control)
    ahead[:, 0], aside[:, 0] = 1.0, 0.1
    for control, shifted in ((ahead, True), (aside, False)):
        each = replace(corpus, control=control)
        footage = Footage(each, Context.of_corpus(ContextSpec(), each))
        plain, moved = (windows(footage, spec).batch(0) for spec in (PLAIN, replace(PLAIN, shifted=1.0)))
        assert torch.equal(plain.history, moved.history) is not shifted


def test_the_default_performer_walks_with_feet_further_apart() -> None:
    corpus = tiny_corpus()
    ahead, aside = np.array(corpus.control), np.array(corpus.control)
    ahead[:, 0], aside[:, 0] = 1.0, 0.1
    stretches = tuple(
        replace(each, performer="ann" if k else "bob") for k, each in enumerate(corpus.stretches)
    )
    metres: set[float] = set()
    for control in (ahead, aside):
        each = replace(corpus, control=control, stretches=stretches)
        footage = Footage(each, Context.of_corpus(ContextSpec(performers=True, performer="ann"), each))
        plain, moved = (windows(footage, spec).recorded(0) for spec in (PLAIN, replace(PLAIN, apart=0.02)))
        context, x = footage.context, footage.context.encoding.slices["toe_x"]
        further = context.physical_pose(moved.poses) - context.physical_pose(plain.poses)
        outwards = further[..., x] * torch.sign(context.pose_mean[x])
        assert footage.default_performer is not None
        own = (plain.style[:, 0, : len(context.performers)] * footage.default_performer).sum(-1)
        expected = (0.02 * own * (control is ahead))[:, None, None].expand_as(outwards)
        torch.testing.assert_close(outwards, expected, atol=1e-6, rtol=0)
        torch.testing.assert_close(moved.history, moved.poses)
        metres |= set(expected.flatten().tolist())
    assert len(metres) == 2


def test_shifted_clips_have_the_stated_share() -> None:
    passages = torch.arange(2000)
    offsets = sampled_offsets(passages, 2, 0.6, 0.18, seed=0)
    assert (offsets != 0).any(1).float().mean().item() == pytest.approx(0.6, abs=0.03)
    alike = offsets[:, 0] == offsets[:, 1]
    assert alike[(offsets != 0).any(1)].float().mean().item() == pytest.approx(0.5, abs=0.04)
    assert offsets.abs().max() <= 0.18
    assert torch.equal(offsets, sampled_offsets(passages, 2, 0.6, 0.18, seed=0))


def test_another_body_above_the_feet_becomes_the_own_one(footage: Footage) -> None:
    long = replace(PLAIN, length=30)
    plain, blended = (
        windows(footage, spec, batch=64).batch(0) for spec in (long, replace(long, other_body=0.5))
    )
    feet = torch.zeros(plain.poses.shape[-1], dtype=torch.bool)
    for group in FEET:
        feet[footage.context.encoding.slice(group)] = True
    apart = (blended.poses - plain.poses).abs()
    assert apart[..., feet].max() == 0 and feet.any()
    changed = apart.amax((1, 2)) > 0
    assert changed.float().mean().item() == pytest.approx(0.5, abs=0.15)
    first, last = apart[:, 0].amax(-1), apart[:, -1].amax(-1)
    assert first.max() > 0.3 and last.max() < 0.02 * first.max()
    # Neither the last past frame nor the first ones to predict leap.
    steps = (blended.poses - plain.poses).diff(dim=1).abs().amax((0, 2))
    assert steps[K : K + 3].max() < 0.5 * first.max()
    assert (blended.fresh >= plain.fresh).all() and (blended.fresh[~changed] == plain.fresh[~changed]).all()
    shared = [
        Windows(
            footage, replace(long, other_body=0.5), split="train", batch=64, seed=0, rank=rank, ranks=2
        ).batch(0)
        for rank in range(2)
    ]
    whole = Windows(footage, replace(long, other_body=0.5), split="train", batch=64, seed=0).batch(0)
    torch.testing.assert_close(torch.cat([each.poses for each in shared]), whole.poses)


def test_a_clip_is_labelled_in_all_its_windows_or_in_none(footage: Footage) -> None:
    """Half of two clips in a style is one; the seed determines which; every style keeps at least one."""
    corpus = tiny_corpus()
    alike = replace(corpus, stretches=tuple(replace(each, style="calm") for each in corpus.stretches))
    both = Footage(alike, Context.of_corpus(footage.context.spec, alike))
    chosen = set()
    for seed in range(8):
        batches = Windows(both, replace(PLAIN, labelled=0.5), split="train", batch=100, seed=seed)
        labelled = batches.batch(0).style[:, 0].sum(-1) > 0
        (name,) = alike.labelled("train", 0.5, seed=seed)
        first = batches.orders[T].cuts(0).start < alike.stretches[1].start
        assert torch.equal(labelled, first if name == "a" else ~first) and 0 < labelled.sum() < 100
        chosen.add(name)
    assert chosen == {"a", "b"}
    assert windows(footage, replace(PLAIN, labelled=0.01)).batch(0).style.sum(-1).min() == 1


def test_a_clip_without_a_style_may_be_in_any(footage: Footage) -> None:
    corpus = tiny_corpus()
    plain = replace(corpus, stretches=tuple(replace(s, style=s.style[:-4]) for s in corpus.stretches))
    assert plain.styles == ("b",)  # "brisk" without its end, and of "calm" nothing is left
    style = Windows(
        Footage(plain, Context.of_corpus(footage.context.spec, plain)),
        PLAIN,
        split="train",
        batch=100,
        seed=1,
    ).batch(0)
    assert set(style.style.flatten().tolist()) == {0.0, 1.0}


def test_noise_has_the_stated_size(footage: Footage) -> None:
    spec = replace(PLAIN, dequantise=0.01, history_noise={"others": 0.03})
    bare, noisy = windows(footage, PLAIN, batch=500).batch(0), windows(footage, spec, batch=500).batch(0)
    assert (noisy.poses - bare.poses).std().item() == pytest.approx(0.01, rel=0.05)
    assert (noisy.history - noisy.poses).std().item() == pytest.approx(0.03, rel=0.05)


def test_noise_is_given_by_groups_of_channels(footage: Footage) -> None:
    group, *_ = footage.corpus.encoding.chart.groups
    spec = replace(PLAIN, history_noise={group: 0.05})
    window = windows(footage, spec, batch=500).batch(0)
    noise, noisy = window.history - window.poses, footage.corpus.encoding.slice(group)
    assert noise[..., noisy].std().item() == pytest.approx(0.05, rel=0.05)
    noise[..., noisy] = 0
    assert not noise.any()
    with pytest.raises(RecipeError, match=r"history_noise: no channels 'toes'"):
        windows(footage, replace(PLAIN, history_noise={"toes": 0.05}))


def test_nonsense_is_refused(footage: Footage) -> None:
    for wrong in (
        {"length": 0},
        {"overlap": 1.0},
        {"order": "random"},
        {"pose_dropout": 2.0},
        {"labelled": 1.1},
        {"dequantise": -1.0},
        {"history_noise": {"others": -1.0}},
    ):
        with pytest.raises(ValueError):
            WindowSpec(**wrong)
    with pytest.raises(TrainingError, match=r"longest has 71; lower training\.windows\.length"):
        windows(footage, replace(SPEC, length=70))


def test_the_papers_shape() -> None:
    context = tiny_context(ContextSpec(styles=False))
    footage = Footage(tiny_corpus(), context)
    batch = Windows(footage, replace(PLAIN, length=60), split="train", batch=2, seed=1).batch(0)
    assert batch.context(footage.context).shape == (2, 60, 10 * context.pose_dim + 33)
