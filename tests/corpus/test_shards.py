"""A corpus as an index and shards: the same motion, windows and training; broken shards are one line."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from moglow.corpus.corpus import Corpus
from moglow.corpus.preprocess import preprocess
from moglow.corpus.rows import Rows
from moglow.corpus.shards import Shard, folder_of, size_of, write_shard
from moglow.corpus.sources import DataSpec, SourceSpec
from moglow.corpus.splicing import SpliceSpec
from moglow.corpus.window_spec import WindowSpec
from moglow.corpus.windows import Footage, Windows
from moglow.encodings.encoding import FeatureSpec
from moglow.errors import CorpusError
from moglow.files.tensors import read_tensors, write_tensors
from moglow.training.plan import TrainingPlan
from moglow.training.run import TrainingRun
from moglow.training.trainer import StepReport
from tests.support.tiny import tiny_context, tiny_corpus, tiny_recipe

SAMPLES = Path(__file__).resolve().parents[2] / "data" / "samples"
SPLICES = SpliceSpec(count=6, before=0.5, after=1.0, apart=5.0)


def sharded(path: Path, corpus: Corpus) -> Corpus:
    """Writes a corpus with a shard for each stretch, and opens it."""
    folder_of(path).mkdir(exist_ok=True)
    shards = [
        write_shard(folder_of(path), number, corpus.pose[each.frames], corpus.control[each.frames])
        for number, each in enumerate(corpus.stretches)
    ]
    corpus.write_index(path, shards)
    return Corpus.open(path)


@pytest.fixture
def index(tmp_path: Path) -> Path:
    sharded(tmp_path / "a.corpus", tiny_corpus())
    return tmp_path / "a.corpus"


def test_shards_hold_the_corpus(index: Path, tmp_path: Path) -> None:
    corpus, again = tiny_corpus(), Corpus.open(index)
    assert isinstance(again.pose, Rows) and len(again.pose.parts) == 3
    assert np.array_equal(np.asarray(again.pose), corpus.pose)
    assert np.array_equal(np.asarray(again.control), corpus.control)
    corpus.write(tmp_path / "one.corpus")
    again.write(tmp_path / "joined.corpus")
    assert (tmp_path / "joined.corpus").read_bytes() == (tmp_path / "one.corpus").read_bytes()
    assert size_of(index) > sum(file.stat().st_size for file in folder_of(index).iterdir())


@pytest.mark.parametrize("order", ["shuffled", "consecutive"])
def test_windows_of_shards_are_those_of_one_file(index: Path, order: str) -> None:
    spec = WindowSpec(length=10, order=order, pose_dropout=0.5)
    ways = [
        Windows(Footage(corpus, tiny_context()), spec, split="train", batch=4, seed=1)
        for corpus in (tiny_corpus(), Corpus.open(index))
    ]
    for step in range(4):
        one, other = (way.batch(step) for way in ways)
        for name in vars(one):
            assert torch.equal(getattr(one, name), getattr(other, name)), (step, name)


def test_training_on_shards_is_training_on_one_file(index: Path, tmp_path: Path) -> None:
    weights, losses = [], []
    for name, corpus in (("one", tiny_corpus()), ("shards", Corpus.open(index))):
        run = TrainingRun(tmp_path / name, TrainingPlan.of(tiny_recipe(steps=4)), corpus, seed=0)
        losses.append([event.losses for event in run.events() if isinstance(event, StepReport)])
        weights.append(run.checkpoint().weights)
    assert losses[0] == losses[1] and len(losses[0]) == 4
    assert all(np.array_equal(array, weights[1][name]) for name, array in weights[0].items())


@pytest.mark.parametrize("count", [1, 3])
def test_preprocessing_to_shards_gives_the_same_corpus(count: int, tmp_path: Path) -> None:
    source = SourceSpec(pattern="*.bvh", skip=("figure.bvh", "trot.bvh"), style_from=r"^(?P<style>\w+)\.bvh$")
    data = DataSpec((source,), root=str(SAMPLES), smoother=(0.5,), splices=SPLICES, held_out=0.2)
    *_, last = preprocess(data, FeatureSpec(), tmp_path / "one.corpus")
    *_, other = preprocess(data, FeatureSpec(), tmp_path / "many.corpus", shards=count)
    assert last.summary == other.summary
    one, many = Corpus.open(tmp_path / "one.corpus"), Corpus.open(tmp_path / "many.corpus")
    assert any(stretch.change for stretch in many.stretches), "there are splices, in a shard of their own"
    assert isinstance(many.pose, Rows) and len(many.pose.parts) == count + 1
    many.write(tmp_path / "joined.corpus")
    assert (tmp_path / "joined.corpus").read_bytes() == (tmp_path / "one.corpus").read_bytes()
    assert one.stretches == many.stretches


def test_a_new_index_removes_old_shards_and_a_file_removes_all(tmp_path: Path) -> None:
    path, corpus = tmp_path / "a.corpus", tiny_corpus()
    sharded(path, corpus)
    before = {file.name for file in folder_of(path).iterdir()}
    sharded(path, replace(corpus, pose=2 * np.asarray(corpus.pose)))
    after = {file.name for file in folder_of(path).iterdir()}
    assert len(after) == 3 and not before & after
    list(preprocess(DataSpec(root=str(SAMPLES)), FeatureSpec(), path))
    assert [file.name for file in tmp_path.iterdir()] == ["a.corpus"]


def refused(index: Path) -> str:
    with pytest.raises(CorpusError) as error:
        Corpus.open(index)
    message = str(error.value)
    assert "\n" not in message and "run moglow preprocess again" in message
    return message


def test_a_missing_shard_is_named(index: Path) -> None:
    first = sorted(folder_of(index).iterdir())[0]
    first.unlink()
    assert f"its shard {first} is missing" in refused(index)
    shutil.rmtree(folder_of(index))
    assert "copy the folder a.corpus.shards too" in refused(index)


@pytest.mark.parametrize("cut", [-1, 3, 200])
def test_a_broken_shard_is_named(index: Path, cut: int) -> None:
    first = sorted(folder_of(index).iterdir())[0]
    content = bytearray(first.read_bytes())
    if cut > 0:
        first.write_bytes(content[:-cut])
    else:
        content[-1] ^= 1
        first.write_bytes(content)
    assert str(first) in refused(index)


def test_a_shard_of_another_corpus_is_refused(index: Path) -> None:
    first, second, _ = sorted(folder_of(index).iterdir())
    shutil.copy(second, first)
    assert f"{first}: is not the shard that {index} lists" in refused(index)


@pytest.mark.parametrize(
    "table",
    [
        [],
        None,
        [{"file": "../a", "frames": 1, "digest": ""}],
        [{"file": "0001-0123456789ab.shard", "frames": "x", "digest": ""}],
    ],
)
def test_a_damaged_list_of_shards_is_refused(index: Path, table: object) -> None:
    arrays, metadata = read_tensors(index)
    write_tensors(index, arrays, metadata | {"shards": json.dumps(table)})
    assert "its list of shards is damaged" in refused(index)


def test_an_index_with_fewer_shards_than_frames_is_refused(index: Path) -> None:
    arrays, metadata = read_tensors(index)
    shards = json.loads(metadata["shards"])
    write_tensors(index, arrays, metadata | {"shards": json.dumps(shards[:2])})
    assert "stretches[2] lies outside its" in refused(index)
    assert Shard(**shards[0]).frames == len(tiny_corpus().stretches[0])
