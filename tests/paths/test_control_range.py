"""The range of a model's controls: excess is named, and slowing down keeps the way within it."""

import numpy as np
import pytest

from moglow.paths.control_path import ControlPath
from moglow.paths.control_range import TOLERANCE, ControlRange
from moglow.paths.presets import preset

SEEN = ControlRange(forward=1.3, backward=0.8, sideways=0.5, turn=1.2)


@pytest.mark.parametrize(
    "text", ["line:speed=3", "figure8:speed=2", "square", "side:speed=1", "back:speed=1.5", "turn:rate=200"]
)
def test_a_slowed_path_goes_the_same_way_within_the_range(text: str) -> None:
    path = preset(text, 30.0)
    slowed = SEEN.slowed(path)
    assert SEEN.warnings(path) and not SEEN.warnings(slowed)
    assert max(share.max() for share in SEEN.shares(slowed).values()) < TOLERANCE
    assert slowed.duration > path.duration
    apart = np.linalg.norm(slowed.positions[:, None] - path.positions[None], axis=-1).min(1)
    steps = np.linalg.norm(np.diff(path.positions, axis=0), axis=-1).max()
    assert apart.max() <= steps / 2 + 1e-6
    assert np.allclose(slowed.positions[-1], path.positions[-1], atol=0.02)
    assert slowed.headings[-1] == pytest.approx(path.headings[-1], abs=0.02)


def test_a_path_within_the_range_stays_as_it_is() -> None:
    path = preset("circle:r=2,speed=1", 30.0)
    assert SEEN.warnings(path) == ()
    assert np.allclose(SEEN.slowed(path).positions, path.positions, atol=1e-9)


def test_warnings_name_the_requested_and_the_recorded_speed() -> None:
    (warning,) = SEEN.warnings(preset("line:speed=6.2,length=60", 30.0))
    assert warning.startswith("forward: 6.2 m/s requested at") and warning.endswith("1.3 m/s within reach")


def test_the_range_of_a_walk_covers_it() -> None:
    path = preset("figure8", 30.0)
    seen = ControlRange.of(path.velocities())
    assert seen.forward == pytest.approx(1.2, abs=0.01) and seen.backward == 0
    assert not seen.warnings(path) and not seen.warnings(path.mirrored())
    assert seen.warnings(path.reversed())
    assert not seen.stands(path) and seen.slowest < 0.1, "it begins from a stand"
    assert ControlRange.of(path.velocities()[60:-60]).stands(path)


def test_unrecorded_directions_slow_no_path_to_a_halt() -> None:
    path = ControlPath.from_velocities([[-0.6, 0.0, 0.0]] * 91, fps=30.0)
    slowed = ControlRange(forward=1.0, backward=0.0, sideways=0.0, turn=1.0).slowed(path)
    assert slowed.duration <= 4 * path.duration + 0.1
