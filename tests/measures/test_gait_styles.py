"""Styles of walking are recognised by movement: a posture changes nothing, another gait does."""

from dataclasses import replace

import numpy as np

from moglow.maths.rotations import quat_multiply
from moglow.measures.gait_styles import FEATURES, GaitClassifier, gait_windows
from moglow.motion.clip import Clip
from tests.support.rigs import RIGS
from tests.support.walking import skeleton_of, walk


def bowed(clip: Clip) -> Clip:
    """Returns the same walk with the neck bent forward throughout."""
    rotations = clip.rotations.copy()
    neck = clip.skeleton.anatomy.roles["neck"]
    turn = np.array([np.cos(0.2), np.sin(0.2), 0.0, 0.0])
    rotations[:, neck] = quat_multiply(rotations[:, neck], turn)
    return replace(clip, rotations=rotations)


def windows(speed: float, seconds: float = 12.0) -> np.ndarray:
    clip, _ = walk(skeleton_of(RIGS["cmu"]), seconds=seconds, speed=speed)
    return gait_windows(clip, seconds=1.5, hop=0.5)


def test_a_posture_that_is_held_is_not_seen() -> None:
    clip, _ = walk(skeleton_of(RIGS["cmu"]), seconds=6.0)
    upright, bent = (gait_windows(each, seconds=1.5, hop=0.5) for each in (clip, bowed(clip)))
    moving = np.abs(
        upright
        - gait_windows(walk(skeleton_of(RIGS["cmu"]), seconds=6.0, speed=1.6)[0], seconds=1.5, hop=0.5)
    )
    assert np.abs(upright - bent).max() < 0.05 < moving.max()


def test_there_are_as_many_windows_as_fit() -> None:
    assert windows(1.0, seconds=4.0).shape == (6, FEATURES)
    assert windows(1.0, seconds=1.0).shape == (0, FEATURES)


def test_a_classifier_tells_unseen_walks_apart_and_places_those_in_between() -> None:
    slow, fast = windows(0.8), windows(1.6)
    noise = np.random.default_rng(0).normal(scale=0.02, size=(2, *slow.shape))
    learnt = np.concatenate([slow + noise[0], fast + noise[1]])
    classifier = GaitClassifier.fit(learnt, ["slow"] * len(slow) + ["fast"] * len(fast))
    assert classifier.prefers(windows(0.9), "slow", "fast").all()
    assert classifier.prefers(windows(1.5), "fast", "slow").all()
    assert not classifier.prefers(windows(1.5), "slow", "fast").any()
