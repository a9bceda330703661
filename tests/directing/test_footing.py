"""Feet stand in edited footprints while poses and points are exact; contradictions are resolved or named."""

from dataclasses import replace

import numpy as np
import pytest

import moglow
from moglow.directing.stances import Fitting, Stance
from moglow.errors import ControlError
from moglow.footsteps.following import Anchor, Followed, follow_footprints
from moglow.footsteps.footprints import Footprints, footprints
from moglow.measures.metrics import bone_stretch, jerk
from moglow.motion.clip import Clip
from moglow.motion.contacts import toe_points
from moglow.sampling.generate import Take

PATH, SEED, FPS = "line:length=2.5", 5, 30.0
POSE, AT, REACHED = 56, 2.0, 3.0
NEAR, FRAME, POINT = 0.01, 1.5 / FPS, 1e-3
"""A centimetre and a frame for footprints, a millimetre for points."""


@pytest.fixture(scope="module")
def other() -> Clip:
    """A motion from which poses are taken."""
    return moglow.generate("line:length=2.5", seed=8).clip


@pytest.fixture(scope="module")
def pins(other: Clip) -> tuple[moglow.Pin | moglow.Reach, ...]:
    return (moglow.Pin(AT, other, POSE), moglow.Reach(REACHED, "left_hand", (0.35, 1.2, 2.3)))


@pytest.fixture(scope="module")
def base(pins: tuple[moglow.Pin | moglow.Reach, ...]) -> Take:
    return moglow.generate(PATH, seed=SEED, pins=pins)


@pytest.fixture(scope="module")
def own(base: Take) -> Footprints:
    return footprints(base.clip)


@pytest.fixture(scope="module")
def followed(base: Take, own: Footprints) -> Followed:
    return follow_footprints(base.clip, own)


def standing(prints: Footprints, seconds: float) -> int:
    """Returns the number of a footprint at a time."""
    return next(k for k, each in enumerate(prints) if each.on + 0.05 < seconds < each.off - 0.05)


def hold(clip: Clip, requested: Footprints) -> None:
    """Checks the times and places of all footprints in a clip."""
    found, toes = footprints(clip), toe_points(clip)
    assert len(found) == len(requested)
    for each in requested:
        stand = toes[round(each.on * FPS) : round(each.off * FPS) + 1, each.leg]
        assert np.abs(stand[:, [0, 2]] - [each.x, each.z]).max() < NEAR
        late = min(
            max(abs(mine.on - each.on), abs(mine.off - each.off)) for mine in found if mine.leg == each.leg
        )
        assert late < FRAME


def test_unchanged_footprints_change_nothing(
    base: Take, own: Footprints, pins: tuple[moglow.Pin | moglow.Reach, ...]
) -> None:
    clip = moglow.generate(PATH, seed=SEED, pins=pins, footprints=own).clip
    np.testing.assert_allclose(clip.world_positions, base.clip.world_positions, atol=1e-3)


def test_feet_follow_and_pins_are_exact(
    base: Take, own: Footprints, other: Clip, pins: tuple[moglow.Pin | moglow.Reach, ...]
) -> None:
    last = len(own) - 3
    edited = tuple(
        replace(each, x=each.x + 0.1 * (k == last), heading=each.heading + 0.2 * (k == last))
        for k, each in enumerate(own)
    )
    take = moglow.generate(PATH, seed=SEED, pins=pins, footprints=edited)
    clip, figures = take.clip, take.figures["footprints_followed"]
    hold(clip, edited)
    assert figures["error_m"] < NEAR and not figures["changed_for_pins"]
    np.testing.assert_allclose(clip.rotations[round(AT * FPS), 1:], other.rotations[POSE, 1:], atol=1e-12)
    reach = pins[1]
    assert isinstance(reach, moglow.Reach)
    hand = clip.world_positions[round(REACHED * FPS), clip.skeleton.anatomy.roles["left_hand"]]
    assert np.linalg.norm(hand - reach.point) < POINT
    assert bone_stretch(clip) < 1e-9
    assert jerk(clip.world_positions, FPS) < 1.3 * jerk(base.clip.world_positions, FPS)


def test_a_pin_comes_later_in_slower_steps(base: Take, own: Footprints, other: Clip) -> None:
    slow = tuple(replace(each, on=1.2 * each.on, off=1.2 * each.off) for each in own)
    pin = moglow.Pin(1.2 * AT, other, POSE)
    take = moglow.generate(PATH, seed=SEED, pins=(pin,), footprints=slow)
    np.testing.assert_allclose(
        take.clip.rotations[round(1.2 * AT * FPS), 1:], other.rotations[POSE, 1:], atol=1e-12
    )
    assert take.figures["footprints_followed"]["error_m"] < NEAR
    assert take.figures["pins"][0]["seconds"] == pytest.approx(1.2 * AT)
    assert jerk(take.clip.world_positions, FPS) < 1.3 * jerk(base.clip.world_positions, FPS)


def test_a_pose_in_the_world_moves_its_footprint_a_little(base: Take, own: Footprints) -> None:
    frame = round(AT * FPS)
    pin, number = moglow.Pin(AT, base.clip, frame, world=True), standing(own, AT)
    aside = tuple(replace(each, x=each.x + 0.1 * (k == number)) for k, each in enumerate(own))
    take = moglow.generate(PATH, seed=SEED, pins=(pin,), footprints=aside)
    np.testing.assert_allclose(take.clip.world_positions[frame], base.clip.world_positions[frame], atol=1e-6)
    changes = take.figures["footprints_followed"]["changed_for_pins"]
    (change,) = (each for each in changes if each["moved_m"] > 0.03)
    assert change["goal"] == "pin at 2 s" and change["moved_m"] == pytest.approx(0.1, abs=0.02)
    assert take.figures["footprints_followed"]["error_m"] < NEAR


def test_a_clip_is_continued_in_footprints(other: Clip) -> None:
    begun = other[:POSE]
    prints = footprints(moglow.generate("line:length=1.5", seed=SEED, continued=begun).clip)
    moved = tuple(replace(each, x=each.x + 0.1 * (k == len(prints) - 2)) for k, each in enumerate(prints))
    take = moglow.generate("line:length=1.5", seed=SEED, continued=begun, footprints=moved)
    np.testing.assert_allclose(take.clip.world_positions[0], begun.world_positions[-1], atol=1e-9)
    hold(take.clip, moved)


def test_an_anchor_has_its_time_and_place(base: Take, own: Footprints) -> None:
    offset = np.array([0.02, 0.0, -0.03])
    done = follow_footprints(base.clip, own, anchors=[Anchor(AT, AT, offset)])
    frame = round(AT * FPS)
    np.testing.assert_allclose(done.offsets[frame], offset, atol=1e-3)
    assert done.frames[frame] == pytest.approx(frame, abs=0.1) and done.missed.max() < NEAR


def stance(clip: Clip, seconds: float, after: float) -> Stance:
    frame = round(seconds * FPS)
    return Stance.of("pin", frame, round(after * FPS), clip[frame : frame + 1])


def test_times_of_footprints_give_way_a_little(base: Take, own: Footprints, followed: Followed) -> None:
    """A foot that stands before its footprint begins makes it begin earlier."""
    fitting, each = Fitting(base.clip, followed), own[standing(own, AT)]
    prints, changes = fitting.fitted(own, [stance(base.clip, each.on + 0.1, each.on - 0.034)])
    (mine,) = (mine for mine in prints if mine.leg == each.leg and mine.off == each.off)
    assert mine.on == pytest.approx(each.on - 0.134, abs=0.02)
    assert ("left", "right")[each.leg] in {change["foot"] for change in changes}
    middle = (each.on + each.off) / 2
    same, none = fitting.fitted(own, [stance(base.clip, middle, middle)])
    assert same == own and not none


def test_contradictions_name_both(base: Take, own: Footprints, followed: Followed) -> None:
    fitting, each = Fitting(base.clip, followed), own[standing(own, AT)]
    middle = (each.on + each.off) / 2
    far = tuple(replace(mine, x=mine.x + 0.4) if mine is each else mine for mine in own)
    foot = ("left", "right")[each.leg]
    away = rf"pin: its {foot} foot is 0\.\d\d m from the footprint from {each.on:.2f} to"
    with pytest.raises(ControlError, match=away):
        fitting.fitted(far, [stance(base.clip, middle, middle)])
    gone = tuple(mine for mine in own if mine is not each)
    with pytest.raises(ControlError, match=f"its {foot} foot stands, but its next footprint is from"):
        fitting.fitted(gone, [stance(base.clip, middle, middle)])
    after = next(mine for mine in own if mine.leg == each.leg and mine.on > each.off)
    long = tuple(replace(mine, off=after.off) if mine is each else mine for mine in own if mine is not after)
    air = each.off + 0.2 * (after.on - each.off)  # early in the swing, near the footprint
    words = (
        f"its {foot} foot is in the air, but stands in the footprint from {each.on:.2f} to {after.off:.2f}"
    )
    with pytest.raises(ControlError, match=words) as raised:
        fitting.fitted(long, [stance(base.clip, air, air)])
    assert "\n" not in str(raised.value)
