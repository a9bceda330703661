"""Toes bend where their tips would be below the floor: the tips are then on it, and nothing else moves."""

from pathlib import Path

import numpy as np
import pytest

from moglow.bvh.read import read_bvh
from moglow.checkpoint import Checkpoint
from moglow.motion.clip import Clip
from moglow.motion.contacts import toe_points
from moglow.motion.foot_lock import bent_toes
from moglow.paths.presets import preset
from moglow.sampling.generate import PRETRAINED, generate

SAMPLES = Path(__file__).resolve().parents[2] / "data" / "samples"
EXACT = 1e-9  # metres


@pytest.fixture(scope="module")
def sunk() -> Clip:
    return read_bvh(SAMPLES / "walk.bvh").moved((0.0, -0.05, 0.0))


def test_tips_lie_on_the_floor_where_toes_reach_it_and_bones_keep_their_lengths(sunk: Clip) -> None:
    bent, toes = bent_toes(sunk), toe_points(sunk)[..., 1]
    tips = [
        place
        for place, (joint, _) in enumerate(sunk.skeleton.end_sites)
        if "Toe" in sunk.skeleton.names[joint]
    ]
    before, after = (clip.end_positions()[:, tips, 1] for clip in (sunk, bent))
    assert before.min() < -0.03
    reach = np.linalg.norm(sunk.skeleton.end_sites[tips[0]][1])
    np.testing.assert_allclose(after[(before < 0) & (toes > -reach)], 0.0, atol=EXACT)
    np.testing.assert_array_equal(after[before >= 0], before[before >= 0])


def test_nothing_but_toes_turns_and_no_joint_moves(sunk: Clip) -> None:
    bent = bent_toes(sunk)
    feet = [joint for joint, name in enumerate(sunk.skeleton.names) if "Toe" in name]
    others = [joint for joint in range(len(sunk.skeleton)) if joint not in feet]
    np.testing.assert_array_equal(bent.rotations[:, others], sunk.rotations[:, others])
    np.testing.assert_allclose(bent.world_positions, sunk.world_positions, atol=EXACT)


def test_bending_again_changes_nothing_and_toes_above_the_floor_stay(sunk: Clip) -> None:
    once = bent_toes(sunk)
    np.testing.assert_allclose(bent_toes(once).world_rotations, once.world_rotations, atol=1e-6)
    high = sunk.moved((0.0, 1.0, 0.0))
    assert bent_toes(high) is high


def test_takes_do_not_dip_their_toes_into_the_floor() -> None:
    checkpoint, path = Checkpoint.read(PRETRAINED), preset("back:length=4", fps=30.0)
    deepest = []
    for lock in (False, True):
        (take,) = generate(checkpoint, path, foot_lock=lock)
        deepest.append(float(take.clip.end_positions()[..., 1].min()))
    assert deepest[0] < -0.01 and deepest[1] > -1e-6
