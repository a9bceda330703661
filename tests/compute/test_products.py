"""Products of numpy are computed on one thread by the commands that sample motion."""

import os
import subprocess
import sys

import numpy as np
import pytest

from moglow.compute.products import SETTINGS, multiply_on_one_thread

PROGRAM = """
import os
from moglow.cli.main import cli
cli({arguments!r}, standalone_mode=False)
print(os.environ.get("OPENBLAS_NUM_THREADS"), os.environ.get("OMP_NUM_THREADS"))
"""


def threads_of(*arguments: str, **environment: str) -> str:
    """Returns the threads of products, by both variables, after a command."""
    others = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    program = PROGRAM.format(arguments=list(arguments))
    ran = subprocess.run(
        [sys.executable, "-c", program], env=others | environment, capture_output=True, text=True, check=True
    )
    return ran.stdout.splitlines()[-1]


@pytest.mark.parametrize("command", ["generate", "redo"])
def test_a_command_that_samples_motion_has_one_thread(command: str) -> None:
    assert threads_of(command, "--help") == "1 None"


def test_a_number_in_the_environment_is_kept() -> None:
    assert threads_of("generate", "--help", OMP_NUM_THREADS="2") == "None 2"
    assert threads_of("generate", "--help", OPENBLAS_NUM_THREADS="3") == "3 None"


def test_other_commands_do_not_change_the_threads() -> None:
    assert threads_of("info", "--help") == "None None"


def test_nothing_is_set_after_numpy_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setitem(sys.modules, "numpy", np)
    assert not multiply_on_one_thread()
    assert not any(name in os.environ for name in SETTINGS)
