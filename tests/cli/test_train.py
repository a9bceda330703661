"""`moglow train` from the command line: a folder that works, signals that save, errors in one line."""

import io
import json
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from moglow.bvh.write import write_bvh
from moglow.checkpoint import Checkpoint
from moglow.cli.main import cli
from moglow.training.trainer import StepReport, Trainer
from moglow_viewer.pictures.sheet import TILE
from moglow_viewer.stage.graphics import drawing
from tests.support.rigs import RIGS
from tests.support.tiny import tiny_corpus
from tests.support.walking import skeleton_of, walk

RECIPE = """
[data]
fps = 20.0

[context]
history = 3
carry = { toe_x = 1.0, toe_z = 1.0, toe_height = 0.7, others = 0.9 }

[model]
preset = "compact"
steps = 2
hidden = 8
encoder = [8]

[training]
steps = 6
batch = 4
rate = 3e-3
warmup = 4
validate_every = 3
windows = { length = 10, pose_dropout = 0.5 }
rollouts = { takes = 1, seconds = 1.0 }
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """A recipe and its corpus, ready beside the runs."""
    (tmp_path / "walks").mkdir()
    (tmp_path / "walks" / "recipe.toml").write_text(RECIPE)
    tiny_corpus().write(tmp_path / "walks.corpus")
    return tmp_path / "walks" / "recipe.toml"


def train(recipe: Path, *arguments: str, name: str = "run") -> Result:
    output = str(recipe.parents[1] / name)
    return CliRunner().invoke(cli, ["train", str(recipe), "-o", output, "--device", "cpu", *arguments])


def test_a_recipe_becomes_a_model(recipe: Path, tmp_path: Path) -> None:
    result = train(recipe, "--seed", "7")
    assert result.exit_code == 0, result.output
    assert "held-out" in result.output and "nats/frame" in result.output and "dequantised" in result.output
    assert "6 steps in" in result.output
    assert Checkpoint.read(tmp_path / "run").about["seed"] == 7
    log = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in log if "step" in row] == [1, 2, 3, 4, 5, 6]
    assert [row["validation"]["step"] for row in log if "validation" in row] == [3, 6]
    again = train(recipe)
    assert again.exit_code == 1 and "holds a training run already" in again.output
    assert again.output.endswith("or resume it (--resume)\n")
    more = train(recipe, "--resume", "--steps", "8")
    assert more.exit_code == 0 and "8 steps in" in more.output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_ends(
    recipe: Path, tmp_path: Path, number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = Trainer._step

    def signalled(self: Trainer) -> StepReport:
        if self.step == 1:
            os.kill(os.getpid(), number)
        return step(self)

    handler = signal.getsignal(number)
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_step", signalled)
        result = train(recipe)
    assert result.exit_code == 0, result.output
    assert "stopped at step 2, saved; go on with --resume" in result.output
    assert signal.getsignal(number) == handler
    assert train(recipe, "--resume").exit_code == 0
    whole = train(recipe, name="whole")
    assert whole.exit_code == 0
    ends = [Checkpoint.read(tmp_path / name / "last.safetensors") for name in ("run", "whole")]
    for name, array in ends[0].weights.items():
        np.testing.assert_array_equal(array, ends[1].weights[name])


def test_divergence_is_one_line_and_keeps_the_good_weights(recipe: Path, tmp_path: Path) -> None:
    result = train(recipe, "--set", "training.rate=1e12", "--set", "training.warmup=0")
    assert result.exit_code == 1
    assert result.output.count("error:") == 1 and "lower training.rate" in result.output
    checkpoint = Checkpoint.read(tmp_path / "run" / "last.safetensors")
    assert checkpoint.about["steps"] < 6
    assert all(abs(array).max() < float("inf") for array in checkpoint.weights.values() if array.size)


def test_the_corpus_is_made_first_where_there_is_none(tmp_path: Path) -> None:
    (tmp_path / "walks").mkdir()
    skeleton = skeleton_of(RIGS["mixamo"])
    for number, speed in enumerate((0.8, 1.0, 1.2)):
        write_bvh(walk(skeleton, seconds=2.5, fps=20.0, speed=speed)[0], tmp_path / "walks" / f"{number}.bvh")
    recipe = tmp_path / "walks" / "recipe.toml"
    recipe.write_text(RECIPE)
    result = train(recipe, "--steps", "1", "--set", "data.held_out=0.34")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "walks.corpus").exists()
    other = train(recipe, "--set", "data.fps=25", name="other")
    assert other.exit_code == 1 and "was made with data.fps = 20.0, the recipe has 25.0" in other.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "training.stpes=3"], "[training] does not know 'stpes'; did you mean 'steps'?"),
        (
            ["--set", "training.windows.length=x"],
            "[training.windows] length should be a whole number, it is 'x' (text)",
        ),
        (["--set", "model.preset=papre"], "moglow has no preset 'papre'; did you mean 'paper'?"),
        (["--set", "model.preset=[1]"], "moglow has no preset [1]"),
        (["--set", "model.name={a=1}"], "no model is called {'a': 1}"),
        (["--set", "training.windows.length=99"], "lower training.windows.length"),
        (["--resume"], "no training state to resume from"),
        (["--device", "cuda:9"], "choose cpu"),
    ],
)
def test_errors_are_one_line(recipe: Path, arguments: list[str], message: str) -> None:
    result = train(recipe, *arguments)
    assert result.exit_code == 1, result.output
    assert message in result.output and result.output.strip().count("\n") == 0


def test_tensorboard_is_optional(recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "torch.utils.tensorboard", None)
    result = train(recipe, "--tensorboard")
    assert result.exit_code == 1 and "pip install tensorboard" in result.output


@pytest.mark.render
def test_sheets_show_the_roll_outs_after_each_validation(recipe: Path, tmp_path: Path) -> None:
    if not drawing():
        pytest.skip("needs OpenGL: apt-get install libosmesa6")
    plain, drawn = train(recipe, name="plain"), train(recipe, "--sheets", name="drawn")
    assert plain.exit_code == drawn.exit_code == 0, drawn.output
    sheets = sorted((tmp_path / "drawn" / "sheets").iterdir())
    assert [sheet.name for sheet in sheets] == ["step_000003.png", "step_000006.png"]
    with Image.open(sheets[-1]) as sheet:
        assert sheet.height > 7 * TILE[1]  # one on held-out controls, six on synthetic ones
    assert not (tmp_path / "plain" / "sheets").exists()
    arrays = [Checkpoint.read(tmp_path / name / "last.safetensors").weights for name in ("plain", "drawn")]
    assert all(np.array_equal(arrays[0][key], arrays[1][key]) for key in arrays[0])  # looking changes nothing


@pytest.mark.render
@pytest.mark.filterwarnings("ignore")  # tensorboard's own
def test_tensorboard_holds_scalars_and_sheets(recipe: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="needs tensorboard: pip install tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    if not drawing():
        pytest.skip("needs OpenGL: apt-get install libosmesa6")
    result = train(recipe, "--tensorboard", "--sheets")
    assert result.exit_code == 0, result.output
    events = EventAccumulator(str(tmp_path / "run"), size_guidance={"images": 0}).Reload()
    assert [event.step for event in events.Scalars("loss")] == [1, 2, 3, 4, 5, 6]
    assert [event.step for event in events.Scalars("score")] == [3, 6]
    log = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    found = [row["validation"] for row in log if "validation" in row]
    slides = [validation["figures"]["slide_mean"] for validation in found]
    assert [event.value for event in events.Scalars("slide")] == pytest.approx(slides)
    images = events.Images("roll-outs")
    assert [image.step for image in images] == [3, 6]
    seen = Image.open(io.BytesIO(images[-1].encoded_image_string))
    with Image.open(tmp_path / "run" / "sheets" / "step_000006.png") as sheet:
        assert np.array_equal(np.asarray(seen), np.asarray(sheet))


def test_a_run_starts_from_another(recipe: Path, tmp_path: Path) -> None:
    assert train(recipe).exit_code == 0
    result = train(recipe, "--from", str(tmp_path / "run"), "--set", "training.steps=3", name="more")
    assert result.exit_code == 0, result.output
    assert Checkpoint.read(tmp_path / "more").about["from"]["checkpoint"] == str(tmp_path / "run")
    wrong = train(recipe, "--from", "pretrained", name="other")
    assert wrong.exit_code == 1 and wrong.output.strip().count("\n") == 0
    assert "the corpus does not fit pretrained: it has 20 frames a second, the checkpoint 30" in wrong.output


SMALL = ("--set", "model.steps=2", "--set", "model.hidden=8", "--set", "model.encoder=[8]",
         "--set", "training.windows.length=10", "--set", "training.windows.short=0", "--set", "training.batch=4",
         "--set", "training.rollouts={takes=1,seconds=1.0}", "--steps", "2")  # fmt: skip


def mocap(folder: Path, rig: str = "mixamo", names: tuple[str, ...] = ("a", "b", "sly/c")) -> Path:
    """Returns a folder of walks of 2.5 s, some in a sub-folder."""
    for number, name in enumerate(names):
        path = folder / f"{name}.bvh"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bvh(walk(skeleton_of(RIGS[rig]), seconds=2.5, fps=20.0, speed=0.8 + 0.2 * number)[0], path)
    return folder


def train_on(source: Path, output: Path, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["train", str(source), "-o", str(output), "--device", "cpu", *arguments])


def test_a_folder_becomes_a_model(tmp_path: Path) -> None:
    folder = mocap(tmp_path / "anna")
    (folder / "broken.bvh").write_text("HIERARCHY")
    result = train_on(folder, tmp_path / "mine", *SMALL, "--set", "data.fps=20")
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert lines[0].startswith(f"{folder}: 0.1 of 0.1 min kept, 3 files; minutes by style: anna 0.1, sly 0.0")
    assert any(line.startswith("  left out: broken.bvh: ") for line in lines)
    assert lines[-4] == "next:"
    assert "moglow generate --checkpoint" in lines[-3] and "--style anna" in lines[-3]
    assert "moglow view" in lines[-2] and "motion.corpus" in lines[-1]
    checkpoint = Checkpoint.read(tmp_path / "mine")
    assert checkpoint.context.styles == ("anna", "sly")
    assert checkpoint.about["recipe"]["model"]["preset"] == "compact"
    more = train_on(folder, tmp_path / "mine", *SMALL, "--set", "data.fps=20", "--steps", "3", "--resume")
    assert more.exit_code == 0 and "3 steps in" in more.output


def test_a_corpus_becomes_a_model(tmp_path: Path) -> None:
    tiny_corpus().write(tmp_path / "tiny.corpus")
    result = train_on(tmp_path / "tiny.corpus", tmp_path / "run", *SMALL)
    assert result.exit_code == 0, result.output
    assert "tiny.corpus: 0.2 min kept, 3 files" in result.output
    assert Checkpoint.read(tmp_path / "run").context.styles == ("brisk", "calm")


def test_clips_on_another_skeleton_teach_a_model_its_own_encoding(recipe: Path, tmp_path: Path) -> None:
    assert train(recipe).exit_code == 0
    before = Checkpoint.read(tmp_path / "run")
    folder = mocap(tmp_path / "anna")
    short = ("--steps", "2", "--set", "training.windows.length=10", "--set", "training.batch=4",
             "--set", "training.rehearsal.minutes=0.1", "--set", "training.rehearsal.seconds=2.0")  # fmt: skip
    result = train_on(folder, tmp_path / "mine", "--from", str(tmp_path / "run"), *short)
    assert result.exit_code == 0, result.output
    after = Checkpoint.read(tmp_path / "mine")
    assert after.context.encoding.to_json() == before.context.encoding.to_json()
    assert after.context.styles == ("brisk", "calm", "anna", "sly")
    assert after.context.spec.usual == "anna"
    assert "--style anna" in result.output
    more = train_on(
        folder, tmp_path / "mine", "--resume", "--steps", "3"
    )  # with the other settings of before
    assert more.exit_code == 0 and "3 steps in" in more.output, more.output
    assert Checkpoint.read(tmp_path / "mine" / "last.safetensors").about["from"] == after.about["from"]
    generated = CliRunner().invoke(
        cli,
        ["generate", "--checkpoint", str(tmp_path / "mine"), "--style", "anna", "--control", "stand:seconds=1",
         "-o", str(tmp_path / "anna.bvh")],
    )  # fmt: skip
    assert generated.exit_code == 0, generated.output


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda path: path.mkdir(),
            "no motion file in it or below it (it is empty); put BVH, FBX",
        ),
        (lambda path: path.write_text(""), 'has no section [model]; add one with preset = "compact"'),
        (lambda path: path.write_bytes(b"\x08\0\0\0\0\0\0\0{}      "), "expected moglow-corpus 1, found"),
        (lambda path: path.write_text("HIERARCHY"), "not a TOML file"),
    ],
)
def test_a_source_that_cannot_be_learnt_from_is_one_line(
    make: Callable[[Path], object], message: str, tmp_path: Path
) -> None:
    make(tmp_path / "source")
    result = train_on(tmp_path / "source", tmp_path / "run")
    assert result.exit_code == 1, result.output
    assert message in result.output and result.output.strip().count("\n") == 0
    assert not (tmp_path / "run").exists()


def test_the_error_for_another_corpus_names_what_differs(recipe: Path) -> None:
    result = train(recipe, "--set", "features.contacts=true")
    assert result.exit_code == 1
    assert "was made with features.contacts = False, the recipe has True" in result.output
    assert "FeatureSpec" not in result.output


def test_the_performer_of_new_clips_is_the_default_one_of_their_styles_only(tmp_path: Path) -> None:
    corpus = tiny_corpus()
    named = tuple(replace(each, performer="bea") for each in corpus.stretches)
    replace(corpus, stretches=named).write(tmp_path / "tiny.corpus")
    performing = ("--set", "context.performers=true", "--set", "context.performer=bea")
    result = train_on(tmp_path / "tiny.corpus", tmp_path / "run", *SMALL, *performing)
    assert result.exit_code == 0, result.output
    short = ("--steps", "2", "--set", "training.windows.length=10", "--set", "training.batch=4",
             "--set", "training.rehearsal.minutes=0.1", "--set", "training.rehearsal.seconds=2.0")  # fmt: skip
    result = train_on(mocap(tmp_path / "anna"), tmp_path / "mine", "--from", str(tmp_path / "run"), *short)
    assert result.exit_code == 0, result.output
    context = Checkpoint.read(tmp_path / "mine").context
    assert context.performers == ("bea", "anna") and context.spec.usual == "anna"
    defaults = [context.default_performer(style) for style in ("anna", "sly", "calm", None)]
    assert defaults == ["anna", "anna", "bea", "bea"]
