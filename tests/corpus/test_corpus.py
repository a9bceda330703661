"""A corpus: round trips through a file; damaged files give one-line errors."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from moglow.corpus.corpus import Corpus
from moglow.corpus.summary import Summary
from moglow.encodings.encoding import CHARTS, Features, FeatureSpec
from moglow.errors import CorpusError, FileFormatError
from moglow.motion.contacts import toe_points
from tests.support.rigs import RIGS
from tests.support.tiny import tiny_corpus
from tests.support.walking import skeleton_of, walk

FLOAT32 = 1e-5  # metres and radians that single precision loses


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.corpus"
    tiny_corpus().write(path)
    return path


def test_a_file_gives_back_the_corpus(file: Path) -> None:
    corpus, again = tiny_corpus(), Corpus.open(file)
    assert np.array_equal(again.pose, corpus.pose) and np.array_equal(again.control, corpus.control)
    assert again.stretches == corpus.stretches and again.fps == corpus.fps
    assert again.control_range == corpus.control_range and again.notices == corpus.notices
    for one, other in (
        (again.pose_normalizer, corpus.pose_normalizer),
        (again.control_normalizer, corpus.control_normalizer),
    ):
        assert np.array_equal(one.mean, other.mean) and np.array_equal(one.deviation, other.deviation)
    assert (
        again.encoding.names == corpus.encoding.names and again.encoding.skeleton == corpus.encoding.skeleton
    )


def test_the_same_corpus_gives_the_same_bytes(file: Path, tmp_path: Path) -> None:
    Corpus.open(file).write(tmp_path / "again.corpus")
    assert (tmp_path / "again.corpus").read_bytes() == file.read_bytes()


def test_poses_stay_on_the_disk_until_they_are_used(file: Path) -> None:
    corpus = Corpus.open(file)
    base: object = corpus.pose
    while isinstance(base, np.ndarray) and not isinstance(base, np.memmap):
        base = base.base
    assert isinstance(base, np.memmap)
    assert isinstance(corpus.pose, np.ndarray) and not corpus.pose.flags.writeable


@pytest.mark.parametrize("kind", CHARTS)
def test_a_stretch_gives_back_its_motion(kind: str) -> None:
    clip, _ = walk(skeleton_of(RIGS["biped"]))
    encoding = FeatureSpec(kind).fit([clip])
    corpus = Corpus.build(encoding, [encoding.features(clip)], [("walk", "", "train")], fps=clip.fps)
    again = corpus.clip(corpus.stretches[0])
    moved = clip.at_origin()
    steps = [np.linalg.norm(np.diff(toe_points(c), axis=0), axis=-1) for c in (again, moved)]
    assert np.abs(steps[0] - steps[1]).max() < FLOAT32 * 10


def test_splits_and_styles() -> None:
    corpus = tiny_corpus()
    assert [s.name for s in corpus.split("train")] == ["a", "b"]
    assert [s.name for s in corpus.split("val")] == ["c"]
    assert corpus.styles == ("brisk", "calm")
    assert sum(map(len, corpus.stretches)) == len(corpus.pose)


def test_a_clip_without_a_label_makes_no_style() -> None:
    corpus = tiny_corpus()
    bare = replace(corpus, stretches=(replace(corpus.stretches[0], style=""), *corpus.stretches[1:]))
    assert bare.styles == ("brisk", "calm") and bare.labelled("train", 1.0, seed=1) == {"b"}
    assert "none 0.1 min" in str(Summary.of(bare, []))


def test_statistics_are_those_of_training_clips() -> None:
    """Held-out clips do not change the statistics."""
    corpus = tiny_corpus()
    features = [corpus.features(stretch) for stretch in corpus.stretches]
    labels = [(s.name, s.style, s.split) for s in corpus.stretches]
    wild = Features(features[2].pose * 100, features[2].control * 100)
    other = Corpus.build(corpus.encoding, [*features[:2], wild], labels, fps=corpus.fps)
    assert np.array_equal(other.pose_normalizer.mean, corpus.pose_normalizer.mean)
    assert np.array_equal(other.control_normalizer.deviation, corpus.control_normalizer.deviation)
    assert other.control_range == corpus.control_range
    louder = Features(features[0].pose * 100, features[0].control * 100)
    assert (
        Corpus.build(corpus.encoding, [louder, *features[1:]], labels, fps=20.0).control_range
        != corpus.control_range
    )


def test_mirror_images_are_as_normal_as_originals() -> None:
    corpus = tiny_corpus()
    train = np.concatenate([corpus.pose[s.frames] for s in corpus.split("train")])
    both = np.concatenate([train, train @ corpus.encoding.mirror.T])
    normalized = corpus.pose_normalizer.normalize(both)
    assert np.abs(normalized.mean(0)).max() < 1e-4
    assert normalized.std(0).max() < 1 + 1e-4


def test_without_a_training_clip_there_is_no_corpus() -> None:
    corpus = tiny_corpus()
    features = corpus.features(corpus.stretches[0])
    with pytest.raises(CorpusError, match="training"):
        Corpus.build(corpus.encoding, [features], [("a", "", "val")], fps=20.0)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_a_truncated_file_is_refused(file: Path, share: float) -> None:
    data = file.read_bytes()
    file.write_bytes(data[: int(share * len(data))])
    with pytest.raises(CorpusError, match=r"tiny\.corpus") as caught:
        Corpus.open(file)
    assert "\n" not in str(caught.value)


def test_another_kind_of_file_is_refused(file: Path) -> None:
    from moglow.files.tensors import write_tensors

    write_tensors(file, {"weights": np.zeros(3)}, {"format": "moglow-checkpoint", "version": "1"})
    with pytest.raises(CorpusError, match="found moglow-checkpoint 1; run moglow preprocess again"):
        Corpus.open(file)
    corpus = tiny_corpus()
    replace(corpus, control=corpus.control[:5]).write(file)
    with pytest.raises(CorpusError, match="has the shape"):
        Corpus.open(file)
    with pytest.raises(FileFormatError):
        Corpus.open(file.parent / "missing.corpus")
