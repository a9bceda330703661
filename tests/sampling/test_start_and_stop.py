"""Ends settle: feet side by side, on the ground and at rest; and a start is where the path starts."""

from pathlib import Path

import numpy as np
import pytest

from moglow.checkpoint import Checkpoint
from moglow.maths.rotations import Array
from moglow.motion.clip import Clip
from moglow.motion.contacts import toe_points
from moglow.paths.control_path import ControlPath
from moglow.paths.csv_files import read_path
from moglow.sampling.generate import PRETRAINED, TEMPERATURE, generate
from moglow.sampling.sampler import Sampler, Track
from moglow.sampling.start_and_stop import BEFORE, best_ending, can_settle, ending_start, foresight
from tests.support.tiny import tiny_context

FPS = 30.0
STOP = str(Path(__file__).parents[2] / "data" / "controls" / "stop.csv")


def test_an_ending_begins_before_a_stop_and_only_there() -> None:
    stop = read_path("line:length=4", fps=FPS)
    start = ending_start(stop)
    assert start is not None
    stopped = np.flatnonzero(np.abs(stop.velocities()).max(-1) > 0.05)[-1] + 1
    assert start == stopped - round(BEFORE * FPS)
    assert ending_start(ControlPath.from_velocities(np.tile([1.0, 0, 0], (90, 1)), FPS)) is None
    assert ending_start(ControlPath.standing(90, FPS)) is None
    assert ending_start(read_path("turn:angle=30,rate=90", fps=FPS)) is not None
    long_stand = stop.at(np.minimum(np.arange(len(stop) + 700), len(stop) - 1))
    assert ending_start(long_stand) is None
    hop = ControlPath.from_velocities([[1.0, 0, 0]] * 3 + [[0.0, 0, 0]] * 9, FPS)
    assert ending_start(hop) == 1, "the first frame is the start's"


def test_the_best_ending_has_its_feet_together_down_and_still() -> None:
    encoding = tiny_context().encoding
    assert can_settle(encoding)
    good = np.zeros((20, len(encoding)))
    worse = []
    for group, way in (("toe_z", [0.2, 0.0]), ("toe_height", [0.05, 0.0])):
        bad = good.copy()
        bad[:, encoding.slice(group)] += way
        worse.append(bad)
    sliding = good.copy()
    sliding[:, encoding.slice("toe_x")] += np.linspace(0, 0.3, 20)[:, None]
    for bad in (*worse, sliding):
        assert best_ending(encoding, np.stack([bad, good]), FPS) == 1
        assert best_ending(encoding, np.stack([good, bad]), FPS) == 0


@pytest.fixture(scope="module")
def model() -> Checkpoint:
    return Checkpoint.read(PRETRAINED)


def ends(model: Checkpoint, control: str) -> tuple[list[Clip], Array, Array]:
    """Takes; how far one foot is before the other, and how fast the faster one is, over the last quarter second."""
    path = read_path(control, fps=model.context.fps)
    clips = [take.clip for take in generate(model, path, seed=1, takes=4)]
    toes = np.stack([toe_points(clip)[-9:][..., [0, 2]] for clip in clips])  # (N, 9, L, 2)
    ahead = np.array([np.sin(path.headings[-1]), np.cos(path.headings[-1])])
    apart = np.abs((toes[:, -1, 0] - toes[:, -1, 1]) @ ahead)
    return clips, apart, np.linalg.norm(np.diff(toes, axis=1), axis=-1).max((1, 2)) * path.fps


@pytest.mark.parametrize("control", ["line:length=4", "back", STOP])
def test_a_figure_that_stops_stands(model: Checkpoint, control: str) -> None:
    clips, apart, speed = ends(model, control)
    assert np.median(apart) < 0.15 and np.median(speed) < 0.03
    for clip in clips:
        assert np.linalg.norm(np.diff(clip.ground_positions()[-9:], axis=0), axis=-1).max() * clip.fps < 0.15


def test_feet_come_together_at_every_phase_of_the_gait(model: Checkpoint) -> None:
    paths = [
        read_path(f"line:length={length:.1f}", fps=model.context.fps) for length in np.arange(3.5, 5, 0.1)
    ]
    poses, ends = Sampler.of(model, temperature=TEMPERATURE).sample([Track(path) for path in paths]), []
    ahead = model.context.encoding.slice("toe_z")
    for frame, (pose, _) in enumerate(poses):
        physical = model.context.physical_pose(pose)
        ends += [np.ptp(physical[row, ahead]) for row, path in enumerate(paths) if len(path) == frame + 1]
    assert len(ends) == len(paths)
    assert np.median(ends) < 0.08 and np.mean(np.array(ends) > 0.2) < 0.15


def test_an_ending_sees_the_path_early_and_follows_it_as_it_is(model: Checkpoint) -> None:
    seen = foresight(4, 30.0)
    np.testing.assert_array_equal(seen[:, 0], 0)
    np.testing.assert_array_equal(seen[0], np.arange(5))
    np.testing.assert_array_equal(np.diff(seen[:5, 1:]), 1)
    path = read_path("line:length=4", fps=model.context.fps)
    (take,) = generate(model, path)
    away = np.linalg.norm(take.clip.ground_positions() - path.positions, axis=-1)
    assert away[-90:].mean() < 0.08 and away[-1] < 0.08


def test_a_path_that_begins_in_stride_or_at_rest_is_begun_so(model: Checkpoint) -> None:
    """No start-up artefact: the first third of a second looks like any other."""
    stride = ControlPath.from_velocities(np.tile([1.1, 0, 0], (120, 1)), model.context.fps)
    rest = read_path("line:length=3", fps=model.context.fps)
    for path, least, most in ((stride, 0.5, 6.0), (rest, 0.0, 0.3)):
        (take,) = generate(model, path)
        toes = toe_points(take.clip)[..., [0, 2]]
        speed = np.linalg.norm(np.diff(toes, axis=0), axis=-1).max(-1) * path.fps
        assert least <= speed[:10].max() <= most
        joints = np.linalg.norm(np.diff(take.clip.world_positions, 2, axis=0), axis=-1).max(-1)
        assert joints[:10].max() <= 1.1 * joints.max()
