"""The reach of a model: recordings are found by speed, and the sweep ends where motion is no longer similar."""

from dataclasses import replace

import numpy as np
import pytest

from moglow.evaluation.reach import Rate, ReachSpec, farthest, measure_reach, recorded_at
from tests.sampling.test_sampler import make_checkpoint
from tests.support.tiny import tiny_corpus


def rate(value: float, good: bool, direction: str = "forward") -> Rate:
    return Rate(direction, value, (0.1, 0.1), (100.0, 100.0), (5.0, 5.0), good)


def test_recordings_are_found_by_their_speed() -> None:
    spec = ReachSpec(near=0.35)
    for speed in (0.8, 1.3):
        clips = recorded_at(tiny_corpus(), "forward", speed, spec)
        ways = [clip.ground_positions() for clip in clips]
        speeds = [np.linalg.norm(way[-1] - way[0]) / (len(way) - 1) * 20 for way in ways]
        assert speeds == pytest.approx([speed] * len(speeds), abs=0.46)
        assert clips
    assert not recorded_at(tiny_corpus(), "backward", 1.0, spec)


def test_the_reach_ends_before_two_bad_rates_in_turn() -> None:
    found = [
        rate(0.2, False),
        rate(0.4, True),
        rate(0.6, False),
        rate(0.8, True),
        rate(1.0, False),
        rate(1.2, False),
    ]
    assert farthest([*found, rate(1.4, True)], "forward") == 0.8
    assert farthest(found, "backward") == 0.0
    assert farthest([rate(0.2, False), rate(0.4, False), rate(0.6, True)], "forward") == 0.6


def test_a_model_is_measured_beside_recordings() -> None:
    spec = ReachSpec(step=0.4, seconds=2.0, seeds=1, recorded=1.0, near=0.4)
    lenient = replace(spec, sliding=1e9, jerky=1e9, bowed=1e9)
    reach, found = measure_reach(make_checkpoint(carry={}), tiny_corpus(), lenient)
    assert {each.direction for each in found} == {"forward", "sideways", "turn"} & {
        each.direction for each in found
    }
    assert all(each.good and np.isfinite(each.jerk).all() for each in found)
    assert reach.forward == max(each.rate for each in found if each.direction == "forward")
    strict, _ = measure_reach(
        make_checkpoint(carry={}), tiny_corpus(), replace(spec, sliding=0.0, still=-1.0)
    )
    assert strict.forward == 0.0


def test_motion_that_is_not_of_a_body_is_not_good(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = ReachSpec(
        step=0.4, seconds=2.0, seeds=1, recorded=1.0, near=0.4, sliding=1e9, jerky=1e9, bowed=1e9
    )
    monkeypatch.setattr("moglow.sampling.sanity.FAREST", 0.0)
    reach, found = measure_reach(make_checkpoint(carry={}), tiny_corpus(), spec)
    assert reach.forward == 0.0 and found and not any(each.good for each in found)
