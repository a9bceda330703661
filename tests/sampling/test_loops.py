"""Loops close: repeated playing has no jump in place or speed, and planted feet stay over the seam."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from moglow.bvh.read import read_bvh
from moglow.bvh.write import write_bvh
from moglow.checkpoint import Checkpoint
from moglow.cli.main import cli
from moglow.errors import ControlError
from moglow.maths.rotations import Array
from moglow.measures.metrics import toe_slide
from moglow.motion.clip import Clip
from moglow.motion.clip_stream import joined
from moglow.motion.contacts import contacts, toe_points
from moglow.paths.control_path import ControlPath
from moglow.paths.csv_files import read_path
from moglow.sampling.generate import LOCK, PRETRAINED, generate
from moglow.sampling.loops import Loop, make_loop, touchdowns
from moglow.sampling.sampler import Sampler, Track
from moglow.takes.sidecars import read_sidecar
from tests.support.rigs import RIGS
from tests.support.walking import skeleton_of, walk

SAME = 1e-5
"""Metres: after three laps of a path that closes to some micrometres."""


@pytest.fixture(scope="module")
def model() -> Checkpoint:
    return Checkpoint.read(PRETRAINED)


def loop_of(model: Checkpoint, control: str, seed: int = 0) -> Loop:
    sampler = Sampler.of(model, temperature=0.7)
    return make_loop(sampler, model, Track(read_path(control, fps=sampler.fps), seed), spec=LOCK)


def played(clip: Clip, path: ControlPath, times: int = 3) -> Clip:
    """Returns the loop as a player repeats it; each repetition continues from the end of the last one."""
    laps, turn, end = [], float(path.headings[-1] - path.headings[0]), path.positions[0]
    for lap in range(times):
        way = path.moved(heading=turn * lap).positions
        x, z = end - way[0]
        laps.append(clip[:-1].moved(heading=turn * lap).moved((x, 0.0, z)))
        end = end + way[-1] - way[0]
    return joined(laps)


@pytest.mark.parametrize("control", ["circle:r=1.5", "line:length=4", "turn:angle=360"])
def test_a_loop_played_again_and_again_shows_no_jump(model: Checkpoint, control: str) -> None:
    loop = loop_of(model, control)
    clip = loop.finished()
    assert len(clip) == len(loop.path) and loop.closed == (control != "line:length=4")
    shown, frames = played(clip, loop.path), len(clip) - 1
    places = shown.world_positions
    np.testing.assert_allclose(clip.world_positions[-1], places[frames], atol=SAME)
    if loop.closed:
        np.testing.assert_allclose(places[frames:], places[:-frames], atol=SAME)
    speeds = np.diff(places, axis=0)
    change = np.linalg.norm(np.diff(speeds, axis=0), axis=-1).max(-1) * clip.fps**2
    (free,) = generate(model, read_path(control, fps=model.context.fps))
    usual = np.linalg.norm(np.diff(free.clip.world_positions, 2, axis=0), axis=-1).max(-1) * clip.fps**2
    assert change[frames - 2 : frames + 2].max() <= 1.2 * max(usual.max(), 60.0), "where it closes"
    assert change.max() <= 1.5 * max(usual.max(), 60.0), "where two rounds are blended"
    first, last = (clip[at : at + 1] for at in (0, len(clip) - 1))
    np.testing.assert_allclose(placed(first), placed(last), atol=SAME)


def placed(frame: Clip) -> Array:
    """Joints seen from the figure."""
    turned = frame.moved(heading=-float(frame.headings()[0])).world_positions[0]
    return np.asarray(turned - turned[:1] * [1, 0, 1])


def test_feet_hold_over_the_seam(model: Checkpoint) -> None:
    loop = loop_of(model, "circle:r=1.5")
    clip = loop.finished()
    shown = played(clip, loop.path, times=2)
    once, twice = (toe_slide(toe_points(each), clip.fps) for each in (clip, shown))
    assert twice.mean == pytest.approx(once.mean, abs=2e-3)
    assert loop.measured.slide.mean < loop.measured.slide_before.mean < 0.12
    assert loop.figures["lap"]["blended_m"] < 0.06


@pytest.mark.parametrize("strides", [1, 2, 4])
def test_a_cycle_has_so_many_strides_at_an_even_speed(model: Checkpoint, strides: int) -> None:
    path = read_path("line:speed=1.2", fps=model.context.fps)
    loop = make_loop(Sampler.of(model, temperature=0.7), model, Track(path, 3), spec=LOCK, strides=strides)
    clip, frames = loop.finished(), len(loop.path) - 1
    shown = played(clip, loop.path)
    for leg in range(2):
        assert len([at for at in touchdowns(shown, leg) if frames <= at < 2 * frames]) == strides
    step = frames // (2 * strides)
    way = np.linalg.norm(
        np.subtract(shown.ground_positions()[step:], shown.ground_positions()[:-step]), axis=1
    )
    speed = way[frames : 2 * frames] * clip.fps / step
    np.testing.assert_allclose(speed, 1.2, rtol=0.05)
    assert clip.duration == pytest.approx(1.17 * strides, rel=0.1)


def test_a_cycle_in_place_is_seen_from_its_path_and_begins_as_the_left_foot_comes_down(
    model: Checkpoint,
) -> None:
    loop = loop_of(model, "line:speed=1.2", seed=1)
    clip = loop.finished(in_place=True)
    np.testing.assert_allclose(clip.world_positions[0], clip.world_positions[-1], atol=SAME)
    toes, planted = toe_points(clip), contacts(loop.rounds)[loop.first :][: len(clip)]
    assert planted[0, 0] and not contacts(loop.rounds)[loop.first - 2, 0]
    steps = np.diff(toes, axis=0)[planted[1:] & planted[:-1]] * clip.fps
    assert np.median(np.abs(steps[:, 2] + 1.2)) < 0.01, (
        "planted feet move as evenly as the ground under a treadmill"
    )
    assert np.abs(clip.ground_positions()).max() < 0.1


def test_strides_of_a_path_without_one_velocity_are_refused(model: Checkpoint) -> None:
    sampler = Sampler.of(model)
    for control, message in (("figure8", "changes its own"), ("stand", "stands")):
        with pytest.raises(ControlError, match=message):
            make_loop(sampler, model, Track(read_path(control, fps=30.0)), spec=LOCK, strides=1)


def test_each_take_is_its_own_whatever_else_is_made(model: Checkpoint) -> None:
    sampler = Sampler.of(model, temperature=0.7)
    path = read_path("turn:angle=360", fps=sampler.fps)
    one, same, other = (
        make_loop(sampler, model, Track(path, 3, take), spec=LOCK).finished() for take in (1, 1, 2)
    )
    assert np.array_equal(one.rotations, same.rotations)
    assert one.rotations.shape != other.rotations.shape or not np.allclose(one.rotations, other.rotations)


def test_a_lap_of_an_hour_is_refused(model: Checkpoint) -> None:
    path = replace(read_path("stand:seconds=20", fps=30.0), fps=0.03)
    with pytest.raises(ControlError, match="at most 600"):
        make_loop(Sampler.of(model), model, Track(path), spec=LOCK)


def test_the_command_loops_on_a_rig_at_another_rate_in_place(tmp_path: Path) -> None:
    write_bvh(walk(skeleton_of(RIGS["mixamo"]), seconds=1.0)[0], tmp_path / "rig.bvh")
    out = tmp_path / "cycle.bvh"
    words = ["generate", "--control", "line:length=3", "-o", out, "--loop", "--fps", 48, "--in-place"]
    done = CliRunner().invoke(cli, [*map(str, words), "--skeleton", str(tmp_path / "rig.bvh")])
    assert done.exit_code == 0, done.output
    clip, stored = read_bvh(out), read_sidecar(out)
    places = clip.world_positions
    assert (
        clip.fps == 48 and stored["loop"] and not stored["lap"]["returns"] and stored["frames"] == len(clip)
    )
    np.testing.assert_allclose(places[0], places[-1], atol=1e-3)
    np.testing.assert_allclose(places[1] - places[0], places[-1] - places[-2], atol=2e-2)
    assert clip.duration == pytest.approx(stored["lap"]["seconds"], abs=1 / 48)
