"""Pictures and films of motion, rendered off-screen: tested by their pixels and by ffmpeg."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from numpy.typing import NDArray
from PIL import Image, ImageSequence

from moglow.bvh.read import read_bvh
from moglow.bvh.write import write_bvh
from moglow.cli.main import cli
from moglow.errors import ExportError
from moglow_viewer.pictures.film import Shot
from moglow_viewer.pictures.reels import Mp4
from moglow_viewer.scene.camera import Camera
from moglow_viewer.scene.palette import colour
from moglow_viewer.scene.scene import Scene, Sources
from moglow_viewer.scene.shown_motion import ShownMotion
from moglow_viewer.stage import graphics
from moglow_viewer.stage.graphics import drawing, has_display, need_drawing
from moglow_viewer.stage.stage import Stage
from tests.support.rigs import RIGS
from tests.support.walking import skeleton_of, walk


@pytest.fixture(scope="module")
def gl() -> None:
    """The packages that rendering needs."""
    if not drawing():
        pytest.skip("needs OpenGL: apt-get install libosmesa6")
    need_drawing()


def view(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["view", *map(str, arguments)])


def near(picture: NDArray[np.uint8], name: str, within: float = 60.0) -> int:
    """Returns the number of pixels with about a colour of the palette."""
    away = np.linalg.norm(picture.astype(float) - 255 * colour(name), axis=-1)
    return int((away < within).sum())


@pytest.mark.render
def test_a_figure_has_its_colours_a_floor_and_a_shadow(gl: None, samples: Path) -> None:
    scene = Sources((samples / "walk.bvh",)).read()
    stage = Stage.off_screen((640, 368))
    stage.put(scene)
    camera = Camera.before(float(scene.motions[0].clip.headings()[0]))
    stage.show(2.0, camera)
    whole = stage.picture()
    assert whole.shape == (368, 640, 3)
    for name in ("left", "right", "body"):
        assert near(whole, name) > 300, name
    stage.show(2.0, camera, hidden=[0], paths=False)
    floor = stage.picture()
    assert near(floor, "left") == near(floor, "right") == 0
    assert 0.9 < near(floor, "ground", 25.0) / floor[..., 0].size < 1.0  # and lines on it
    stage.show(2.0, camera, look="bones", paths=False)
    bones = stage.picture()
    assert 0 < near(bones, "left") < near(whole, "left") / 2
    darker = (floor.astype(int) - whole).min(-1) > 20  # where the body or its shadow is
    grey = np.ptp(whole.astype(int), axis=-1) < 14
    assert (darker & grey)[260:].sum() > 200
    stage.close()


@pytest.mark.render
def test_the_figure_moves_and_its_mesh_is_not_built_anew(gl: None, samples: Path) -> None:
    scene = Sources((samples / "walk.bvh",)).read()
    stage = Stage.off_screen((320, 192))
    stage.put(scene)
    camera = Camera().look("orbit")
    surface = stage.figures[0].looks["capsules"]
    mesh, memory = surface.mesh, surface.mesh.points.ctypes.data
    pictures = []
    for seconds in (1.0, 3.0, 1.0):
        stage.show(seconds, camera)
        pictures.append(stage.picture().astype(int))
        positions = scene.motions[0].clip.world_positions[round(30 * seconds)]
        hips = surface.body.joints == scene.motions[0].hips
        assert np.linalg.norm(surface.mesh.points[hips].mean(0) - positions[scene.motions[0].hips]) < 0.15
    assert surface.mesh is mesh and surface.mesh.points.ctypes.data == memory
    assert np.abs(pictures[0] - pictures[1]).max() > 50 and np.abs(pictures[0] - pictures[2]).max() <= 2
    stage.close()


@pytest.mark.render
@pytest.mark.parametrize("rig", ["cmu", "unreal", "rigify"])
def test_every_rig_and_a_still_one_can_be_drawn(gl: None, rig: str, tmp_path: Path) -> None:
    clip = walk(skeleton_of(RIGS[rig]), seconds=1.0)[0]
    write_bvh(clip, tmp_path / "walk.bvh")
    write_bvh(clip[:1], tmp_path / "still.bvh")
    done = view(tmp_path / "walk.bvh", tmp_path / "still.bvh", "--sheet", tmp_path / "sheet.png")
    assert done.exit_code == 0, done.output
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.width > 1000 and len(sheet.getcolors(1 << 24) or ()) > 1000


@pytest.mark.render
def test_an_mp4_lasts_as_long_as_its_clip(gl: None, samples: Path, tmp_path: Path) -> None:
    from imageio_ffmpeg import get_ffmpeg_exe

    write_bvh(read_bvh(samples / "walk.bvh")[60:91], tmp_path / "part.bvh")
    done = view(tmp_path / "part.bvh", "--record", tmp_path / "part.mp4", "--size", "150x100")
    assert done.exit_code == 0, done.output
    command = [get_ffmpeg_exe(), "-i", str(tmp_path / "part.mp4"), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    seen = subprocess.run(command, capture_output=True, check=True)
    about = seen.stderr.decode()
    assert "h264" in about and "160x112" in about and "30 fps" in about
    pictures = np.frombuffer(seen.stdout, np.uint8).reshape(-1, 112, 160, 3).astype(int)
    assert len(pictures) == 31
    assert np.abs(pictures[0] - pictures[-1]).max() > 50
    assert sorted(file.name for file in tmp_path.iterdir()) == ["part.bvh", "part.mp4"]


@pytest.mark.render
def test_a_gif_lasts_as_long_as_its_clip(gl: None, samples: Path, tmp_path: Path) -> None:
    write_bvh(read_bvh(samples / "walk.bvh")[60:91], tmp_path / "part.bvh")
    done = view(tmp_path / "part.bvh", "--record", tmp_path / "part.gif", "--size", "160x112", "--bones")
    assert done.exit_code == 0, done.output
    with Image.open(tmp_path / "part.gif") as gif:
        assert (gif.size, gif.info["loop"]) == ((160, 112), 0)
        lasting = sum(frame.info["duration"] for frame in ImageSequence.Iterator(gif))
    assert abs(lasting - 1050) <= 50  # 21 pictures of 50 ms; equal neighbours may be one


@pytest.mark.render
def test_a_screenshot_shows_the_path_the_clip_and_the_recording(
    gl: None, samples: Path, tmp_path: Path
) -> None:
    picture = tmp_path / "shot.png"
    control = samples.parent / "controls" / "walk.csv"
    clips = (samples / "walk.bvh", "--real", samples / "turns.bvh", "--control", control, "--beside")
    done = view(*clips, "--screenshot", picture, "--at", 3.0, "--size", "640x360")
    assert done.exit_code == 0 and "640×368" in done.output, done.output
    pixels = np.asarray(Image.open(picture))
    assert near(pixels, "asked") > 100 and near(pixels, "left") > 300 and near(pixels, "body", 40.0) > 300


def test_impossible_films_are_refused_in_one_line(samples: Path, tmp_path: Path) -> None:
    walk_file = samples / "walk.bvh"
    for arguments, word in (
        (("--sheet", tmp_path / "a.jpg"), ".png"),
        (("--screenshot", tmp_path / "a.gif"), ".png"),
        (("--record", tmp_path / "a.avi"), ".mp4"),
        (("--record", tmp_path / "a.mp4", "--size", "9x9"), "16"),
    ):
        done = view(walk_file, *arguments)
        assert done.exit_code in (1, 2) and word in done.stderr and len(done.stderr.splitlines()) == 1
    assert view(walk_file, "--screenshot", tmp_path / "a.png", "--size", "big").exit_code == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("program", ["no-such-ffmpeg", "false"])
def test_without_a_working_ffmpeg_the_error_has_a_remedy(
    program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", program)
    with pytest.raises(ExportError, match=r"ffmpeg .*write a \.gif"):
        reel = Mp4(tmp_path / "a.mp4", (64, 64), 30.0)
        try:
            for _ in range(100):
                reel.add(Image.new("RGB", (64, 64)))
        finally:
            reel.close()


@pytest.mark.parametrize("end", ["import os; os.abort()", "raise SystemExit(1)", "print('window a 0')"])
def test_without_opengl_the_error_names_packages_to_install(
    end: str, samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The try ends as drawing would: by a crash, an error, or a window that cannot draw."""
    monkeypatch.setattr(graphics, "TRY", end)
    monkeypatch.setattr(sys, "platform", "linux")
    drawing.cache_clear()
    try:
        done = view(samples / "walk.bvh", "--sheet", tmp_path / "a.png")
        assert not has_display()
        with pytest.raises(ExportError, match="libosmesa6"):
            need_drawing()
    finally:
        drawing.cache_clear()
    assert done.exit_code == 1 and "--html" in done.stderr and len(done.stderr.splitlines()) == 1


def test_a_shot_has_whole_sixteens() -> None:
    assert Shot(Camera(), size=(641, 360)).size == (656, 368)
    with pytest.raises(ExportError, match="4096"):
        Shot(Camera(), size=(9000, 360))


@pytest.mark.render
def test_the_command_draws_where_there_is_no_display(gl: None, samples: Path, tmp_path: Path) -> None:
    """In a process of its own, as a person would, with nothing on stderr."""
    environment = {name: value for name, value in os.environ.items() if name != "DISPLAY"}
    environment.pop("VTK_DEFAULT_OPENGL_WINDOW", None)
    command = [sys.executable, "-m", "moglow", "view", str(samples / "walk.bvh")]
    picture = ["--screenshot", str(tmp_path / "a.png"), "--size", "160x112"]
    done = subprocess.run([*command, *picture], env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "") and (tmp_path / "a.png").stat().st_size > 1000


def test_a_scene_has_places_side_by_side(samples: Path) -> None:
    motions = tuple(ShownMotion(read_bvh(samples / f"{name}.bvh")) for name in ("walk", "turns", "walk"))
    assert not np.any(Scene(motions).offsets())
    ways = [
        motion.clip.ground_positions() + offset[[0, 2]]
        for motion, offset in zip(motions, Scene(motions, beside=True).offsets(), strict=True)
    ]
    for one, other in ((0, 1), (1, 2), (0, 2)):
        gap = np.linalg.norm(ways[one][:, None] - ways[other][None], axis=-1).min()
        assert gap > motions[0].size
