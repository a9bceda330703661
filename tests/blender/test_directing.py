"""Directions in Blender: pins of Empties and poses, redone frames, thinner keys, strips, drafts."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from moglow.blender.inside.exact import ExactPoint, ExactPose, made_exact, on_same
from moglow.blender.inside.thinning import Tolerance, interpolated, thinned
from moglow.maths.rotations import Array, quat_angle, quat_continuous
from moglow.motion.clip import Clip
from tests.support.blender import found_in_blender
from tests.support.rigs import RIGS
from tests.support.walking import skeleton_of, walk

EXACT = 1e-3  # metres
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def clip() -> Clip:
    return walk(skeleton_of(RIGS["mixamo"]), seconds=3.0)[0]


@pytest.mark.parametrize(("degrees", "millimetres"), [(0.5, 2.0), (3.0, 50.0), (0.05, 0.1)])
def test_thinner_keys_stay_within_the_tolerances(clip: Clip, degrees: float, millimetres: float) -> None:
    kept = [17, 40]
    found = thinned(clip, Tolerance(degrees, millimetres), kept)
    between = interpolated(clip, found.frames)
    angles = np.degrees(quat_angle(between.rotations, quat_continuous(clip.rotations)))
    off = 1000 * np.linalg.norm(between.world_positions - clip.world_positions, axis=-1)
    assert angles.max() == pytest.approx(found.degrees) and found.degrees <= degrees
    assert off.max() == pytest.approx(found.millimetres) and found.millimetres <= millimetres
    assert np.abs(off[[0, *kept, -1]]).max() < 1e-9  # the kept frames are exact
    assert found.share < (0.9 if degrees < 0.1 else 0.6)


def test_looser_tolerances_need_fewer_keys(clip: Clip) -> None:
    shares = [thinned(clip, Tolerance(angle, 10 * angle)).share for angle in (0.1, 1.0, 5.0)]
    assert shares == sorted(shares, reverse=True) and shares[0] > 2 * shares[2]


def test_poses_and_points_are_exact_in_their_frames(clip: Clip) -> None:
    hand = clip.skeleton.anatomy.roles["left_hand"]
    pose = clip[10:11].moved((0.05, 0.02, 0.1))
    point = clip.world_positions[60, hand] + (0.05, 0.1, 0.05)
    far = np.array([9.0, 9.0, 9.0])
    made, warnings = made_exact(
        clip, [ExactPose(31, pose)], [ExactPoint(61, "left_hand", point), ExactPoint(81, "left_hand", far)], 1
    )
    assert np.abs(made.world_positions[30] - pose.world_positions[0]).max() < EXACT
    assert np.linalg.norm(made.world_positions[60, hand] - point) < EXACT
    assert len(warnings) == 1 and "left_hand" in warnings[0] and "frame 81" in warnings[0]
    assert np.array_equal(made.rotations[:15], clip.rotations[:15])  # far from the pins nothing changes


def test_skeletons_that_differ_by_rounding_are_the_same(clip: Clip) -> None:
    rounded = Clip.at_rest(clip.skeleton.scaled(1 + 1e-7))
    assert on_same(rounded, clip.skeleton) is not None
    assert on_same(Clip.at_rest(clip.skeleton.scaled(1.1)), clip.skeleton) is None


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Returns the results of `directing_blender.py`."""
    return found_in_blender("directing_blender.py", tmp_path_factory.mktemp("blender"))


blender = pytest.mark.blender


def apart(one: Any, other: Any) -> float:
    """Returns the largest distance between points, which may be given by name."""
    if isinstance(one, dict):
        one, other = [one[name] for name in sorted(one)], [other[name] for name in sorted(other)]
    return float(np.linalg.norm(np.array(one) - np.array(other), axis=-1).max())


def places(frames: Any) -> Array:
    """Returns the joints' places ``(T, J, 3)`` of frames of places by name."""
    return np.array([[frame[name] for name in sorted(frame)] for frame in frames])


@blender
def test_empties_and_poses_are_met_exactly(day: dict[str, Any]) -> None:
    wanted, reached, free = day["pins"]["reach"]
    assert apart(wanted, reached) < EXACT < 0.2 < apart(wanted, free)
    posed, made, before = day["pins"]["pose"]
    assert apart(posed, made) < EXACT < 0.1 < apart(posed, before)
    assert "nats" in day["pins"]["results"][0] and len(set(day["pins"]["actions"])) == 2


@blender
def test_pins_on_a_ground_mesh_are_met_exactly(day: dict[str, Any]) -> None:
    """The heights of the lowest joints over the mesh are those of a walk: a toe stands on it in each frame."""
    wanted, reached, free = day["ramp"]["reach"]
    assert apart(wanted, reached) < EXACT < 0.2 < apart(wanted, free)
    posed, made, before = day["ramp"]["pose"]
    assert apart(posed, made) < EXACT < 0.1 < apart(posed, before)
    lowest = np.array(day["ramp"]["lowest"])
    assert lowest.min() > -0.03 and np.median(lowest) < 0.03 and lowest.max() < 0.1


@blender
def test_impossible_pins_are_refused_in_one_line(day: dict[str, Any]) -> None:
    refused = day["refused"]
    assert "frame 999" in refused["late"] and "from frame 1 to" in refused["late"]
    assert "no key" in refused["unkeyed"] and "'tail'" in refused["tail"]
    assert "short of the point" in refused["far"] and "no pinned pose" in refused["no pose"]
    assert all(len(text.strip().splitlines()) == 1 for text in refused.values())


@blender
def test_thin_keys_in_blender_are_as_near_as_asked(day: dict[str, Any]) -> None:
    found = day["thin"]
    radians, millimetres = found["settings"]
    full, thin = (places(each) for each in found["places"])
    assert 1000 * np.linalg.norm(full - thin, axis=-1).max() <= millimetres
    assert quat_angle(*(np.array(each) for each in found["turns"])).max() <= radians
    assert found["keys"][1] < 0.7 * found["keys"][0]


@blender
def test_takes_are_strips_with_plain_names(day: dict[str, Any]) -> None:
    assert day["names"] == ["walk take 1", "walk take 2"]
    assert [name for name, _, _ in day["strips"]] == [f"walk take {k + 1}" for k in range(5)]
    assert all(actions == [name] and muted for name, actions, muted in day["strips"])


@blender
@pytest.mark.parametrize("case", ["body", "thin", "arm"])
def test_a_redone_stretch_leaves_the_rest_as_it_is(day: dict[str, Any], case: str) -> None:
    found = day["redo"][case]
    assert not found["message"]
    inside, moved = np.zeros(len(found["places"]), bool), 0.0
    inside[40:60] = True  # frames 41 to 60
    for name, values in found["before"].items():
        off = np.abs(np.array(values) - found["after"][name])
        assert off[~inside].max() < 1e-5, name
        arm = "LeftArm" in name or "LeftForeArm" in name
        assert case != "arm" or arm or off.max() < 1e-6, name
        moved = max(moved, off[inside].max())
    assert moved > 0.01


@blender
@pytest.mark.parametrize("case", ["body", "arm"])
def test_the_seams_of_a_redone_stretch_are_smooth(day: dict[str, Any], case: str) -> None:
    """The velocity changes at a seam by no more than it does in the rest of the walk."""
    changes = np.linalg.norm(np.diff(places(day["redo"][case]["places"]), 2, axis=0), axis=-1).max(axis=-1)
    usual = max(changes[:36].max(), changes[62:].max())
    assert (
        max(changes[38:40].max(), changes[58:60].max()) < usual
    )  # about the joins of frames 40|41 and 60|61


@blender
def test_frames_beyond_the_action_are_refused(day: dict[str, Any]) -> None:
    assert "999" in day["redo refused"] and "lasts from 1" in day["redo refused"]


@blender
def test_a_draft_is_shown_while_dragging_and_a_take_afterwards(day: dict[str, Any]) -> None:
    found = day["drafts"]
    bent, lifted = found["shown"]
    for each in (bent, lifted):
        assert each["draft"] == "moglow draft" and each["frame"] == 40 and not each["messages"]
        assert each["actions"] == ["walk take 1", "walk take 2"]  # the second one is replaced
    assert np.linalg.norm(np.array(bent["end"][:2]) - (1.0, -3.0)) < 0.15
    assert apart([lifted["hand"]], [day["lifted"]]) < EXACT  # the draft meets the point, and so does the take
    assert apart([lifted["hand of the take"]], [day["lifted"]]) < EXACT
    assert found["keys"] == [40.0] and found["idle"] and not found["left"]
