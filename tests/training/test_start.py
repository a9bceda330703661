"""A run from a checkpoint: known labels keep their density to the last bit, new labels get columns of their own."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from moglow.checkpoint import Checkpoint
from moglow.corpus.context import Context
from moglow.corpus.corpus import Corpus
from moglow.errors import CheckpointError, CorpusError, TrainingError
from moglow.models import MODELS
from moglow.models.model import MotionModel
from moglow.training.folder import LAST
from moglow.training.plan import TrainingPlan
from moglow.training.run import TrainingRun
from moglow.training.start import APART, Start, label_columns, with_labels_of
from moglow.training.trainer import StepReport
from tests.support.tiny import tiny_context, tiny_corpus, tiny_recipe

RATE: dict[str, Any] = {"rate": 1e-9, "rate_floor": 1e-9}  # steps that change nothing that counts


def relabelled(*labels: tuple[str, str]) -> Corpus:
    """Returns the tiny corpus with other styles and performers for its clips."""
    corpus = tiny_corpus()
    stretches = zip(corpus.stretches, labels, strict=True)
    named = tuple(replace(each, style=style, performer=name) for each, (style, name) in stretches)
    return replace(corpus, stretches=named)


NEW = relabelled(("calm", "ann"), ("proud", "bob"), ("sly", "ann"))


def train(
    folder: Path, corpus: Corpus, *, start: Start | None = None, resume: bool = False, until: int = 0,
    settings: tuple[str, ...] = (), **training: Any
) -> TrainingRun:  # fmt: skip
    plan = TrainingPlan.of(tiny_recipe(**training).overridden(settings))
    run = TrainingRun(folder, plan, corpus, seed=3, resume=resume, start=start)
    for event in run.events():
        if isinstance(event, StepReport) and event.step == until:
            break
    run.save()
    return run


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Start:
    """A trained checkpoint of the styles brisk and calm, without performers."""
    folder = tmp_path_factory.mktemp("first")
    train(folder, tiny_corpus(), validate_every=12)
    return Start(Checkpoint.read(folder), "first")


def grown(start: Start) -> tuple[MotionModel, Context]:
    """Returns the model of a start with the labels of the new corpus, and its context."""
    spec = replace(start.checkpoint.context.spec, performers=True)
    context = start.context(spec, NEW)
    config = start.checkpoint.to_torch().config
    model = MODELS[start.checkpoint.model](config, context.pose_dim, context.size)
    start.load(model, context)
    return model.eval(), context


def test_known_labels_give_the_same_density_and_new_ones_begin_apart(first: Start) -> None:
    before, old = first.checkpoint.to_torch(), first.checkpoint.context
    after, new = grown(first)
    assert (new.performers, new.styles) == (("ann", "bob"), ("brisk", "calm", "proud", "sly"))
    pose = torch.randn(2, 7, old.pose_dim, generator=torch.Generator().manual_seed(1))
    shared = torch.randn(2, 7, old.size - old.labels, generator=torch.Generator().manual_seed(2))

    def density(model: MotionModel, label: np.ndarray[Any, Any]) -> torch.Tensor:
        rows = torch.tensor(np.asarray(label, np.float32)).expand(2, 7, -1)
        with torch.no_grad():
            return model.log_prob(pose, torch.cat([shared, rows], -1))[0]

    for style in (*old.styles, None):
        torch.testing.assert_close(
            density(after, new.style_vector(style)), density(before, old.style_vector(style))
        )
    known, columns = (model.state_dict()["encoder.0.weight"].numpy() for model in (before, after))
    known, columns = known[:, -old.labels :], columns[:, -new.labels :]  # ann, bob, brisk, calm, proud, sly
    offsets = columns - np.stack([0 * known[:, 0]] * 2 + [*known.T] + [known.mean(1)] * 2, 1)
    length = APART * np.sqrt(np.square(known).sum(0).mean())
    np.testing.assert_allclose(
        np.linalg.norm(offsets, axis=0), length * np.array([1, 1, 0, 0, 1, 1]), rtol=1e-5
    )
    again = grown(first)[0].state_dict()["encoder.0.weight"].numpy()[:, -new.labels :]
    np.testing.assert_array_equal(again, columns)  # a label has a direction of its own


def test_columns_are_inserted_after_those_of_their_kind() -> None:
    old = replace(tiny_context(), performers=("ann",), styles=("calm", "brisk"))
    new = replace(old, performers=("ann", "bob"), styles=("calm", "brisk", "sly"))
    expected = [[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0.5, 0.5]]
    np.testing.assert_array_equal(label_columns(old, new), expected)


def test_postures_of_known_labels_stay_and_new_ones_are_measured(first: Start) -> None:
    context = first.checkpoint.context
    new = with_labels_of(context, replace(context.spec, performers=True), NEW)
    np.testing.assert_array_equal(new.postures[2:4], context.postures)
    poses = context.standardize_pose(NEW.features(NEW.stretches[1]).pose).mean(0)
    posture = new.posture(new.style_vector("proud", None))
    np.testing.assert_allclose(posture, poses, atol=1e-5)


def test_a_run_starts_at_the_weights_keeps_the_context_and_records_its_start(
    first: Start, tmp_path: Path
) -> None:
    settings = ("context.history=5", "context.performers=true", "context.usual=calm", "model.hidden=9")
    run = train(tmp_path, NEW, start=first, settings=settings, steps=4, **RATE)
    read, before = Checkpoint.read(tmp_path), first.checkpoint
    assert (read.context.spec.history, read.context.spec.usual, read.config["hidden"]) == (3, "calm", 8)
    np.testing.assert_array_equal(read.context.scale, before.context.scale)
    for name, weights in before.weights.items():
        if weights.shape == read.weights[name].shape:
            np.testing.assert_allclose(read.weights[name], weights, atol=1e-6)
    assert read.about["from"]["checkpoint"] == "first" and read.about["from"]["steps"] == 12
    assert read.about["recipe"]["model"]["hidden"] == 8 and read.notices == before.notices
    assert run.trainer.average is not run.trainer.model


def test_a_resumed_run_ends_as_one_that_never_stopped(first: Start, tmp_path: Path) -> None:
    rehearsing = "training.rehearsal={minutes=0.1,seconds=1.5,warm=0.2,borrowed=0.5}"
    settings = ("context.performers=true", "model.hidden=9", rehearsing)
    whole = train(tmp_path / "whole", NEW, start=first, settings=settings)
    train(tmp_path / "parts", NEW, start=first, settings=settings, until=7)
    second = train(tmp_path / "parts", NEW, resume=True, settings=settings)
    assert second.origin == whole.origin
    weights = [Checkpoint.read(tmp_path / name / LAST).weights for name in ("whole", "parts")]
    assert all(np.array_equal(weights[0][key], weights[1][key]) for key in weights[0])
    train(tmp_path / "parts", NEW, start=first, resume=True, settings=settings)  # the same weights
    other = Start(Checkpoint.read(tmp_path / "whole"), "other")
    with pytest.raises(CheckpointError, match="was begun from first, not from these weights of other"):
        train(tmp_path / "parts", NEW, start=other, resume=True)
    with pytest.raises(TrainingError, match="a run from random weights has nothing to rehearse"):
        train(tmp_path / "none", NEW, settings=(rehearsing,))


def test_the_average_counts_from_the_first_step(first: Start, tmp_path: Path) -> None:
    """A start in the average is worth `average` after one step, not the tenth of random weights."""
    run = train(tmp_path, tiny_corpus(), start=first, steps=1, rate=1.0, warmup=0, average=0.9)
    name = "flow.step00.coupling.conditioner.head.bias"
    weights = first.checkpoint.weights[name]
    now, mean = (model.state_dict()[name].numpy() for model in (run.trainer.model, run.trainer.average))
    np.testing.assert_allclose(mean, 0.9 * weights + 0.1 * now, atol=1e-5)


def test_what_does_not_fit_is_one_line(first: Start, tmp_path: Path) -> None:
    corpus = tiny_corpus()
    with pytest.raises(CorpusError, match=r"20 frames a second.*encode its clips as the checkpoint does"):
        context = replace(first.checkpoint.context, fps=30.0)
        train(tmp_path, corpus, start=Start(replace(first.checkpoint, context=context), "first"))
    contacts = replace(corpus.encoding, spec=replace(corpus.encoding.spec, contacts=True))
    with pytest.raises(CorpusError, match="made with features contacts = True, not False"):
        train(tmp_path, replace(corpus, encoding=contacts), start=first)
    chart = replace(corpus.encoding.reduction, constant=corpus.encoding.reduction.constant + 0.1)
    with pytest.raises(CorpusError, match="its encoding was fitted to other clips"):
        train(tmp_path, replace(corpus, encoding=replace(corpus.encoding, reduction=chart)), start=first)
    assert not list(tmp_path.iterdir())


def test_an_encoding_of_another_processor_fits(first: Start, tmp_path: Path) -> None:
    """The statistics of an encoding differ in the last bits between processors."""
    corpus = tiny_corpus()
    rounded = replace(corpus.encoding.reduction, constant=corpus.encoding.reduction.constant + 1e-15)
    corpus = replace(corpus, encoding=replace(corpus.encoding, reduction=rounded))
    assert corpus.encoding.to_json() != first.checkpoint.context.encoding.to_json()
    assert train(tmp_path, corpus, start=first, steps=1).trainer.step == 1


@pytest.mark.parametrize("model", ["flowgmm", "maf", "regression", "gan"])
def test_every_model_starts_or_says_that_it_cannot(model: str, tmp_path: Path) -> None:
    recipe = replace(
        tiny_recipe(), tables={**tiny_recipe().tables, "model": {"name": model, "preset": "compact"}}
    )
    choice = "training.choose=rollouts"
    plan = TrainingPlan.of(recipe.overridden(["training.steps=2", "training.validate_every=2", choice]))
    for _ in (run := TrainingRun(tmp_path / "a", plan, tiny_corpus(), seed=1)).events():
        pass
    run.save()
    start = Start(Checkpoint.read(tmp_path / "a"), model)
    if model == "flowgmm":
        with pytest.raises(TrainingError, match="a flowgmm cannot be given more labels"):
            TrainingRun(tmp_path / "b", plan, NEW, seed=1, start=start)
        return
    for _ in (run := TrainingRun(tmp_path / "b", plan, NEW, seed=1, start=start)).events():
        pass
    assert run.context.styles == ("brisk", "calm", "proud", "sly")
