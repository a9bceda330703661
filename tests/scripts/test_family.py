"""The page about the family follows from models and results; the model of the tutorial passes the tests of all."""

import importlib.util
import inspect
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from moglow.checkpoint import Checkpoint
from moglow.evaluation.results import COPY, REAL, EvaluationSpec
from moglow.models import MODELS
from moglow.models.model import MotionModel
from moglow.paths.control_path import ControlPath
from moglow.sampling.sampler import Sampler
from moglow.training.plan import TrainingPlan
from moglow.training.run import TrainingRun
from scripts.benchmarks.family import ablate
from scripts.benchmarks.family import run as family
from scripts.benchmarks.family.page import idea
from tests.models import test_model_laws as laws
from tests.support.tiny import tiny_corpus, tiny_recipe

DOCS = Path(__file__).resolve().parents[2] / "docs"
LONGEST = 60  # lines of the tutorial's model
LARGEST = 60_000  # bytes of a picture


def test_the_page_follows_from_docstrings_and_results() -> None:
    page = (DOCS / "models.md").read_text()
    assert page == family.written(DOCS), "run: python scripts/benchmarks/family/run.py page > docs/models.md"
    assert [name for name in re.findall(r"^## (\w+)$", page, re.MULTILINE)] == list(MODELS)


@pytest.mark.parametrize("name", MODELS)
def test_a_models_docstring_has_its_formula_its_reference_and_its_use(name: str) -> None:
    text = idea(MODELS[name])
    assert re.search("[=≥∝]", text) and re.search(r"\b(19|20)\d\d\b", text), text
    assert re.search("^Good for", text, re.MULTILINE), text
    assert len(re.findall(r"[.:](?=\s|$)", text)) >= 4, "the idea takes four sentences"


def test_the_recipes_of_all_runs_are_valid() -> None:
    members = [member.recipe for member in family.MEMBERS.values()]
    for recipes, steps in ((members, family.STEPS), (map(ablate.recipe_of, ablate.CHOICES), ablate.BRIEF)):
        assert {TrainingPlan.of(recipe).training.steps for recipe in recipes} == {steps}, "one budget for all"


def test_pictures_are_small() -> None:
    assert all(file.stat().st_size < LARGEST for file in DOCS.glob("models/*"))


def test_a_run_is_made_once_and_is_in_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measures = "controls", "wander"
    spec = EvaluationSpec(
        seeds=2, synthetic_seconds=7.0, wanders=1, wander_seconds=4.0, temperatures=(), measures=measures
    )
    brief = (
        "training.steps=2",
        "training.batch=2",
        "training.rollouts.seconds=0.5",
        "training.rollouts.takes=1",
        *("context.usual=''", "context.sideways=''"),  # the corpus has other styles
    )
    monkeypatch.setattr(family, "SPEC", spec)
    monkeypatch.setattr(family, "brief", lambda steps: brief)
    members = {"moglow": family.Member("moglow", settings=("model.hidden=8",)), "vae": family.Member("vae")}
    monkeypatch.setattr(family, "MEMBERS", members)
    tiny_corpus().write(tmp_path / "feet_first.corpus")
    parts, together = (tmp_path / "a", tmp_path / "b"), tmp_path / "both"
    for name, part in zip(("vae", "moglow"), parts, strict=True):
        lines_of_run = [f"{name}: trained", *(f"{each}: measured" for each in (REAL, name, COPY))]
        assert list(family.run(tmp_path, tmp_path, [name], [0], part)) == lines_of_run
        assert list(family.run(tmp_path, tmp_path, [name], [0], part)) == []
    page = family.written(parts[1])
    assert "2 steps of 2 windows" in page and f"{COPY} against moglow, held-out" in page
    assert "models/moglow.svg" in page and (parts[1] / "models" / "moglow.svg").stat().st_size < LARGEST
    assert "Several training seeds" not in page
    first, *_ = family.run(tmp_path, tmp_path, ["vae"], [1], parts[0])
    assert first == "vae, seed 1: trained"
    lines = {line for part in parts for line in (part / "models.jsonl").read_text().splitlines()}
    assert len(lines) == 5, "real and copied motion are the same in every part"
    together.mkdir()
    (together / "models.jsonl").write_text("\n".join(lines))
    assert [row.name for row in family.found(together).rows] == [REAL, "moglow", "vae", "vae, seed 1", COPY]
    page = family.written(together)
    repeated = page[page.index("## Several training seeds") :]
    assert repeated.count("\n| vae |") == 1 and "vae, seed 1" not in page


def test_runs_need_neither_a_window_nor_another_reader() -> None:
    absent = ("pyvista", "vtkmodules", "PIL", "imageio_ffmpeg", "bvh")
    code = f"import sys; sys.modules.update(dict.fromkeys({absent}));"
    code += "from scripts.benchmarks.family import ablate, run; import scripts.benchmarks.anomalies.run"
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": os.pathsep.join(sys.path)})


@pytest.fixture
def gaussian(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[MotionModel]]:
    """Yields the model of the tutorial, added to MODELS."""
    text = (DOCS / "own_model.md").read_text()
    code = re.findall(r"```python\n(.*?)```", text, re.DOTALL)[0]
    assert len(code.splitlines()) < LONGEST
    (tmp_path / "gaussian.py").write_text(code)
    spec = importlib.util.spec_from_file_location("gaussian", tmp_path / "gaussian.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "gaussian", module)
    spec.loader.exec_module(module)
    monkeypatch.setitem(MODELS, "gaussian", module.Gaussian)
    monkeypatch.setitem(laws.SMALL, "gaussian", {"hidden": 8, "encoded": 6})
    yield module.Gaussian


def test_the_tutorials_model_passes_the_laws_of_all_models(gaussian: type[MotionModel]) -> None:
    passed = 0
    for name, law in inspect.getmembers(laws, inspect.isfunction):
        if name.startswith("test_") and list(inspect.signature(law).parameters) == ["model"]:
            law(laws.build("gaussian"))
            passed += 1
    assert passed >= 5


def test_the_tutorials_model_learns_and_walks(gaussian: type[MotionModel], tmp_path: Path) -> None:
    recipe = tiny_recipe(steps=60, rate=1e-2)
    recipe = replace(recipe, tables={**recipe.tables, "model": {"name": "gaussian", "preset": "toy"}})
    run = TrainingRun(tmp_path / "run", TrainingPlan.of(recipe), tiny_corpus(), seed=0)
    losses = [event.losses["nll"] for event in run.trainer.run()]
    assert np.mean(losses[-5:]) < np.mean(losses[:5]) - 5
    run.checkpoint().write(tmp_path / "gaussian.safetensors")
    sampler = Sampler.of(Checkpoint.read(tmp_path / "gaussian.safetensors"))
    path = ControlPath.from_velocities([[0.8, 0.0, 0.0]] * 20, 20.0)
    one, again, other = (sampler.generate(path, seed=seed) for seed in (1, 1, 2))
    assert np.isfinite(one.rotations).all() and len(one) == 20
    assert np.array_equal(one.rotations, again.rotations) and not np.array_equal(
        one.rotations, other.rotations
    )
