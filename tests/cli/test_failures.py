"""How commands end: errors of input or of the machine give one line and a code; a closed pipe gives nothing."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from moglow.cli.main import COMMANDS, cli

MOGLOW = [sys.executable, "-m", "moglow"]
posix = pytest.mark.skipif(os.name == "nt", reason="signals and pipes as on POSIX")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments], prog_name="moglow")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("nope", "nope"),
        ("--nope", "--nope"),
        ("export", "IN"),
        ("export a.bvh", "IN..."),
        ("generate --takes 0", "--takes"),
        ("generate --takes x", "--takes"),
        ("generate --device tpu", "--device"),
        ("generate --seed", "--seed"),
        ("generate line", "--control line"),
        ("info", "--preset"),
        ("info nowhere", "nowhere"),
    ],
)
def test_a_wrong_option_is_one_line_with_code_2(arguments: str, words: str) -> None:
    result = run(*arguments.split())
    (line,) = result.stderr.splitlines()
    assert (result.exit_code, result.stdout) == (2, "")
    assert line.startswith("error: ") and words in line and "--help" in line


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_refuses_an_unknown_option_in_one_line(command: str) -> None:
    result = run(command, "--no-such-option")
    assert result.exit_code == 2 and len(result.stderr.splitlines()) == 1


class OutOfMemoryError(RuntimeError):
    """Named as torch names its own."""


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MemoryError(), "not enough memory"),
        (OutOfMemoryError("CUDA"), "--device cpu"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: 9 bytes"), "not enough memory"),
        (RecursionError(), "nested too deeply"),
        (BrokenProcessPool("gone"), "a worker process was killed"),
        (UnicodeEncodeError("utf-8", "\udcff", 0, 1, "surrogates"), "not valid UTF-8"),
        (OSError(28, "No space left on device", b"\xffa.bvh"), "No space left"),
    ],
)
def test_what_the_machine_causes_is_one_line(
    monkeypatch: pytest.MonkeyPatch, error: Exception, words: str
) -> None:
    monkeypatch.setattr("moglow.bvh.read.open_bvh", lambda *_, **__: (_ for _ in ()).throw(error))
    result = run("export", "a.bvh", "b.glb")
    (line,) = result.stderr.splitlines()
    assert result.exit_code == 1 and line.startswith("error: ") and words in line


def test_control_characters_of_an_argument_do_not_reach_the_terminal() -> None:
    for arguments in (["export", "\x1b[2Ja.bvh", "b.glb"], ["\x1b[2J"], ["export", "--\x1b[2J"]):
        assert "\x1b" not in run(*arguments).output


@posix
def test_a_closed_standard_output_is_quiet(samples: Path) -> None:
    for arguments in (["inspect", str(samples)], ["info", "--models"], ["--help"]):
        read, write = os.pipe()
        os.close(read)
        done = subprocess.run([*MOGLOW, *arguments], stdout=write, stderr=subprocess.PIPE, text=True)
        os.close(write)
        assert done.stderr.replace("\r", "").strip() == "" and done.returncode in (0, 1)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_standard_output_is_one_line() -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [*MOGLOW, "info", "--models"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1 and "No space left" in done.stderr


@posix
@pytest.mark.parametrize("wait", [0.05, 0.2, 0.5, 1.0, 1.5])
def test_ctrl_c_at_any_time_is_one_line(wait: float, samples: Path, tmp_path: Path) -> None:
    arguments = ["preprocess", str(samples), "-o", str(tmp_path / "a.corpus"), "--workers", "2"]
    code = "import sys; from moglow.__main__ import main; print('go', flush=True); main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None and process.stdout.readline() == "go\n"
    time.sleep(wait)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the workers as well
    _, output = process.communicate(timeout=60)
    if process.returncode == 0:
        assert [path.name for path in tmp_path.iterdir()] == ["a.corpus"]
    else:
        assert (process.returncode, output.strip()) == (130, "error: interrupted")
        assert not list(tmp_path.iterdir())
