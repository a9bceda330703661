"""Detection of damage: textbook figures; the page shows the tables that follow from its results."""

from pathlib import Path

import numpy as np
import pytest

from moglow.corpus.corpus import Corpus
from moglow.encodings.encoding import FeatureSpec
from scripts.benchmarks.anomalies.detection import (
    BASELINES,
    KINDS,
    average_precision,
    damaged_motion,
    detection_figures,
    roc_area,
)
from scripts.benchmarks.anomalies.page import filled, tables
from scripts.benchmarks.anomalies.run import DAMAGED, DETECTORS, SHIPPED, TRAININGS, damaged_corpus, runs
from tests.support.rigs import RIGS
from tests.support.walking import skeleton_of, walk


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    """Returns three walks; the last one is held out, and long enough for sound intervals far from its damage."""
    skeleton = skeleton_of(RIGS["biped"])
    clips = [walk(skeleton, seconds=seconds, fps=30.0, speed=1.1)[0] for seconds in (4.0, 5.0, 41.0)]
    encoding = FeatureSpec().fit(clips)
    labels = [("a", "walk", "train"), ("b", "walk", "train"), ("c", "walk", "val")]
    return Corpus.build(encoding, [encoding.features(clip) for clip in clips], labels, fps=30.0)


DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.mark.parametrize("seed", range(3))
def test_areas_count_pairs_and_ties(seed: int) -> None:
    random = np.random.default_rng(seed)
    scores, bad = random.integers(0, 6, 40).astype(float), random.random(40) < 0.3
    pairs = np.sign(scores[bad][:, None] - scores[~bad][None])
    assert roc_area(scores, bad) == pytest.approx((pairs.mean() + 1) / 2)
    found = [(bad[scores >= score].mean()) for score in scores[bad]]
    assert average_precision(scores, bad) == pytest.approx(np.mean(found))


@pytest.mark.parametrize("kind", KINDS)
def test_a_perfect_detector_scores_one_and_a_constant_one_is_at_chance(kind: str, corpus: Corpus) -> None:
    motion = damaged_motion(corpus, kind)
    right = detection_figures(motion, [bad.astype(float) for bad in motion.bad], history=10)
    none = detection_figures(motion, [np.zeros(len(bad)) for bad in motion.bad], history=10)
    assert right["frames"][:2] == right["intervals"][:2] == [1.0, 1.0] and right["deviation"] == 0.0
    assert none["frames"][0] == none["intervals"][0] == 0.5
    assert none["intervals"][1] == pytest.approx(none["intervals"][2])


def test_share_and_seed_determine_the_damage_of_training_motion(corpus: Corpus) -> None:
    sound, some, more, again, other = (
        damaged_corpus(corpus, share, seed)
        for share, seed in ((0, 1), (0.1, 1), (0.49, 1), (0.1, 1), (0.1, 2))
    )
    frames = slice(0, corpus.split("train")[-1].stop)
    np.testing.assert_allclose(sound.pose, corpus.pose[frames], rtol=0, atol=1e-4)
    assert np.array_equal(some.pose, again.pose) and not np.array_equal(some.pose, other.pose)
    assert {stretch.split for stretch in more.stretches} == {"train"}
    assert more.pose.shape != some.pose.shape or (np.asarray(more.pose) != np.asarray(some.pose)).any()


def test_runs_requested_one_by_one_are_all_runs_once_each() -> None:
    whole = list(runs(DETECTORS, list(TRAININGS), DAMAGED, (0, 1)))
    parts = [
        run
        for detector in DETECTORS
        for training in TRAININGS
        for share in DAMAGED
        for seed in (0, 1)
        for run in runs([detector], [training], [share], [seed])
    ]
    models = len(DETECTORS) - len(BASELINES) - 1
    of_a_model = 1 + len(TRAININGS) * (len(DAMAGED) - 1)
    assert sorted(parts) == sorted(whole) and len(set(whole)) == len(whole)
    assert len(whole) == 1 + 2 * (len(DAMAGED) * len(BASELINES) + models * of_a_model)
    assert [run for run in whole if run[0] == SHIPPED] == [(SHIPPED, "plain", 0.0, 0)]


def test_the_page_shows_the_tables_of_its_results() -> None:
    page = (DOCS / "anomalies.md").read_text(encoding="utf-8")
    again = filled(page, tables(DOCS / "anomalies.jsonl"))
    assert again == page, (
        "run python scripts/benchmarks/anomalies/page.py docs/anomalies.jsonl docs/anomalies.md"
    )
