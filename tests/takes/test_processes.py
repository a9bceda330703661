"""Many motions are made by several processes: the same files, lines and errors as by one."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from moglow.compute.copies import can_copy, in_turn
from moglow.takes import make
from tests.sampling.test_sampler import make_checkpoint
from tests.support.commands import run

pytestmark = pytest.mark.skipif(not can_copy(), reason="this system does not copy processes")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("model") / "model.safetensors"
    make_checkpoint(carry={}).write(file)
    return file


def made(
    folder: Path, model: Path, monkeypatch: pytest.MonkeyPatch, processes: int
) -> tuple[int, Sequence[str]]:
    """Makes five takes of a path that ends standing and of one that is too fast for its model, on some processors."""
    used: list[int] = []
    monkeypatch.setattr(make, "SHARED", 1)
    monkeypatch.setattr(make, "processors", lambda: processes)

    def watched(work: Callable[[int], Iterable[Any]], parts: int) -> Iterator[Any]:
        used.append(parts)
        return in_turn(work, parts)

    monkeypatch.setattr(make, "in_turn", watched)
    folder.mkdir()
    fast = folder / "fast.csv"
    fast.write_text("forward,sideways,turn\n" + "900,0,0\n" * 30)
    words = ["--control", "line:length=1", "--control", fast, "--as-asked", "--takes", 5]
    done = run("generate", "--checkpoint", model, *words, "-o", folder / "takes")
    assert used == ([processes] if processes > 1 else [])
    return done.exit_code, [line.replace(str(folder), "") for line in done.output.splitlines()]


def test_processes_change_no_byte(tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, three = (made(tmp_path / str(n), model, monkeypatch, n) for n in (1, 3))
    assert one == three
    code, lines = one
    assert code == 1 and len(lines) == 7, lines
    assert lines[0].startswith("warning: ") and lines[-1].startswith("error: 1 of 2 paths failed: /fast.csv")
    files = [{f.name: f.read_bytes() for f in sorted((tmp_path / n / "takes").iterdir())} for n in "13"]
    assert (
        files[0]
        and [{name: content.replace(b"/1/", b"/3/") for name, content in each.items()} for each in files]
        == [files[1]] * 2
    )
