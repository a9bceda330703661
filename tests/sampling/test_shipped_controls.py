"""Every path in data/controls can be walked by the model inside the package."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from moglow.checkpoint import Checkpoint
from moglow.paths.csv_files import read_path
from moglow.sampling.generate import PRETRAINED, generate

CONTROLS = sorted((Path(__file__).parents[2] / "data" / "controls").glob("*.csv"))
FRAMES = 10


@pytest.fixture(scope="module")
def shipped() -> Checkpoint:
    return Checkpoint.read(PRETRAINED)


def test_there_are_controls() -> None:
    assert len(CONTROLS) >= 11


@pytest.mark.parametrize("file", CONTROLS, ids=lambda file: file.stem)
def test_the_shipped_model_walks_it(file: Path, shipped: Checkpoint) -> None:
    """Its first frames only, with all styles of the file."""
    path = read_path(file)
    named = list(dict.fromkeys(path.styles or ()))
    styles = tuple(named[k % len(named)] for k in range(FRAMES)) if named else None
    (take,) = generate(shipped, replace(path[:FRAMES], styles=styles))
    assert len(take.clip) == FRAMES and np.isfinite(take.clip.rotations).all()
