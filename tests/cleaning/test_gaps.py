"""Filling gaps: injected damage is removed, sound frames stay exactly the same."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moglow.bvh.read import read_bvh
from moglow.cleaning.frame_rate import unmislabel_fps
from moglow.cleaning.gaps import fill_gaps
from moglow.cleaning.jumps import find_jumps
from moglow.cleaning.spike import despike
from moglow.errors import ClipError
from moglow.maths.rotations import quat_angle, quat_slerp
from moglow.motion.clip import Clip
from tests.cleaning.test_jumps import turned
from tests.support.rigs import DOGS, RIGS
from tests.support.walking import skeleton_of, walk

WALK, _ = walk(skeleton_of(RIGS["snu"]), seconds=4.0)
SPIKE_TOLERANCE = np.radians(8)  # error of a curve over 0.1 s for a joint of a walk
GAP_TOLERANCE = np.radians(4)  # error over 0.2 s for all joints except the legs
JOINTS = len(WALK.skeleton)


@pytest.mark.parametrize("rig", RIGS)
@pytest.mark.parametrize("fps", [30.0, 120.0])
def test_sound_motion_is_left_exactly_alone(rig: str, fps: float) -> None:
    clip, _ = walk(skeleton_of(RIGS[rig]), seconds=2.0, fps=fps)
    clean = despike(clip)
    assert np.array_equal(clean.rotations, clip.rotations)
    assert np.array_equal(clean.positions, clip.positions)


@given(
    joint=st.integers(0, JOINTS - 1),
    start=st.integers(2, len(WALK) - 6),
    length=st.integers(1, 3),
    degrees=st.floats(60, 180),
)
def test_a_spike_is_removed_and_nothing_else_changes(
    joint: int, start: int, length: int, degrees: float
) -> None:
    clean = despike(turned(WALK, slice(start, start + length), joint, degrees))
    assert quat_angle(clean.rotations[:, joint], WALK.rotations[:, joint]).max() < SPIKE_TOLERANCE
    touched = np.zeros((len(WALK), JOINTS), bool)
    touched[start : start + length, joint] = True
    assert np.array_equal(clean.rotations[~touched], WALK.rotations[~touched])
    assert np.array_equal(despike(clean).rotations, clean.rotations)


def test_spikes_of_several_joints_and_places_go_together() -> None:
    spiky, spikes = WALK, [(10, 3, 90.0), (11, 7, 120.0), (50, 3, 170.0), (90, 12, 70.0)]
    for frame, joint, degrees in spikes:
        spiky = turned(spiky, slice(frame, frame + 2), joint, degrees)
    clean = despike(spiky)
    assert quat_angle(clean.rotations, WALK.rotations).max() < SPIKE_TOLERANCE
    assert not find_jumps(clean)


@pytest.mark.parametrize("frames", [slice(0, 1), slice(len(WALK) - 1, None)])
def test_a_spike_at_the_end_of_a_clip_is_held(frames: slice) -> None:
    clean = despike(turned(WALK, frames, 5, 120.0))
    assert quat_angle(clean.rotations, WALK.rotations).max() < SPIKE_TOLERANCE


def test_a_lasting_jump_is_no_spike() -> None:
    jumped = turned(WALK, slice(40, None), 5, 90.0)
    assert np.array_equal(despike(jumped).rotations, jumped.rotations)


@given(start=st.integers(1, len(WALK) - 8), length=st.integers(1, 7))
def test_a_gap_is_filled_as_the_motion_was(start: int, length: int) -> None:
    missing = np.zeros(len(WALK), bool)
    missing[start : start + length] = True
    filled = fill_gaps(torn(WALK, missing), missing)
    assert np.array_equal(filled.rotations[~missing], WALK.rotations[~missing])
    assert np.array_equal(filled.positions[~missing], WALK.positions[~missing])
    smooth = [j for j in range(JOINTS) if j not in {leg_joint for leg in legs() for leg_joint in leg}]
    assert quat_angle(filled.rotations, WALK.rotations)[:, smooth].max() < GAP_TOLERANCE
    assert np.abs(filled.positions - WALK.positions).max() < 0.01


def legs() -> list[tuple[int, ...]]:
    """Joints of the legs, which land and leave the ground within a gap: no curve can know that."""
    return [(leg.hip, leg.knee, leg.ankle) for leg in WALK.skeleton.anatomy.legs]


def torn(clip: Clip, missing: np.ndarray) -> Clip:
    """Returns the clip with zeros in missing frames, as trackers write them."""
    positions, rotations = clip.positions.copy(), clip.rotations.copy()
    positions[missing], rotations[missing] = 0.0, [1.0, 0.0, 0.0, 0.0]
    return replace(clip, positions=positions, rotations=rotations)


def test_a_curve_is_nearer_to_the_motion_than_the_shortest_arc() -> None:
    curve, arc = [], []
    for start in range(10, 100, 9):
        missing = np.zeros(len(WALK), bool)
        missing[start : start + 6] = True
        filled = fill_gaps(torn(WALK, missing), missing).rotations[missing]
        share = np.arange(1, 7)[:, None] / 7
        straight = quat_slerp(WALK.rotations[start - 1], WALK.rotations[start + 6], share)
        curve.append(quat_angle(filled, WALK.rotations[missing]).mean())
        arc.append(quat_angle(straight, WALK.rotations[missing]).mean())
    assert np.mean(curve) < 0.6 * np.mean(arc)


def test_gaps_of_single_joints_leave_the_others_alone() -> None:
    missing = np.zeros((len(WALK), JOINTS), bool)
    missing[20:25, 1] = missing[60:62, 6] = True
    filled = fill_gaps(torn(WALK, missing), missing)
    assert np.array_equal(filled.rotations[~missing], WALK.rotations[~missing])
    assert not np.array_equal(filled.rotations[missing], torn(WALK, missing).rotations[missing])


def test_one_sound_frame_between_two_gaps_is_kept_and_used() -> None:
    missing = np.zeros(len(WALK), bool)
    missing[[20, 21, 23, 24]] = True
    filled = fill_gaps(torn(WALK, missing), missing)
    assert quat_angle(filled.rotations, WALK.rotations).max() < SPIKE_TOLERANCE
    assert np.abs(filled.positions - WALK.positions).max() < 0.02


def test_a_gap_at_the_end_is_held() -> None:
    missing = np.arange(len(WALK)) < 3
    filled = fill_gaps(torn(WALK, missing), missing)
    assert np.array_equal(filled.rotations[:3], np.repeat(WALK.rotations[3:4], 3, axis=0))


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        (slice(20, 40), "Hips lacks frames 20 to 39, 0.67 s; gaps up to 0.25 s"),
        (slice(None), "lacks frames 0 to"),
    ],
)
def test_a_long_gap_is_refused(missing: slice, message: str) -> None:
    mask = np.zeros(len(WALK), bool)
    mask[missing] = True
    with pytest.raises(ClipError, match=message):
        fill_gaps(WALK, mask)


def test_a_mask_of_another_length_is_refused() -> None:
    with pytest.raises(ClipError, match=r"missing frames \(3,\); expected"):
        fill_gaps(WALK, [True, False, True])


def test_a_false_rate_is_put_right_and_no_frame_changes() -> None:
    clip, _ = walk(WALK.skeleton, fps=120.0)
    slow = replace(clip, fps=30.0)
    assert unmislabel_fps(slow).fps == 120.0
    right = unmislabel_fps(slow, 120.0)
    assert right.fps == 120.0
    assert np.array_equal(right.rotations, clip.rotations)
    assert unmislabel_fps(clip).fps == 120.0


def test_a_rate_is_not_estimated_without_steps() -> None:
    with pytest.raises(ClipError, match="too few steps"):
        unmislabel_fps(Clip.at_rest(skeleton_of(DOGS["rigify"]), frames=20))


def test_despiking_real_clips_takes_most_jumps_and_touches_few_frames(shared_data: Path) -> None:
    """Measured over all 540 files: 215 jumps, 91 after; 78 frames change."""
    names = ["open_cmu_120fps/16_17", "open_cmu_120fps/127_20", "open_snu_walk/woddy2_walk_normal_right_90"]
    for name in names:
        clip = read_bvh(shared_data / "locomotion" / f"{name}.bvh")
        clean = despike(clip)
        assert len(find_jumps(clean)) <= 0.25 * len(find_jumps(clip))
        assert (quat_angle(clean.rotations, clip.rotations) > 1e-9).any(1).mean() < 0.01
