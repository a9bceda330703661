"""Metrics and similarity: known values are measured; turning and reversing motion changes nothing."""

from dataclasses import astuple, replace
from pathlib import Path

import numpy as np
import pytest
import scipy.linalg

from moglow.bvh.read import read_bvh
from moglow.measures.metrics import (
    STRAIGHT,
    TOLERANCES,
    bone_stretch,
    footsteps,
    heading_error,
    heel_points,
    jerk,
    knee_angles,
    path_error,
    penetration,
    stance_share,
    stance_velocity,
    step_durations,
    straight_knees,
    toe_height,
    toe_skate,
    toe_slide,
)
from moglow.measures.similarity import (
    WindowSpace,
    activity,
    body_positions,
    diversity,
    drift,
    frechet_distance,
    motion_windows,
)
from moglow.motion.clip import Clip
from moglow.motion.contacts import toe_points
from moglow.paths.control_path import ControlPath
from tests.support.rigs import RIGS
from tests.support.walking import skeleton_of, walk

TIGHT = 1e-9
SKELETON = skeleton_of(RIGS["cmu"])


def walking(**how: float) -> Clip:
    return walk(SKELETON, **how)[0]


@pytest.mark.parametrize("slip", [0.0, 0.13])
def test_slide_and_skate_are_the_slip_of_standing_feet(slip: float) -> None:
    clip = walking(slip=slip)
    slide = toe_slide(toe_points(clip), clip.fps)
    assert slide.median == pytest.approx(slip, abs=TIGHT)
    assert slip <= slide.mean < slip + 0.1
    assert slip <= toe_skate(toe_points(clip), clip.fps, low=0.0201).speed < slip + 0.06


def test_skate_ratio_is_the_share_of_fast_low_toes() -> None:
    toes = np.zeros((11, 2, 3))
    toes[:, 0, 2] = np.arange(11) * 0.5
    toes[:, 1, 1] = 0.2
    assert toe_skate(toes, fps=1.0) == toe_skate(toes[:, :1], fps=1.0)
    assert astuple(toe_skate(toes, fps=1.0)) == (0.5, 1.0)
    assert astuple(toe_skate(toes, fps=1.0, low=0.3)) == (0.25, 0.5)
    assert astuple(toe_skate(toes, fps=1.0, floor=-1.0)) == (0.0, 0.0)


def test_turning_and_reversing_change_no_measure() -> None:
    clip = walking(slip=0.1, speed=1.2)
    for other in (clip.moved((3.0, 0.0, -1.0), heading=2.0), clip.reversed()):
        assert astuple(toe_slide(toe_points(other), 30.0)) == pytest.approx(
            astuple(toe_slide(toe_points(clip), 30.0))
        )
        assert jerk(other.world_positions, 30.0) == pytest.approx(jerk(clip.world_positions, 30.0))
        assert astuple(footsteps(heel_points(other), 30.0)) == pytest.approx(
            astuple(footsteps(heel_points(clip), 30.0))
        )


def test_height_and_depth_of_toes() -> None:
    toes = np.zeros((10, 2, 3))
    toes[..., 1] = [[0.3, 0.1]] * 8 + [[0.3, -0.1]] * 2
    assert astuple(toe_height(toes)) == pytest.approx((0.1, 0.1))
    assert astuple(penetration(toes)) == pytest.approx((0.02, 0.1))
    assert astuple(penetration(toes, floor=-0.1)) == (0.0, 0.0)


def test_footsteps_are_counted() -> None:
    """Each foot of eight seconds at one stride a second lands eight times; one began the clip standing."""
    steps = footsteps(heel_points(walking(seconds=8.0)), 30.0)
    assert steps.count in (16, 17)
    assert steps.duration == pytest.approx(0.6, abs=0.1)
    slipping = footsteps(heel_points(walking(seconds=8.0, slip=0.3)), 30.0)
    assert slipping.count in (16, 17)
    assert slipping.tolerance > 0.28 > 2 * steps.tolerance


def test_the_footstep_curve_rises_where_feet_stand_and_joins_steps_beyond() -> None:
    clip = walking(seconds=8.0, slip=0.1, speed=0.4)
    counts = [len(durations) for durations in step_durations(heel_points(clip), clip.fps)]
    assert counts[0] == 0 and counts[-1] < max(counts)
    first = TOLERANCES[int(np.flatnonzero(counts)[0])]
    assert first == pytest.approx(0.1, rel=0.07)
    turned = step_durations(heel_points(clip.moved(heading=np.pi / 2)), clip.fps)
    assert [len(durations) for durations in turned] == counts


@pytest.mark.parametrize("heading", [0.0, np.pi / 2])
@pytest.mark.parametrize("slip", [0.0, 0.2])
def test_the_stance_share_is_one_minus_the_slip(slip: float, heading: float) -> None:
    clip = walking(slip=slip, speed=1.0, seconds=8.0).moved(heading=heading)
    requested = ControlPath.from_clip(clip, smoothing=0.0)
    implied = stance_velocity(toe_points(clip), clip.ground_positions(), clip.headings(), clip.fps)
    assert stance_share(implied, requested.velocities()[:, :2]) == pytest.approx(1.0 - slip, abs=0.06)
    assert np.isnan(stance_share(implied, 0.1 * requested.velocities()[:, :2]))


def test_stance_velocity_is_that_of_the_feet() -> None:
    """Relative to slipping feet, the body walks slower than it moves; in any direction and heading."""
    for slip in (0.0, 0.2):
        clip = walking(slip=slip, speed=1.1).moved(heading=0.7)
        path = ControlPath.from_clip(clip, smoothing=0.0)
        implied = stance_velocity(toe_points(clip), clip.ground_positions(), clip.headings(), clip.fps)
        requested = path.velocities()[:, :2]
        error = np.median(requested - implied, axis=0)
        np.testing.assert_allclose(error, [slip, 0.0], atol=1e-6)


def test_path_and_heading_errors() -> None:
    requested = np.zeros((20, 2))
    actual = requested + np.array([[0.0, 0.05]])
    actual[-1] = [3.0, 4.0]
    assert astuple(path_error(actual, requested)) == pytest.approx((0.2975, 0.2975, 5.0, 0.95))
    assert heading_error(np.full(5, 2 * np.pi + 0.1), np.zeros(5)) == pytest.approx(0.1)


def test_jerk_of_a_cubic() -> None:
    time = np.arange(20) / 25.0
    positions = (time**3)[:, None, None] * np.array([[[0.0, 3.0, 4.0]]])
    assert jerk(positions, 25.0) == pytest.approx(30.0)


def test_bones_that_stretch_are_seen() -> None:
    clip = walking()
    assert bone_stretch(clip) == 0.0
    positions = clip.positions.copy()
    positions[5, SKELETON.index("LeftFoot")] *= 1.03
    assert bone_stretch(replace(clip, positions=positions)) == pytest.approx(0.03)


def test_body_positions_do_not_know_where_and_which_way() -> None:
    clip = walking()
    seen = body_positions(clip)
    np.testing.assert_allclose(body_positions(clip.moved((5.0, 0.0, 1.0), heading=-1.0)), seen, atol=TIGHT)
    windows = motion_windows(clip)
    assert windows.shape == (13, 4 * len(SKELETON) * 6)
    np.testing.assert_allclose(motion_windows(clip.moved((5.0, 0.0, 1.0), heading=-1.0)), windows, atol=1e-7)
    assert motion_windows(clip[:10]).shape == (0, 4 * len(SKELETON) * 6)


def test_frechet_distance_is_that_of_normal_distributions() -> None:
    generator = np.random.default_rng(0)
    a = generator.normal(size=(200, 5)) @ generator.normal(size=(5, 5))
    b = generator.normal(size=(150, 5)) @ generator.normal(size=(5, 5)) + 1.0
    root = scipy.linalg.sqrtm(np.cov(a.T) @ np.cov(b.T))
    formula = np.sum((a.mean(0) - b.mean(0)) ** 2) + np.trace(np.cov(a.T) + np.cov(b.T) - 2 * root.real)
    assert frechet_distance(a, b) == pytest.approx(formula, rel=1e-8)
    assert frechet_distance(b, a) == pytest.approx(formula, rel=1e-8)
    assert frechet_distance(a, a + 0.5) == pytest.approx(5 * 0.25)


def test_frechet_distance_of_few_windows() -> None:
    """Fewer windows than features leave the covariance singular and the distance still a distance."""
    a = np.random.default_rng(1).normal(size=(6, 40))
    assert frechet_distance(a, a) == pytest.approx(0.0, abs=1e-6)
    assert frechet_distance(a, 2 * a) > 1.0


def test_a_space_of_windows_is_invariant_to_place_and_unit() -> None:
    generator = np.random.default_rng(2)
    real = generator.normal(size=(300, 3)) @ generator.normal(size=(3, 20)) + 5.0
    space = WindowSpace.fit(real, dimensions=3)
    points = space(real)
    assert points.shape == (300, 3)
    np.testing.assert_allclose(points.mean(0), 0.0, atol=TIGHT)
    assert points.var() * 3 == pytest.approx(((real - real.mean(0)) / real.std(0)).var() * 20)  # all of it
    unit = WindowSpace.fit(100 * real, dimensions=3)
    assert frechet_distance(unit(100 * real), unit(101 * real)) == pytest.approx(
        frechet_distance(points, space(1.01 * real))
    )


def test_activity_distinguishes_a_frozen_figure_from_a_walking_one() -> None:
    walked = walking(seconds=4.0)
    still = np.repeat(walked.rotations[:1], len(walked), axis=0)
    gliding = replace(walked, rotations=still)
    active = activity(walked)
    assert len(active) == 4 and active.min() > 0.2
    assert activity(gliding).max() < 0.1  # the hips bob
    np.testing.assert_allclose(activity(walked.moved((1.0, 0.0, 2.0), heading=np.pi / 2)), active, atol=TIGHT)


def test_diversity_is_the_mean_over_pairs() -> None:
    takes = np.zeros((3, 4, 2, 3))
    takes[1, ..., 0], takes[2, ..., 0] = 1.0, 3.0
    assert diversity(takes) == pytest.approx(2.0)


def test_drift_is_positive_where_motion_gets_worse() -> None:
    good, bad = walking(seconds=10.0), walking(seconds=10.0, slip=0.3).moved((0.0, 0.5, 0.0))
    both = replace(
        good,
        positions=np.concatenate([good.positions[:-1], bad.positions[:-1]]),
        rotations=np.concatenate([good.rotations[:-1], bad.rotations[:-1]]),
    )
    first, second = drift(both, seconds=10.0)
    assert (first.start, second.start) == (0.0, 10.0)
    assert first.slide == pytest.approx(0.0, abs=TIGHT)
    assert second.slide == pytest.approx(0.3, abs=1e-6)
    assert first.pose_distance == pytest.approx(0.0, abs=TIGHT)
    assert second.pose_distance > 0.1
    assert drift(both, seconds=10.0, known=body_positions(bad))[1].pose_distance == pytest.approx(
        0.0, abs=TIGHT
    )


@pytest.mark.parametrize(
    ("folder", "median", "mean"), [("open_snu_walk", 0.013, 0.034), ("open_cmu69", 0.048, 0.070)]
)
def test_real_motion_slides_as_stated_in_its_readme(
    folder: str, median: float, mean: float, shared_data: Path
) -> None:
    """Clips are weighted by length; within 2 mm/s, for every other file."""
    clips = [read_bvh(path) for path in sorted((shared_data / "locomotion" / folder).glob("*.bvh"))[::2]]
    slides = np.array([astuple(toe_slide(toe_points(clip), clip.fps)) for clip in clips])
    pooled = np.average(slides, axis=0, weights=[clip.duration for clip in clips])
    np.testing.assert_allclose(pooled, (median, mean), atol=0.002)


def test_a_knee_is_straight_if_hip_knee_and_ankle_are_on_one_line() -> None:
    skeleton = skeleton_of(RIGS["biped"])
    still = Clip.at_rest(skeleton, frames=4)
    rest, knees = knee_angles(still)[0, 0], [leg.knee for leg in skeleton.anatomy.legs]

    def bent(degrees: list[float]) -> Clip:
        half, rotations = np.radians(degrees)[:, None] / 2, still.rotations.copy()
        rotations[:, knees] = 0.0
        rotations[:, knees, 0], rotations[:, knees, 1] = np.cos(half), np.sin(half)
        return replace(still, rotations=rotations)

    ahead = 1.0 if knee_angles(bent([10.0] * 4))[0, 0] > rest else -1.0
    clip = bent([ahead * angle - ahead * rest for angle in (0.0, 1.0, 5.0, 40.0)])
    np.testing.assert_allclose(knee_angles(clip), np.repeat([[0.0], [1.0], [5.0], [40.0]], 2, 1), atol=0.01)
    assert straight_knees(clip) == 0.5 and STRAIGHT == 3.0
