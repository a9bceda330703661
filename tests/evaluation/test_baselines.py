"""The recipes of the baselines: valid, complete, and with the same motion as the shipped recipe."""

from dataclasses import fields, replace
from pathlib import Path

import pytest

from moglow.corpus.sources import DataSpec
from moglow.corpus.window_spec import WindowSpec
from moglow.encodings.encoding import FeatureSpec
from moglow.recipe import read_recipe
from moglow.training.plan import TrainingPlan

OPEN = Path(__file__).resolve().parents[2] / "data" / "open"
BASELINES = sorted((OPEN / "baselines").glob("*.toml"))


@pytest.mark.parametrize("path", BASELINES, ids=lambda path: path.stem)
def test_a_baseline_trains_on_the_same_motion_for_as_long(path: Path) -> None:
    recipe, ours = read_recipe(path), read_recipe(OPEN / "recipe.toml")
    plan = TrainingPlan.of(recipe)
    features, our_features = (each.section("features", FeatureSpec) for each in (recipe, ours))
    assert features.encoding in path.stem or plan.model == "regression"
    assert replace(features, encoding=our_features.encoding) == our_features  # so that one corpus serves
    data, our_data = (each.section("data", DataSpec) for each in (recipe, ours))
    assert (data.sources, data.fps, data.smoother) == (our_data.sources, our_data.fps, our_data.smoother)
    assert (path.parent / data.root).resolve() == (OPEN / our_data.root).resolve()
    seen, ours_seen = (
        spec.steps * spec.batch * spec.windows.length
        for spec in (plan.training, TrainingPlan.of(ours).training)
    )
    assert seen == pytest.approx(ours_seen, rel=0.01)


@pytest.mark.parametrize("path", BASELINES, ids=lambda path: path.stem)
def test_a_baseline_leaves_nothing_about_its_model_and_context_to_defaults(path: Path) -> None:
    recipe = read_recipe(path)
    plan = TrainingPlan.of(recipe)
    assert {field.name for field in fields(plan.config)} == set(recipe.tables["model"]) - {"name"}
    assert {field.name for field in fields(plan.context)} == set(recipe.tables["context"])
    stated = set(recipe.tables["training"]["windows"])
    noises = {
        "pose_dropout",
        "dropout_windows",
        "dropout_shared",
        "history_noise",
        "dequantise",
        "style_dropout",
    }
    assert noises | {"length"} <= stated <= {field.name for field in fields(WindowSpec)}
