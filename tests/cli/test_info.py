"""`moglow info`: the paper's numbers, a recipe's, a checkpoint's; for people and as JSON."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from moglow.cli.main import cli
from moglow.models import MODELS
from moglow.training.plan import TrainingPlan
from moglow.training.run import TrainingRun
from tests.support.tiny import tiny_corpus, tiny_recipe

ROOT = Path(__file__).parents[2]


def info(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["info", *map(str, arguments)])


def test_the_papers_model_has_the_papers_parameters() -> None:
    card = json.loads(info("--preset", "paper", "--pose", 63, "--control", 3, "--json").output)
    assert card["parameters"] == 73_859_056 and card["context channels"] == 663
    assert "context channels" in info("--preset", "compact").output


def test_every_model_is_listed() -> None:
    cards = json.loads(info("--models", "--json").output)
    assert [card["model"] for card in cards] == list(MODELS)
    assert all(card["is"] for card in cards)


def test_a_checkpoint_is_described(tmp_path: Path) -> None:
    run = TrainingRun(tmp_path / "run", TrainingPlan.of(tiny_recipe(steps=1)), tiny_corpus(), seed=1)
    list(run.events())
    card = json.loads(info(tmp_path / "run", "--json").output)
    corpus = tiny_corpus()
    assert card["pose channels"] == len(corpus.encoding) and card["context channels"] == run.context.size
    assert card["parameters"] == sum(tensor.numel() for tensor in run.trainer.model.parameters())
    assert card["steps"] == 1 and card["notices"] == list(corpus.notices) and card["styles"] == "brisk, calm"
    assert f"{corpus.control_range.forward:.2f} m/s forward" in card["controls seen"]
    corpus.write(tmp_path / "tiny.corpus")
    (tmp_path / "r.toml").write_text(
        "[context]\nhistory = 3\nlookahead = 2\nflags = true\n[model]\nhidden = 8\n"
    )
    recipe = json.loads(info(tmp_path / "r.toml", "--corpus", tmp_path / "tiny.corpus", "--json").output)
    assert recipe["context channels"] == run.context.size
    assert info(tmp_path / "run").exit_code == 0


@pytest.mark.parametrize("name", ["open", "bandai", "procedural"])
def test_the_recipes_are_sound(name: str) -> None:
    result = info(ROOT / "data" / name / "recipe.toml", "--pose", 62)
    assert result.exit_code == 0, result.output
    assert "parameters" in result.output


def test_errors_are_one_line(tmp_path: Path) -> None:
    assert "did you mean 'paper'" in info("--preset", "papre").output
    assert info().exit_code == 2
    (tmp_path / "garbage").write_bytes(b"garbage")
    result = info(tmp_path / "garbage")
    assert (
        result.exit_code == 1
        and result.output.startswith("error:")
        and result.output.strip().count("\n") == 0
    )
