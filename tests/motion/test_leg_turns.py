"""The kernel turns legs as numpy does, also where legs are straight, folded, out of reach or not moved."""

import numpy as np
import pytest

from moglow.maths.rotations import Array
from moglow.motion import foot_lock
from moglow.motion.clip import Clip
from moglow.motion.foot_lock import move_feet
from moglow.motion.leg_turns import WORTH, load_kernel, turn_legs
from tests.support.rigs import RIGS
from tests.support.walking import skeleton_of, walk

ROUNDING = 1e-12
"""Of quaternions: exponentials may differ in the last bit; usually no bit differs."""


def moved(clip: Clip, shifts: Array, monkeypatch: pytest.MonkeyPatch, *, kernel: bool) -> Clip:
    with monkeypatch.context() as patch:
        if not kernel:
            patch.setattr(foot_lock, "turn_legs", lambda *_: None)
        return move_feet(clip, shifts)


@pytest.mark.parametrize("rig", ["cmu", "mixamo", "no toes, no collar bones", "biped, thighs on the spine"])
def test_the_kernel_turns_legs_as_numpy(rig: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if load_kernel() is None:
        pytest.skip("no C compiler")
    clip, planted = walk(skeleton_of(RIGS[rig]))
    generator = np.random.default_rng(0)
    shifts = generator.normal(scale=0.1, size=(*planted.shape, 3))
    shifts[generator.random(planted.shape) < 0.3] = 0.0
    shifts[5] = [0.0, -3.0, 0.0]  # out of reach
    hips = clip.world_positions[:, [leg.hip for leg in clip.skeleton.anatomy.legs]]
    ankles = clip.world_positions[:, [leg.ankle for leg in clip.skeleton.anatomy.legs]]
    shifts[6] = (hips - ankles)[6]  # folded
    straight = clip.rotations.copy()
    straight[7, [leg.knee for leg in clip.skeleton.anatomy.legs]] = [1.0, 0.0, 0.0, 0.0]
    clip = Clip(clip.skeleton, clip.positions, straight, clip.fps)
    ours, theirs = (moved(clip, shifts, monkeypatch, kernel=kernel) for kernel in (True, False))
    assert np.abs(ours.rotations - clip.rotations).max() > 0.1
    np.testing.assert_allclose(ours.rotations, theirs.rotations, rtol=0, atol=ROUNDING)
    assert ours.positions.tobytes() == theirs.positions.tobytes()


def test_a_frame_does_not_depend_on_the_others_by_a_bit() -> None:
    if load_kernel() is None:
        pytest.skip("no C compiler")
    clip, planted = walk(skeleton_of(RIGS["cmu"]))
    legs, (frames, count) = clip.skeleton.anatomy.legs, planted.shape
    generator = np.random.default_rng(0)
    shifts, ahead = generator.normal(scale=0.1, size=(2, frames, count, 3))
    sink = np.abs(generator.normal(scale=0.01, size=frames))
    whole, part = turn_legs(clip, legs, shifts, sink, ahead), slice(3, 3 + WORTH)
    alone = turn_legs(clip[part], legs, shifts[part], sink[part], ahead[part])
    assert whole is not None and alone is not None and alone.tobytes() == whole[part].tobytes()
    assert turn_legs(clip[: WORTH - 1], legs, shifts, sink, ahead) is None
