"""Evaluation: all rows by the same code, motion as in generation, and the results as page and JSON."""

import base64
import hashlib
import json
import math
import pickle
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from moglow.checkpoint import Checkpoint
from moglow.cli.main import cli
from moglow.corpus.corpus import Corpus
from moglow.encodings.encoding import Encoding, FeatureSpec
from moglow.errors import CorpusError, ExportError, MoglowError
from moglow.evaluation.comparison import Comparison
from moglow.evaluation.evaluate import evaluate, evaluate_files
from moglow.evaluation.experiment import sample
from moglow.evaluation.real_motion import CHOICE, RealMotion
from moglow.evaluation.results import COPY, HELD_OUT, REAL, SYNTHETIC, Evaluation, EvaluationSpec, to_json
from moglow.evaluation.trials import Trial, held_out, synthetic, wander
from moglow.evaluation.wandering import blown_up, frozen, wandering
from moglow.evaluation.wording import difference_text, standings
from moglow.maths.rotations import quat_multiply
from moglow.measures.bands import BANDS, standing
from moglow.measures.scores import MEASURES, score
from moglow.motion.clip import Clip
from moglow.paths.control_path import ControlPath
from moglow.paths.control_range import ControlRange
from moglow.paths.synthetic import EVALUATION_PRESETS
from moglow.sampling.ensemble import WILD, Ensemble, Motion
from moglow.sampling.sampler import Sampler, Track
from moglow.training.plan import TrainingPlan
from moglow.training.run import TrainingRun
from moglow.workers.workers import ThisProcess, no_files
from moglow_viewer.pages.report import make_report, write_report
from tests.support.rigs import RIGS
from tests.support.tiny import tiny_corpus, tiny_recipe
from tests.support.walking import skeleton_of, walk

SPEC = EvaluationSpec(
    seeds=2,
    synthetic_seconds=2.0,
    wanders=2,
    wander_seconds=4.0,
    temperatures=(0.5,),
    sweep_seconds=5.0,
    measures=("controls", "wander"),
)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    """Returns a model that has not been trained."""
    run = TrainingRun(tmp_path_factory.mktemp("run"), TrainingPlan.of(tiny_recipe()), tiny_corpus(), seed=0)
    return run.checkpoint()


def run(checkpoint: Checkpoint, corpora: Sequence[Corpus], spec: EvaluationSpec = SPEC) -> Evaluation:
    *lines, found = evaluate({"tiny": checkpoint}, corpora, spec)
    assert isinstance(found, Evaluation) and all(isinstance(each, str) for each in lines)
    return found


@pytest.fixture(scope="module")
def evaluation(checkpoint: Checkpoint) -> Evaluation:
    return run(checkpoint, [tiny_corpus()])


@pytest.fixture(scope="module")
def bare(checkpoint: Checkpoint) -> Evaluation:
    """Returns an evaluation of weights without a corpus."""
    return run(checkpoint.with_figures(validation={"real": {"slide_median": 0.05, "jerk": 90.0}}), [])


def test_motions_are_those_of_generation(checkpoint: Checkpoint) -> None:
    """Paths of different lengths and styles in one batch; equal up to rounding, which accumulates over frames."""
    style = checkpoint.context.styles[0]
    paths = [
        ControlPath.from_velocities([[speed, 0.0, 0.3]] * n, 20.0, styles=[name] * n if name else None)
        for speed, n, name in ((0.8, 30, None), (1.0, 45, style))
    ]
    sampled = dict(Ensemble(checkpoint, 0.7).motions(paths, [3, 4]))
    sampler = Sampler.of(checkpoint, temperature=0.7)
    for k, path in enumerate(paths):
        alone = np.stack([pose[0] for pose, _ in sampler.sample([Track(path, seed=3 + k)])])
        assert len(sampled[k].clip) == len(path) == len(alone)
        np.testing.assert_allclose(sampled[k].pose, alone, atol=2e-3)


def test_a_style_unknown_to_the_model_is_no_style(checkpoint: Checkpoint) -> None:
    paths = [ControlPath(np.zeros((9, 2)), np.zeros(9), 20.0, styles) for styles in (None, ("moonwalk",) * 9)]
    plain, strange = dict(Ensemble(checkpoint, 0.7).motions(paths, [3, 3])).values()
    np.testing.assert_array_equal(plain.pose, strange.pose)


def test_a_wild_model_is_held_and_counted(checkpoint: Checkpoint) -> None:
    path = ControlPath.standing(20, 20.0)
    ((_, motion),) = Ensemble(checkpoint, 1e6).motions([path], [0])
    assert motion.wild and blown_up(motion)
    standard = checkpoint.context.standardize_pose(motion.pose)
    assert np.abs(standard).max() < 1.01 * WILD and np.isfinite(motion.clip.world_positions).all()


def test_held_out_pieces_are_the_held_out_motion() -> None:
    corpus = tiny_corpus()
    (trial,) = held_out(corpus)
    (stretch,) = corpus.split("val")
    assert trial.real is not None and len(trial.path) == len(stretch)
    assert set(trial.path.styles or ()) == {stretch.style}
    np.testing.assert_allclose(trial.real.world_positions, corpus.clip(stretch).world_positions)
    doubled = replace(corpus, stretches=tuple(replace(s, split="val") for s in corpus.stretches))
    assert len(held_out(doubled)) == 3 and len(held_out(doubled, seconds=4.0)) == 2
    assert held_out(replace(corpus, stretches=corpus.split("train"))) == []


def test_synthetic_trials_and_the_wander_have_the_paths_of_their_names() -> None:
    reach = ControlRange(forward=1.0, backward=0.4, sideways=0.3, turn=1.0)
    trials = synthetic(reach, 30.0, seconds=6.0)
    assert [trial.name for trial in trials] == list(EVALUATION_PRESETS)
    assert all(trial.seconds == pytest.approx(6.0, abs=0.1) for trial in trials)
    assert wander(reach, 10.0, seconds=120.0).seconds == pytest.approx(120.0)


def test_the_library_finds_a_control_where_it_was_taken_from() -> None:
    corpus = tiny_corpus()
    first, second = corpus.split("train")
    controls = np.stack([corpus.control[s.start + 12 : s.start + 32] for s in (first, second)])
    places, distances = RealMotion(corpus).nearest(controls, count=3, apart=10)
    assert places[:, 0].tolist() == [first.start + 12, second.start + 12]
    np.testing.assert_allclose(distances[:, 0], 0.0, atol=2e-3)
    assert (np.diff(distances) >= 0).all()
    assert all(np.abs(np.subtract.outer(row, row)[np.triu_indices(3, 1)]).min() >= 10 for row in places)


def test_real_takes_have_the_style_and_the_performer_that_are_asked_for() -> None:
    corpus = tiny_corpus()
    first, second = corpus.split("train")
    labelled = (
        replace(first, style="march", performer="anna"),
        replace(second, style="march", performer="ben"),
    )
    again = replace(second, style="march", performer="anna", again=True)
    library = RealMotion(replace(corpus, stretches=(*labelled, again)))
    assert library.alike("march", "anna", frames=len(first)) == [labelled[0]]
    assert library.alike("march", "anna", frames=len(first) + 1) == list(labelled)
    assert library.alike("limp", "anna", frames=1) == list(labelled)
    controls = corpus.control[first.start : first.start + 20][None]
    places, _ = library.nearest(controls, count=2, apart=10, among=[labelled[1]])
    assert ((places >= second.start) & (places < second.stop)).all()


def test_copies_are_training_poses_but_for_the_seams() -> None:
    corpus = tiny_corpus()
    path = corpus.path(corpus.split("train")[0])
    one, other = RealMotion(corpus).copies(path, range(2))
    assert len(one) == len(path) and CHOICE > 1
    assert np.abs(one.rotations - other.rotations).max() > 1e-3
    train = np.concatenate([corpus.pose[s.frames] for s in corpus.split("train")])
    pose = corpus.encoding.encode(one, path)[10]  # in the middle of the first piece
    assert np.abs(train - pose).max(1).min() < 1e-4


def test_scores_do_not_depend_on_position_and_heading() -> None:
    clip = walk(skeleton_of(RIGS["cmu"]), seconds=6.0, slip=0.1)[0]
    path = ControlPath.from_clip(clip)
    scores = score(clip, path)
    assert scores.keys() == MEASURES.keys() - {"frechet", "diversity"}
    assert BANDS.keys() <= MEASURES.keys()
    turned = score(
        clip.moved((2.0, 0.0, 1.0), heading=math.pi / 2), path.moved((2.0, 1.0), heading=math.pi / 2)
    )
    # At equal heights rounding decides which foot is the lower one.
    assert turned == pytest.approx(scores, rel=0.1, abs=1e-3)
    assert scores["locked_median"] < 0.01 < scores["slide_median"] == pytest.approx(0.1, abs=1e-6)


def test_the_floor_is_the_figure_of_real_motion_and_worse_motion_is_above() -> None:
    corpus = tiny_corpus()
    doubled = replace(
        corpus, stretches=tuple(replace(s, split="val") for s in corpus.stretches[:2]) + corpus.stretches
    )
    trials = [Trial(s.name, corpus.path(s), corpus.clip(s)) for s in (*corpus.stretches, *corpus.stretches)]
    comparison = Comparison(RealMotion(doubled), trials)
    clips = [trial.real for trial in trials if trial.real]
    assert comparison.frechet(clips) == comparison.frechet() >= 0
    frozen_ = [replace(clip, rotations=np.repeat(clip.rotations[:1], len(clip), 0)) for clip in clips]
    assert comparison.frechet(frozen_) > 2 * comparison.frechet()
    assert comparison.diversity([[clip, clip] for clip in clips]) == 0.0
    assert comparison.real_diversity > 0.0
    assert math.isnan(comparison.diversity([[clip] for clip in clips]))


def gliding(frames: int) -> Motion:
    clip = walk(skeleton_of(RIGS["cmu"]), seconds=(frames - 1) / 30, speed=1.2)[0]
    still = replace(clip, rotations=np.repeat(clip.rotations[:1], frames, 0))
    return Motion(still, np.zeros((frames, 1), np.float32), np.zeros((frames, 3), np.float32))


def test_frozen_and_diverged_motion_is_counted() -> None:
    motion = gliding(151)
    path = ControlPath.from_clip(motion.clip)
    assert frozen(motion, path) and not blown_up(motion)
    assert not frozen(motion, ControlPath.standing(151, 30.0))  # a standing path allows standing
    walked = replace(motion, clip=walk(skeleton_of(RIGS["cmu"]), seconds=5.0, speed=1.2)[0])
    assert not frozen(walked, path) and not blown_up(walked)
    assert blown_up(replace(walked, wild=True))
    sunk = replace(walked, clip=walked.clip.moved((0.0, -0.8, 0.0)))
    assert blown_up(sunk)
    spin = np.array([math.cos(0.9), 0.0, math.sin(0.9), 0.0])
    rotations = walked.clip.rotations.copy()
    rotations[::2, 1:] = quat_multiply(rotations[::2, 1:], spin)
    assert blown_up(replace(walked, clip=replace(walked.clip, rotations=rotations)))


def test_drift_is_the_difference_of_the_last_minute() -> None:
    good, bad = (walk(skeleton_of(RIGS["biped"]), seconds=60.0, fps=10.0, slip=s)[0][:-1] for s in (0.1, 0.2))
    both = replace(
        good,
        positions=np.concatenate([good.positions, bad.positions]),
        rotations=np.concatenate([good.rotations, bad.rotations]),
    )
    motion = Motion(both, np.zeros((len(both), 1), np.float32), np.zeros((len(both), 3), np.float32))
    found = wandering([motion, motion], ControlPath.from_clip(both), None)
    assert found.slide_drift.value == pytest.approx(1.0, abs=0.05)
    assert abs(found.jerk_drift.value) < 0.2
    assert len(found.times) == len(found.slide) == 12 and found.slide[0] == pytest.approx(0.1, abs=0.01)


def test_rows_stand_in_order_and_hold_every_figure(evaluation: Evaluation) -> None:
    assert [row.name for row in evaluation.rows] == [REAL, "tiny", COPY]
    for row in evaluation.rows:
        assert {HELD_OUT, SYNTHETIC, *EVALUATION_PRESETS} <= row.figures.keys()
        assert row.figures[HELD_OUT].keys() == MEASURES.keys()
        assert len(row.footsteps) == 100
    model = evaluation.rows[1]
    assert model.wandering and model.wandering.rollouts == 2 and len(model.temperatures) == 1
    assert model.likelihood and set(model.likelihood.means) == {"held-out", "training", "own"}
    assert all(sum(shares) > 0.9 for shares in model.likelihood.shares.values())


def test_real_motion_in_the_table_is_scored_as_a_take_would_be(evaluation: Evaluation) -> None:
    (trial,) = held_out(tiny_corpus())
    assert trial.real and evaluation.real
    found = {key: each.value for key, each in evaluation.real.figures[HELD_OUT].items()}
    expected = score(trial.real, trial.path)
    assert {key: found[key] for key in expected} == pytest.approx(expected, nan_ok=True)


def test_verdicts_hold_models_against_bands_and_real_motion_against_none(evaluation: Evaluation) -> None:
    real, model, _ = evaluation.rows
    assert evaluation.verdict(real, HELD_OUT, "jerk") == "" == evaluation.verdict(model, HELD_OUT, "skate")
    assert evaluation.verdict(model, HELD_OUT, "bone_stretch") == "in"
    low, high = evaluation.limits(HELD_OUT, "locked_mean") or (0, 0)
    assert low == -math.inf
    assert high == pytest.approx(1.05 * real.figures[HELD_OUT]["slide_mean"].value)


def test_a_difference_is_that_of_the_figures_and_none_to_itself(evaluation: Evaluation) -> None:
    _, model, copy = evaluation.rows
    assert evaluation.first is model and evaluation.difference(model, HELD_OUT, "jerk") is None
    for group in (HELD_OUT, SYNTHETIC):
        found, own = (
            evaluation.difference(row, group, "slide_mean") for row in (copy, replace(model, name="again"))
        )
        expected = copy.figures[group]["slide_mean"].value - model.figures[group]["slide_mean"].value
        assert found and found.value == pytest.approx(expected)
        assert own and own.value == 0.0 and standing(own) == ""


def test_a_motion_that_is_worse_on_every_control_is_reported_as_worse(evaluation: Evaluation) -> None:
    real, model, _ = evaluation.rows
    assert real.parts.keys() == model.parts.keys() == {HELD_OUT, SYNTHETIC}
    slides = model.parts[SYNTHETIC]["slide_mean"]
    farther = replace(slides, values=tuple(value + 0.1 for value in slides.values))
    worse = replace(model, name="worse", parts={SYNTHETIC: {"slide_mean": farther}})
    found = replace(evaluation, rows=(real, model, worse))
    line = "worse against tiny, synthetic: worse in foot slide, mean (+10 ± 0 cm/s)"
    assert list(standings(found, SYNTHETIC)) == [line] and line in make_report(found)
    assert difference_text(found, worse, SYNTHETIC, "slide_mean") == "+10 ± 0"
    table = to_json(found)["rows"][2]["farther_than_the_first"][SYNTHETIC]["slide_mean"]
    assert table["standing"] == "worse" and table["value"] == pytest.approx(0.1)


def test_the_same_seeds_give_the_same_evaluation(checkpoint: Checkpoint) -> None:
    trials = synthetic(checkpoint.control_range, 20.0, seconds=2.0)[:2]
    one, other = (sample(Ensemble(checkpoint, 0.7), trials, 2) for _ in range(2))
    for first, second in zip(one, other, strict=True):
        assert all(np.array_equal(a.pose, b.pose) for a, b in zip(first, second, strict=True))
        assert not np.array_equal(first[0].pose, first[1].pose)


class Sending(ThisProcess):
    """Workers in this process whose jobs and results are pickled, as between processes."""

    def results(self, work: Any, shared: Any, jobs: Any, files: Any = no_files) -> Iterator[Any]:
        for job in jobs:
            assert all(path.exists() for path in files(job))
            yield pickle.loads(pickle.dumps(work(*pickle.loads(pickle.dumps((shared, job))))))


def test_workers_give_the_same_evaluation(checkpoint: Checkpoint, tmp_path: Path) -> None:
    checkpoint.write(tmp_path / "tiny.safetensors")
    tiny_corpus().write(tmp_path / "tiny.corpus")
    alone = run(Checkpoint.read(tmp_path / "tiny.safetensors"), [Corpus.open(tmp_path / "tiny.corpus")])
    files = {"tiny": tmp_path / "tiny.safetensors"}, [tmp_path / "tiny.corpus"]
    *lines, found = evaluate_files(*files, SPEC, Sending())
    assert lines == [f"{number} of 3 parts" for number in range(4)] and isinstance(found, Evaluation)
    assert to_json(replace(found, seconds=0.0)) == to_json(replace(alone, seconds=0.0))
    sheets = [[(sheet.control, list(sheet.clips)) for sheet in each.sheets] for each in (found, alone)]
    assert sheets[0] == sheets[1]
    with pytest.raises(MoglowError, match="measures: smell"):
        list(evaluate_files(*files, replace(SPEC, measures=("smell",)), Sending()))


def test_a_model_without_corpora_is_described_by_its_checkpoint(bare: Evaluation) -> None:
    assert [row.name for row in bare.rows] == [REAL, "tiny"]
    assert bare.real and set(bare.real.figures[HELD_OUT]) == {"slide_median", "jerk"}
    assert HELD_OUT not in bare.rows[1].figures and bare.rows[1].likelihood is None
    assert bare.limits(SYNTHETIC, "slide_median") == pytest.approx((-math.inf, 0.0625))
    assert any("No corpus" in note for note in bare.notes)


def test_a_likelihood_needs_the_corpus_of_the_models_own_encoding(checkpoint: Checkpoint) -> None:
    """The first corpus gives the real motion; one that only rounds otherwise is the same."""
    ours = tiny_corpus()
    clips = [ours.clip(stretch) for stretch in ours.stretches]
    encoding = FeatureSpec(encoding="rotations").fit(clips)
    labels = [(stretch.name, stretch.style, stretch.split) for stretch in ours.stretches]
    other = Corpus.build(encoding, [encoding.features(clip) for clip in clips], labels, fps=ours.fps)
    short = replace(SPEC, seeds=1, wanders=1, temperatures=())
    without = run(checkpoint, [other], short)
    assert without.rows[1].likelihood is None and any("another encoding" in note for note in without.notes)
    table = ours.encoding.to_json()
    table["skeleton"]["offsets"] = (np.array(table["skeleton"]["offsets"]) * (1 + 1e-12)).tolist()
    rounded = replace(ours, encoding=Encoding.from_json(table))
    assert run(checkpoint, [other, rounded], short).rows[1].likelihood is not None


def test_json_is_plain(evaluation: Evaluation, bare: Evaluation) -> None:
    for found in (evaluation, bare):
        table = json.loads(json.dumps(to_json(found), allow_nan=False))
        assert [row["name"] for row in table["rows"]] == [row.name for row in found.rows]
        figure = table["rows"][1]["figures"][SYNTHETIC]["slide_mean"]
        assert figure["low"] <= figure["value"] <= figure["high"]


def test_another_skeleton_is_refused(checkpoint: Checkpoint) -> None:
    other = Clip.at_rest(skeleton_of(RIGS["cmu"]), frames=30, fps=20.0)
    encoding = tiny_corpus().encoding.spec.fit([other])
    corpus = Corpus.build(encoding, [encoding.features(other)], [("a", "x", "train")], fps=20.0)
    with pytest.raises(CorpusError, match=r"another skeleton.*the corpus that the model was trained on"):
        run(checkpoint, [corpus])
    with pytest.raises(CorpusError, match=r"has 25 frames a second, tiny 20"):
        run(checkpoint, [replace(tiny_corpus(), fps=25.0)])


def test_the_report_loads_nothing_and_has_no_scripts(evaluation: Evaluation, bare: Evaluation) -> None:
    for found in (evaluation, bare):
        page = make_report(found)
        (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="(.*?)"', page)
        (style,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
        fingerprint = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        assert policy.startswith("default-src 'none';") and f"'sha256-{fingerprint}'" in policy
        assert not re.search(r"<script|https?:|\bsrc=|\bhref=|url\(|@import|style=|\son\w+=|nan|inf\b", page)
        assert page == make_report(found)


def test_the_report_shows_every_part(evaluation: Evaluation) -> None:
    page = make_report(evaluation)
    titles = re.findall(r"<h2>(.*?)</h2>", page)
    assert len(titles) == 9 and "Contact sheets" in titles
    assert page.count('class="strip"') == sum(len(sheet.clips) for sheet in evaluation.sheets) == 8 * 3
    for measure in MEASURES.values():
        assert measure.label in page


def test_names_are_text_in_a_report(evaluation: Evaluation, tmp_path: Path) -> None:
    rows = tuple(replace(row, name="<u>$x") if row.name == "tiny" else row for row in evaluation.rows)
    page = make_report(replace(evaluation, rows=rows))
    assert "<u>" not in page and "&lt;u&gt;$x" in page
    with pytest.raises(ExportError, match=r"ends in \.html"):
        write_report(evaluation, tmp_path / "report.pdf")


def test_the_command_writes_both_and_prints_the_main_figures(
    checkpoint: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(EvaluationSpec, "quick", lambda self: replace(SPEC, seeds=self.seeds, wanders=1))
    checkpoint.write(tmp_path / "tiny.safetensors")
    tiny_corpus().write(tmp_path / "tiny.corpus")
    report, figures = tmp_path / "report.html", tmp_path / "figures.json"
    words = ["evaluate", "--checkpoint", tmp_path / "tiny.safetensors", "--corpus", tmp_path / "tiny.corpus"]
    words += ["--report", report, "--json", figures, "--seeds", "1", "--quick"]
    result = CliRunner().invoke(cli, [str(word) for word in [*words, tmp_path / "other.safetensors"]])
    assert result.exit_code == 2 and "--compare" in result.stderr
    checkpoint.write(tmp_path / "other.safetensors")
    words += ["--compare", tmp_path / "other.safetensors"]
    result = CliRunner().invoke(cli, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    assert "other against tiny, held-out: no clear difference in" in result.stdout
    assert "foot slide, median" in result.stdout and "wandered 1 × 4 s" in result.stdout
    assert "nats a frame" in result.stdout
    assert report.read_text().startswith("<!doctype html>")
    assert json.loads(figures.read_text())["spec"]["seeds"] == 1


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_gpu_that_is_not_there_is_one_line() -> None:
    result = CliRunner().invoke(cli, ["evaluate", "--quick", "--device", "cuda"])
    assert result.exit_code == 1 and "no CUDA GPU" in result.stderr and result.stderr.count("\n") == 1
