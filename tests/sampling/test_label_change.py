"""Changes of style in mid-motion: they arrive, they are smooth, and other figures do not notice them."""

from dataclasses import replace

import numpy as np
import pytest

from moglow.checkpoint import Checkpoint
from moglow.maths.rotations import Array
from moglow.paths.control_path import ControlPath
from moglow.sampling.generate import PRETRAINED
from moglow.sampling.label_change import LabelChange, change_length, hidden_length, relabelled, selected
from moglow.sampling.sampler import Sampler, Track

FRAMES, AT = 240, 100


@pytest.fixture(scope="module")
def shipped() -> Checkpoint:
    return Checkpoint.read(PRETRAINED)


def walk(*styles: str, fps: float = 30.0) -> ControlPath:
    """Returns a straight walk in the first style, and in the last one from frame `AT` on."""
    rows = np.tile([0.9, 0.0, 0.0], (FRAMES, 1))
    return ControlPath.from_velocities(rows, fps, styles=[styles[0]] * AT + [styles[-1]] * (FRAMES - AT))


def sampled(checkpoint: Checkpoint, *paths: ControlPath) -> Array:
    """Returns the poses ``(B, T, D)`` of paths that are sampled together, all with the same seed."""
    tracks = [Track(path, seed=3) for path in paths]
    return np.stack([poses for poses, _ in Sampler.of(checkpoint, temperature=0.6).sample(tracks)], axis=1)


def test_a_change_arrives_at_the_motion_of_the_new_style(shipped: Checkpoint) -> None:
    changed, former, new = sampled(shipped, walk("neutral", "athletic"), walk("neutral"), walk("athletic"))
    late = slice(AT + 2 * change_length(30.0), None)
    mean = shipped.context.standardize_pose(np.stack([each[late].mean(0) for each in (changed, former, new)]))
    assert np.linalg.norm(mean[0] - mean[2]) < 0.5 * np.linalg.norm(mean[0] - mean[1])


def test_motion_up_to_the_change_and_that_of_other_figures_is_the_same_to_the_bit(
    shipped: Checkpoint,
) -> None:
    alone = sampled(shipped, walk("neutral"))[0]
    changed, beside = sampled(shipped, walk("neutral", "carrying"), walk("neutral"))
    np.testing.assert_array_equal(beside, alone)
    np.testing.assert_array_equal(changed[:AT], alone[:AT])
    assert (changed[AT] != alone[AT]).any()


def test_poses_move_smoothly_through_a_change(shipped: Checkpoint) -> None:
    changed, plain = sampled(shipped, walk("neutral", "carrying"), walk("carrying"))
    moved = np.abs(np.diff(shipped.context.standardize_pose(np.stack([changed, plain])), axis=1)).max(-1)
    assert moved[0, AT - 5 : AT + 60].max() < 1.5 * moved[1].max()


def test_a_stream_changes_its_style_as_a_path_does(shipped: Checkpoint) -> None:
    path = walk("neutral", "carrying")
    assert path.styles is not None
    sampler = Sampler.of(shipped, temperature=0.6)
    streamed = np.stack([*sampler.stream(path.velocities(), seed=3, styles=path.styles)])
    np.testing.assert_array_equal(streamed, sampled(shipped, path)[0])


def test_a_change_begins_with_the_former_label_and_ends_with_the_new_one() -> None:
    labels, memory = np.eye(3, dtype=np.float32)[:2], (np.ones((4, 2, 5), np.float32),)
    change: LabelChange | None = LabelChange.of(labels, memory, 30.0).begun(
        np.array([True, False]), labels, memory
    )
    shares = []
    for frame in range(change_length(30.0) - 1):
        assert change is not None
        assert change.shown(2).tolist() == [[frame >= hidden_length(30.0)] * 2, [1, 1]]
        shares.append(change.share[:, 0])
        last, change = change, change.after(memory)
    assert change is not None and change.after(memory) is None and last.share[0] < 1
    first, second = np.transpose([*shares, change.share[:, 0]])
    assert 0 < first[0] < 0.02 and (np.diff(first) > 0).all() and first[-1] == 1 and (second == 1).all()


def test_a_second_change_starts_from_the_label_of_the_first(shipped: Checkpoint) -> None:
    context, labels = shipped.context, np.eye(3, dtype=np.float32)
    memory: tuple[Array, ...] = (np.ones((4, 1, 5), np.float32),)
    memory, change = relabelled(context, None, memory, labels[:1], labels[1:2])
    assert change is not None and not memory[0].any() and change.memory[0].all()
    change = change.after(change.memory)
    _, again = relabelled(context, change, memory, labels[1:2], labels[2:])
    assert again is not None and again.frames.tolist() == [0]
    np.testing.assert_array_equal(again.labels, labels[1:2])
    np.testing.assert_array_equal(again.memory[0], memory[0])


def test_a_model_without_flags_keeps_its_memory(shipped: Checkpoint) -> None:
    context = replace(shipped.context, spec=replace(shipped.context.spec, flags=False))
    labels, memory = np.eye(2, dtype=np.float32), (np.ones((4, 1, 5), np.float32),)
    assert relabelled(context, None, memory, labels[:1], labels[1:]) == (memory, None)


def test_memory_is_selected_by_figure_in_numpy_and_torch() -> None:
    torch = pytest.importorskip("torch")
    rows = np.array([True, False, True])
    ones, twos = np.ones((2, 3, 4), np.float32), np.full((2, 3, 4), 2, np.float32)
    for convert in (np.asarray, torch.as_tensor):
        (mixed,) = selected(rows, (convert(ones),), (convert(twos),))
        (emptied,) = selected(rows, None, (convert(twos),))
        assert np.asarray(mixed)[0, :, 0].tolist() == [1, 2, 1]
        assert np.asarray(emptied)[0, :, 0].tolist() == [0, 2, 0]
    assert selected(rows, (), ()) == ()
