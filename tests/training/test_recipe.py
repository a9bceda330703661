"""Recipes: read, overridden, refused with a reason."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from moglow.errors import RecipeError
from moglow.recipe import Recipe, read_recipe
from moglow.training.plan import TrainingPlan

RECIPES = sorted((Path(__file__).resolve().parents[2] / "data").rglob("*.toml"))


@dataclass(frozen=True)
class Training:
    steps: int = 5
    name: str = "x"


def test_sections_become_dataclasses(tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_text("[training]\nsteps = 7\n")
    recipe = read_recipe(tmp_path / "r.toml", ["training.name=walk"])
    assert recipe.section("training", Training) == Training(7, "walk")
    assert recipe.section("model", Training) == Training()


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.parent.name + "/" + path.stem)
def test_the_shipped_recipes_are_valid(path: Path) -> None:
    assert TrainingPlan.of(read_recipe(path)).training.steps > 0


def test_settings_read_as_toml_else_as_text_and_leave_the_original() -> None:
    recipe = Recipe("r.toml", {"data": {"a": {"b": 1}}})
    settings = [
        "data.a.b=2",
        "data.c = [1, 2]",
        "model.name=maf",
        "training.on=true",
        'data.d="3"',
        "data.e=",
    ]
    assert recipe.overridden(settings).tables == {
        "data": {"a": {"b": 2}, "c": [1, 2], "d": "3", "e": ""},
        "model": {"name": "maf"},
        "training": {"on": True},
    }
    assert recipe.tables == {"data": {"a": {"b": 1}}}


@pytest.mark.parametrize("setting", ["steps=1", "training.steps", "training.=1", "=", ""])
def test_a_setting_that_is_none_is_refused(setting: str) -> None:
    with pytest.raises(RecipeError, match=r"section\.key=value"):
        Recipe("r.toml", {}).overridden([setting])


def test_errors_name_the_file_and_the_nearest_word(tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_text("[trainign]\nsteps = 7\n")
    with pytest.raises(
        RecipeError, match=r"r.toml: no section is called \[trainign\]; did you mean 'training'"
    ):
        read_recipe(path)
    path.write_text("training = 3\n")
    with pytest.raises(RecipeError, match=r"should be a section \[training\]"):
        read_recipe(path)
    path.write_text("[training]\nstpes = 7\n")
    with pytest.raises(
        RecipeError, match=r"r.toml: \[training\] does not know 'stpes'; did you mean 'steps'"
    ):
        read_recipe(path).section("training", Training)
    path.write_text("steps = \n")
    with pytest.raises(RecipeError, match=r"r.toml: not a TOML file .*line 1"):
        read_recipe(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(RecipeError, match="not a text file in UTF-8"):
        read_recipe(path)
    with pytest.raises(RecipeError, match="no such file"):
        read_recipe(tmp_path / "none.toml")
    with pytest.raises(RecipeError, match=r"'a' is a value in r.toml, no table"):
        Recipe("r.toml", {"data": {"a": 1}}).overridden(["data.a.b=1"])
