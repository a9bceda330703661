"""Every model × the command line: it trains on the procedural corpus, its loss falls, its checkpoint makes a file."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from moglow.bvh.read import read_bvh
from moglow.checkpoint import Checkpoint
from moglow.cli.main import cli
from moglow.models import MODELS

RECIPE = Path(__file__).resolve().parents[2] / "data" / "procedural" / "recipe.toml"
STEPS = 100
QUICK = ("validate_every=100", "warmup=10", "rollouts.takes=1", "rollouts.seconds=0.5", "average=0.9")

pytestmark = pytest.mark.slow


def moglow(*words: object) -> None:
    result = CliRunner().invoke(cli, [str(word) for word in words])
    assert result.exit_code == 0, result.output


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("corpus") / "procedural.corpus"
    moglow("preprocess", RECIPE, "-o", file)
    return file


@pytest.mark.parametrize("name", MODELS)
def test_a_model_trains_and_generates(name: str, corpus: Path, tmp_path: Path) -> None:
    settings = [word for setting in QUICK for word in ("--set", f"training.{setting}")]
    run, file = tmp_path / "run", tmp_path / "walk.bvh"
    moglow(
        "train", RECIPE, "-o", run, "--corpus", corpus, "--device", "cpu",
        "--steps", STEPS, "--set", f"model.name={name}", *settings,
    )  # fmt: skip
    log = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    first, *_ = MODELS[name](MODELS[name].PRESETS["toy"], 4, 4).objectives()
    losses = [row["loss"][first.name] for row in log if "step" in row]
    early, late = sum(losses[:10]) / 10, sum(losses[-10:]) / 10
    assert late < early - 0.15 * abs(early)  # batches differ, so single losses are not compared
    assert Checkpoint.read(run).model == name
    words = ["generate", "--control", "line:length=0.5", "-o", file, "--checkpoint", run]
    made = CliRunner().invoke(cli, [str(word) for word in words])
    if made.exit_code:  # after so few steps poses may not be those of a body
        assert "the model loses the figure" in made.output and name == "gan"
    else:
        assert len(read_bvh(file)) > 5
