"""Laws of `moglow.cleaning.tempo`: a stretch at another rate is found where it is; a body that speeds up by
itself is none.
"""

from dataclasses import replace

import numpy as np
import pytest

from moglow.cleaning.tempo import find_hurries
from moglow.maths.rotations import Array, quat_continuous
from moglow.maths.signals import sample_cubic, sample_turns
from moglow.motion.clip import Clip
from tests.support.rigs import RIGS
from tests.support.walking import skeleton_of, walk

WALK, _ = walk(skeleton_of(RIGS["snu"]), seconds=8.0)


def at(times: Array) -> Clip:
    """Returns the walk at fractional frames."""
    return replace(
        WALK,
        positions=sample_cubic(WALK.positions, times),
        rotations=sample_turns(quat_continuous(WALK.rotations), times),
    )


@pytest.mark.parametrize("factor", [1 / 3, 1 / 2, 2.0, 3.0])
@pytest.mark.parametrize("start", [60, 71])
def test_a_stretch_at_another_rate_is_found(start: int, factor: float) -> None:
    inside = start + factor * np.arange(1, 19)
    times = np.concatenate([np.arange(start + 1), inside, np.arange(inside[-1] + 1, len(WALK))])
    (hurry,) = find_hurries(at(times))
    assert (hurry.start, hurry.stop, hurry.factor) == (start, start + 18, factor)


def test_a_walk_that_accelerates_is_no_damage() -> None:
    speeds = 1 + 0.8 / (1 + np.exp(-(np.arange(120) - 60) / 6))  # within about a second
    assert find_hurries(at(np.cumsum(speeds))) == []
    assert find_hurries(WALK) == []


def test_a_standing_figure_has_no_tempo() -> None:
    assert find_hurries(Clip.at_rest(WALK.skeleton, frames=60)) == []
