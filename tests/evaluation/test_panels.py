"""Panels of an evaluation: motions with known properties (equal, straight, crossed, at rest) have these figures."""

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from moglow.checkpoint import Checkpoint
from moglow.cli.actions.evaluate import scoreboard
from moglow.cli.main import cli
from moglow.corpus.corpus import Corpus
from moglow.encodings.encoding import FeatureSpec
from moglow.errors import MoglowError
from moglow.evaluation.discrimination import Discrimination, DiscriminationSpec
from moglow.evaluation.discriminator import DiscriminatorSpec, area_under_curve, log_odds
from moglow.evaluation.evaluate import evaluate
from moglow.evaluation.manoeuvres import ALL, Hold, Manoeuvre, Manoeuvres, ankles_apart, manoeuvres, settling
from moglow.evaluation.panels import Panel
from moglow.evaluation.results import REAL, Evaluation, EvaluationSpec, to_json
from moglow.evaluation.straight_walks import SPEEDS, StraightWalks, figures
from moglow.evaluation.style_changes import ChangeSpec, StyleChanges, Walks, peak_acceleration
from moglow.maths.rotations import quat_multiply
from moglow.measures.bands import Estimate
from moglow.measures.scores import Measure
from moglow.motion.clip import Clip
from moglow.paths.control_path import ControlPath
from moglow.training.plan import TrainingPlan
from moglow.training.run import TrainingRun
from moglow_viewer.pages.report import make_report
from moglow_viewer.play.scripted import driven
from tests.support.rigs import RIGS
from tests.support.tiny import Weaving, tiny_recipe
from tests.support.walking import skeleton_of, walk

FPS = 20.0
SPEC = DiscriminatorSpec(steps=60, hidden=8)


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    """Walks in two styles, six files to train on and six held out."""
    skeleton, clips, labels = skeleton_of(RIGS["biped"]), [], []
    for number in range(12):
        style, speed = ("calm", 0.8) if number % 2 else ("brisk", 1.3)
        clips.append(walk(skeleton, seconds=7.0, fps=FPS, speed=speed + 0.01 * number)[0])
        labels.append((f"walk {number}", style, "train" if number < 6 else "val"))
    encoding = Weaving().fit(clips)
    return Corpus.build(encoding, [encoding.features(clip) for clip in clips], labels, fps=FPS)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory, corpus: Corpus) -> Checkpoint:
    """A model that has learnt nothing yet."""
    recipe = tiny_recipe(steps=4, validate_every=4)
    return TrainingRun(tmp_path_factory.mktemp("run"), TrainingPlan.of(recipe), corpus, seed=0).checkpoint()


def test_the_area_under_the_curve_counts_pairs() -> None:
    low, high = np.array([0.0, 1.0, 2.0]), np.array([1.5, -1.0])
    pairs = [(b > a) + 0.5 * (a == b) for a in low for b in high]
    assert area_under_curve(low, high) == pytest.approx(np.mean(pairs))


def test_a_net_distinguishes_motions_only_if_they_differ() -> None:
    random = np.random.default_rng(0)
    real, same = random.normal(size=(2, 300, 8, 3, 6)).astype(np.float32)
    unseen = np.arange(300) % 3 == 0
    assert area_under_curve(*log_odds(real, same, unseen, spec=SPEC, seed=0)) == pytest.approx(0.5, abs=0.15)
    assert area_under_curve(*log_odds(real, same + 1.0, unseen, spec=SPEC, seed=0)) > 0.95
    again = log_odds(real, same, unseen, spec=SPEC, seed=0)[1]
    assert np.array_equal(again, log_odds(real, same, unseen, spec=SPEC, seed=0)[1])


def test_sampled_motion_is_distinguished_on_unseen_files(corpus: Corpus, checkpoint: Checkpoint) -> None:
    exam = Discrimination(corpus, 2, 0.7, spec=DiscriminationSpec(net=SPEC))
    files = np.array(exam.held_out.files)
    for seed in range(3):
        unseen = exam._unseen(seed)
        assert not set(files[unseen]) & set(files[~unseen]) and 0 < unseen.sum() < len(files)
    tested = set().union(*(files[exam._unseen(seed)] for seed in range(3)))
    assert tested == set(files)  # each file is unseen once in three seeds
    recorded, sampled = exam.recorded(), exam.sampled("tiny", checkpoint)
    assert {"whole body", "legs", "arms", "hips"} <= recorded.keys() <= sampled.keys() | {"style calm"}
    assert sampled["whole body"]["auc"].value > max(0.9, recorded["whole body"]["auc"].value)
    assert exam.remarks() and exam.remarks()[0].startswith("tiny: AUC by part of the body, ")


def test_straight_recordings_are_found_at_their_speed() -> None:
    skeleton = skeleton_of(RIGS["biped"])
    walks = {speed: walk(skeleton, seconds=6.0, fps=FPS, speed=speed)[0] for speed in (0.72, 1.3)}
    encoding = FeatureSpec(encoding="feet_first").fit(list(walks.values()))
    labels = [(f"walk {speed}", "calm", "train") for speed in walks]
    straight = Corpus.build(encoding, [encoding.features(clip) for clip in walks.values()], labels, fps=FPS)
    exam = StraightWalks(straight, FPS, 1, 0.7)
    found = exam.recorded()
    assert set(found) == {"0.7 m/s", "1.3 m/s"}
    for name, speed in (("0.7 m/s", 0.72), ("1.3 m/s", 1.3)):
        assert found[name]["speed"].value == pytest.approx(speed, abs=0.02)
        assert found[name]["left"].value == pytest.approx(speed / 2, abs=0.08)
        low, high = exam.limits()[name]["width"]
        assert low <= found[name]["width"].value <= high


def test_a_known_walk_has_its_figures() -> None:
    skeleton = skeleton_of(RIGS["biped"])
    found = figures(walk(skeleton, seconds=8.0, speed=1.0)[0])
    assert found["crossed"] == 0.0 and found["uneven"] < 0.06 and found["flight"] == 0.0
    assert found["left"] == pytest.approx(0.5, abs=0.05) and found["speed"] == pytest.approx(1.0, abs=0.02)
    assert found["low_toes_locked"] <= found["low_toes"] + 1e-3


def test_changes_of_style_are_judged_by_the_walk(corpus: Corpus, checkpoint: Checkpoint) -> None:
    exam = StyleChanges(corpus, 1, 0.7)
    assert set(exam.styles) == {"calm", "brisk"}
    recorded = exam.recorded()
    assert recorded["calm → brisk"]["arrived"].value == 1.0 == recorded["brisk → calm"]["accuracy"].value
    skeleton = corpus.encoding.skeleton
    calm, brisk = (walk(skeleton, seconds=10.0, fps=FPS, speed=speed)[0][:200] for speed in (0.8, 1.3))
    changed = replace(calm, rotations=calm.rotations.copy(), positions=calm.positions.copy())
    changed.rotations[100:], changed.positions[100:] = brisk.rotations[100:], brisk.positions[100:]
    found = exam._judged(changed, brisk, "calm", "brisk")
    assert found["changed"] == found["arrived"] == found["left"] == found["held"] == 1.0
    assert found["ratio"] > 1.3  # it jumps
    never = exam._judged(calm, brisk, "calm", "brisk")
    assert never["arrived"] == never["changed"] == 0.0 and never["left"] == 1.0
    always = exam._judged(brisk, brisk, "calm", "brisk")
    assert always["arrived"] == 1.0 and always["changed"] == always["left"] == 0.0
    assert exam.sampled("tiny", checkpoint).keys() == recorded.keys()


def test_styles_that_share_no_speed_are_not_compared(corpus: Corpus) -> None:
    names = np.repeat(["neutral", "slow", "brisk"], [60, 50, 40])
    ends = {"neutral": (0.7, 1.1), "slow": (0.4, 0.6), "brisk": (0.9, 1.4)}
    speeds = np.concatenate([np.linspace(*ends[name], (names == name).sum()) for name in ends])
    exam = StyleChanges(corpus, 1, 0.7, spec=ChangeSpec(styles=2))
    windows = np.random.default_rng(0).normal(size=(len(names), 4))
    exam.__dict__["walks"] = Walks(windows, names.astype(str), names, speeds, {key: [1.0] for key in ends})
    assert exam.styles == ("neutral", "brisk")
    assert exam._speed("neutral", "brisk") == pytest.approx(1.0, abs=0.03)


def test_a_peak_is_the_greatest_acceleration() -> None:
    clip = Clip.at_rest(skeleton_of(RIGS["biped"]), frames=10)
    assert peak_acceleration(clip) == 0.0
    positions = clip.positions.copy()
    positions[5:, 0, 0] += 0.01
    assert peak_acceleration(replace(clip, positions=positions)) == pytest.approx(0.01 * 30**2)


def test_forty_manoeuvres_hold_every_ordered_pair_twice_and_end_in_a_stand() -> None:
    script = manoeuvres()
    assert len(script) == 40 == len({each.name for each in script})
    pairs = [tuple(word for word in each.name.split(", ") if word != "stop") for each in script]
    assert len(set(pairs)) == 20 and all(pairs.count(pair) == 2 for pair in set(pairs))
    for each in script:
        assert not any(each.holds[0].stick) and not any(each.holds[-1].stick)


def test_crossed_legs_and_rest_are_detected() -> None:
    skeleton = skeleton_of(RIGS["biped"])
    clip = Clip.at_rest(skeleton, frames=60)
    assert ankles_apart(clip)[0] > 0.05 and settling(clip) == 0.0
    turn = np.array([math.cos(0.2), 0.0, 0.0, math.sin(0.2)])
    rotations = clip.rotations.copy()
    for leg in skeleton.anatomy.legs:
        sign = np.array([1.0, 1.0, 1.0, -1.0 if leg.side == "left" else 1.0])
        rotations[:, leg.hip] = quat_multiply(rotations[:, leg.hip], turn * sign)
    assert ankles_apart(replace(clip, rotations=rotations))[0] < 0
    moving = clip.positions.copy()
    moving[:30, 0, 2] += np.arange(30)[::-1] * 0.02
    assert settling(replace(clip, positions=moving)) == pytest.approx(1.0, abs=0.1)
    moving[:, 0, 2] = np.arange(60) * 0.02
    assert settling(replace(clip, positions=moving)) == pytest.approx(2.0)


def standing(
    checkpoint: Checkpoint, script: Sequence[Manoeuvre], temperature: float, seed: int
) -> Iterator[tuple[Clip, ControlPath]]:
    """Drives a figure that never moves."""
    for manoeuvre in script:
        frames = round(sum(hold.seconds for hold in manoeuvre.holds) * FPS)
        yield Clip.at_rest(checkpoint.skeleton, frames=frames, fps=FPS), ControlPath.standing(frames, FPS)


def test_live_motion_is_measured_for_any_driver(corpus: Corpus, checkpoint: Checkpoint) -> None:
    calls = []

    def driver(*given: Any) -> Iterable[tuple[Clip, ControlPath]]:
        calls.append(given[1:])
        return standing(*given)

    exam = Manoeuvres(driver, corpus, FPS, 2, 0.6)
    found = exam.sampled("tiny", checkpoint)
    assert calls == [(manoeuvres(), 0.6, 0), (manoeuvres(), 0.6, 1)]
    assert found[ALL]["crossed"].value == found[ALL]["slide"].value == found[ALL]["settle"].value == 0.0


def test_a_scripted_figure_follows_its_input(checkpoint: Checkpoint) -> None:
    ahead = Manoeuvre("ahead", (Hold(0.5), Hold(2.0, (1.0, 0.0, 0.0)), Hold(1.0)))
    (clip, path), (take, _) = driven(checkpoint, [ahead, ahead], 0.7, 0)
    assert len(clip) == len(path) == round(3.5 * FPS) and path.positions[-1, 1] > 0.3
    assert np.abs(path.positions[:, 0]).max() < 1e-6
    ((again, _),) = driven(checkpoint, [ahead], 0.7, 0)
    ((other, _),) = driven(checkpoint, [ahead], 0.7, 1)
    assert np.array_equal(clip.rotations, again.rotations)
    assert not np.array_equal(clip.rotations, take.rotations)
    assert not np.array_equal(clip.rotations, other.rotations)


SMALL = EvaluationSpec(seeds=1, measures=("tell", "gait", "styles", "live", "response"), tell_seconds=20.0)


@pytest.fixture(scope="module")
def evaluation(corpus: Corpus, checkpoint: Checkpoint) -> Evaluation:
    *_, found = evaluate({"tiny": checkpoint}, [corpus], SMALL, driver=standing)
    assert isinstance(found, Evaluation)
    return found


def test_panels_stand_in_order_with_recorded_motion_first(evaluation: Evaluation) -> None:
    assert [panel.name for panel in evaluation.panels] == list(SMALL.measures)
    for panel in evaluation.panels:
        assert list(panel.rows) == ([REAL, "tiny"] if panel.recorded else ["tiny"])
        assert set(panel.brief) <= set(panel.conditions)
        for condition, key in ((c, k) for c in panel.rows["tiny"] for k in panel.rows["tiny"][c]):
            assert key in panel.measures
            assert not panel.recorded or panel.verdict(REAL, condition, key) == ""
    tell, gait, styles, _, _ = evaluation.panels
    assert tell.recorded and styles.recorded
    assert set(gait.rows["tiny"]) == {f"{speed:g} m/s" for speed in SPEEDS}


def test_panels_are_in_the_json_the_page_and_the_terminal(evaluation: Evaluation) -> None:
    table = json.loads(json.dumps(to_json(evaluation), allow_nan=False))
    assert [panel["name"] for panel in table["panels"]] == list(SMALL.measures)
    whole = table["panels"][0]["rows"]["tiny"]["whole body"]["auc"]
    assert 0.5 < whole["value"] <= 1 and whole["verdict"] == "out"
    page = make_report(evaluation)
    for panel in evaluation.panels:
        assert f"<h2>{panel.title}</h2>" in page
    assert scoreboard(evaluation)


def test_without_a_corpus_gaits_and_live_motion_are_measured_alone(checkpoint: Checkpoint) -> None:
    *_, found = evaluate({"tiny": checkpoint}, [], replace(SMALL, measures=("tell", "gait", "styles")))
    assert isinstance(found, Evaluation)
    (panel,) = found.panels
    assert panel.name == "gait" and list(panel.rows) == ["tiny"] and not panel.recorded
    with pytest.raises(MoglowError, match=r"measures: dance; expected some of controls"):
        next(evaluate({"tiny": checkpoint}, [], replace(SMALL, measures=("dance",))))


def test_a_figure_is_compared_with_its_limits() -> None:
    def rows() -> Iterator[tuple[str, Mapping[str, Mapping[str, Estimate]]]]:
        yield REAL, {"all": {"lean": Estimate(4.0)}}
        yield "a", {"all": {"lean": Estimate(5.0, 4.5, 5.5)}}
        yield "b", {"all": {"lean": Estimate(9.0, 7.0, 11.0)}}

    panel = Panel("x", "X", "", {"lean": Measure("lean")}, dict(rows()), {"all": {"lean": (2.0, 6.0)}})
    assert [panel.verdict(row, "all", "lean") for row in panel.rows] == ["", "in", "out"]
    assert panel.verdict("a", "all", "width") == ""


@pytest.mark.parametrize(("text", "words"), [("dance", "no measure 'dance'"), (",", "no measure is named")])
def test_an_unknown_measure_is_one_line(text: str, words: str) -> None:
    result = CliRunner().invoke(cli, ["evaluate", "--measures", text])
    assert result.exit_code == 2 and words in result.stderr and "Traceback" not in result.stderr
