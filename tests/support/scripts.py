"""Scripts of a page that are run in node, without a browser."""

import json
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ORACLE = Path(__file__).parents[1] / "oracles" / "page_scripts.mjs"
needs_node = pytest.mark.skipif(
    shutil.which("node") is None, reason="needs node; on Debian: apt install nodejs"
)


def _file_of(script: str) -> str:
    """Returns the path of a page's script by its name."""
    (found,) = Path(str(files("moglow_viewer"))).glob(f"*/browser/{script}.js")
    return str(found)


def ask(scripts: str, body: str, **given: Any) -> Any:
    """Returns the result of a function body, which has the named scripts of a page and ``input`` in scope."""
    names = [_file_of(name) for name in scripts.split()]
    question = json.dumps({"ask": body, "input": given}, default=lambda array: np.asarray(array).tolist())
    done = subprocess.run(
        ["node", str(ORACLE), *names], input=question, capture_output=True, text=True, encoding="utf-8"
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
