"""Laws of `moglow.measures.gait`: a walk whose feet are known is measured as it was made."""

import math

import numpy as np
import pytest

from moglow.measures.gait import gait
from moglow.motion.clip import Clip
from tests.support.rigs import RIGS
from tests.support.walking import skeleton_of, walk


@pytest.mark.parametrize("rig", ["biped", "mixamo"])
def test_a_known_walk_is_measured_as_it_was_made(rig: str) -> None:
    skeleton = skeleton_of(RIGS[rig])
    clip, _ = walk(skeleton, seconds=8.0, speed=1.0)
    ankles = [skeleton.rest_positions[leg.ankle] for leg in skeleton.anatomy.legs]
    apart = abs(ankles[0][0] - ankles[1][0])
    found = gait(clip)
    assert found.steps >= 12 and found.crossed == 0.0
    assert found.width == pytest.approx(apart, abs=0.02)
    assert found.left == pytest.approx(0.5, abs=0.05)  # a stride a second, of two steps
    assert found.left == pytest.approx(found.right, rel=0.05)
    assert found.flight == 0.0
    turned = gait(clip.moved((3.0, 0.0, -2.0), heading=1.0))
    assert turned.width == pytest.approx(found.width, abs=1e-6)
    mirrored = gait(clip.mirrored())
    assert mirrored.left == pytest.approx(found.right, abs=0.03)


def test_a_standing_figure_takes_no_steps() -> None:
    found = gait(Clip.at_rest(skeleton_of(RIGS["biped"]), frames=60))
    assert found.steps == 0 and math.isnan(found.width) and math.isnan(found.crossed)
    assert np.isfinite(found.lean) and found.low_toe_speed == 0.0
