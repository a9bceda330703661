"""Nothing that `moglow generate` wrote or found is lost: two writers, kills, a full disk, a read-only folder."""

import os
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from moglow.files.atomic import file_digest
from moglow.takes.sidecars import read_sidecar
from tests.sampling.test_sampler import make_checkpoint
from tests.support.nursery import Ended, Nursery

pytestmark = pytest.mark.skipif(os.name == "nt", reason="kills and forks processes")

Run = Callable[..., Ended]
SEED = 14
"""Of the moments at which processes are killed."""
KILLS = 12
"""Kills of each kind; 40 were tried by hand."""


@pytest.fixture(scope="module")
def nurseries() -> Iterator[tuple[Nursery, Nursery]]:
    with Nursery() as first, Nursery() as second:
        yield first, second


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("model") / "model.safetensors"
    make_checkpoint(carry={}).write(file)
    return file


@pytest.fixture
def generate(nurseries: tuple[Nursery, Nursery], model: Path) -> Run:
    """Runs `moglow generate` along a metre."""

    def run(*arguments: object, **how: object) -> Ended:
        return nurseries[0].run(*command(model, *arguments), **how)

    return run


def command(model: Path, *arguments: object) -> tuple[object, ...]:
    return ("generate", "--checkpoint", model, "--control", "line:length=1", *arguments)


def whole(folder: Path, known: dict[str, int]) -> None:
    """Asserts that each motion in a folder is one of those known by their digests, and has its own sidecar."""
    for motion in folder.iterdir():
        if motion.suffix in (".bvh", ".glb", ".csv", ".npz") and not motion.is_symlink():
            assert known[file_digest(motion)] == read_sidecar(motion)["seed"], motion


def one_line(ended: Ended, words: str) -> None:
    assert ended.code == 1 and words in ended.err, ended
    assert len(ended.err.splitlines()) == 1 and ended.err.startswith("error: ")


@pytest.mark.parametrize("seeds", [(3, 3), (3, 4)])
def test_two_processes_at_once_leave_one_whole_motion(
    nurseries: tuple[Nursery, Nursery], model: Path, generate: Run, tmp_path: Path, seeds: tuple[int, int]
) -> None:
    known = {}
    for seed in seeds:
        assert generate("-o", tmp_path / "alone" / f"{seed}.bvh", "--seed", seed).code == 0
        known[file_digest(tmp_path / "alone" / f"{seed}.bvh")] = seed
    folder = tmp_path / "same"
    folder.mkdir()
    out = folder / "same.bvh"
    for _ in range(3):
        for nursery, seed in zip(nurseries, seeds, strict=True):
            nursery.start(*command(model, "-o", out, "--seed", seed, "--overwrite"))
        both = [nursery.ended() for nursery in nurseries]
        done = [ended for ended in both if ended.code == 0]
        assert done and all(ended.err == "" for ended in done), both
        for ended in both:
            if ended.code:
                one_line(ended, "is writing it")
        whole(folder, known)
        assert sorted(os.listdir(folder)) == ["same.bvh", "same.bvh.json"]
    assert "already" in generate("-o", out, "--seed", read_sidecar(out)["seed"]).out


def test_two_processes_with_one_batch_leave_it_whole(
    nurseries: tuple[Nursery, Nursery], model: Path, generate: Run, tmp_path: Path
) -> None:
    batch = ("-o", tmp_path / "all" / "w.bvh", "--takes", 4, "--rank")
    for nursery in nurseries:
        nursery.start(*command(model, *batch))
    codes = [nursery.ended().code for nursery in nurseries]
    assert 0 in codes
    assert generate(*batch).out.count("already") == 4
    names = [f"w_{place}.bvh" for place in (1, 2, 3, 4)]
    assert sorted(os.listdir(tmp_path / "all")) == sorted([*names, *(f"{name}.json" for name in names)])


KINDS = {
    "new": (("w.bvh",), ()),
    "replaced": (("w.bvh",), ("--seed", 1)),
    "ranked": (("w_1.bvh", "w_2.bvh"), ("--seed", 1, "--takes", 2, "--rank")),
    "glb": (("w.glb",), ("--seed", 1)),
    "csv": (("w.csv",), ("--seed", 1)),
}
"""What is killed: the motions that are there afterwards, and the options; all but "new" replace motions of seed 0."""


class Killing:
    """A folder with old motions, and what it holds once a run that replaces them has ended."""

    def __init__(self, generate: Run, folder: Path, kind: str) -> None:
        self.generate, self.folder, self.before = generate, folder / "out", folder / "before"
        self.names, options = KINDS[kind]
        single = self.names[0].replace("_1", "")
        self.options = ("-o", self.folder / single, *options)
        self.before.mkdir()
        self.folder.mkdir()
        if kind != "new":
            old = tuple(0 if each == 1 else each for each in options)
            assert generate("-o", self.before / single, *old).code == 0
        self.reset()
        assert generate(*self.options).code == 0
        self.reset()
        self.usual = generate(*self.options)  # the first one compiles modules
        assert self.usual.code == 0, self.usual
        self.after = self.found()
        pairs = [(folder / name, folder) for folder in (self.before, self.folder) for name in self.names]
        self.known = {
            file_digest(file): int(read_sidecar(file)["seed"]) for file, _ in pairs if file.exists()
        }

    def found(self) -> dict[str, object]:
        """Returns what lies in the folder: of a motion its bytes and its sidecar, of others that they are there."""
        motions = {name: self.folder / name for name in self.names}
        pairs = {name: (file.read_bytes(), read_sidecar(file)) for name, file in motions.items()}
        return {name: pairs.get(name) for name in os.listdir(self.folder)}

    def reset(self) -> None:
        shutil.rmtree(self.folder)
        shutil.copytree(self.before, self.folder)

    def kill(self, **moment: float) -> bool:
        """Kills a run, and returns whether it was still at work; what is there is whole, and a rerun completes it."""
        self.reset()
        ended = self.generate(*self.options, **moment)
        assert ended.killed or ended.code == 0, ended
        whole(self.folder, self.known)
        if any(self.before.iterdir()) and len(self.names) == 1:
            assert (self.folder / self.names[0]).exists(), "the old motion or the new one"
        again = self.generate(*self.options)
        assert again.code == 0 and not again.err, again
        assert self.found() == self.after
        return ended.killed


@pytest.mark.parametrize("kind", ["new", "replaced", "ranked"])
def test_a_kill_loses_nothing(generate: Run, tmp_path: Path, kind: str) -> None:
    killing = Killing(generate, tmp_path, kind)
    moments = random.Random(SEED).sample(range(1, killing.usual.operations), 7)
    killed = [killing.kill(operation=moment) for moment in moments]
    assert sum(killed) >= 5  # folders are swept more or less often, so a run may end before the last moments


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_kills_lose_nothing(generate: Run, tmp_path: Path, kind: str) -> None:
    """At the last file operations of a run, at others, and at random times: `KILLS` for each kind."""
    killing, moments = Killing(generate, tmp_path, kind), random.Random(SEED)
    last = killing.usual.operations
    late = min(KILLS // 2, last - 1)
    operations = [*range(last - late, last), *moments.sample(range(1, last), KILLS // 4)]
    killed = [killing.kill(operation=operation) for operation in operations]
    killed += [killing.kill(seconds=moments.uniform(0, killing.usual.seconds)) for _ in range(KILLS // 4)]
    assert sum(killed) >= KILLS // 2


@pytest.mark.parametrize("suffix", [".bvh", ".glb", ".npz", ".csv"])
def test_a_full_disk_leaves_the_old_motion(generate: Run, tmp_path: Path, suffix: str) -> None:
    new, out = tmp_path / f"new{suffix}", tmp_path / f"w{suffix}"
    assert generate("-o", new, "--seed", 1).code == generate("-o", out).code == 0
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    for largest in (20, 400, new.stat().st_size - 1):
        ended = generate("-o", out, "--seed", 1, largest=largest)
        one_line(ended, "cannot be written")
        assert "w" + suffix in ended.err
        assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before
    assert generate("-o", out, "--seed", 1).code == 0 and out.read_bytes() == new.read_bytes()


def test_a_read_only_folder_is_reported_before_the_work(generate: Run, tmp_path: Path) -> None:
    out = tmp_path / "w.bvh"
    assert generate("-o", out).code == 0
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    tmp_path.chmod(0o555)
    try:
        ended = generate("-o", out, "--seed", 1, weak=True)
    finally:
        tmp_path.chmod(0o755)
    one_line(ended, "cannot be written (Permission denied)")
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_a_link_is_written_through(generate: Run, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    out = tmp_path / "w.bvh"
    out.symlink_to(tmp_path / "disk" / "real.bvh")
    for seed in (0, 1):
        assert generate("-o", out, "--seed", seed).code == 0
        assert out.is_symlink() and read_sidecar(out)["seed"] == seed
    assert os.listdir(tmp_path / "disk") == ["real.bvh"]


def test_foreign_files_are_replaced_only_on_request(
    nurseries: tuple[Nursery, Nursery], model: Path, tmp_path: Path, samples: Path
) -> None:
    rig, path, figure8 = tmp_path / "rig.bvh", tmp_path / "rig.csv", tmp_path / "figure8.bvh"
    path.write_text("t,x,z\n0,0,0\n1,0,1\n")
    for file in (rig, figure8):
        shutil.copy(samples / "walk.bvh", file)
    before, listed = rig.read_bytes(), sorted(os.listdir(tmp_path))

    def run(*arguments: object) -> Ended:
        return nurseries[0].run("generate", "--checkpoint", model, *arguments, folder=tmp_path)

    for options in ((), ("--overwrite",)):
        one_line(run("--control", "rig.csv", "--skeleton", "rig.bvh", *options), "never overwritten")
    one_line(
        run("--control", "rig.csv"),
        "rig.bvh: was not made by moglow generate",
    )
    one_line(run(), "was not made by moglow generate; give another name, or replace it (--overwrite)")
    one_line(run("-o", "-"), "standard output is not written to")
    assert rig.read_bytes() == figure8.read_bytes() == before
    assert sorted(os.listdir(tmp_path)) == listed
    assert run("--overwrite").code == 0 and read_sidecar(figure8)
    edited = figure8.read_bytes() + b"\n"
    figure8.write_bytes(edited)
    one_line(
        run("--seed", 1),
        "figure8.bvh: was changed after moglow generate made it",
    )
    assert figure8.read_bytes() == edited


def test_paths_that_cannot_be_read_leave_no_folder(
    nurseries: tuple[Nursery, Nursery], model: Path, tmp_path: Path
) -> None:
    (tmp_path / "bad.csv").write_text("t,x,z\n0,0,nan\n")
    arguments = ("--checkpoint", model, "--control", tmp_path / "bad.csv", "-o", f"{tmp_path / 'new'}/")
    ended = nurseries[0].run("generate", *arguments)
    one_line(ended, "bad.csv: line 2, column z")
    assert not (tmp_path / "new").exists()


def test_a_target_that_is_no_file_is_refused_before_the_work(generate: Run, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.bvh")
    (tmp_path / "foreign.bvh.json").write_text("{}")
    (tmp_path / "file").write_text("a file")
    for name, words in (
        ("pipe.bvh", "is a device or a pipe"),
        ("foreign.bvh", "is no sidecar of moglow generate"),
        ("file/w.bvh", "cannot be written"),
    ):
        one_line(generate("-o", tmp_path / name, "--overwrite"), words)
    assert (tmp_path / "pipe.bvh").is_fifo() and (tmp_path / "foreign.bvh.json").read_text() == "{}"
