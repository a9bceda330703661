"""Directed motion follows its directions exactly; bones stay rigid, planted feet stay, joints do not jerk."""

import numpy as np
import pytest

import moglow
from moglow.directing.joint_groups import joints_named
from moglow.errors import ControlError, MoglowError
from moglow.maths.rotations import quat_rotate
from moglow.measures.metrics import jerk, toe_slide
from moglow.motion.clip import Clip
from moglow.motion.contacts import toe_points
from moglow.sampling.generate import Take
from tests.support.rigs import RIGS
from tests.support.walking import skeleton_of, walk

PATH = "line:length=4"
POSE, ARMS, START = 74, 60, 40
HAND, AT = (0.45, 1.15, 2.2), 2.5
FACE = (2.0, 1.6, 6.0)


@pytest.fixture(scope="module")
def plain() -> Clip:
    return moglow.generate(PATH, seed=5).clip


@pytest.fixture(scope="module")
def other() -> Clip:
    """Another motion, from which poses are taken."""
    return moglow.generate("line:length=3", seed=8).clip


@pytest.fixture(scope="module")
def take(other: Clip) -> Take:
    pins = (
        moglow.Pin(0.0, other, START),
        moglow.Pin(1.2, other, ARMS, "arms"),
        moglow.Reach(AT, "left_hand", HAND),
        moglow.Look(2.8, 4.2, FACE),
        moglow.Pin(4.0, other, POSE),
    )
    return moglow.generate(PATH, seed=5, pins=pins)


def frame(clip: Clip, seconds: float) -> int:
    return round(seconds * clip.fps)


def test_poses_are_exact(take: Take, other: Clip) -> None:
    clip, arms = take.clip, list(joints_named(other.skeleton, ["arms"], place="test"))
    for seconds, number in ((0.0, START), (4.0, POSE)):
        turns, wanted = clip.rotations[frame(clip, seconds)], other.rotations[number]
        np.testing.assert_allclose(turns[1:], wanted[1:], atol=1e-12)  # the root turns with the path
        height = clip.world_positions[frame(clip, seconds), :, 1] - other.world_positions[number, :, 1]
        assert np.abs(height).max() < 1e-9
    np.testing.assert_allclose(
        clip.rotations[frame(clip, 1.2), arms], other.rotations[ARMS, arms], atol=1e-12
    )
    hand = clip.skeleton.anatomy.roles["left_hand"]
    assert np.linalg.norm(clip.world_positions[frame(clip, AT), hand] - HAND) < 1e-3


def test_the_face_turns_to_its_point(take: Take, plain: Clip) -> None:
    def off(clip: Clip) -> float:
        head = clip.skeleton.anatomy.roles["head"]
        ahead = quat_rotate(clip.world_rotations[frame(clip, 3.5), head], np.array([0.0, 0.0, 1.0]))[[0, 2]]
        to = (np.array(FACE) - clip.world_positions[frame(clip, 3.5), head])[[0, 2]]
        return float(np.degrees(np.arccos(ahead @ to / np.linalg.norm(ahead) / np.linalg.norm(to))))

    assert off(take.clip) < 15 < off(plain)


def test_motion_stays_as_clean_as_without_directions(take: Take, plain: Clip) -> None:
    lengths = np.linalg.norm(take.clip.positions[:, 1:] - take.clip.positions[:1, 1:], axis=-1)
    assert lengths.max() < 1e-9, "bones are rigid"
    slides = [toe_slide(toe_points(clip), clip.fps).mean for clip in (take.clip, plain)]
    assert slides[0] < max(2 * slides[1], 0.03)
    assert jerk(take.clip.world_positions, take.clip.fps) < 1.5 * jerk(plain.world_positions, plain.fps)


def test_each_pose_has_a_price(take: Take) -> None:
    descriptions = [pin["says"] for pin in take.figures["pins"]]
    assert [words.split(" costs ")[0] for words in descriptions] == [
        "pin at 0 s",
        "pin at 1.2 s",
        "reach at 2.5 s",
        "pin at 4 s",
    ]
    assert all("nats more than usual" in words for words in descriptions)


def test_the_same_seed_gives_the_same_motion_and_another_take_another(other: Clip) -> None:
    pins = (moglow.Pin(1.0, other, POSE),)
    first, same, different = (
        moglow.generate("line:length=1.5", seed=seed, pins=pins).clip for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first.rotations, same.rotations)
    assert np.abs(first.rotations - different.rotations).max() > 1e-3


def test_a_pin_in_the_world_leads_the_path_through_its_place(other: Clip) -> None:
    aside = other.moved((0.4, 0.0, 0.5))
    made = moglow.generate("line:length=3", seed=2, pins=(moglow.Pin(2.0, aside, 60, world=True),)).clip
    off = made.world_positions[frame(made, 2.0)] - aside.world_positions[60]
    assert np.abs(off).max() < 1e-6


def test_feet_come_together_after_the_last_pin(other: Clip) -> None:
    """At most phases of the gait; without endings that see the path early the median is 14 cm."""
    pins = (moglow.Pin(1.2, other, ARMS, "arms"),)
    clips = [
        moglow.generate(f"line:length={length}", seed=2, pins=pins).clip
        for length in np.arange(3.4, 5.2, 0.2)
    ]
    ahead = [abs(np.diff(toe_points(clip)[-5:, :, 2].mean(0))[0]) for clip in clips]
    assert np.median(ahead) < 0.1


def test_a_clip_is_continued_from_its_last_frame(other: Clip) -> None:
    begun = other[:78]
    clip = moglow.generate("line:length=2", seed=4, continued=begun).clip
    np.testing.assert_allclose(clip.rotations[0], begun.rotations[-1], atol=1e-12)
    np.testing.assert_allclose(clip.world_positions[0], begun.world_positions[-1], atol=1e-9)
    whole = np.concatenate([begun.world_positions[:-1], clip.world_positions])
    speeds = np.linalg.norm(np.diff(whole, axis=0), axis=-1).max(axis=1) * clip.fps
    changes = np.abs(np.diff(speeds))
    assert changes[75:79].max() < 1.5 * changes[:68].max(), "no joint changes its speed at once"


def test_poses_of_another_skeleton_are_retargeted() -> None:
    clip, _ = walk(skeleton_of(RIGS["cmu"]), seconds=2.0, speed=1.2)
    made = moglow.generate("line:length=2", seed=3, pins=(moglow.Pin(1.5, clip, 30),), skeleton=clip).clip
    np.testing.assert_allclose(made.rotations[45, 1:], clip.rotations[30, 1:], atol=1e-9)


@pytest.mark.parametrize(
    ("pin", "says"),
    [
        (moglow.Pin(99.0, "nowhere.bvh"), "the motion lasts from 0 to"),
        (moglow.Pin(1.0, "nowhere.bvh"), "pin at 1 s: nowhere.bvh: no such file"),
        (moglow.Reach(1.0, "left_hnad", (0, 1, 0)), "did you mean left_hand"),
        (moglow.Reach(1.0, "left_hand", (9, 1, 0)), "cm short of the point"),
        (moglow.Reach(1.0, "left_hand", (3, 1, 0)), "cm short of the point"),
        (moglow.Reach(1.0, "arms", (0, 1, 0)), "name one, such as left_hand"),
    ],
)
def test_mistakes_are_one_line_errors(pin: moglow.Pin | moglow.Reach, says: str) -> None:
    with pytest.raises(MoglowError, match=says) as raised:
        moglow.generate("line:length=1", pins=(pin,))
    assert "\n" not in str(raised.value)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("height", [200.0, 1e6])
def test_a_pose_far_from_any_figure_is_refused(other: Clip, height: float) -> None:
    """Such a pose comes from a file in another unit; Jacobians of it would overflow."""
    pin = moglow.Pin(0.2, other.moved((0.0, height, 0.0)), 3)
    with pytest.raises(MoglowError, match=r"^pin at 0\.2 s: a channel of the pose is .* check the unit"):
        moglow.generate("line:length=0.5", pins=[pin])


def test_frames_of_poses_are_checked(other: Clip) -> None:
    with pytest.raises(ControlError, match=f"give 0 to {len(other) - 1}"):
        moglow.generate("line:length=1", pins=(moglow.Pin(1.0, other, 9999),))
    twice = (moglow.Pin(1.0, other, 3), moglow.Pin(1.0, other, 9))
    with pytest.raises(ControlError, match="two pins are at the same frame"):
        moglow.generate("line:length=1", pins=twice)
    with pytest.raises(MoglowError, match="too short to continue"):
        moglow.generate("line:length=1", continued=other[:5])
