"""Bayes' rule for styles: evidence, calibrated confidence and the command `moglow classify`."""

import json
import math
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result

from moglow.bvh.read import read_bvh
from moglow.bvh.write import write_bvh
from moglow.checkpoint import Checkpoint
from moglow.cli.main import cli
from moglow.corpus.context_spec import ContextSpec
from moglow.corpus.corpus import Corpus
from moglow.corpus.windows import on_device
from moglow.encodings.encoding import Features
from moglow.errors import CheckpointError, ClipError
from moglow.maths.rotations import euler_to_quat
from moglow.models import MODELS
from moglow.motion.clip import Clip
from moglow.recipe import Recipe
from moglow.scoring.classifier import Classifier, fitted
from moglow.scoring.style_evidence import StyleAccuracy, best_temperature, evidence, probabilities
from moglow.training.plan import TrainingPlan
from moglow.training.run import TrainingRun
from tests.support.rigs import RIGS
from tests.support.tiny import CARRY, Weaving, tiny_recipe
from tests.support.walking import skeleton_of, walk

LEARNT = {"name": "flowgmm", "hidden": 8, "encoded": 8, "steps": 2, "net": 8}


POSTURES = {"brisk": 0.5, "calm": -0.1}
"""How far a style leans forward, in radians."""


@cache
def postures() -> Corpus:
    """Returns walks alike in speed, in two styles of holding oneself: two of each to train on, one held out."""
    clips, labels = [], []
    for style, lean in POSTURES.items():
        for speed, split in ((0.9, "train"), (1.1, "train"), (1.0, "val")):
            clips.append(
                leaning(walk(skeleton_of(RIGS["biped"]), seconds=3.5, fps=20.0, speed=speed)[0], lean)
            )
            labels.append((f"{style} {speed}", style, split))
    encoding = Weaving().fit(clips)
    return Corpus.build(encoding, [encoding.features(clip) for clip in clips], labels, fps=20.0)


def leaning(clip: Clip, lean: float) -> Clip:
    rotations, spine = clip.rotations.copy(), clip.skeleton.anatomy.roles["spine"]
    angles = lean + 0.05 * np.sin(3 * clip.times)
    rotations[:, spine] = euler_to_quat(angles[:, None], "X")
    return replace(clip, rotations=rotations)


def recipe(steps: int = 120, **model: object) -> Recipe:
    windows = {"length": 20, "pose_dropout": 1.0, "dropout_windows": 0.5}
    made = tiny_recipe(steps=steps, rate=1e-2, validate_every=steps, windows=windows)
    return Recipe("tiny.toml", {**made.tables, "model": model or LEARNT})


def trained(folder: Path, recipe: Recipe) -> TrainingRun:
    run = TrainingRun(folder, TrainingPlan.of(recipe), postures(), seed=1)
    list(run.events())
    return run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> TrainingRun:
    """A model that has learnt to tell a calm walk from a brisk one."""
    return trained(tmp_path_factory.mktemp("styles") / "run", recipe())


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The held-out walks as files, one of them at another rate, and a file of no use."""
    folder = tmp_path_factory.mktemp("clips")
    for stretch in postures().split("val"):
        clip = postures().clip(stretch)
        write_bvh(clip.resample(40.0) if stretch.style == "calm" else clip, folder / f"{stretch.style}.bvh")
    (folder / "torn.bvh").write_text("HIERARCHY\n")
    return folder


def classify(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["classify", *map(str, arguments)])


def test_confidence_is_calibrated_by_held_out_labels() -> None:
    """Scores that are three times too sure: the temperature takes that back."""
    random = np.random.default_rng(1)
    true = random.normal(size=(4000, 3))
    labels = np.array([random.choice(3, p=each) for each in probabilities(true, 1.0)])
    assert best_temperature(3 * true, labels) == pytest.approx(3.0, rel=0.15)
    np.testing.assert_allclose(probabilities(true, 0.5).sum(-1), 1.0)
    assert np.isfinite(probabilities(np.array([0.0, -1e6]), 1e-3)).all()


def test_the_evidence_is_the_mean_of_the_frames_likelihoods_without_their_past(run: TrainingRun) -> None:
    model, context = run.trainer.average.eval(), on_device(run.context, "cpu")
    features = postures().features(postures().stretches[0])
    found = evidence(model, context, features)
    poses, controls = (torch.as_tensor(np.array(part)) for part in (features.pose, features.control))
    poses, controls = context.standardize_pose(poses), context.standardize_control(controls)
    padded = torch.cat([controls, controls[-1:].expand(2, -1)])
    for style, name in enumerate(context.styles):
        state, nats = model.initial_state(), []
        label = torch.as_tensor(context.style_vector(name))
        for t in range(3, len(poses)):
            vector = context.build(poses[t - 3 : t], padded[t - 3 : t + 3], label, torch.zeros(3))
            target = context.to_target(poses[t], poses[t - 3 : t], controls[t])
            log_prob, state = model.log_prob(target[None, None], vector[None, None].float(), state)
            nats.append(log_prob.item())
        assert np.mean(nats) == pytest.approx(found[style], abs=1e-3)
    short = Features(features.pose[:3], features.control[:3])
    with pytest.raises(ClipError, match="walk: 3 frames at 20 fps, the model needs 4"):
        evidence(model, context, short, "walk")


@pytest.mark.parametrize("name", MODELS)
def test_any_model_with_styles_and_a_likelihood_classifies(name: str, tmp_path: Path) -> None:
    run = trained(tmp_path / "run", recipe(steps=2, name=name, preset="toy"))
    telling = StyleAccuracy.of_held_out(run.trainer.average, on_device(run.context, "cpu"), postures())
    assert (telling is None) == math.isnan(run.validations[-1].likelihood.standardized)
    assert telling is None or (telling.clips == 2 and 0 <= telling.right <= 2)
    plain = postures()
    none = replace(plain, stretches=tuple(replace(each, style="") for each in plain.stretches))
    assert StyleAccuracy.of_held_out(run.trainer.average, on_device(run.context, "cpu"), none) is None


def test_a_table_shows_style_and_confidence(run: TrainingRun, clips: Path) -> None:
    result = classify(clips / "calm.bvh", clips / "brisk.bvh", "--checkpoint", run.folder)
    assert result.exit_code == 0, result.output
    head, calm, brisk = result.stdout.splitlines()
    assert head.split() == ["file", "style", "sure", "seconds", "brisk", "calm"]
    assert calm.split()[-5] == "calm" and brisk.split()[-5] == "brisk", result.stdout


def test_programs_get_json_and_a_bad_file_stops_no_other(run: TrainingRun, clips: Path) -> None:
    result = classify(clips, "--checkpoint", run.folder, "--json")
    assert result.exit_code == 1
    brisk, calm, torn = json.loads(result.stdout)
    assert (brisk["style"], calm["style"]) == ("brisk", "calm") and "torn.bvh" in torn["error"]
    assert calm["probabilities"]["calm"] == calm["confidence"] > 0.5
    assert sum(calm["probabilities"].values()) == pytest.approx(1.0, abs=1e-3)
    alone = classify(clips / "torn.bvh", "--checkpoint", run.folder)
    assert alone.exit_code == 1 and alone.output.startswith("error: ") and alone.output.count("\n") == 1


def test_motion_without_a_finite_likelihood_is_refused(run: TrainingRun, clips: Path) -> None:
    classifier = Classifier.of(Checkpoint.read(run.folder))
    with torch.no_grad():
        for parameter in classifier.model.parameters():
            parameter.mul_(1e30)
    with pytest.raises(ClipError, match=r"calm.*: its likelihood is not finite"):
        classifier.classify(read_bvh(clips / "calm.bvh"))


def test_the_temperature_is_fitted_on_training_clips(run: TrainingRun) -> None:
    checkpoint = Checkpoint.read(run.folder)
    classifier = Classifier.of(checkpoint)
    assert run.best.styles is not None
    assert classifier.calibrated and classifier.temperature == pytest.approx(run.best.styles.temperature)
    assert not Classifier.of(replace(checkpoint, about={})).calibrated


def test_a_model_without_styles_is_refused(run: TrainingRun, tmp_path: Path) -> None:
    checkpoint = Checkpoint.read(run.folder)
    with pytest.raises(
        CheckpointError, match=r"flowgmm was trained with only the style 'calm'.*data\.sources"
    ):
        Classifier.of(replace(checkpoint, context=replace(checkpoint.context, styles=("calm",))))
    plain = Recipe(
        "tiny.toml", {**recipe(steps=2).tables, "context": {"history": 3, "styles": False, "carry": CARRY}}
    )
    trained(tmp_path / "run", plain)
    result = classify("any.bvh", "--checkpoint", tmp_path / "run")
    assert result.exit_code == 1 and "was trained with no styles, so it cannot classify" in result.output


def test_models_without_a_likelihood_are_refused(tmp_path: Path, clips: Path) -> None:
    trained(tmp_path / "run", recipe(steps=2, name="gan", preset="toy"))
    result = classify(clips / "calm.bvh", "--checkpoint", tmp_path / "run")
    assert result.exit_code == 1 and "a gan has no likelihood to classify by" in result.output


def test_other_figures_are_put_on_the_models() -> None:
    clip = walk(skeleton_of(RIGS["mixamo"]), seconds=2.0, fps=60.0)[0]
    skeleton = postures().encoding.skeleton
    moved = fitted(clip, skeleton, 20.0)
    assert moved.skeleton == skeleton and moved.fps == 20.0 and len(moved) == 41
    own = postures().clip(postures().stretches[0])
    assert fitted(own, skeleton, 20.0).skeleton is skeleton


def test_a_style_can_be_sampled(run: TrainingRun, tmp_path: Path) -> None:
    words = ["generate", "--control", "line:length=1", "--checkpoint", str(run.folder), "--style"]
    made = CliRunner().invoke(cli, [*words, "brisk", "-o", str(tmp_path / "brisk.bvh")])
    assert made.exit_code == 0, made.output
    assert len(read_bvh(tmp_path / "brisk.bvh")) > 5
    assert run.config.fitted(styles=2) == run.config
    assert ContextSpec().styles
