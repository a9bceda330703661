"""Mending: sound motion stays the same; injected damage is reported and mended, and nothing else is changed."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from moglow.bvh.read import read_bvh
from moglow.cleaning.damage import Damage, _apart, interpolated
from moglow.cleaning.injection import KINDS, DamagedClip, inject
from moglow.cleaning.mend import Mended, mend
from moglow.cleaning.spike import Spike
from moglow.cleaning.sunk import Sunk
from moglow.maths.rotations import axis_angle_to_quat, quat_multiply
from moglow.motion.clip import Clip
from tests.support.rigs import DOGS, RIGS
from tests.support.walking import skeleton_of, walk

SAMPLES = Path(__file__).resolve().parents[2] / "data" / "samples"
WALK = read_bvh(SAMPLES / "walk.bvh")
NAMED = {kind: kind for kind in KINDS} | {"lost": "frozen", "leap": "teleport"}
TOLERANCES = {
    "spike": 0.01,  # error of a curve over three frames for a joint of a leg
    "swap": 1e-9,
    "frozen": 0.3,  # error of a curve over a second for a swinging foot
    "lost": 0.4,
    "floor": 0.06,  # vertical motion of the hips while a foot is planted
    "teleport": 5e-3,
    "leap": 5e-3,
    "rate": 0.05,
    "fps": 1e-12,
}
"""Metres by which any joint is off in any frame once mended by curves."""


def damaged(kind: str, seed: int, clip: Clip = WALK) -> DamagedClip:
    return inject(clip, kind, generator=np.random.default_rng(seed))


def frames_of(mended: Mended) -> np.ndarray:
    """Returns the original frames in which damage was found."""
    found = np.zeros(len(mended.original), bool)
    for each in mended.found:
        found[each.damage.start : each.damage.stop] = True
    return found


@pytest.mark.parametrize("file", sorted(SAMPLES.glob("*.bvh")), ids=lambda file: file.stem)
def test_sound_motion_has_no_damage_and_stays_as_it_is(file: Path) -> None:
    clip = read_bvh(file)
    mended = mend(clip)
    assert mended.found == ()
    assert mended.clip is clip and not mended.changed.any()


@pytest.mark.parametrize("rig", [*RIGS, *DOGS])
def test_a_walk_on_any_figure_is_sound(rig: str) -> None:
    clip, _ = walk(skeleton_of({**RIGS, **DOGS}[rig]), seconds=2.0, speed=0.8)
    assert [each.damage.why for each in mend(clip).found] == []


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_each_damage_is_reported_and_mended(kind: str, seed: int) -> None:
    found = damaged(kind, seed)
    mended = mend(found.clip)
    assert NAMED[kind] in {each.damage.kind for each in mended.found if not each.left}
    assert frames_of(mended)[found.frames].mean() > 0.8
    assert (len(mended.clip), mended.clip.fps) == (len(WALK), WALK.fps)
    off = np.linalg.norm(mended.clip.world_positions - WALK.world_positions, axis=-1)
    assert off.max() < TOLERANCES[kind]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "rate"])
def test_good_frames_and_good_joints_keep_every_bit(kind: str) -> None:
    found = damaged(kind, 1)
    mended = mend(found.clip)
    joints = {joint for each in mended.found for joint in each.damage.joints}
    assert not mended.changed[~frames_of(mended)].any()
    assert set(np.flatnonzero(mended.changed.any(0)).tolist()) <= joints
    assert np.array_equal(mended.clip.rotations[~mended.changed], found.clip.rotations[~mended.changed])
    assert np.array_equal(mended.clip.positions[~mended.changed], found.clip.positions[~mended.changed])


@pytest.mark.parametrize("kind", [Spike, Sunk])
def test_damage_mended_nearby_is_mended_as_in_the_whole_take(kind: type[Damage]) -> None:
    clip, at = WALK, list(range(20, len(WALK), 25))
    ankle, turn = clip.skeleton.anatomy.legs[0].ankle, axis_angle_to_quat([1, 0, 0], 1.2)
    rotations, positions = clip.rotations.copy(), clip.positions.copy()
    if kind is Spike:
        rotations[at, ankle] = quat_multiply(rotations[at, ankle], turn)
    else:
        positions[:, 0, 1] += 0.05 * np.sin(np.arange(len(clip)) / 9)
    clip = Clip(clip.skeleton, positions, rotations, clip.fps)
    found = kind.find(clip)
    assert len(found) > 3
    together, one_by_one = kind.all_mended(clip, found, interpolated), clip
    for damage in reversed(found):
        one_by_one = damage.mended(one_by_one, interpolated)
    assert np.array_equal(together.rotations, one_by_one.rotations)
    assert np.array_equal(together.positions, one_by_one.positions)


def test_a_foot_below_the_floor_in_a_filled_gap_is_not_reported() -> None:
    takes = [mend(damaged("lost", seed).clip).found for seed in range(4)]
    assert [[each.damage.kind for each in found] for found in takes] == [["frozen"]] * 4


def test_frames_beside_a_stretch_at_another_rate_keep_every_bit() -> None:
    found = damaged("rate", 2)
    mended = mend(found.clip)
    kept = mended.source >= 0
    assert kept.sum() > 0.7 * len(WALK)
    assert np.array_equal(mended.clip.rotations[kept], found.clip.rotations[mended.source[kept]])
    assert not mended.changed[kept].any() and mended.changed[~kept].all()


@pytest.mark.parametrize("kind", ["spike", "swap", "teleport", "leap", "fps"])
@pytest.mark.parametrize("rig", ["bandai", "mixamo", "unreal"])
def test_damage_is_mended_on_any_figure(rig: str, kind: str) -> None:
    sound, _ = walk(skeleton_of(RIGS[rig]), seconds=4.0)
    mended = mend(damaged(kind, 4, sound).clip)
    off = np.linalg.norm(mended.clip.world_positions - sound.world_positions, axis=-1)
    assert mended.found and off.max() < 0.02


def test_mended_motion_is_sound() -> None:
    for kind in ("spike", "swap", "teleport", "leap", "fps"):
        assert mend(mend(damaged(kind, 1).clip).clip).found == ()


def test_frames_frozen_at_an_end_are_reported_and_left() -> None:
    rotations, positions = WALK.rotations.copy(), WALK.positions.copy()
    rotations[-20:], positions[-20:] = rotations[-21], positions[-21]
    clip = Clip(WALK.skeleton, positions, rotations, WALK.fps)
    mended = mend(clip)
    assert [(each.damage.kind, each.left) for each in mended.found] == [
        ("frozen", "no sound frames on one side")
    ]
    assert mended.clip is clip


def test_a_clip_of_few_frames_is_not_searched() -> None:
    assert mend(WALK[:3]).found == ()


def test_damage_in_groups_is_repaired_as_one_after_another() -> None:
    """Spikes apart, near each other, in the same frames, and at both ends."""
    rotations = WALK.rotations.copy()
    turned = axis_angle_to_quat([1.0, 0.0, 0.0], 1.5)
    places = [
        (0, 3),
        (20, 5),
        (26, 5),
        (40, 7),
        (40, 9),
        (60, 4),
        (61, 9),
        (100, 3),
        (140, 6),
        (len(WALK) - 1, 4),
    ]
    for frame, joint in places:
        rotations[frame, joint] = quat_multiply(rotations[frame, joint], turned)
    clip = replace(WALK, rotations=rotations)
    found = Spike.find(clip)
    assert len(found) == len(places) and 1 < len(_apart(found)) < 5
    one_by_one = clip
    for spike in reversed(found):
        one_by_one = spike.mended(one_by_one, interpolated)
    together = Spike.all_mended(clip, found, interpolated)
    assert np.array_equal(together.rotations, one_by_one.rotations)
    assert np.array_equal(together.positions, one_by_one.positions)
