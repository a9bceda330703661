"""Sessions with Blender as a Python module, for tests with the marker `blender`."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


def bpy_python() -> str:
    """Returns the Python with bpy that MOGLOW_BPY_PYTHON names; skips the test if there is none."""
    python = shutil.which(os.environ.get("MOGLOW_BPY_PYTHON", ""))
    if not python:
        pytest.skip("needs MOGLOW_BPY_PYTHON=…/bin/python, a Python with bpy")
    return python


def found_in_blender(oracle: str, home: Path) -> dict[str, Any]:
    """Returns the results of a script of `tests/oracles` that runs in Blender with moglow from the checkout."""
    script, out = ROOT / "tests" / "oracles" / oracle, home / "found.json"
    env = {**os.environ, "BLENDER_USER_RESOURCES": str(home), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [bpy_python(), script, out], env=env, capture_output=True, text=True, timeout=900, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(out.read_text())
    return found
