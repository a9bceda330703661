"""Injected damage: it is in the stated frames and joints and in no others; a seed determines it."""

import numpy as np
import pytest

from moglow.cleaning.injection import KINDS, DamagedClip, inject
from moglow.errors import ClipError
from moglow.motion.clip import Clip
from tests.support.rigs import RIGS
from tests.support.walking import skeleton_of, walk

WALK, _ = walk(skeleton_of(RIGS["mixamo"]), seconds=4.0)
TIMED = ("rate", "fps")


def damaged(kind: str, seed: int, clip: Clip = WALK) -> DamagedClip:
    return inject(clip, kind, generator=np.random.default_rng(seed))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in TIMED])
@pytest.mark.parametrize("seed", range(5))
def test_bad_frames_and_joints_change_and_no_others(kind: str, seed: int) -> None:
    found = damaged(kind, seed)
    changed = (found.clip.rotations != WALK.rotations).any(-1) | (found.clip.positions != WALK.positions).any(
        -1
    )
    assert not changed[~found.frames].any()
    assert not np.delete(changed, found.joints, axis=1).any() or kind == "floor"
    assert changed[found.frames].any(1).mean() > 0.5
    moved = np.linalg.norm(found.clip.world_positions - WALK.world_positions, axis=-1).max(1)
    tips = np.linalg.norm(found.clip.end_positions() - WALK.end_positions(), axis=-1).max(1, initial=0.0)
    assert np.maximum(moved, tips)[found.frames].max() > 0.01 or kind == "spike"


@pytest.mark.parametrize("seed", range(5))
def test_a_stretch_at_another_rate_leaves_the_frames_around_it(seed: int) -> None:
    found = damaged("rate", seed)
    bad = np.flatnonzero(found.frames)
    before, after = found.clip[: bad[0]], found.clip[bad[-1] + 1 :]
    assert np.array_equal(before.rotations, WALK.rotations[: len(before)])
    assert np.array_equal(after.rotations, WALK.rotations[-len(after) :])
    assert len(found.clip) != len(WALK)


@pytest.mark.parametrize("rig", RIGS)
@pytest.mark.parametrize("kind", KINDS)
def test_any_figure_can_be_damaged_and_the_seed_determines_how(rig: str, kind: str) -> None:
    clip, _ = walk(skeleton_of(RIGS[rig]), seconds=2.0, fps=60.0)
    one, other = damaged(kind, 3, clip), damaged(kind, 3, clip)
    assert np.array_equal(one.clip.rotations, other.clip.rotations)
    assert np.array_equal(one.frames, other.frames)
    assert one.frames.shape == (len(one.clip),) and one.frames.any()


def test_a_clip_of_half_a_second_is_refused() -> None:
    with pytest.raises(ClipError, match=r"0\.50 s long; give at least 1\.0 s"):
        damaged("spike", 0, WALK[:16])
