"""Motion that follows footprints: the feet stand there and then, bones keep their lengths."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from moglow.checkpoint import Checkpoint
from moglow.footsteps.following import Followed, follow_footprints
from moglow.footsteps.footprints import Footprint, Footprints, footprints
from moglow.footsteps.implied import implied_path
from moglow.footsteps.soles import Soles
from moglow.measures.metrics import bone_stretch, jerk
from moglow.measures.on_ground import knee_flexion
from moglow.motion.clip import Clip
from moglow.motion.contacts import toe_points
from moglow.motion.foot_lock import bent_toes, lock_feet
from moglow.paths.csv_files import read_path
from moglow.sampling.generate import LOCK, PRETRAINED
from moglow.sampling.sampler import Sampler

NEAR, FRAME = 0.01, 1.5 / 30
"""What was promised: a centimetre and a frame."""


@pytest.fixture(scope="module")
def clip() -> Clip:
    sampler = Sampler.of(Checkpoint.read(PRETRAINED), temperature=0.7)
    return bent_toes(lock_feet(sampler.generate(read_path("line:length=4", fps=30.0), seed=1), spec=LOCK))


@pytest.fixture(scope="module")
def own(clip: Clip) -> Footprints:
    return footprints(clip)


def turned(each: Footprint, angle: float = 0.5) -> Footprint:
    x, z = each.x * np.cos(angle) + each.z * np.sin(angle), each.z * np.cos(angle) - each.x * np.sin(angle)
    return replace(each, x=float(x), z=float(z), heading=each.heading + angle)


EDITS: dict[str, Callable[[int, Footprint], Footprint]] = {
    "none": lambda k, each: each,
    "one aside": lambda k, each: replace(each, x=each.x + 0.15 * (k == 4)),
    "wide": lambda k, each: replace(each, x=each.x + 0.1 * (1 - 2 * each.leg)),
    "long": lambda k, each: replace(each, z=1.15 * each.z),
    "slow": lambda k, each: replace(each, on=1.3 * each.on, off=1.3 * each.off),
    "late": lambda k, each: replace(each, on=each.on + 0.1 * (k == 4)),
    "toes out": lambda k, each: replace(each, heading=each.heading + 0.3 * (1 - 2 * each.leg)),
    "turned": lambda k, each: turned(each),
}


@pytest.mark.parametrize("edit", EDITS)
def test_feet_stand_where_and_when_they_are_to(edit: str, clip: Clip, own: Footprints) -> None:
    requested = tuple(EDITS[edit](k, each) for k, each in enumerate(own))
    followed = follow_footprints(clip, requested)
    hold(followed, requested)
    assert bone_stretch(followed.clip) < 1e-9
    assert jerk(followed.clip.world_positions, 30.0) < 1.15 * jerk(clip.world_positions, 30.0)
    assert knee_flexion(followed.clip).max() < 150


def hold(followed: Followed, requested: Footprints) -> None:
    """Checks the footprints that are found in the clip, and the toes themselves."""
    assert followed.missed.max() < NEAR
    found, toes = footprints(followed.clip), toe_points(followed.clip)
    assert len(found) == len(requested)
    for each in requested:
        near = min(
            (other for other in found if other.leg == each.leg),
            key=lambda other: abs(other.on - each.on) + abs(other.off - each.off),
        )
        assert np.hypot(near.x - each.x, near.z - each.z) < NEAR
        assert abs(near.on - each.on) < FRAME and abs(near.off - each.off) < FRAME
        assert abs(near.heading - each.heading) < 0.02
        stand = toes[round(each.on * 30) : round(each.off * 30) + 1, each.leg]
        assert np.abs(stand[:, [0, 2]] - [each.x, each.z]).max() < NEAR


def test_unchanged_footprints_change_nothing(clip: Clip, own: Footprints) -> None:
    followed = follow_footprints(clip, own)
    np.testing.assert_allclose(followed.clip.world_positions, clip.world_positions, atol=1e-4)


def test_a_block_is_stepped_on(clip: Clip, own: Footprints) -> None:
    requested = tuple(replace(each, height=0.15 if k in (4, 5) else 0.0) for k, each in enumerate(own))
    done = follow_footprints(clip, requested).clip
    standing = Soles.of(clip).standing
    for k in (4, 5):
        middle = round((requested[k].on + requested[k].off) / 2 * 30)
        height = toe_points(done)[middle, requested[k].leg, 1] - standing[requested[k].leg]
        assert height == pytest.approx(0.15, abs=0.01)
    hips = done.world_positions[:, 0, 1] - clip.world_positions[:, 0, 1]
    assert 0.1 < hips.max() < 0.16 and abs(hips[0]) < 0.02


def test_a_stand_that_is_left_out_is_a_longer_step(clip: Clip, own: Footprints) -> None:
    requested = tuple(each for k, each in enumerate(own) if k != 4)
    done = follow_footprints(clip, requested)
    assert done.missed.max() < NEAR and len(footprints(done.clip)) == len(requested)
    gone = own[4]
    toes = toe_points(done.clip)[round(gone.on * 30) : round(gone.off * 30), gone.leg]
    assert np.ptp(toes[:, 2]) > 0.3, "the foot goes on instead of standing there"


def test_a_stand_that_is_new_is_made(clip: Clip, own: Footprints) -> None:
    before, after = [each for each in own if each.leg == 0][1:3]
    middle = (before.off + after.on) / 2
    new = replace(before, on=middle - 0.05, off=middle + 0.05, z=(before.z + after.z) / 2)
    done = follow_footprints(clip, (*own, new))
    assert done.missed.max() < NEAR
    stand = toe_points(done.clip)[round(new.on * 30) : round(new.off * 30) + 1, 0]
    assert np.abs(stand[:, [0, 2]] - [new.x, new.z]).max() < NEAR


def test_the_path_of_footprints_is_that_of_the_hips(clip: Clip, own: Footprints) -> None:
    path = implied_path(own, clip.skeleton, clip.fps)
    frames = min(len(path), len(clip))
    apart = np.linalg.norm(path.positions[:frames] - clip.ground_positions()[:frames], axis=-1)
    assert apart.mean() < 0.09 and np.abs(path.headings).max() < 0.2


def test_without_headings_feet_keep_theirs(clip: Clip, own: Footprints) -> None:
    requested = tuple(replace(each, heading=float("nan"), x=each.x + 0.05) for each in own)
    done = footprints(follow_footprints(clip, requested).clip)
    np.testing.assert_allclose([each.heading for each in done], [each.heading for each in own], atol=0.02)
