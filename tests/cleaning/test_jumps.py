"""Finding jumps: injected ones are found at their frames, and sound motion has none."""

import csv
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from moglow.bvh.read import read_bvh
from moglow.cleaning.frame_rate import likely_fps, swing_times
from moglow.cleaning.frozen import find_frozen
from moglow.cleaning.jumps import find_jumps, repeated_frames
from moglow.maths.rotations import axis_angle_to_quat, quat_multiply
from moglow.motion.clip import Clip
from tests.support.rigs import DOGS, RIGS
from tests.support.walking import skeleton_of, walk

WALK, _ = walk(skeleton_of(RIGS["mixamo"]), seconds=4.0)
RATES = (24.0, 30.0, 60.0, 120.0)


def turned(clip: Clip, frames: slice, joint: int, degrees: float) -> Clip:
    """Returns the clip with a joint turned by an angle in some frames."""
    rotations = clip.rotations.copy()
    rotations[frames, joint] = quat_multiply(
        rotations[frames, joint], axis_angle_to_quat([0.6, 0.0, 0.8], np.radians(degrees))
    )
    return replace(clip, rotations=rotations)


@pytest.mark.parametrize("fps", RATES)
def test_a_walk_has_no_jumps(fps: float) -> None:
    clip, _ = walk(WALK.skeleton, fps=fps)
    assert find_jumps(clip) == []
    assert find_frozen(clip) == []
    assert likely_fps(clip) == fps


@pytest.mark.parametrize("degrees", [50.0, 100.0, 175.0])
@pytest.mark.parametrize("joint", [0, 5, 20])
def test_a_jump_is_found_at_its_frame_and_joint(joint: int, degrees: float) -> None:
    jumps = find_jumps(turned(WALK, slice(40, None), joint, degrees))
    assert [(jump.frame, jump.joint) for jump in jumps if jump.angle] == [(40, joint)]
    assert np.degrees(jumps[0].angle) == pytest.approx(degrees, abs=12)  # plus the motion of the joint


def test_a_leap_of_the_hips_is_found_at_its_frame() -> None:
    positions = WALK.positions.copy()
    positions[60:, 0, 0] += 0.4
    (leap,) = find_jumps(replace(WALK, positions=positions))
    assert (leap.frame, leap.joint, leap.angle) == (60, WALK.skeleton.role("hips"), 0.0)
    assert leap.distance == pytest.approx(0.4, abs=0.05)


def test_frozen_frames_are_found_exactly_and_a_pause_of_a_person_is_not_frozen() -> None:
    rotations, positions = WALK.rotations.copy(), WALK.positions.copy()
    rotations[31:39], positions[31:39] = rotations[30], positions[30]
    assert find_frozen(replace(WALK, rotations=rotations, positions=positions)) == [(30, 39)]
    sway = 1e-4 * np.sin(np.arange(9))[:, None]
    positions[30:39, 0] += sway
    assert find_frozen(replace(WALK, rotations=rotations, positions=positions)) == []


def test_repeated_frames_are_counted() -> None:
    doubled = replace(
        WALK, positions=WALK.positions.repeat(2, axis=0), rotations=WALK.rotations.repeat(2, axis=0), fps=60.0
    )
    assert repeated_frames(doubled).mean() == pytest.approx(0.5, abs=0.01)
    assert not repeated_frames(WALK).any()


def test_swings_take_half_the_time_at_twice_the_rate() -> None:
    times = swing_times(WALK)
    assert len(times) >= 5
    assert np.allclose(swing_times(replace(WALK, fps=60.0)), times / 2)


@pytest.mark.parametrize("fps", RATES[1:])
@pytest.mark.parametrize("factor", [1 / 4, 1 / 3, 3.0, 4.0])
def test_a_false_rate_is_noticed_and_the_true_one_found(fps: float, factor: float) -> None:
    clip, _ = walk(WALK.skeleton, fps=fps)
    likely = likely_fps(replace(clip, fps=fps * factor))
    assert likely == fps


def test_no_rate_is_estimated_without_steps() -> None:
    assert likely_fps(Clip.at_rest(WALK.skeleton, frames=90)) is None
    assert likely_fps(Clip.at_rest(skeleton_of(DOGS["rigify"]), frames=1)) is None
    assert likely_fps(WALK[:10]) is None


def test_jumps_noted_in_the_manifest_are_found(shared_data: Path) -> None:
    """Measured: 36 of 41; the others are jumps of Euler angles by gimbal lock, below 35° on the sphere."""
    folder, noted, found = shared_data / "locomotion", 0, 0
    with open(folder / "manifest.csv", newline="") as file:
        notes = {row["file"]: row["note"] for row in csv.DictReader(file)}
    for name, note in notes.items():
        if match := re.search(r"jump-frames \(max \d+ deg/frame, first @(\d+)\)", note):
            noted += 1
            found += any(abs(jump.frame - int(match[1])) <= 2 for jump in find_jumps(read_bvh(folder / name)))
    assert noted == 41
    assert found >= 36


def test_the_flip_of_69_35_is_found(shared_data: Path) -> None:
    clip = read_bvh(shared_data / "locomotion/open_cmu69/69_35_1.bvh")
    worst = max(find_jumps(clip), key=lambda jump: jump.angle)
    assert (worst.frame, clip.skeleton.names[worst.joint]) == (28, "LeftFoot")
    assert np.degrees(worst.angle) > 170


def test_real_motion_has_few_jumps_and_keeps_its_rate(shared_data: Path) -> None:
    """Measured over all 395 of Bandai's files: 6 with a jump; over all 540 files: none with a doubtful rate."""
    files = sorted((shared_data / "locomotion/nc_bandai2").glob("*.bvh"))[::16]
    clips = [read_bvh(file) for file in files]
    assert sum(bool(find_jumps(clip)) for clip in clips) <= 0.08 * len(clips)
    assert all(likely_fps(clip) in (None, clip.fps) for clip in clips)
    assert not any(find_frozen(clip) for clip in clips)
