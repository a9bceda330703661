"""Seams: where motion is cut so that it repeats, and how it is closed there."""

import numpy as np

from moglow.checkpoint import Checkpoint
from moglow.sampling.generate import PRETRAINED
from moglow.sampling.seams import Seam, closed, joint_features, lap_seam, stride_of, stride_seams


def wave(frames: int, period: float, noise: float = 0.0) -> np.ndarray:
    phase = 2 * np.pi * np.arange(frames)[:, None] / period
    rough = np.random.default_rng(0).normal(size=(frames, 2)) * noise
    return np.concatenate([np.sin(phase), np.cos(phase)], axis=1) + rough


def test_the_stride_is_the_shortest_period() -> None:
    assert stride_of(wave(300, 30.0, 0.02), fps=30.0) == 30
    assert stride_of(wave(400, 30.0, 0.02), fps=30.0) == 30


def test_a_cut_is_where_frames_are_alike() -> None:
    features = wave(300, 30.0, 0.2)
    features[150:190] = wave(300, 30.0)[150:190]  # here alone it repeats exactly
    seams = stride_seams(features, np.arange(0, 300, 5), 30, 1, 8)
    best = min(seams, key=lambda seam: seam.apart)
    assert best.period == 30 and best.at - 8 >= 150 and best.at <= 162


def test_the_cut_of_a_lap_has_the_gait_at_the_same_point() -> None:
    for period, nearest in ((122, 120), (131, 132), (100, 96)):
        seam = lap_seam(wave(260, 12.0), period, 6, 8, 8)
        assert seam.period == nearest and seam.at >= 8 and seam.at + seam.period < 260


def test_a_round_ends_in_what_led_to_its_start_with_even_derivatives() -> None:
    encoding = Checkpoint.read(PRETRAINED).context.encoding
    time = np.arange(200)[:, None]
    poses = np.zeros((200, len(encoding))) + np.sin(2 * np.pi * time / 40) + 0.001 * time
    cycle = closed(encoding, poses, Seam(60, 40, 0.0), 40, 12)
    np.testing.assert_allclose(cycle[:28], poses[60:88])
    np.testing.assert_allclose(cycle[-1], poses[59], atol=1e-3)
    again = np.concatenate([cycle, cycle, cycle])[:, 20]
    jump = np.abs(np.diff(again, 3))
    assert jump[36:44].max() < 1.3 * jump[5:20].max()


def test_a_round_that_is_read_faster_makes_steps_shorter() -> None:
    encoding = Checkpoint.read(PRETRAINED).context.encoding
    poses = np.zeros((200, len(encoding)))
    toe = encoding.slice("toe_z").start
    poses[:, toe] = 0.3 * np.cos(2 * np.pi * np.arange(200) / 44)
    cycle = closed(encoding, poses, Seam(60, 88, 0.0), 80, 12)
    np.testing.assert_allclose(np.ptp(cycle[:, toe]), 0.6 * 80 / 88, rtol=0.02)
    speeds = np.abs(np.diff(cycle[:60, toe])).max(), np.abs(np.diff(poses[:, toe])).max()
    np.testing.assert_allclose(*speeds, rtol=0.02)


def test_features_count_metres() -> None:
    encoding = Checkpoint.read(PRETRAINED).context.encoding
    poses = np.zeros((3, len(encoding)))
    poses[:, encoding.slice("hips_height")] = 0.9
    poses[:, encoding.slice("toe_height")] = 0.1
    moved = poses.copy()
    for group in ("toe_height", "hips_height"):
        moved[:, encoding.slice(group)] += 0.05
    apart = joint_features(encoding, moved, 30.0) - joint_features(encoding, poses, 30.0)
    np.testing.assert_allclose(np.linalg.norm(apart, axis=-1), 0.05, rtol=1e-6)
