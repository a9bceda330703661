"""Completion: the shells take the script, and Tab offers commands, options and their values."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from moglow.cli.main import COMMANDS, cli

CALL = "from moglow.cli.main import cli; cli(prog_name='moglow', complete_var='_MOGLOW_COMPLETE')"


def completed(words: str, at: int) -> list[str]:
    """Returns the completions of a word of a line, requested in the way of bash."""
    request = {"_MOGLOW_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(at)}
    environment = {**os.environ, **request, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run(
        [sys.executable, "-c", CALL], env=environment, capture_output=True, text=True, check=True
    )
    return [line.partition(",")[2] for line in done.stdout.splitlines()]


def test_commands_options_and_values_are_offered() -> None:
    assert set(completed("moglow ", 1)) == set(COMMANDS)
    assert completed("moglow exp", 1) == ["export", "export-model"]
    assert {"--root-motion", "--mirror"} <= set(completed("moglow export --", 2))
    assert completed("moglow export --unit ", 3) == ["cm", "m"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_takes_the_script(shell: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["completion", shell])
    assert done.exit_code == 0 and "_MOGLOW_COMPLETE" in done.output
    if not shutil.which(shell):
        pytest.skip(f"needs {shell}")
    (tmp_path / "script").write_text(done.output)
    checked = subprocess.run([shell, "-n", tmp_path / "script"], capture_output=True, text=True)
    assert checked.returncode == 0 and not checked.stderr
