"""The command line: help everywhere, errors in one line, answers on stdout."""

import os
import subprocess
import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner, Result

from moglow import __version__
from moglow.bvh.read import read_bvh
from moglow.bvh.write import write_bvh
from moglow.cli.main import COMMANDS, SECTIONS, cli
from moglow.errors import MoglowError
from moglow.maths.rotations import expmap_to_quat, quat_angle, quat_multiply
from moglow.motion.clip import Clip
from tests.support.rigs import RIGS
from tests.support.walking import skeleton_of, walk


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments], prog_name="moglow")


def fails(*arguments: object) -> str:
    """Runs a command that must end in one line on stderr, exit code 1; returns the line."""
    result = run(*arguments)
    assert result.exit_code == 1, result.output
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    return line


@pytest.fixture(scope="module")
def walk_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "walk.bvh"
    write_bvh(walk(skeleton_of(RIGS["mixamo"]), seconds=2.0)[0], path)
    return path


def exported(source: Path, folder: Path, *options: object) -> Clip:
    result = run("export", source, folder / "out.bvh", *options)
    assert result.exit_code == 0, result.output
    assert len(result.stdout.splitlines()) == 1
    return read_bvh(folder / "out.bvh")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(name: str) -> None:
    text = run(name, "--help").output
    assert "Example" in text and f"moglow {name} " in text.split("Example")[1]
    command = import_module(COMMANDS[name]).command
    for option in command.params:
        assert isinstance(option, click.Argument) or getattr(option, "help", None), (
            f"{option.name} lacks help"
        )


def test_the_help_lists_every_command_with_its_summary() -> None:
    text = run("--help").output
    assert text == run().output or text in run().output
    for title, commands in SECTIONS.items():
        assert not commands or f"{title}:" in text
        for name in commands:
            assert f"\n  {name} " in text


def test_the_help_cuts_no_summary() -> None:
    assert "..." not in run("--help").output.split("Make motion:")[1]


def test_generate_states_the_conventions() -> None:
    text = run("generate", "--help").output
    for words in ("t,x,z[,heading][,style]", "heading 90 along +X", "degrees/s", "positive to the left"):
        assert words in text


def test_the_help_loads_nothing_heavy() -> None:
    """No command's help loads the modules that the command needs."""
    code = "import sys; from click.testing import CliRunner; from moglow.cli.main import cli, COMMANDS\n"
    code += "for name in COMMANDS: assert CliRunner().invoke(cli, [name, '-h']).exit_code == 0\n"
    code += "print(*sorted({'numpy', 'torch', 'scipy', 'bvh', 'pyvista'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_the_version_is_shown() -> None:
    assert run("--version").output == f"moglow {__version__}\n"


def test_python_m_moglow_is_the_same_command() -> None:
    command = [sys.executable, "-m", "moglow", "--version"]
    assert (
        subprocess.run(command, capture_output=True, text=True, check=True)
        .stdout.strip()
        .endswith(__version__)
    )


def test_a_terminal_that_cannot_show_a_sign_stops_nothing(walk_file: Path) -> None:
    command = [sys.executable, "-m", "moglow", "inspect", str(walk_file)]
    ascii_only = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=ascii_only)
    assert "fps" in done.stdout and done.stderr == ""


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (MoglowError("walk.bvh: line 3\n is odd"), "error: walk.bvh: line 3 is odd"),
        (
            FileNotFoundError(2, "No such file or directory", "a.bvh"),
            "error: a.bvh: No such file or directory; check the path, whose folder must exist",
        ),
        (
            PermissionError(13, "Permission denied", "a.bvh"),
            "error: a.bvh: Permission denied; change the permissions, or give another path",
        ),
        (OSError(28, "No space left on device"), "error: No space left on device"),
    ],
)
def test_an_error_is_one_line(monkeypatch: pytest.MonkeyPatch, error: Exception, line: str) -> None:
    monkeypatch.setattr("moglow.bvh.read.open_bvh", lambda *_, **__: (_ for _ in ()).throw(error))
    assert fails("export", "a.bvh", "b.glb") == line


def test_ctrl_c_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("moglow.bvh.read.open_bvh", interrupted)
    result = run("export", "a.bvh", "b.glb")
    assert (result.exit_code, result.stderr) == (130, "error: interrupted\n")


def test_a_bug_of_ours_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moglow.bvh.read.open_bvh", lambda *_, **__: 1 / 0)
    assert isinstance(run("export", "a.bvh", "b.glb").exception, ZeroDivisionError)


def test_export_refuses_in_one_line(walk_file: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.bvh").write_text("HIERARCHY\nROOT")
    assert "nope.bvh" in fails("export", tmp_path / "nope.bvh", tmp_path / "a.glb")
    assert "broken.bvh" in fails("export", tmp_path / "broken.bvh", tmp_path / "a.glb")
    assert ".fbx" in fails("export", walk_file, tmp_path / "a.fbx")
    assert "unit" in fails("export", walk_file, tmp_path / "a.glb", "--unit", "m")
    assert "cannot be written" in fails("export", walk_file, tmp_path / "no folder" / "a.glb")
    assert "no frames" in fails("export", walk_file, tmp_path / "a.glb", "--frames", "9000:")
    assert [path.name for path in tmp_path.iterdir()] == ["broken.bvh"]


@pytest.mark.parametrize("value", ["3", "a:b", "1:2:3"])
def test_export_explains_a_wrong_range(walk_file: Path, tmp_path: Path, value: str) -> None:
    result = run("export", walk_file, tmp_path / "a.glb", "--frames", value)
    assert result.exit_code == 2 and "10:200" in result.stderr


@pytest.mark.parametrize("suffix", [".bvh", ".glb", ".npz", ".csv"])
def test_export_writes_by_suffix(walk_file: Path, tmp_path: Path, suffix: str) -> None:
    result = run("export", walk_file, tmp_path / f"out{suffix}")
    assert result.exit_code == 0 and "61 frames at 30 fps, 2.03 s" in result.stdout
    assert (tmp_path / f"out{suffix}").stat().st_size > 1000


def test_export_frames_and_rate(walk_file: Path, tmp_path: Path) -> None:
    clip = read_bvh(walk_file)
    part = exported(walk_file, tmp_path, "--frames", "10:40")
    assert np.abs(part.world_positions - clip.world_positions[10:40]).max() < 1e-5
    fast = exported(walk_file, tmp_path, "--fps", 60)
    assert (len(fast), round(fast.fps, 6)) == (121, 60)


def test_export_at_origin_and_in_place(walk_file: Path, tmp_path: Path) -> None:
    moved = tmp_path / "moved.bvh"
    write_bvh(read_bvh(walk_file).moved((3.0, 0.0, -2.0), heading=1.0), moved)
    start = exported(moved, tmp_path, "--at-origin")
    assert np.abs(start.ground_positions()[0]).max() < 1e-4 and abs(start.headings()[0]) < 1e-4
    assert np.ptp(start.ground_positions(), axis=0).max() > 1.0
    assert np.abs(exported(moved, tmp_path, "--in-place").ground_positions()).max() < 1e-4


def test_export_units_are_distinguished_by_size(walk_file: Path, tmp_path: Path) -> None:
    heights = {}
    for unit in ("cm", "m"):
        clip = exported(walk_file, tmp_path, "--unit", unit)
        assert clip.skeleton.layout is not None
        heights[unit] = clip.world_positions.max() / clip.skeleton.layout.unit
    assert heights["cm"] == pytest.approx(100 * heights["m"], rel=1e-4)


def test_export_onto_another_skeleton(walk_file: Path, tmp_path: Path) -> None:
    rig = tmp_path / "rig.bvh"
    write_bvh(walk(skeleton_of(RIGS["rigify"]), seconds=0.5)[0], rig)
    assert exported(walk_file, tmp_path, "--skeleton", rig).skeleton.names == RIGS["rigify"].names


def test_export_verbatim_and_portable(walk_file: Path, tmp_path: Path) -> None:
    text = walk_file.read_text()
    exported(walk_file, tmp_path, "--verbatim")
    assert (tmp_path / "out.bvh").read_text().split("MOTION")[0] == text.split("MOTION")[0]
    odd = tmp_path / "odd.bvh"
    odd.write_text(text.replace("Zrotation Xrotation Yrotation", "Yrotation Xrotation Zrotation"))
    exported(odd, tmp_path, "--verbatim")
    assert "Yrotation Xrotation Zrotation" in (tmp_path / "out.bvh").read_text()
    exported(odd, tmp_path, "--portable")
    assert (tmp_path / "out.bvh").read_text().split("MOTION")[0] == text.split("MOTION")[0]


def test_export_mends_the_named_damage(walk_file: Path, tmp_path: Path) -> None:
    sound = read_bvh(walk_file)
    rotations, joint = sound.rotations.copy(), sound.skeleton.role("left_forearm")
    rotations[20, joint] = quat_multiply(rotations[20, joint], expmap_to_quat([1.5, 0.0, 0.0]))
    write_bvh(replace(sound, rotations=rotations), tmp_path / "spike.bvh")
    kept = exported(tmp_path / "spike.bvh", tmp_path)
    mended = exported(tmp_path / "spike.bvh", tmp_path, "--despike", "--recorded-at", 2 * sound.fps)
    assert quat_angle(kept.rotations[20, joint], sound.rotations[20, joint]) > 1.0
    assert quat_angle(mended.rotations[20, joint], sound.rotations[20, joint]) < 0.1
    assert mended.fps == 2 * sound.fps and len(mended) == len(sound)
