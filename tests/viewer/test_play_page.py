"""The page on which a figure is steered, in a real browser: keys, mouse, thumbs, gamepad, paths, takes, files."""

import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from moglow.bvh.read import read_bvh
from moglow.checkpoint import Checkpoint
from moglow.cli.main import cli
from moglow.errors import ExportError
from moglow.maths.rotations import Array
from moglow.paths.csv_files import read_path
from moglow.paths.steering import Moving, Steering, walked
from moglow.sampling.generate import PRETRAINED
from moglow_viewer.pages.single_page import fill_page
from moglow_viewer.play.play_page import write_play_page
from tests.support.browsing import Page
from tests.viewer.test_page_model import FED_BACK, SAMPLE, TURNS, compared

pytestmark = pytest.mark.render
FPS = 30.0
HOME = "\ue011"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page as the command writes it."""
    file = tmp_path_factory.mktemp("page") / "play.html"
    done = CliRunner().invoke(cli, ["play", "--html", str(file)])
    assert done.exit_code == 0, done.output
    return file


@pytest.fixture
def page(browser: Any, file: Path) -> Page:
    """The page, paused, so that tests control the number of frames."""
    page = Page(browser, file)
    page.press(" ", HOME)
    assert page.state["paused"] and page.frames == 1
    return page


def run(page: Page, code: str, *given: Any) -> Any:
    return page.browser.execute_script(code, *given)


def go(page: Page, frames: int) -> Array:
    """Lets frames go by; the place after them."""
    run(page, "window.moglow.advance(arguments[0])", frames)
    return np.array(page.place)


def hold(page: Page, keys: Sequence[str], frames: int) -> Array:
    from selenium.webdriver.common.action_chains import ActionChains

    for key in keys:
        ActionChains(page.browser).key_down(key).perform()
    place = go(page, frames)
    for key in keys:
        ActionChains(page.browser).key_up(key).perform()
    return place


def draw(page: Page, points: Sequence[tuple[float, float]]) -> None:
    """Drags the mouse over places (x, z) on the floor, and lets go."""
    from selenium.webdriver.common.action_chains import ActionChains

    view = page.find("#view")
    drawn = page.drawn
    page.press("p")
    page.wait(f"drawn > {drawn}")  # the camera has moved
    middle = np.array([view.size["width"] // 2, view.size["height"] // 2])
    at = [
        np.round(run(page, "return window.moglow.screen(...arguments)", *point)).astype(int)
        for point in points
    ]
    drag = ActionChains(page.browser, duration=30)
    drag.move_to_element_with_offset(view, *(at[0] - middle).tolist()).click_and_hold()
    for before, after in pairwise(at):
        drag.move_by_offset(*(after - before).tolist())
    drag.release().perform()


def test_the_shipped_model_moves_in_a_browser_as_it_does_in_numpy(page: Page) -> None:
    def in_browser(_: Checkpoint, **given: Any) -> Any:
        return run(page, f"const input = arguments[0], {{ sampler, body }} = window.moglow; {SAMPLE}", given)

    checkpoint = Checkpoint.read(PRETRAINED)
    style = (None, *checkpoint.context.styles)[-1]
    poses, points, places = compared(checkpoint, TURNS, style, answer=in_browser)
    assert poses.max() < FED_BACK and points.max() < FED_BACK and places.max() < 1e-12


def test_keys_lead_where_the_steering_leads(page: Page) -> None:
    """A script of keys, and the same as sticks through `moglow.paths.steering`: the same way, to a rounding."""
    script = [
        ("w", 45, (1, 0, 0)),
        (["w", "q"], 30, (1, 0, 1)),
        ("", 25, (0, 0, 0)),
        ("a", 30, (0, 1, 0)),
        (["s", "\ue014"], 30, (-1, 0, -1)),  # back and, with the right arrow, to the right
        (["\ue008", "w"], 40, (1, 0, 0)),  # hurrying
    ]
    steering = Steering(Checkpoint.read(PRETRAINED).control_range, FPS)
    moving = Moving()
    place: Array = np.zeros(3)
    for keys, frames, stick in script:
        there = hold(page, list(keys), frames)
        for _ in range(frames):
            wanted = steering.wanted(*stick, hurry=1.35 if "\ue008" in keys else 1.0)
            moving = steering.step(moving, wanted)
            place = walked(place, moving.velocities, FPS)
        assert np.abs(there - place).max() < 1e-9, keys
    assert np.abs(np.array(page.velocities) - moving.velocities).max() < 1e-9
    assert page.browser.get_log("browser") == []  # nothing was refused, nothing failed


def test_time_follows_the_clock_and_is_never_faster(browser: Any, file: Path) -> None:
    page = Page(browser, file)
    code = "return [performance.now() / 1000, window.moglow.frames, window.moglow.drawn]"
    before = np.array(run(page, code))
    time.sleep(2.0)
    seconds, frames, drawn = np.array(run(page, code)) - before
    assert 10 < frames <= FPS * seconds + 11 and drawn > 5  # a busy machine may be slower
    page.press(" ")
    frozen = page.frames
    time.sleep(0.5)
    drawn = page.drawn
    time.sleep(0.5)
    assert (page.frames, page.drawn) == (frozen, drawn)  # nor is anything drawn that did not change


def test_the_mouse_turns_the_figure_and_the_view(page: Page) -> None:
    view = "document.querySelector('#view').dispatchEvent(new PointerEvent('pointermove', arguments[0]))"
    run(page, view, {"pointerType": "mouse", "buttons": 2, "movementX": -100})
    assert go(page, 120)[2] == pytest.approx(1.0, abs=0.03)  # to the left, a radian for a hundred pixels
    before = page.camera
    page.drag("#view", 100, 20)
    assert page.camera["yaw"] < before["yaw"] and page.camera["pitch"] > before["pitch"]


def touch(page: Page, kind: str, *fingers: Sequence[float]) -> None:
    points = [{"x": x, "y": y, "id": k} for k, (x, y) in enumerate(fingers)]
    page.browser.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})


def test_a_finger_draws_a_path(page: Page) -> None:
    drawn = page.drawn
    page.find("[data-key=p]").click()
    page.wait(f"drawn > {drawn}")
    line = [(0.0, 0.5), (0.2, 1.0), (0.3, 1.5), (0.1, 2.0), (-0.4, 2.3)]
    at = [run(page, "return window.moglow.screen(...arguments)", *point) for point in line]
    touch(page, "touchStart", at[0])
    for each in at[1:]:
        touch(page, "touchMove", each)
    touch(page, "touchEnd")
    go(page, 2)
    assert page.walking
    assert np.linalg.norm(np.array(page.path["end"])[[0, 2]] - line[-1]) < 0.1


def test_two_touches_walk_and_turn(page: Page) -> None:
    touch(page, "touchStart", (640, 200))  # anywhere: the sticks appear
    touch(page, "touchEnd")
    walk, turn = (page.find(name).rect for name in ("#walk", "#turn"))
    thumbs = [(walk["x"] + 66, walk["y"] + 66), (turn["x"] + 66, turn["y"] + 66)]
    assert walk["width"] == 132
    touch(page, "touchStart", *thumbs)
    touch(page, "touchMove", (thumbs[0][0], thumbs[0][1] - 60), (thumbs[1][0] - 60, thumbs[1][1]))
    x, z, heading = go(page, 40)
    assert z > 0.5 and x > 0.1 and heading > 0.5  # forward and to the left
    touch(page, "touchEnd")
    go(page, 60)
    assert np.abs(page.velocities).max() < 0.02


def test_a_gamepad_walks_too(page: Page) -> None:
    pad = "navigator.getGamepads = () => [null, {connected: true, axes: arguments0, buttons: []}]"
    run(page, f"const arguments0 = arguments[0]; {pad}", [0.1, -1, -0.5, 0])
    _, z, heading = go(page, 60)
    assert z > 1.0 and heading > 0.5  # the left stick's drift is dead, half of the right one turns slowly
    run(page, f"const arguments0 = arguments[0]; {pad}", [0, 0, 0, 0])


def test_a_drawn_path_is_walked_again_with_another_seed(page: Page, tmp_path: Path) -> None:
    draw(page, [(0, 0.6), (0.3, 1.5), (0.9, 2.2), (1.8, 2.4)])
    go(page, 1)
    assert page.walking and page.state["recording"] and not page.state["drawing"]
    end = np.array(page.path["end"])
    assert np.linalg.norm(end[[0, 2]] - [1.8, 2.4]) < 0.1
    poses = []
    for _ in range(2):
        there = go(page, page.path["frames"] - 1 - page.recorded)
        poses.append(np.array(page.points))
        assert np.abs(there[:2] - end[[0, 2]]).max() < 0.01
        go(page, 2)
        assert not page.walking and not page.state["recording"]
        assert page.recorded == page.path["frames"] - 1
        page.press("n")
        assert page.walking
    assert 0.01 < np.abs(poses[0] - poses[1]).max() < 1.0  # another take
    hold(page, "w", 40)  # the stick takes over
    assert not page.walking and np.linalg.norm(page.velocities) > 0.5


def test_a_recording_is_saved_and_can_be_generated_along(page: Page, tmp_path: Path) -> None:
    where = {"behavior": "allow", "downloadPath": str(tmp_path)}
    page.browser.execute_cdp_cmd("Browser.setDownloadBehavior", where)
    page.press("r")
    place = hold(page, ["w", "e"], 60)
    page.press("r", "b", "c")
    bvh, csv = tmp_path / "moglow.bvh", tmp_path / "moglow.csv"
    for _ in range(100):
        if bvh.exists() and csv.exists():
            break
        time.sleep(0.1)
    clip, path = read_bvh(bvh), read_path(csv)
    assert len(clip) == len(path) == 60 and clip.fps == pytest.approx(FPS)
    assert path.positions[-1] == pytest.approx(place[:2], abs=1e-5)
    points = np.concatenate([clip.world_positions, clip.end_positions()], axis=1)[-1]
    assert np.abs(np.reshape(page.points, points.shape) - points).max() < 1e-4
    words = ["generate", "--control", str(csv), "-o", str(tmp_path / "again.bvh")]
    done = CliRunner().invoke(cli, words)
    assert done.exit_code == 0, done.output
    assert len(read_bvh(tmp_path / "again.bvh")) == 60


def test_style_and_temperature_change_while_it_walks(page: Page) -> None:
    def after(button: int, warmth: float) -> Array:
        page.browser.find_elements("css selector", "#styles button")[button].click()
        slider = "const slider = document.querySelector('#temperature'); slider.value = arguments[0];"
        run(page, f"{slider} slider.dispatchEvent(new Event('input'))", warmth)
        page.press(HOME)
        hold(page, "w", 30)
        return np.array(page.points)

    calm, again, styled, warm = after(0, 0.5), after(0, 0.5), after(1, 0.5), after(0, 1.0)
    assert page.state["style"] is None and page.state["temperature"] == 1.0
    assert np.array_equal(calm, again)
    assert np.abs(calm - styled).max() > 1e-3 and np.abs(calm - warm).max() > 1e-3


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_picture_shows_the_figure_in_its_colours(page: Page, scheme: str) -> None:
    feature = [{"name": "prefers-color-scheme", "value": scheme}]
    page.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": feature})
    time.sleep(0.5)
    code = """const view = document.querySelector('#view'), pen = view.getContext('2d');
        const pixels = pen.getImageData(0, 0, view.width, view.height).data;
        let blue = 0, orange = 0, light = 0;
        for (let k = 0; k < pixels.length; k += 4) {
            blue += pixels[k + 2] > pixels[k] + 60; orange += pixels[k] > pixels[k + 2] + 60;
            light += pixels[k] > 128;
        }
        return [blue, orange, light / (pixels.length / 4)];"""
    blue, orange, light = run(page, code)
    page.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert blue > 2000 and orange > 2000
    assert light > 0.8 if scheme == "light" else light < 0.2


def test_without_a_page_and_a_display_there_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moglow_viewer.play.play_window.has_display", lambda: False)
    refused = CliRunner().invoke(cli, ["play"])
    assert refused.exit_code == 1 and len(refused.stderr.splitlines()) == 1 and "--html" in refused.stderr


@pytest.mark.parametrize("value", ["nan", "inf", "-1"])
def test_a_temperature_that_is_none_makes_no_page(tmp_path: Path, value: str) -> None:
    done = CliRunner().invoke(cli, ["play", "--html", str(tmp_path / "a.html"), "--temperature", value])
    assert done.exit_code in (1, 2) and "temperature" in done.stderr and not list(tmp_path.iterdir())
    with pytest.raises(ExportError, match="temperature"):
        write_play_page(Checkpoint.read(PRETRAINED), tmp_path / "a.html", temperature=float(value))


def test_numbers_without_a_json_form_are_refused() -> None:
    with pytest.raises(ExportError, match="not a finite number"):
        fill_page("play/play.html", title="walk", styles=(), scripts=(), data={"fps": float("nan")})
