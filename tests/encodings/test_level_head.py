"""A levelled head faces ahead on any rig; other joints do not change."""

from dataclasses import replace

import numpy as np
import pytest

from moglow.encodings.level_head import level_head
from moglow.maths.rotations import UP, axis_angle_to_quat, quat_multiply, quat_rotate
from tests.support.rigs import RIGS
from tests.support.walking import skeleton_of, walk

LEVEL = 1e-9  # of a unit vector


@pytest.mark.parametrize("rig", ["snu", "mixamo"])
def test_a_lowered_head_is_raised_and_nothing_else_changes(rig: str) -> None:
    upright = walk(skeleton_of(RIGS[rig]), seconds=2.0)[0]
    head = upright.skeleton.role("head")
    rotations = np.array(upright.rotations)
    rotations[:, head] = quat_multiply(axis_angle_to_quat([1.0, 0.0, 0.0], 0.5), rotations[:, head])
    hanging = replace(upright, rotations=rotations)
    level = level_head(hanging)
    others = np.arange(len(upright.skeleton)) != head
    np.testing.assert_array_equal(level.rotations[:, others], hanging.rotations[:, others])
    up = quat_rotate(level.world_rotations[:, head], UP).mean(0)
    np.testing.assert_allclose(up / np.linalg.norm(up), UP, atol=1e-3)


def test_levelling_again_changes_nothing() -> None:
    once = level_head(walk(skeleton_of(RIGS["snu"]), seconds=2.0)[0])
    np.testing.assert_allclose(level_head(once).world_rotations, once.world_rotations, atol=LEVEL)
