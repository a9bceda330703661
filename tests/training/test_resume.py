"""A run that was stopped, killed or interrupted and resumed equals an uninterrupted one bit for bit."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from moglow.checkpoint import BEST, Checkpoint
from moglow.errors import CheckpointError, ExportError, RecipeError, TrainingError
from moglow.recipe import Recipe
from moglow.training.folder import LAST, LOG, STATE
from moglow.training.plan import TrainingPlan, chosen_model
from moglow.training.run import TrainingRun
from moglow.training.trainer import StepReport
from tests.support.tiny import tiny_corpus, tiny_recipe


def run(
    folder: Path, *, until: int | None = None, resume: bool = False, seed: int = 3, **training: Any
) -> TrainingRun:
    """Trains the tiny recipe in a folder, and stops after step `until` as Ctrl-C would."""
    made = TrainingRun(
        folder, TrainingPlan.of(tiny_recipe(**training)), tiny_corpus(), seed=seed, resume=resume
    )
    for event in made.events():
        if isinstance(event, StepReport) and event.step == until:
            break
    made.save()
    return made


def without_clock(folder: Path) -> dict[str, Any]:
    """Returns what a run left behind, but for its seconds."""
    checkpoints = [Checkpoint.read(folder / name).with_figures(seconds=0) for name in (BEST, LAST)]
    for checkpoint, name in zip(checkpoints, ("best", "last"), strict=True):
        checkpoint.write(folder / name)
    log = [json.loads(line) for line in (folder / LOG).read_text().splitlines()]
    return {
        "best": (folder / "best").read_bytes(),
        "last": (folder / "last").read_bytes(),
        "log": [{key: value for key, value in row.items() if key != "seconds"} for row in log],
    }


def halves(folder: Path, steps: int, **settings: Any) -> TrainingRun:
    """Trains once in one go and once in two parts, and returns the second part after comparing."""
    run(folder / "whole", steps=steps, **settings)
    run(folder / "parts", steps=steps, until=6 * steps // 10, **settings)
    second = run(folder / "parts", steps=steps, resume=True, seed=99, **settings)  # the run's own seed counts
    assert second.seed == 3 and second.trainer.step == steps
    assert without_clock(folder / "whole") == without_clock(folder / "parts")
    return second


def test_a_hundred_steps_are_sixty_and_forty(tmp_path: Path) -> None:
    second = halves(tmp_path, 100, validate_every=40)
    assert [validation.step for validation in second.validations] == [40, 80, 100]


def test_memory_and_curriculum_go_on_too(tmp_path: Path) -> None:
    windows = {"length": 10, "pose_dropout": 0.5, "order": "consecutive"}
    halves(
        tmp_path, 20, validate_every=20, windows=windows, free_running={"share": 0.5, "frames": 2, "start": 5}
    )


def test_a_killed_run_loses_nothing_that_was_saved(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"steps": 10, "validate_every": 1}
    script = (
        "import sys, pathlib; from tests.training.test_resume import run\n"
        f"run(pathlib.Path(sys.argv[1]), **{settings!r})"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "killed")], cwd=Path(__file__).parents[2]
    )
    log = tmp_path / "killed" / LOG
    while not (log.exists() and log.read_text().count("validation") >= 3):
        assert child.poll() is None, "the run ended before it could be killed"
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    child.wait()
    Checkpoint.read(tmp_path / "killed" / LAST)
    run(tmp_path / "killed", resume=True, **settings)
    run(tmp_path / "whole", **settings)
    assert without_clock(tmp_path / "whole") == without_clock(tmp_path / "killed")


def test_a_full_disk_keeps_the_last_saved_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(tmp_path, until=4)
    state = (tmp_path / STATE).read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(ExportError, match="No space left on device"):
            run(tmp_path, resume=True)
    assert (tmp_path / STATE).read_bytes() == state
    assert run(tmp_path, resume=True).trainer.step == 12


def test_patience_ends_a_run_that_gets_no_better(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"rate": 1e-9, "rate_floor": 1e-9, "choose": "likelihood", "validate_every": 1}
    ended = run(tmp_path, steps=500, patience=3, average=0.0, **settings)
    best = ended.validations.index(ended.best)
    assert len(ended.validations) == best + 4 and ended.trainer.step < 500


def test_the_best_checkpoint_is_chosen_by_the_requested_figure(tmp_path: Path) -> None:
    for choose in ("rollouts", "likelihood"):
        made = run(tmp_path / choose, choose=choose, validate_every=2)
        score = {"rollouts": lambda v: v.rollout_score, "likelihood": lambda v: v.likelihood.standardized}[
            choose
        ]
        steps = [validation.step for validation in sorted(made.validations, key=score)]
        assert Checkpoint.read(tmp_path / choose).about["steps"] == made.best.step == steps[0]


def test_a_run_is_not_written_over_and_not_resumed_as_another(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no training state to resume from"):
        run(tmp_path / "a", resume=True)
    run(tmp_path / "a", until=2)
    with pytest.raises(TrainingError, match="holds a training run already"):
        run(tmp_path / "a")
    other = tiny_recipe().overridden(["model.hidden=9"])
    with pytest.raises(CheckpointError, match=r"begun with model.hidden = 8, now it is 9"):
        TrainingRun(tmp_path / "a", TrainingPlan.of(other), tiny_corpus(), seed=3, resume=True)


def test_the_figures_are_complete(tmp_path: Path) -> None:
    made = run(tmp_path, steps=4)
    about = Checkpoint.read(tmp_path).about
    assert about["seed"] == 3 and about["recipe"]["training"]["steps"] == 4
    assert about["minutes_of_motion"] == pytest.approx(2 * 71 / 20 / 60, abs=0.01)
    assert about["validation"]["likelihood"]["dequantised"] == 1e-3
    likelihood = made.validations[0].likelihood
    assert likelihood.physical - likelihood.standardized == pytest.approx(made.context.log_deviation)


def test_a_model_is_chosen_by_name_and_preset() -> None:
    assert chosen_model(Recipe("r", {}))[0] == "moglow"
    table = {"model": {"preset": "compact", "hidden": 7}}
    config: Any = chosen_model(Recipe("r", table))[1]
    assert config.hidden == 7 and config.scale == "bounded"
    for wrong, message in (
        ({"name": "moglwo"}, "did you mean 'moglow'"),
        ({"preset": "compcat"}, "did you mean 'compact'"),
        ({"hiden": 3}, "did you mean 'hidden'"),
    ):
        with pytest.raises(RecipeError, match=message):
            chosen_model(Recipe("r", {"model": wrong}))
