"""The base install: the commands that need no extra work without them, the others name the extra in one line."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from moglow.cli.extras import EXTRA_OF
from tests.support.nursery import Ended, Nursery

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = str(ROOT / "data" / "samples" / "walk.bvh")
Run = Callable[..., Ended]


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    """Runs commands in processes in which the packages of all extras are missing."""
    if os.name == "nt":  # without a fork each process imports everything
        yield run_anew
        return
    with Nursery(missing=EXTRA_OF) as nursery:
        yield nursery.run


def run_anew(*arguments: str, folder: Path) -> Ended:
    missing = f"import sys; sys.modules.update(dict.fromkeys({sorted(EXTRA_OF)})); "
    code = f"{missing}sys.argv[0] = 'moglow'; from moglow.cli.main import main; main()"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=folder, env=environment, capture_output=True, text=True, encoding="utf-8",
    )  # fmt: skip
    return Ended(done.returncode, done.stdout, done.stderr, operations=0, seconds=0.0)


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
def test_the_base_is_enough(run: Run, arguments: str, tmp_path: Path) -> None:
    done = run(*arguments.replace("SAMPLE", SAMPLE).split(), folder=tmp_path)
    assert done.code == 0, done.err


@pytest.mark.parametrize(
    ("arguments", "needs"),
    [
        (
            f"train {ROOT}/data/procedural/recipe.toml -o run",
            "moglow train needs torch: pip install 'moglow[train]'",
        ),
        ("evaluate --quick", "pip install 'moglow[train]'"),
        (f"view {SAMPLE} --screenshot out.png", "pip install 'moglow[view]'"),
        (f"inspect {SAMPLE[:-4]}.usda", ": needs pxr: pip install 'moglow[usd]'"),
    ],
)
def test_a_missing_extra_is_named_in_one_line(run: Run, arguments: str, needs: str, tmp_path: Path) -> None:
    done = run(*arguments.split(), folder=tmp_path)
    assert done.code == 1 and needs in done.err
    assert len(done.err.splitlines()) == 1 and done.err.startswith("error: ")
