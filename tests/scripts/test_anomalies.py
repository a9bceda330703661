"""The judges of faults: figures that textbooks agree on, the page shows the tables that its results give."""

from pathlib import Path

import numpy as np
import pytest

from moglow.corpus.corpus import Corpus
from moglow.encodings.encoding import FeatureSpec
from scripts.benchmarks.anomalies.judging import (
    BLIND,
    KINDS,
    average_precision,
    judged_motion,
    judgement,
    roc_area,
)
from scripts.benchmarks.anomalies.page import filled, tables
from scripts.benchmarks.anomalies.run import JUDGES, SHIPPED, SPOILT, WAYS, runs, spoilt
from tests.support.rigs import RIGS
from tests.support.walking import skeleton_of, walk


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    """Returns three walks, the last one held out, long enough for sound moments far from its faults."""
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
def test_who_knows_the_faults_is_right_and_who_knows_nothing_is_at_chance(kind: str, corpus: Corpus) -> None:
    judged = judged_motion(corpus, kind)
    right = judgement(judged, [bad.astype(float) for bad in judged.bad], history=10)
    none = judgement(judged, [np.zeros(len(bad)) for bad in judged.bad], history=10)
    assert right["frames"][:2] == right["moments"][:2] == [1.0, 1.0] and right["deviation"] == 0.0
    assert none["frames"][0] == none["moments"][0] == 0.5
    assert none["moments"][1] == pytest.approx(none["moments"][2])


def test_motion_is_spoilt_as_far_as_asked_and_as_the_seed_says(corpus: Corpus) -> None:
    sound, some, more, again, other = (
        spoilt(corpus, share, seed) for share, seed in ((0, 1), (0.1, 1), (0.49, 1), (0.1, 1), (0.1, 2))
    )
    frames = slice(0, corpus.split("train")[-1].stop)
    np.testing.assert_allclose(sound.pose, corpus.pose[frames], rtol=0, atol=1e-4)
    assert np.array_equal(some.pose, again.pose) and not np.array_equal(some.pose, other.pose)
    assert {stretch.split for stretch in more.stretches} == {"train"}
    assert more.pose.shape != some.pose.shape or (more.pose != some.pose).any()


def test_runs_asked_for_part_by_part_are_all_runs_and_each_once() -> None:
    whole = list(runs(JUDGES, list(WAYS), SPOILT, (0, 1)))
    parts = [
        run
        for judge in JUDGES
        for way in WAYS
        for share in SPOILT
        for seed in (0, 1)
        for run in runs([judge], [way], [share], [seed])
    ]
    models = len(JUDGES) - len(BLIND) - 1
    assert sorted(parts) == sorted(whole) and len(set(whole)) == len(whole)
    assert len(whole) == 1 + 2 * (len(SPOILT) * len(BLIND) + models * (1 + len(WAYS) * (len(SPOILT) - 1)))
    assert [run for run in whole if run[0] == SHIPPED] == [(SHIPPED, "plain", 0.0, 0)]


def test_the_page_shows_what_was_measured() -> None:
    page = (DOCS / "anomalies.md").read_text(encoding="utf-8")
    again = filled(page, tables(DOCS / "anomalies.jsonl"))
    assert again == page, (
        "run python scripts/benchmarks/anomalies/page.py docs/anomalies.jsonl docs/anomalies.md"
    )
