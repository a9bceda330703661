"""The base install: the commands that need no extra work without them, the others name the extra in one line."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from moglow.cli.extras import EXTRA_OF

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = str(ROOT / "data" / "samples" / "walk.bvh")
BLOCK = f"import sys; sys.modules.update(dict.fromkeys({sorted(EXTRA_OF)})); "


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs a command in a Python in which the packages of all extras are missing."""
    code = f"{BLOCK}sys.argv[0] = 'moglow'; from moglow.cli.main import main; main()"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, encoding="utf-8"
    )


@pytest.mark.parametrize(
    "arguments",
    [
        "generate --control line:length=1 -o out.bvh",
        "generate --control line:length=1 -o out.glb",
        "generate --control line:length=1 -o out.npz",
        "generate --control line:length=1 -o out.csv",
        "generate --control line:length=1 -o out.bvh --skeleton SAMPLE",
        "generate --control circle:r=1 -o out.bvh --loop",
        "view SAMPLE --html out.html",
        "play --html out.html",
        "inspect SAMPLE",
        "inspect SAMPLE --json",
        "clean SAMPLE -o out.bvh",
        "export SAMPLE out.glb",
        "export SAMPLE out.bvh --fps 60 --in-place",
        "--help",
        "train --help",
        "evaluate --help",
        "view --help",
    ],
)
def test_the_base_is_enough(arguments: str, tmp_path: Path) -> None:
    done = run(tmp_path, *arguments.replace("SAMPLE", SAMPLE).split())
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("arguments", "needs"),
    [
        (
            f"train {ROOT}/data/procedural/recipe.toml -o run",
            "moglow train needs torch: pip install 'moglow[train]'",
        ),
        ("evaluate --quick", "pip install 'moglow[train]'"),
        (f"view {SAMPLE} --screenshot out.png", "pip install 'moglow[view]'"),
        (f"inspect {SAMPLE[:-4]}.usda", "moglow inspect needs pxr: pip install 'moglow[usd]'"),
    ],
)
def test_a_missing_extra_is_named_in_one_line(arguments: str, needs: str, tmp_path: Path) -> None:
    done = run(tmp_path, *arguments.split())
    assert done.returncode == 1 and needs in done.stderr
    assert len(done.stderr.splitlines()) == 1 and done.stderr.startswith("error: ")
