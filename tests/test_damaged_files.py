"""Any damage of a checkpoint, a corpus or the state of a training run is a one-line error before it is used."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from moglow.anatomy.anatomy import read_map
from moglow.checkpoint import Checkpoint
from moglow.corpus.corpus import Corpus
from moglow.corpus.sources import read_splits
from moglow.errors import CheckpointError, CorpusError, MoglowError, RecipeError
from moglow.files.tensors import Array, read_tensors, write_tensors
from moglow.paths.csv_files import read_path
from moglow.recipe import read_recipe
from moglow.sampling.generate import PRETRAINED, generate
from moglow.training.folder import LOG, STATE
from moglow.training.plan import TrainingPlan
from moglow.training.run import TrainingRun
from tests.support.damage import damaged
from tests.support.tiny import tiny_corpus, tiny_recipe
from tests.test_checkpoint import checkpoint

TRIED = 60
"""Damaged descriptions of each kind that are tried, spread over all; `scripts/fuzz` tries more."""


def some(table: Any, count: int) -> list[tuple[str, Any]]:
    found = list(damaged(table))
    return found[:: max(1, len(found) // count)]


def one_line(error: BaseException) -> str:
    line = str(error)
    assert "\n" not in line and 20 < len(line) < 500, line
    return line


def resumed(folder: Path) -> TrainingRun:
    return TrainingRun(folder, TrainingPlan.of(tiny_recipe()), tiny_corpus(), seed=0, resume=True)


@pytest.fixture(scope="module")
def training(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that was stopped."""
    folder = tmp_path_factory.mktemp("run")
    run = TrainingRun(folder, TrainingPlan.of(tiny_recipe(steps=4, validate_every=2)), tiny_corpus(), seed=0)
    for _ in run.events():
        pass
    return folder


class Kind:
    """A kind of file: an example, how it is read, and under which key its description stands."""

    def __init__(
        self, path: Path, key: str, error: type[MoglowError], read: Callable[[Path], object]
    ) -> None:
        self.path, self.key, self.error, self.read = path, key, error, read
        arrays, self.metadata = read_tensors(path)
        self.arrays = {name: array.copy() for name, array in arrays.items()}

    def tried(self, arrays: dict[str, Array], metadata: dict[str, str]) -> str:
        """Returns the error of reading other contents; empty if they are accepted."""
        write_tensors(self.path, arrays, metadata)
        try:
            self.read(self.path)
        except self.error as error:
            return one_line(error)
        return ""


@pytest.fixture(params=["checkpoint", "corpus", "training"])
def kind(request: pytest.FixtureRequest, tmp_path: Path, training: Path) -> Kind:
    if request.param == "checkpoint":
        checkpoint().write(tmp_path / "a")
        return Kind(tmp_path / "a", "checkpoint", CheckpointError, Checkpoint.read)
    if request.param == "corpus":
        tiny_corpus().write(tmp_path / "a")
        return Kind(tmp_path / "a", "corpus", CorpusError, Corpus.open)
    for name in (STATE, LOG):
        (tmp_path / name).write_bytes((training / name).read_bytes())
    return Kind(tmp_path / STATE, "training", CheckpointError, lambda path: resumed(path.parent))


def test_every_wrong_key_of_a_description_is_named(kind: Kind) -> None:
    table = json.loads(kind.metadata[kind.key])
    tried = some(table, TRIED)
    assert len(tried) > 10
    refused = 0
    for what, wrong in tried:
        message = kind.tried(kind.arrays, kind.metadata | {kind.key: json.dumps(wrong)})
        refused += bool(message)
        if message and ("foreign" in what or what.endswith(("= null", '= "x"'))):
            keys = [key for key in what.split(" ")[0].split(".") if key and not key.isdigit()]
            assert "foreign" in message or any(key in message for key in keys[-2:]), (what, message)
    assert refused > len(tried) / 2


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, '{"a":' * 100_000, "1" * 5000, "null", "[]", '"x"'])
def test_a_description_that_is_no_table_is_refused(kind: Kind, text: str) -> None:
    assert kind.tried(kind.arrays, kind.metadata | {kind.key: text})


def test_arrays_that_are_missing_foreign_or_of_another_form_are_refused(kind: Kind) -> None:
    names = sorted(kind.arrays)
    for name in names[:: max(1, len(names) // 12)]:
        array = kind.arrays[name]
        changes: dict[str, Any] = {"longer": np.concatenate([array.reshape(-1), array.reshape(-1)[:1]])}
        changes["another type"] = array.astype(np.int16 if array.dtype != np.int16 else np.float32)
        if array.dtype.kind == "f" and array.size:
            for value in (np.nan, np.inf):
                changes[str(value)] = np.where(
                    np.arange(array.size).reshape(array.shape) == 0, value, array
                ).astype(array.dtype)
        for what, changed in changes.items():
            assert kind.tried(kind.arrays | {name: changed}, kind.metadata), f"{name}: {what}"
        without = {each: array for each, array in kind.arrays.items() if each != name}
        assert kind.tried(without, kind.metadata) or name == "context.postures", name
    assert kind.tried({**kind.arrays, "foreign": np.zeros(3, np.float32)}, kind.metadata)


def test_any_flipped_bit_and_any_cut_is_found(kind: Kind) -> None:
    whole, dice = kind.path.read_bytes(), np.random.default_rng(0)
    for place in (*range(0, 12), *dice.integers(len(whole), size=60).tolist()):
        flipped = bytearray(whole)
        flipped[place] ^= 1 << int(dice.integers(8))
        kind.path.write_bytes(flipped)
        with pytest.raises(kind.error) as caught:
            kind.read(kind.path)
        one_line(caught.value)
    for cut in dice.integers(len(whole), size=10).tolist():
        kind.path.write_bytes(whole[:cut])
        with pytest.raises(kind.error):
            kind.read(kind.path)


def test_a_checkpoint_without_a_digest_is_read(tmp_path: Path) -> None:
    data = PRETRAINED.read_bytes()
    stop = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:stop])
    del header["__metadata__"]["moglow_sha256"]
    text = json.dumps(header).encode()
    (tmp_path / "old.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + data[stop:])
    assert Checkpoint.read(tmp_path / "old.safetensors").model == "moglow"


def test_what_a_damaged_checkpoint_still_gives_is_motion_or_one_line(tmp_path: Path) -> None:
    checkpoint().write(tmp_path / "a")
    arrays, metadata = read_tensors(tmp_path / "a")
    path = read_path("line:length=0.2")
    for what, wrong in some(json.loads(metadata["checkpoint"]), TRIED // 3):
        write_tensors(tmp_path / "b", arrays, metadata | {"checkpoint": json.dumps(wrong)})
        try:
            (take,) = generate(Checkpoint.read(tmp_path / "b"), path)
        except MoglowError as error:
            one_line(error)
        else:
            assert np.isfinite(take.clip.positions).all(), what


def test_a_damaged_log_of_a_resumed_run_is_named_by_line(training: Path, tmp_path: Path) -> None:
    for name in (STATE, LOG):
        (tmp_path / name).write_bytes((training / name).read_bytes())
    log = (tmp_path / LOG).read_text()
    for wrong in ("[1]", '{"step": "x"}', '{"validation": null}', "[" * 100_000, "1" * 5000, "{"):
        (tmp_path / LOG).write_text(wrong + "\n" + log)
        with pytest.raises(CheckpointError, match=r"log\.jsonl: line 1") as caught:
            resumed(tmp_path)
        one_line(caught.value)
    (tmp_path / LOG).write_text(log + '{"step": 5, "lo')  # what a killed process did not finish
    resumed(tmp_path)
    assert (tmp_path / LOG).read_text() == log


DEEP = "x = " + "[" * 5000
TOML = {
    "deep": DEEP,
    "a deep table": "a = " + "{a=" * 5000,
    "a long key": ".".join("a" * 5000) + " = 1",
    "a long header": "[" + ".".join("a" * 5000) + "]",
    "a long number": "a = " + "1" * 5000,
    "unfinished": "[a",
    "a foreign section": "[foreign]\nx = 1",
    "a value for a section": "data = 1\nroles = 1",
    "a date": "[roles]\nhips = 1979-05-27\n[data]\nfps = 1979-05-27",
    "not a number": "[data]\nfps = nan\n[roles]\nhips = nan",
    "endless": "[data]\nfps = inf\n[roles]\nhips = inf",
    "huge": f"[data]\nfps = {10**30}\n[roles]\nhips = {10**30}",
}


@pytest.mark.parametrize("text", TOML)
def test_a_wrong_recipe_and_a_wrong_map_are_one_line(text: str, tmp_path: Path) -> None:
    from moglow.corpus.sources import DataSpec

    (tmp_path / "a.toml").write_text(TOML[text])
    readers: Iterator[Callable[[], object]] = iter(
        (
            lambda: read_recipe(tmp_path / "a.toml").section("data", DataSpec),
            lambda: read_map(tmp_path / "a.toml"),
        )
    )
    for read in readers:
        with pytest.raises(RecipeError, match=r"a\.toml") as caught:
            read()
        one_line(caught.value)


@pytest.mark.parametrize(
    "text", ["[]", "null", "[" * 100_000, '{"a": null}', '{"a": {"train": "x"}}', '{"a": {"b": []}}']
)
def test_wrong_splits_are_one_line(text: str, tmp_path: Path) -> None:
    (tmp_path / "splits.json").write_text(text)
    with pytest.raises(RecipeError, match=r"splits\.json") as caught:
        read_splits(tmp_path / "splits.json")
    one_line(caught.value)
