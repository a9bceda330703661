"""Laws of control paths: velocities integrate back, reversal and mirroring are linear in them."""

from pathlib import Path

import numpy as np
import pytest

from moglow.bvh.read import read_bvh
from moglow.errors import ControlError
from moglow.maths.rotations import Array, heading_to_quat, quat_rotate
from moglow.motion.clip import Clip
from moglow.motion.skeleton import Skeleton
from moglow.paths.control_path import ControlPath

EXACT = 1e-9
MILLIMETRE = 1e-3


def wander(*, frames: int = 300, fps: float = 30.0, seed: int = 0) -> ControlPath:
    """Walks about, turns, steps sideways and backward: sums of slow waves with random phases."""
    generator = np.random.default_rng(seed)
    time = np.arange(frames)[:, None, None] / fps
    rate, phase = generator.uniform(0.2, 1.5, (2, 3, 4))
    waves = np.sin(rate * time + 4 * phase).sum(-1) / 2
    velocities = waves * [1.0, 0.4, 0.8] + [0.6, 0.0, 0.1]
    return ControlPath.from_velocities(velocities, fps, start=(1.0, -2.0, 0.7), styles=["calm"] * frames)


def positions_apart(a: ControlPath, b: ControlPath) -> float:
    return float(np.linalg.norm(a.positions - b.positions, axis=-1).max())


def test_velocities_integrate_back() -> None:
    path = wander()
    back = ControlPath.from_velocities(path.velocities(), path.fps, start=(1.0, -2.0, 0.7))
    assert positions_apart(back, path) < EXACT
    assert np.allclose(back.headings, path.headings, atol=EXACT)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_control_of_a_clip_integrates_back_over_five_minutes(dtype: type) -> None:
    fps, truth = 30.0, wander(frames=9001)
    skeleton = Skeleton(("Hips", "Spine"), (-1, 0), np.array([[0, 0.9, 0], [0, 0.5, 0]]))
    clip = Clip.at_rest(skeleton, frames=len(truth), fps=fps)
    ground, turns = truth.frames()
    clip.positions[:, 0] = ground + np.array([0, 0.9, 0])
    clip.rotations[:, 0] = turns
    path = ControlPath.from_clip(clip)
    stored: Array = path.velocities().astype(dtype)
    start = (float(path.positions[0, 0]), float(path.positions[0, 1]), float(path.headings[0]))
    back = ControlPath.from_velocities(stored, fps, start=start)
    assert path.duration == 300.0 and path.length > 100
    assert positions_apart(back, path) < MILLIMETRE


def test_a_reversed_path_has_the_negated_velocities_one_row_later() -> None:
    path = wander()
    assert np.allclose(path.reversed().velocities()[1:], -path.velocities()[:0:-1], atol=EXACT)


def test_a_mirrored_path_has_sideways_and_turn_negated() -> None:
    path = wander()
    assert np.allclose(path.mirrored().velocities(), path.velocities() * [1, -1, -1], atol=EXACT)
    assert positions_apart(path.mirrored().mirrored(), path) == 0


def test_moving_a_path_leaves_its_velocities_unchanged() -> None:
    path = wander()
    moved = path.moved((3.0, -5.0), heading=np.pi / 2)
    assert np.allclose(moved.velocities(), path.velocities(), atol=EXACT)
    assert np.allclose(moved.at_origin().positions[0], 0, atol=EXACT)
    assert positions_apart(moved.at_origin(), path.at_origin()) < EXACT


def test_forward_is_where_the_heading_looks_and_left_is_positive() -> None:
    for heading in (0.0, 0.5, -2.0):
        sideways = ControlPath.from_velocities([[0.0, 1.0, 0.0]] * 2, 1.0, start=(0, 0, heading))
        left = quat_rotate(heading_to_quat(heading), [1.0, 0.0, 0.0])
        assert np.allclose(sideways.frames()[0][1], left, atol=EXACT)
    turning = ControlPath.from_velocities([[1.0, 0.0, 0.3]] * 4, 1.0)
    assert turning.positions[-1, 0] > 0  # a turn to the left of +Z leads to +X


def test_frames_stand_on_the_path() -> None:
    positions, rotations = wander().frames()
    velocity = wander().velocities()
    step = quat_rotate(rotations[10] * [1, 0, -1, 0], positions[11] - positions[10]) * 30.0
    assert np.all(positions[:, 1] == 0)
    assert np.allclose(step[[2, 0]], velocity[11, :2], atol=0.05)


def test_headings_are_unwrapped() -> None:
    wrapped = ControlPath(np.zeros((4, 2)), np.array([3.0, 3.1, -3.1, -3.0]), 30.0)
    assert np.allclose(np.diff(wrapped.headings), [0.1, 2 * np.pi - 6.2, 0.1])


def circle(fps: float) -> ControlPath:
    """Returns a path of eight seconds at 1.2 m/s around a circle of 2 m."""
    angle = 0.6 * np.arange(int(8 * fps) + 1) / fps
    return ControlPath(2 * np.stack([1 - np.cos(angle), np.sin(angle)], axis=-1), angle, fps)


@pytest.mark.parametrize("fps", [20.0, 25.0, 60.0, 120.0])
def test_resampling_keeps_the_path(fps: float) -> None:
    path, truth = circle(30.0).resample(fps), circle(fps)
    assert len(path) == len(truth) and positions_apart(path, truth) < MILLIMETRE
    assert np.allclose(path.headings, truth.headings, atol=MILLIMETRE)


def test_resampling_up_and_down_again_is_exact_at_the_frames() -> None:
    assert positions_apart(wander().resample(120.0).resample(30.0), wander()) < EXACT


def test_slicing_and_joining_give_the_path_again() -> None:
    path = wander()
    joined = path[:101].then(path[100:])
    assert len(joined) == len(path) and joined.styles == path.styles
    assert positions_apart(joined, path) < EXACT


def test_smoothing_removes_the_sway_and_keeps_the_ends() -> None:
    skeleton = Skeleton(("Hips", "Spine"), (-1, 0), np.array([[0, 0.9, 0], [0, 0.5, 0]]))
    clip = Clip.at_rest(skeleton, frames=150, fps=30.0)
    clip.positions[:, 0, 2] = 1.2 * clip.times
    clip.positions[:, 0, 0] = 0.03 * np.sin(2 * np.pi * clip.times)
    path = ControlPath.from_clip(clip)
    assert np.abs(path.positions[30:-30, 0]).max() < 0.01
    assert np.allclose(path.positions[[0, -1]], clip.ground_positions()[[0, -1]], atol=EXACT)
    assert np.allclose(path.positions[:, 1], clip.ground_positions()[:, 1], atol=EXACT)


def test_one_frame_is_a_path() -> None:
    path = ControlPath.standing(1, 30.0)
    assert path.velocities().tolist() == [[0, 0, 0]] and len(path.resample(60.0)) == 1


@pytest.mark.parametrize(
    ("positions", "headings", "fps", "styles", "message"),
    [
        (np.zeros((3, 2)), np.zeros(4), 30.0, None, "expected"),
        (np.zeros((0, 2)), np.zeros(0), 30.0, None, "no frames"),
        (np.zeros((3, 2)), np.zeros(3), 0.0, None, "positive rate"),
        (np.full((3, 2), np.nan), np.zeros(3), 30.0, None, "not finite"),
        (np.zeros((3, 2)), np.zeros(3), 30.0, ("a",), "1 styles for 3 frames"),
    ],
)
def test_broken_paths_are_refused(
    positions: Array, headings: Array, fps: float, styles: tuple[str, ...] | None, message: str
) -> None:
    with pytest.raises(ControlError, match=message):
        ControlPath(positions, headings, fps, styles)


@pytest.mark.parametrize("subset", ["open_cmu69", "open_cmu_120fps", "open_snu_walk", "nc_bandai2"])
def test_the_controls_of_real_clips_integrate_back(shared_data: Path, subset: str) -> None:
    """The longest clip of each source, through float32 as a corpus stores it."""
    file = max((shared_data / "locomotion" / subset).glob("*.bvh"), key=lambda path: path.stat().st_size)
    clip = read_bvh(file)
    path = ControlPath.from_clip(clip)
    start = (float(path.positions[0, 0]), float(path.positions[0, 1]), float(path.headings[0]))
    back = ControlPath.from_velocities(path.velocities().astype(np.float32), path.fps, start=start)
    assert positions_apart(back, path) < MILLIMETRE
    assert np.linalg.norm(path.positions - clip.ground_positions(), axis=-1).mean() < 0.05
    backwards = ControlPath.from_clip(clip.reversed())
    assert positions_apart(backwards, path.reversed()) < EXACT
