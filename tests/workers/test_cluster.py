"""Workers of Dask: two processes, one of them killed; the same bytes, no finished task twice; errors; Ctrl-C."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from moglow.cli.main import cli
from moglow.corpus.preprocess import preprocess
from moglow.corpus.sources import DataSpec
from moglow.encodings.encoding import FeatureSpec
from moglow.errors import LinkError, MoglowError
from moglow.workers.opening import open_workers
from moglow.workers.workers import IN_FLIGHT, Workers
from tests.support.commands import fails, run

pytest.importorskip("distributed", reason="needs distributed: pip install 'moglow[cluster]'")
pytestmark = pytest.mark.cluster

SAMPLES = Path(__file__).resolve().parents[2] / "data" / "samples"


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    with open_workers("local:2") as opened:
        yield opened


def noted(folder: str, job: int) -> int:
    """A task that notes each of its runs in a folder; job 5 kills its process in its first run, once it may."""
    runs = len(list(Path(folder).glob(f"{job}.*")))
    (Path(folder) / f"{job}.{runs}").touch()
    if job == 5 and not runs:
        while not (Path(folder) / "kill").exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGKILL)
    return job * job


def test_a_worker_that_dies_is_replaced_and_no_result_is_computed_again(
    workers: Workers, tmp_path: Path
) -> None:
    results = workers.results(noted, str(tmp_path), range(40))

    def runs(jobs: range) -> list[int]:
        return [len(list(tmp_path.glob(f"{job}.*"))) for job in jobs]

    finished = [next(results) for _ in range(5)]
    before = runs(range(5))
    time.sleep(1.0)  # until the scheduler knows that these results are not needed any more
    (tmp_path / "kill").touch()
    assert finished + list(results) == [job * job for job in range(40)]
    assert runs(range(5)) == before and runs(range(5, 6))[0] >= 2
    assert sum(runs(range(40))) <= 40 + 3 * IN_FLIGHT  # what was on the worker when it died, and little else


def limit(shared: None, name: str) -> str | None:
    return os.environ.get(name)


def test_workers_of_this_machine_keep_their_free_memory(workers: Workers) -> None:
    """Dask's own limit of 64 kB would double the time of tasks."""
    from moglow.workers.cluster import ALLOCATOR  # loads Dask

    limits = workers.results(limit, None, ALLOCATOR)
    assert list(limits) == [str(size) for size in ALLOCATOR.values()]


def doomed(shared: None, job: int) -> int:
    if job == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    if job == 3:
        raise MoglowError("walk.bvh: line 3 is odd", setting="map")
    return job


def test_a_task_that_kills_every_worker_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "moglow.workers.cluster.PATIENCE", 20.0
    )  # a worker may die before it counts as started
    with (
        open_workers("local:1") as workers,
        pytest.raises(LinkError, match=r"local:1: (4 workers died on the same task|all workers are gone)"),
    ):
        next(workers.results(doomed, None, [1]))


def test_an_error_of_a_task_is_that_of_one_machine(workers: Workers) -> None:
    with pytest.raises(MoglowError, match=r"^walk\.bvh: line 3 is odd$") as error:
        list(workers.results(doomed, None, [0, 3, 0]))
    assert error.value.setting == "map"


def built(output: Path, kill: bool, **options: Any) -> bytes:
    """Preprocesses the samples; kills a worker after the first files were read and again while they are encoded."""
    data = DataSpec(root=str(SAMPLES), held_out=0.2, smoother=(0.5,))
    told = set()
    for step in preprocess(data, FeatureSpec(), output, **options):
        stage = "encoding" if step.doing.startswith("encoding") else "reading"
        if kill and stage not in told:
            told.add(stage)
            os.kill(multiprocessing.active_children()[0].pid or 0, signal.SIGKILL)
    assert step.summary is not None and (not kill or told == {"reading", "encoding"})
    return output.read_bytes()


def test_a_corpus_is_the_same_when_a_worker_is_killed(tmp_path: Path) -> None:
    alone = built(tmp_path / "a.corpus", kill=False)
    assert built(tmp_path / "b.corpus", kill=True, scheduler="local:2") == alone
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.corpus", "b.corpus"]


def tree(folder: Path) -> dict[str, bytes]:
    """Returns the content of the files of a folder."""
    return {
        file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()
    }


def test_folders_give_the_same_files_and_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One scheduler serves all commands, at its address."""
    from distributed import LocalCluster

    paths = tmp_path / "paths"
    paths.mkdir()
    for speed in (1, 2):
        (paths / f"p{speed}.csv").write_text(f"t,x,z\n0,0,0\n1,0,{speed}\n")
    (paths / "bad.csv").write_text("t,x,z\n0,0,z\n")
    with LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        dashboard_address="127.0.0.1:0",
        worker_dashboard_address="127.0.0.1:0",
    ) as cluster:
        made = {}
        for name, more in (("alone", ()), ("cluster", ("--scheduler", cluster.scheduler_address))):
            (tmp_path / name).mkdir()
            monkeypatch.chdir(tmp_path / name)
            outputs = [
                run("inspect", SAMPLES, "--json", *more),
                run("clean", SAMPLES, "-o", "cleaned", "--no-model", "--json", *more),
                run("generate", "--control", "../paths", "-o", "takes", "--takes", 2, *more),
            ]
            made[name] = [(done.exit_code, done.stdout, done.stderr) for done in outputs]
    assert [code for code, *_ in made["alone"]] == [0, 0, 1]
    assert "1 of 3 paths failed: ../paths/bad.csv" in made["alone"][2][2]
    assert made["alone"] == made["cluster"]
    assert tree(tmp_path / "alone") == tree(tmp_path / "cluster") and len(tree(tmp_path / "alone")) > 15


def test_a_scheduler_that_does_not_answer_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("moglow.workers.cluster.CONNECTING", 0.3)
    message = fails("inspect", SAMPLES, "--scheduler", "tcp://127.0.0.1:1")
    assert message.startswith("error: tcp://127.0.0.1:1: no scheduler answers there")


def test_a_scheduler_without_workers_and_a_worker_without_moglow_are_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from distributed import LocalCluster

    monkeypatch.setattr("moglow.workers.cluster.CONNECTING", 1.0)
    with LocalCluster(n_workers=0, dashboard_address="127.0.0.1:0") as cluster:
        address = cluster.scheduler_address
        message = fails("inspect", SAMPLES, "--scheduler", address)
        assert message == f"error: {address}: the scheduler has no workers; start some: dask worker {address}"
        code = (
            "import sys; sys.modules['moglow'] = None; from distributed.cli.dask_worker import main; main()"
        )
        options = [address, "--nthreads", "1", "--no-nanny", "--no-dashboard", "--death-timeout", "30"]
        worker = subprocess.Popen([sys.executable, "-c", code, *options], stderr=subprocess.DEVNULL)
        try:
            monkeypatch.setattr("moglow.workers.cluster.CONNECTING", 30.0)
            message = fails("inspect", SAMPLES, "--scheduler", address)
        finally:
            worker.kill()
            worker.wait()
    assert "cannot import moglow; install the same version there as on this machine" in message


@pytest.mark.skipif(os.name == "nt", reason="sends a signal to a group of processes")
@pytest.mark.parametrize("reading", [False, True])
def test_ctrl_c_is_one_line_and_leaves_nothing(reading: bool, tmp_path: Path) -> None:
    code = "import sys; from moglow.__main__ import main; print('go', flush=True); main()"
    output = tmp_path / "a.corpus"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "preprocess", str(SAMPLES), "-o", str(output), "--scheduler", "local:2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None and process.stdout.readline() == "go\n"
    scratch = tmp_path / ".a.corpus.moglow-steps"
    while process.poll() is None and not (list(scratch.glob("*.npz")) if reading else scratch.exists()):
        time.sleep(0.001)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the workers as well
    _, errors = process.communicate(timeout=60)  # returns once no worker has the pipe any more
    if process.returncode == 0:  # it was finished already
        assert [path.name for path in tmp_path.iterdir()] == ["a.corpus"]
    else:
        assert (process.returncode, errors.strip()) == (130, "error: interrupted")
        assert not list(tmp_path.iterdir())


def test_the_commands_have_the_option() -> None:
    for name in ("preprocess", "generate", "evaluate", "clean", "inspect"):
        command = cli.get_command(None, name)  # type: ignore[arg-type]
        assert command is not None and "scheduler" in {option.name for option in command.params}
