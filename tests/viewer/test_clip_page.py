"""The page: one file that is complete, contains no private data, and plays in a real browser."""

import base64
import hashlib
import json
import re
import shutil
import time
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from moglow.bvh.read import read_bvh
from moglow.cli.main import cli
from moglow.errors import ClipError, ExportError, FileFormatError
from moglow.maths.rotations import Array
from moglow.motion.clip import Clip
from moglow.motion.skeleton import Skeleton
from moglow.paths.csv_files import read_path
from moglow.takes.sidecars import write_sidecar
from moglow_viewer.pages.clip_page import make_page, pack_points, write_page
from moglow_viewer.scene.figures import figure_table, measure
from moglow_viewer.scene.scene import Sources
from moglow_viewer.scene.shown_motion import lowest_speed
from tests.support.browsing import OUTSIDE, Page
from tests.support.rigs import RIGS
from tests.support.sidecars import figures_of
from tests.support.walking import skeleton_of, walk

MILLIMETRE = 1e-3
LARGEST = 100_000  # bytes, for ten seconds
HUNDRED = Skeleton(
    tuple(f"Joint{k}" for k in range(100)),
    (-1, *(k // 3 for k in range(99))),
    np.full((100, 3), 0.05),
)


def motion_of(page: str) -> dict[str, Any]:
    (text,) = re.findall(r'<script type="application/json" id="motion">(.*?)</script>', page, re.DOTALL)
    motion: dict[str, Any] = json.loads(text)
    return motion


def unpacked(packed: dict[str, Any]) -> Array:
    """Unpacks motion as `motion.js` does, in numpy."""
    low, high = np.frombuffer(zlib.decompress(base64.b64decode(packed["data"])), "u1").reshape(2, -1)
    zigzag = low.astype(int) | high.astype(int) << 8
    steps = ((zigzag >> 1) ^ -(zigzag & 1)).reshape(-1, packed["frames"])
    whole = steps.cumsum(1).cumsum(1).T.reshape(packed["frames"], -1, 3)
    points: Array = packed["origin"] + packed["unit"] * whole
    return points


def farthest(a: Array, b: Array) -> float:
    return float(np.linalg.norm(a - b, axis=-1).max())


@pytest.mark.parametrize("name", ["walk", "trot"])
def test_positions_are_restored_within_a_millimetre(samples: Path, name: str) -> None:
    clip = read_bvh(samples / f"{name}.bvh")
    control = read_path(samples.parent / "controls" / f"{name}.csv")
    motion = motion_of(make_page([clip], control=control))
    expected = np.concatenate([clip.world_positions, clip.end_positions()], axis=1)
    assert farthest(unpacked(motion["takes"][0]), expected) < MILLIMETRE
    path = unpacked(motion["path"])
    assert farthest(path[:, 0, [0, 2]], control.positions) < MILLIMETRE
    headings = np.stack([np.sin(control.headings), np.cos(control.headings)], axis=-1)
    ahead = (path[:, 1] - path[:, 0])[:, [0, 2]]
    assert farthest(ahead / np.linalg.norm(ahead, axis=-1, keepdims=True), headings) < 0.01


def test_far_places_and_leaps_are_restored(samples: Path) -> None:
    walked = read_bvh(samples / "walk.bvh").world_positions
    assert farthest(unpacked(pack_points(walked + 3000.0)), walked + 3000.0) < MILLIMETRE
    leaping = walked + np.where(np.arange(len(walked)) % 50 < 25, 0.0, 40.0)[:, None, None]
    assert farthest(unpacked(pack_points(leaping)), leaping) < 4 * MILLIMETRE


def test_ten_seconds_are_small() -> None:
    rng = np.random.default_rng(0)
    clip = walk(skeleton_of(RIGS["cmu"]), seconds=10.0)[0]
    noise = 0.02 * rng.normal(size=clip.rotations.shape)  # no two frames alike: harder than recordings
    noisy = clip.rotations + noise
    rotations = noisy / np.linalg.norm(noisy, axis=-1, keepdims=True)
    page = make_page([Clip(clip.skeleton, clip.positions, rotations, clip.fps)])
    assert len(page.encode()) < LARGEST


def test_a_recording_of_ten_seconds_at_120_fps_is_small(shared_data: Path) -> None:
    clip = read_bvh(shared_data / "locomotion" / "open_cmu_120fps" / "09_12.bvh")
    assert len(make_page([clip[:1200]]).encode()) < LARGEST


def test_the_page_loads_nothing_and_runs_only_its_own_script(samples: Path) -> None:
    page = make_page([read_bvh(samples / "walk.bvh")])
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="(.*?)"', page)
    assert policy.startswith("default-src 'none';") and "unsafe" not in policy
    for kind, element in (("script-src", "script"), ("style-src", "style")):
        (text,) = re.findall(rf"<{element}>(.*?)</{element}>", page, re.DOTALL)
        fingerprint = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind} 'sha256-{fingerprint}'" in policy
    assert not OUTSIDE.search(page)


def test_the_same_clips_give_the_same_bytes(samples: Path, tmp_path: Path) -> None:
    for name in ("a.html", "b.html"):
        write_page([read_bvh(samples / "turns.bvh")], tmp_path / name)
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_names_are_text_and_no_markup(samples: Path) -> None:
    still = read_bvh(samples / "walk.bvh")[:1]
    evil = Clip(still.skeleton, still.positions, still.rotations, 30.0, name="</script><u>$x & ünï")
    page = make_page([evil], title="<i>${motion}</i>")
    assert motion_of(page)["takes"][0]["name"] == evil.name
    assert "<u>" not in page and "<i>" not in page


@pytest.mark.parametrize("frames", [1, 2])
@pytest.mark.parametrize("skeleton", [HUNDRED, Skeleton(("Hips",), (-1,), np.array([[0.0, 0.9, 0.0]]))])
def test_still_and_strange_figures_have_a_page(skeleton: Skeleton, frames: int) -> None:
    clip = Clip.at_rest(skeleton, frames=frames)
    (take,) = motion_of(make_page([clip]))["takes"]
    assert farthest(unpacked(take), clip.world_positions) < MILLIMETRE
    assert take["bones"] and np.max(np.array(take["bones"])[:, :2]) < len(skeleton)


def test_the_body_consists_of_descendants_of_the_hips() -> None:
    clip = walk(skeleton_of(RIGS["unreal"]), seconds=0.1)[0]
    (take,) = motion_of(make_page([clip]))["takes"]
    drawn = {clip.skeleton.names[tip] for _, tip, *_ in take["bones"] if tip < len(clip.skeleton)}
    assert "hand_l" in drawn and not {name for name in drawn if name.startswith("ik_")}


def test_contacts_and_slide_of_feet_are_shown() -> None:
    clip, planted = walk(skeleton_of(RIGS["cmu"]), seconds=3.0, slip=0.2)
    (take,) = motion_of(make_page([clip]))["takes"]
    feet = np.frombuffer(zlib.decompress(base64.b64decode(take["feet"])), "u1").reshape(planted.shape)
    assert np.mean((feet < 255) == planted) > 0.9
    assert abs(np.median(feet[feet < 255]) - 20) <= 2
    toes = clip.world_positions[:, take["toes"]]
    assert abs(np.median(lowest_speed(toes, clip.fps)) - 0.2) < 0.02


def test_figures_are_those_of_the_sidecar_or_measured(samples: Path, tmp_path: Path) -> None:
    file = tmp_path / "walk.bvh"
    shutil.copy(samples / "walk.bvh", file)
    write_sidecar(file, figures_of(file, seed=3, path_error_m={"mean": 0.5}, warnings=["too fast"]))
    control = read_path(samples.parent / "controls" / "walk.csv")
    scene = Sources((file, samples / "walk.bvh")).read()
    clips, figures = zip(*((each.clip, each.figures) for each in scene.motions), strict=True)
    motion = motion_of(make_page(clips, control=control, figures=figures))
    rows = {row[0]: row[1:] for row in motion["figures"]}
    assert rows["seed"] == ["3", ""] and rows["length"] == ["6.8 s", "6.8 s"]
    assert rows["path error, mean"][0] == "50.0 cm" and rows["path error, mean"][1] != "50.0 cm"
    assert motion["warnings"] == ["too fast"]
    assert figure_table([measure(clips[0])]) == [["length", "6.8 s"], ["foot slide, mean", "0.0 cm/s"]]


def test_a_sidecar_of_another_motion_is_ignored_and_a_broken_one_is_reported(
    samples: Path, tmp_path: Path
) -> None:
    file = tmp_path / "walk.bvh"
    shutil.copy(samples / "walk.bvh", file)
    write_sidecar(file, figures_of(file) | {"sha256": "0" * 64})
    assert not Sources((file,)).read().motions[0].figures
    (tmp_path / "walk.bvh.json").write_text("{")
    with pytest.raises(FileFormatError, match=r"walk\.bvh\.json: is no JSON"):
        Sources((file,)).read()


def test_write_errors_are_one_line(samples: Path, tmp_path: Path) -> None:
    with pytest.raises(ClipError, match="no clip"):
        write_page([], tmp_path / "none.html")
    with pytest.raises(ExportError, match=r"ends in \.html"):
        write_page([read_bvh(samples / "walk.bvh")], tmp_path / "walk.bvh")
    assert list(tmp_path.iterdir()) == []


def test_the_command_writes_a_page_or_refuses_to_replace_one(samples: Path, tmp_path: Path) -> None:
    clips, page = [str(samples / "walk.bvh"), str(samples / "trot.bvh")], tmp_path / "out.html"
    done = CliRunner().invoke(cli, ["view", *clips, "--control", "line:length=3", "--html", str(page)])
    assert done.exit_code == 0, done.output
    assert [take["name"] for take in motion_of(page.read_text("utf-8"))["takes"]] == ["walk", "trot"]
    refused = CliRunner().invoke(cli, ["view", *clips])
    assert refused.exit_code == 1 and len(refused.stderr.splitlines()) == 1 and "--html" in refused.stderr


# ---- in a browser ----


@pytest.fixture
def page(browser: Any, samples: Path, tmp_path: Path) -> Page:
    clips = [read_bvh(samples / f"{name}.bvh") for name in ("walk", "trot")]
    write_page(clips, tmp_path / "two.html", control=read_path("line:length=3"))
    page = Page(browser, tmp_path / "two.html")
    if page.playing:
        page.press(" ")
    assert not page.playing
    return page


@pytest.mark.render
def test_keys_do_what_is_in_the_help(page: Page) -> None:
    from selenium.webdriver.common.keys import Keys

    page.press(Keys.HOME, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_LEFT)
    assert (page.frame, page.playing) == (1, False)
    page.press(Keys.END)
    assert page.frame == page.frames - 1
    page.press("[", "[", "[")
    assert page.speed == 0.25
    page.press(*"]]]]]")
    assert page.speed == 4
    page.press("l", "2", "?")
    assert (page.loop, page.visible, page.help) == (False, [True, False], True)
    for key, mode in (("o", "orbit"), ("t", "top"), ("f", "follow")):
        page.press(key)
        assert page.camera["mode"] == mode
    page.press("?", Keys.HOME, " ")
    assert page.playing and not page.help
    page.wait("playing === false")  # without a loop it stops at the end
    assert page.frame == page.frames - 1
    assert page.browser.get_log("browser") == []  # nothing was refused, nothing failed


@pytest.mark.render
def test_mouse_and_wheel_do_as_they_should(page: Page) -> None:
    page.find("#play").click()
    assert page.playing
    page.press(" ")  # and a click leaves Space where it was
    assert not page.playing
    page.press("\ue011")  # Home
    page.drag("#scrub", 200)
    assert page.frames // 2 < page.frame < page.frames
    before = page.camera
    page.drag("#view", 100, 30)
    assert page.camera["yaw"] < before["yaw"] and page.camera["pitch"] > before["pitch"]
    page.browser.execute_script(
        "document.querySelector('#view').dispatchEvent(new WheelEvent('wheel', {deltaY: -300}))"
    )
    assert page.camera["zoom"] > before["zoom"]
    page.find("#takes button").click()
    assert page.visible == [False, True]


@pytest.mark.render
def test_two_fingers_zoom_and_one_turns(page: Page) -> None:
    def touch(kind: str, *fingers: tuple[int, int]) -> None:
        points = [{"x": x, "y": y, "id": k} for k, (x, y) in enumerate(fingers)]
        page.browser.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    before = page.camera
    touch("touchStart", (500, 300), (600, 300))
    touch("touchMove", (450, 300), (650, 300))
    touch("touchEnd")
    pinched = page.camera
    assert pinched["zoom"] > 1.5 * before["zoom"] and pinched["yaw"] == before["yaw"]
    touch("touchStart", (500, 300))
    touch("touchMove", (600, 300))
    touch("touchEnd")
    assert page.camera["yaw"] < pinched["yaw"] and page.camera["zoom"] == pinched["zoom"]


@pytest.mark.render
def test_time_follows_the_wall_clock_though_frames_drop(page: Page) -> None:
    page.press("\ue011")
    page.browser.execute_script(
        "window.began = performance.now(); document.querySelector('#play').click();"
        "setTimeout(() => { while (performance.now() - window.began < 1500); }, 500)"  # a busy machine
    )
    page.wait("time > 2")
    lag = page.browser.execute_async_script(  # in the same frame as the player, so that both see one clock
        "requestAnimationFrame((now) => arguments[0]((now - window.began) / 1000 - window.moglow.time))"
    )
    assert abs(lag) < 0.5  # a clock that counts frames would be a second late


@pytest.mark.render
def test_the_browser_unpacks_the_packed_data(page: Page, samples: Path) -> None:
    clip = read_bvh(samples / "walk.bvh")
    expected = np.concatenate([clip.world_positions, clip.end_positions()], axis=1)
    for frame in (0, 1, 100, len(clip) - 1):
        points = page.browser.execute_script(f"return window.moglow.points(0, {frame})")
        assert farthest(np.reshape(points, (-1, 3)), expected[frame]) < MILLIMETRE


@pytest.mark.render
def test_a_picture_shows_the_figure_in_its_colours(page: Page, tmp_path: Path) -> None:
    """The first take is blue, the second orange: in the middle there is much of both, and of neither once hidden."""

    def colourful() -> list[int]:
        code = """const {width, height} = document.querySelector('#view');
            const pen = document.querySelector('#view').getContext('2d');
            const pixels = pen.getImageData(width / 4, height / 8, width / 2, height * 3 / 4).data;
            let blue = 0, orange = 0;
            for (let k = 0; k < pixels.length; k += 4) {
                blue += pixels[k + 2] > pixels[k] + 60; orange += pixels[k] > pixels[k + 2] + 60;
            }
            return [blue, orange];"""
        time.sleep(0.2)
        counted: list[int] = page.browser.execute_script(code)
        return counted

    page.press("\ue011")
    both = colourful()
    page.press("1", "2")
    none = colourful()
    assert min(both) > 2000 and max(none) < min(both) / 4


@pytest.mark.render
@pytest.mark.parametrize("frames", [1, 40])
def test_strange_figures_play(browser: Any, tmp_path: Path, frames: int) -> None:
    write_page([Clip.at_rest(HUNDRED, frames=frames)], tmp_path / "strange.html")
    page = Page(browser, tmp_path / "strange.html")
    page.press(*"otf", " ")
    assert page.frames == frames
    assert browser.get_log("browser") == []
