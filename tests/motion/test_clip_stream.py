"""A clip processed in blocks equals the clip processed as a whole."""

from pathlib import Path

import numpy as np
import pytest

from moglow.bvh.read import read_bvh
from moglow.bvh.write import write_bvh, write_bvh_blocks
from moglow.errors import BvhError
from moglow.motion.clip import Clip
from moglow.motion.clip_stream import joined, resampled, stretches
from moglow.motion.retarget import retarget, retarget_blocks
from tests.support.rigs import RIGS
from tests.support.walking import skeleton_of, walk

ROUNDING = 1e-9


def cut(clip: Clip, size: int) -> list[Clip]:
    return [clip[start : start + size] for start in range(0, len(clip), size)]


@pytest.mark.parametrize("size", [1, 7, 40, 500])
def test_stretches_are_all_frames_once_with_their_surroundings(size: int) -> None:
    clip, _ = walk(skeleton_of(RIGS["cmu"]), seconds=4.0)
    seen = 0
    for stretch, own in stretches(cut(clip, size), margin=10):
        np.testing.assert_array_equal(
            stretch[own].positions, clip[seen : seen + own.stop - own.start].positions
        )
        assert own.start == min(10, seen)
        seen += own.stop - own.start
        assert len(stretch) - own.stop == 10 or seen == len(clip)
    assert seen == len(clip)


@pytest.mark.parametrize("size", [13, 100])
@pytest.mark.parametrize("fps", [60.0, 29.97, 24.0, 12.5])
def test_resampling_blocks_is_resampling_the_whole(size: int, fps: float) -> None:
    clip, _ = walk(skeleton_of(RIGS["cmu"]), seconds=5.0)
    whole, pieces = clip.resample(fps), joined(resampled(cut(clip, size), fps))
    assert len(whole) == len(pieces) and pieces.fps == fps
    np.testing.assert_allclose(pieces.world_positions, whole.world_positions, atol=ROUNDING)


def test_retargeting_in_blocks_equals_retargeting_the_whole() -> None:
    """Except for the height of the floor, which is known only at the end: less than a tenth of a millimetre here."""
    clip, _ = walk(skeleton_of(RIGS["cmu"]), seconds=12.0)
    target = skeleton_of(RIGS["mixamo"])
    whole, pieces = retarget(clip, target), joined(retarget_blocks(cut(clip, 180), target))
    assert len(list(retarget_blocks(cut(clip, 180), target))) > 1
    np.testing.assert_allclose(pieces.world_positions, whole.world_positions, atol=1e-4)


@pytest.mark.parametrize("unit", [None, "m"])
def test_a_file_of_blocks_is_the_file_of_the_whole_to_the_byte(tmp_path: Path, unit: str | None) -> None:
    clip, _ = walk(skeleton_of(RIGS["mixamo"]), seconds=4.0)
    write_bvh(clip, tmp_path / "whole.bvh", unit=unit)
    write_bvh_blocks(iter(cut(clip, 17)), tmp_path / "blocks.bvh", unit=unit)
    assert (tmp_path / "whole.bvh").read_bytes() == (tmp_path / "blocks.bvh").read_bytes()
    again = read_bvh(tmp_path / "whole.bvh")
    write_bvh_blocks(cut(again, 17), tmp_path / "verbatim.bvh")
    text, first = (tmp_path / "verbatim.bvh").read_text(), (tmp_path / "whole.bvh").read_text()
    assert text.split("MOTION")[0] == first.split("MOTION")[0]


def test_blocks_of_nothing_and_joints_that_begin_to_move_are_refused(tmp_path: Path) -> None:
    clip, _ = walk(skeleton_of(RIGS["cmu"]), seconds=1.0)
    with pytest.raises(BvhError, match="no frames"):
        write_bvh_blocks([], tmp_path / "a.bvh")
    stretched = joined([clip])
    stretched.positions[:, 5] += np.linspace(0, 0.1, len(clip))[:, None]
    with pytest.raises(BvhError, match="begins to move"):
        write_bvh_blocks([clip, stretched], tmp_path / "a.bvh")
    assert not list(tmp_path.iterdir())
