"""Continued side-steps: a cycle is repeated for as long as asked for, and planted feet do not slide at the seams."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from moglow.corpus.corpus import Corpus
from moglow.corpus.long_sides import SideSpec, with_long_sides
from moglow.encodings.encoding import Features, FeatureSpec
from moglow.measures.metrics import toe_slide
from moglow.motion.clip import Clip
from moglow.motion.contacts import toe_points
from moglow.paths.control_path import ControlPath
from tests.support.rigs import RIGS
from tests.support.walking import skeleton_of, walk

FPS, SPEED = 20.0, 0.6
SPEC = SideSpec(cycles=1, seconds=8.0, apart=0.5)


@cache
def walking() -> Clip:
    return walk(skeleton_of(RIGS["biped"]), seconds=4.0, fps=FPS, speed=SPEED)[0]


@cache
def corpus() -> Corpus:
    """Returns a walk along a path whose heading is a quarter turn away, so that it goes sideways, and a plain walk."""
    encoding = FeatureSpec(encoding="feet_first", smoothing=0.1).fit([walking()])
    ahead = ControlPath.from_clip(walking(), 0.1)
    aside = replace(ahead, headings=ahead.headings - np.pi / 2)
    features = [Features(encoding.encode(walking(), path), path.velocities()) for path in (aside, ahead)]
    labels = [("aside", "calm", "train"), ("ahead", "calm", "train")]
    return Corpus.build(encoding, features, labels, fps=FPS)


def test_a_cycle_of_side_steps_is_repeated() -> None:
    more = with_long_sides(corpus(), SPEC)
    (added,) = more.stretches[len(corpus().stretches) :]
    assert (added.name, added.split, added.again) == ("aside", "train", True)
    assert 8.0 * FPS <= len(added) <= 12.0 * FPS
    np.testing.assert_allclose(np.abs(more.control[added.frames][10:, 1]), SPEED, atol=0.1)
    again = more.clip(added)
    assert abs(np.ptp(again.ground_positions()[:, 0]) - SPEED * len(added) / FPS) < 0.3
    recorded = toe_slide(toe_points(walking()), FPS).mean
    assert toe_slide(toe_points(again), FPS).mean < 1.2 * recorded + 0.01


def test_most_cycles_are_those_of_the_settings() -> None:
    added = with_long_sides(corpus(), replace(SPEC, cycles=3)).stretches[len(corpus().stretches) :]
    assert 1 <= len(added) <= 3
    pose = np.array(corpus().pose)
    pose[:, corpus().encoding.slice("toe_x")] += (
        0.02 * np.arange(len(pose))[:, None]
    )  # no two frames are similar
    assert with_long_sides(replace(corpus(), pose=pose), SPEC).stretches == corpus().stretches
    assert with_long_sides(corpus(), SideSpec()) is corpus()


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"cycles": -1}, "cycles is -1; give 0 to 100"),
        ({"seconds": 0.0}, "seconds is 0.0; give at most 600"),
        ({"apart": -1.0}, "apart is -1.0; give 0 or more"),
    ],
)
def test_settings_out_of_range_are_errors(settings: dict[str, float], error: str) -> None:
    with pytest.raises(ValueError, match=error):
        SideSpec(**settings)  # type: ignore[arg-type]
