"""The window with key and mouse events on a virtual display of Xvfb, and its parts without a display."""

import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from moglow.bvh.read import read_bvh
from moglow.bvh.write import write_bvh
from moglow.cli.main import cli
from moglow.motion.clip import Clip
from moglow.paths.csv_files import read_path
from moglow_viewer.scene.scene import Scene
from moglow_viewer.scene.shown_motion import ShownMotion
from moglow_viewer.scene.strips import strips
from moglow_viewer.stage import graphics
from moglow_viewer.stage.graphics import drawing
from moglow_viewer.window.player import SPEEDS, Player
from moglow_viewer.window.viewing import KEYS, Viewing
from tests.support.desktop import Opened

# ---- without a display ----


@pytest.mark.parametrize("speed", SPEEDS)
@pytest.mark.parametrize("loop", [True, False])
def test_time_follows_the_wall_clock_independently_of_drawing(speed: float, loop: bool) -> None:
    player = Player(duration=2.0, fps=30.0, speed=speed, loop=loop).toggled(10.0)
    for wall in (10.0, 10.1, 11.7, 19.0):  # long gaps: frames that were dropped
        gone = (wall - 10.0) * speed
        expected = min(gone % (2.0 + 1 / 30), 2.0) if loop else min(gone, 2.0)
        assert player.shown(wall) == pytest.approx(expected)
    assert player.ticked(19.0).playing == loop


def test_a_player_steps_seeks_and_stops_on_whole_frames() -> None:
    player = Player(duration=2.0, fps=30.0).toggled(0.0).toggled(0.55)
    assert player.time * 30 == pytest.approx(16) and not player.playing
    assert player.stepped(1.0, -20).time == 0.0 and player.stepped(1.0, 1000).frame(1.0) == 60
    assert player.sought(1.0, 9.0).time == 2.0 and player.sought(1.0, 9.0).toggled(1.0).time == 0.0
    faster = player.toggled(2.0).faster(3.0, 1)
    assert faster.shown(3.0) == pytest.approx(player.time + 1.0) and faster.speed == 2.0
    assert player.faster(0.0, 9).speed == 4.0 and player.faster(0.0, -9).speed == 0.25
    assert player.of(0.1, 30.0, 1.0).time == 0.1


def test_every_key_changes_something_and_shows_it() -> None:
    viewing = Viewing(Player(duration=2.0, fps=30.0, time=1.0))
    for key, (message, _) in KEYS.items():
        after = viewing.press(key, 5.0)
        assert message and (after != viewing or (key, viewing.camera.mode) == ("F", "follow")), key
    assert viewing.press("1", 0.0).press("3", 0.0).press("1", 0.0).hidden == {2}


def test_strips_are_slide_path_error_and_likelihood(samples: Path) -> None:
    clip = read_bvh(samples / "walk.bvh")
    nats = np.linspace(-5, 5, len(clip)).tolist()
    path = read_path("line:length=3", fps=clip.fps)
    found = strips(
        Scene((ShownMotion(clip, {"log_likelihood_nats": {"mean": 0.0, "per_frame": nats}}),), path)
    )
    assert [strip.label for strip in found] == ["foot slide", "path error", "likelihood"]
    assert np.allclose(found[2].values, nats)
    for broken in (None, 3, {"mean": 1.0}, {"per_frame": ["a"]}, {"per_frame": [1.0, None]}):
        scene = Scene((ShownMotion(clip, {"log_likelihood_nats": broken}),), path)
        assert [strip.label for strip in strips(scene)] == ["foot slide", "path error"]


def test_without_a_display_it_offers_alternatives(samples: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graphics, "TRY", "print('window vtkEGLRenderWindow 1')")
    monkeypatch.setattr(sys, "platform", "linux")
    drawing.cache_clear()
    try:
        refused = CliRunner().invoke(cli, ["view", str(samples / "walk.bvh")])
    finally:
        drawing.cache_clear()
    assert refused.exit_code == 1 and len(refused.stderr.splitlines()) == 1
    assert "film" in refused.stderr and "(--html)" in refused.stderr


# ---- on a display ----


@pytest.fixture
def opened(display: str, tmp_path: Path, samples: Path) -> Iterator[Opened]:
    clips = [tmp_path / "walk.bvh", tmp_path / "turns.bvh"]
    for clip in clips:
        shutil.copy(samples / clip.name, clip)
    window = Opened(
        display, tmp_path, "watched_window.py", str(samples.parent / "controls" / "walk.csv"), *clips
    )
    yield window
    window.stop()


@pytest.mark.render
@pytest.mark.slow
def test_keys_do_what_is_in_the_help(opened: Opened) -> None:
    assert opened.shown["playing"]
    opened.press("space")
    opened.wait(lambda shown: not shown["playing"])
    opened.press("Home", "Right", "Right", "Left")
    opened.wait(lambda shown: shown["frame"] == 1 and not shown["playing"])
    opened.press("End")
    opened.wait(lambda shown: shown["frame"] == shown["frames"] - 1)
    opened.press("bracketleft", "bracketleft", "bracketleft")
    opened.wait(lambda shown: shown["speed"] == 0.25)
    opened.press(*["bracketright"] * 5)
    opened.wait(lambda shown: shown["speed"] == 4)
    opened.press("l", "2", "question", "b", "d", "p")
    after = opened.wait(lambda shown: not shown["paths"])
    assert not after["loop"] and after["hidden"] == [1] and after["help"]
    assert after["look"] == "bones" and after["beside"]
    for key, mode in (("o", "orbit"), ("t", "top"), ("f", "follow")):
        opened.press(key)
        opened.wait(lambda shown, mode=mode: shown["mode"] == mode)  # type: ignore[misc]
    opened.press("s")
    saved = opened.wait(lambda shown: bool(shown["saved"]))["saved"]
    with Image.open(opened.folder / saved.split()[-1]) as picture:
        assert picture.width == opened.shown["size"][0]
    opened.press("Home", "space")
    opened.wait(lambda shown: not shown["playing"] and shown["frame"] == shown["frames"] - 1)  # it plays once
    assert opened.close() == "" and opened.process.returncode == 0


@pytest.mark.render
@pytest.mark.slow
def test_the_mouse_turns_zooms_and_scrubs(opened: Opened) -> None:
    opened.press("space")
    before = opened.wait(lambda shown: not shown["playing"])
    width, height = before["size"]
    on_timeline = height - before["panel"] + 30
    opened.drag((60, on_timeline), (0.75 * width, on_timeline - 200))  # the hand may leave the timeline
    shown = opened.wait(lambda shown: shown["frame"] > 0.6 * shown["frames"])
    assert abs(shown["frame"] / (shown["frames"] - 1) - 0.75) < 0.02 and shown["yaw"] == before["yaw"]
    opened.drag((400, 300), (500, 300))
    turned = opened.wait(lambda shown: shown["yaw"] != before["yaw"])
    opened.wait(lambda shown: abs(shown["yaw"] - before["yaw"] + 0.8) < 0.05)
    assert turned["frame"] == shown["frame"]
    opened.ask("click", "4", "click", "4")
    opened.wait(lambda shown: shown["zoom"] > 1.3)


@pytest.mark.render
@pytest.mark.slow
def test_the_window_shows_figures_names_and_timeline(opened: Opened) -> None:
    opened.press("space", "Home")
    opened.wait(lambda shown: not shown["playing"] and shown["frame"] == 0)
    time.sleep(0.3)
    whole = np.asarray(opened.picture().convert("RGB")).astype(int)
    above = whole[: -opened.shown["panel"]]
    blue, orange = above[..., 2] > above[..., 0] + 60, above[..., 0] > above[..., 2] + 60
    assert blue.sum() > 2000 and orange.sum() > 1000
    below = whole[-opened.shown["panel"] + 4 :]
    assert (below.min(-1) > 250).mean() > 0.7 and (below.max(-1) < 80).sum() > 50  # a white panel with words
    opened.press("1", "2", "p")
    opened.wait(lambda shown: not shown["paths"])
    time.sleep(0.3)
    bare = np.asarray(opened.picture().convert("RGB")).astype(int)[: -opened.shown["panel"]]
    assert (bare[..., 2] > bare[..., 0] + 60).sum() < 100


@pytest.mark.render
@pytest.mark.slow
def test_time_does_not_slow_where_frames_drop(opened: Opened) -> None:
    opened.press("space", "Home")
    opened.wait(lambda shown: not shown["playing"] and shown["frame"] == 0)
    opened.press("space")
    first = opened.wait(lambda shown: shown["playing"])
    later = opened.wait(lambda shown: shown["time"] > 4)
    assert later["time"] - first["time"] == pytest.approx(later["wall"] - first["wall"], abs=1e-6)


@pytest.mark.render
@pytest.mark.slow
def test_a_changed_file_is_reread_and_a_bad_one_is_reported(opened: Opened) -> None:
    frames, file = opened.shown["frames"], opened.folder / "turns.bvh"
    sound = read_bvh(file)
    file.write_text("HIERARCHY\nROOT Hips")
    shown = opened.wait(lambda state: bool(state["message"]))
    assert "turns.bvh" in shown["message"] and shown["frames"] == frames  # it keeps what it had
    positions, rotations = (np.tile(array, (2, 1, 1)) for array in (sound.positions, sound.rotations))
    long = Clip(sound.skeleton, positions, rotations, sound.fps)
    write_bvh(long, file)
    opened.wait(lambda shown: shown["frames"] == 2 * len(sound) and not shown["message"])
    file.unlink()
    assert "turns.bvh" in opened.wait(lambda shown: bool(shown["message"]))["message"]


@pytest.mark.render
@pytest.mark.slow
def test_a_file_that_is_bad_at_first_opens_a_window_that_waits(
    display: str, tmp_path: Path, samples: Path
) -> None:
    (tmp_path / "walk.bvh").write_text("nothing")
    window = Opened(display, tmp_path, "watched_window.py", "", tmp_path / "walk.bvh")
    try:
        assert "walk.bvh" in window.wait(lambda shown: bool(shown["message"]))["message"]
        shutil.copy(samples / "walk.bvh", tmp_path / "walk.bvh")
        window.wait(lambda shown: shown["playing"] and shown["frames"] == 204)
    finally:
        assert window.close() == ""
