"""A run's folder and its corpus: one process at a time, and existing files are never lost."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from moglow.checkpoint import BEST, Checkpoint
from moglow.cli.main import cli
from moglow.compute.distributed import Place
from moglow.errors import ExportError, TrainingError
from moglow.files.locks import locked
from moglow.training.folder import LAST, LOG, STATE, begin, keep_lines, log_line, occupied, refuse_used
from tests.cli.test_train import RECIPE
from tests.support.tiny import tiny_corpus

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows keeps the files of open locks")


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """A recipe and its corpus, ready beside the runs."""
    (tmp_path / "walks").mkdir()
    (tmp_path / "walks" / "recipe.toml").write_text(RECIPE)
    tiny_corpus().write(tmp_path / "walks.corpus")
    return tmp_path / "walks" / "recipe.toml"


def train(recipe: Path, *arguments: str, name: str = "run") -> Result:
    output = recipe.parents[1] / name
    return CliRunner().invoke(cli, ["train", str(recipe), "-o", str(output), "--device", "cpu", *arguments])


def one_line(result: Result, words: str) -> None:
    assert result.exit_code == 1 and words in result.stderr, result.output
    assert len(result.stderr.splitlines()) == 1


def test_a_folder_in_which_another_process_trains_is_refused(recipe: Path, tmp_path: Path) -> None:
    for resume in ((), ("--resume",)):
        with occupied(tmp_path / "run", Place()):
            one_line(train(recipe, *resume), "is writing it")
        assert not (tmp_path / "run").exists(), "it was made for the lock, and is empty"
    assert train(recipe).exit_code == 0
    assert not [name for name in os.listdir(tmp_path / "run") if "lock" in name]


def test_only_the_first_of_several_processes_holds_the_lock(tmp_path: Path) -> None:
    with occupied(tmp_path / "run", Place()):
        with occupied(tmp_path / "run", Place(rank=1, ranks=2)):
            pass
        with pytest.raises(ExportError, match="is writing it"), occupied(tmp_path / "run", Place()):
            pass


@pytest.mark.parametrize("name", [BEST, LAST])
def test_a_lone_model_is_never_trained_over(recipe: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / name).write_bytes(b"mine")
    one_line(train(recipe), f"holds a model, {name}, without the state to resume from")
    assert (tmp_path / "run" / name).read_bytes() == b"mine"
    assert os.listdir(tmp_path / "run") == [name]


def test_a_log_of_another_program_is_never_replaced(recipe: Path, tmp_path: Path) -> None:
    log = tmp_path / "run" / LOG
    log.parent.mkdir()
    for foreign in ('{"message": "started"}\n', "plain words\n", "[" * 10_000):
        log.write_text(foreign)
        one_line(train(recipe), "is not the log of a training run")
        assert log.read_text() == foreign
    for ours in ("", '{"step": 1, "loss": {}}\n', '{"step": 1, "lo'):
        log.write_text(ours)
        refuse_used(log.parent)
        begin(log.parent)
        assert not log.exists()


def test_a_file_is_no_folder_of_a_run(recipe: Path) -> None:
    result = CliRunner().invoke(cli, ["train", str(recipe), "-o", str(recipe)])
    one_line(result, "is a file, expected the folder of a run")
    one_line(CliRunner().invoke(cli, ["train", str(recipe), "-o", "-"]), "standard output")
    assert recipe.read_text() == RECIPE


def test_the_log_is_written_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for step in (1, 2, 3):
        log_line(tmp_path, {"step": step})
    lines = (tmp_path / LOG).read_text().splitlines()
    assert [json.loads(line) for line in lines] == [{"step": step} for step in (1, 2, 3)]

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(ExportError, match="No space left"):
            keep_lines(tmp_path, lines[:1])
    assert (tmp_path / LOG).read_text().splitlines() == lines
    keep_lines(tmp_path, lines[:2])
    assert (tmp_path / LOG).read_text().splitlines() == lines[:2] and os.listdir(tmp_path) == [LOG]


def test_a_corpus_in_the_making_is_waited_for(recipe: Path, tmp_path: Path) -> None:
    corpus, made = tmp_path / "walks.corpus", (tmp_path / "walks.corpus").read_bytes()
    corpus.unlink()
    held, results = threading.Event(), list[Result]()

    def make() -> None:
        with locked(corpus):
            held.set()
            threading.Event().wait(1.0)
            corpus.write_bytes(made)

    maker = threading.Thread(target=make)
    maker.start()
    held.wait()
    results.append(train(recipe, "--steps", "1"))
    maker.join()
    assert results[0].exit_code == 0, results[0].output
    assert results[0].stderr.count("is making it; waiting") == 1
    assert corpus.read_bytes() == made and not list(tmp_path.glob(".*"))


def test_two_processes_never_make_one_corpus(recipe: Path, tmp_path: Path) -> None:
    out = tmp_path / "mine.corpus"
    with locked(out):
        result = CliRunner().invoke(cli, ["preprocess", str(recipe), "-o", str(out)])
    one_line(result, "is writing it")
    assert not out.exists()


def test_a_corpus_never_replaces_its_sources(recipe: Path, tmp_path: Path, samples: Path) -> None:
    source = tmp_path / "walks" / "walk.bvh"
    source.write_bytes((samples / "walk.bvh").read_bytes())
    for out, given in ((recipe, recipe), (source, recipe), (source, recipe.parent)):
        result = CliRunner().invoke(cli, ["preprocess", str(given), "-o", str(out)])
        one_line(result, "which is never overwritten")
    assert recipe.read_text() == RECIPE and source.read_bytes() == (samples / "walk.bvh").read_bytes()


@contextmanager
def training(recipe: Path, name: str) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-m", "moglow", "train", str(recipe), "-o", str(recipe.parents[1] / name)]
    process = subprocess.Popen(
        [*command, "--device", "cpu"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    yield process
    process.kill()
    process.communicate()


@pytest.mark.slow
def test_two_trainings_at_once_share_a_corpus_and_no_folder(
    recipe: Path, tmp_path: Path, samples: Path
) -> None:
    (tmp_path / "walks.corpus").unlink()
    for number in range(3):
        (tmp_path / "walks" / f"{number}.bvh").write_bytes((samples / "walk.bvh").read_bytes())
    recipe.write_text(RECIPE.replace("[data]", "[data]\nheld_out = 0.34"))
    with training(recipe, "a") as first, training(recipe, "b") as second:
        ends = [process.communicate() for process in (first, second)]
        assert first.returncode == second.returncode == 0, ends
    weights = [Checkpoint.read(tmp_path / name).weights for name in "ab"]
    assert all((weights[0][key] == weights[1][key]).all() for key in weights[0])
    with training(recipe, "c") as first, training(recipe, "c") as second:
        ends = [process.communicate() for process in (first, second)]
        codes = sorted([first.returncode, second.returncode])
    assert codes == [0, 1], ends
    errors = [line for _, err in ends for line in err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1 and ("is writing it" in errors[0] or "holds a training run" in errors[0])
    steps = [json.loads(line).get("step") for line in (tmp_path / "c" / LOG).read_text().splitlines()]
    assert [step for step in steps if step] == [1, 2, 3, 4, 5, 6]


@pytest.mark.slow
def test_a_killed_training_resumes_to_the_same_weights(recipe: Path, tmp_path: Path) -> None:
    """A run killed at its first state and again while it resumes equals an uninterrupted one."""
    assert train(recipe, name="whole").exit_code == 0
    run = tmp_path / "run"
    with training(recipe, "run") as process:
        while process.poll() is None and not (run / STATE).exists():
            threading.Event().wait(0.005)
        process.kill()
    if not (run / STATE).exists():
        raise TrainingError("the run ended before it saved anything")
    result = train(recipe, "--resume")
    assert result.exit_code == 0, result.output
    ends = [Checkpoint.read(tmp_path / name / LAST).weights for name in ("run", "whole")]
    assert all((ends[0][key] == ends[1][key]).all() for key in ends[0])
    steps = [json.loads(line).get("step") for line in (run / LOG).read_text().splitlines()]
    assert [step for step in steps if step] == [1, 2, 3, 4, 5, 6]
    assert sorted(os.listdir(run)) == sorted([BEST, LAST, STATE, LOG])
