"""Two processes under gloo train like one, and a run is resumed with another number of processes."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from moglow.compute.distributed import Place, process_group
from moglow.training.plan import TrainingPlan
from moglow.training.run import TrainingRun
from moglow.training.trainer import StepReport
from tests.support.tiny import tiny_corpus, tiny_recipe

CLOSE = 1e-5  # the figure; float32 sums in another order
HALF, WHOLE = 3, 6
WINDOWS = {"length": 10, "pose_dropout": 0.5, "history_noise": {"others": 0.01}, "order": "consecutive"}
CURRICULUM = {"share": 0.5, "frames": 2, "start": 2, "ramp": 0}
OUTLIERS = {"share": 0.25, "start": 1}


def losses(folder: Path, *, until: int, resume: bool = False, place: Place = Place()) -> list[float]:  # noqa: B008
    """Returns the losses of a run up to a step, saved there."""
    recipe = tiny_recipe(
        steps=WHOLE, windows=WINDOWS, free_running=CURRICULUM, outliers=OUTLIERS, validate_every=WHOLE
    )
    run = TrainingRun(folder, TrainingPlan.of(recipe), tiny_corpus(), seed=5, resume=resume, place=place)
    found = []
    for event in run.events():
        if isinstance(event, StepReport):
            found.append(event.losses["nll"])
            if event.step == until:
                break
    run.save()
    return found


def as_one_of_two(folder: Path) -> None:
    """Runs in each process: begins a run, and ends one that a single process began."""
    with process_group("cpu") as place:
        rows = {"begun": losses(folder / "two", until=HALF, place=place)}
        rows["ended"] = losses(folder / "one", until=WHOLE, resume=True, place=place)
        (folder / f"rank{place.rank}.json").write_text(json.dumps(rows))


def test_two_processes_train_as_one_and_take_over_from_each_other(tmp_path: Path) -> None:
    alone = losses(tmp_path / "alone", until=WHOLE)
    losses(tmp_path / "one", until=HALF)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    script = (
        "import sys, pathlib; from tests.compute.test_distributed import as_one_of_two as f; "
        "f(pathlib.Path(sys.argv[1]))"
    )
    group = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": "2", "OMP_NUM_THREADS": "1"}
    root = Path(__file__).parents[2]
    children = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path)],
            cwd=root,
            env={**os.environ, **group, "RANK": str(rank), "LOCAL_RANK": str(rank)},
        )
        for rank in range(2)
    ]
    assert [child.wait() for child in children] == [0, 0]
    first, second = (json.loads((tmp_path / f"rank{rank}.json").read_text()) for rank in range(2))
    assert first == second  # both report the mean over the global batch
    assert first["begun"] == pytest.approx(alone[:HALF], abs=CLOSE)
    assert first["ended"] == pytest.approx(alone[HALF:], abs=CLOSE)
    assert losses(tmp_path / "two", until=WHOLE, resume=True) == pytest.approx(alone[HALF:], abs=CLOSE)


def test_without_torchrun_there_is_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with process_group("cpu") as place:
        assert place == Place("cpu", 0, 1)
