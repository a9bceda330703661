"""Fuzzing: a short run of every target finds nothing, and what does fail is made small and saved."""

from pathlib import Path

import pytest

from scripts.fuzzing.__main__ import OPTIONS, fuzz
from scripts.fuzzing.mutations import Random
from scripts.fuzzing.search import Failure, Files, Search, tried
from scripts.fuzzing.targets import FILES, Target

TRIES = 8
"""Inputs of each kind of file; a few seconds in all. `scripts/fuzz` tries more."""
LINES = 6
"""Command lines, which take longer."""
SEED = 3


@pytest.mark.parametrize("name", [*FILES, OPTIONS])
def test_a_short_run_finds_nothing(name: str, tmp_path: Path) -> None:
    search = fuzz([name], seed=SEED, folder=tmp_path / "found", tries=LINES if name == OPTIONS else TRIES)
    texts = [file.with_name(f"{file.name}.txt").read_text("utf-8") for file in search.failures.values()]
    assert not texts, texts[0]


def fails(file: Path) -> None:
    if b"x" in file.read_bytes():
        raise KeyError("x")


def test_a_failure_is_made_small_and_saved_once(tmp_path: Path) -> None:
    target = Target(".txt", lambda: [b"a" * 500 + b"x" + b"b" * 500], fails)
    search, turns = Search(tmp_path / "found", SEED), iter(range(30))
    search.run("texts", Files(target, tmp_path), lambda: next(turns, None) is not None)
    (file,) = search.failures.values()
    assert file.read_bytes() == b"x" and "KeyError" in file.with_name(f"{file.name}.txt").read_text("utf-8")
    assert search.outcomes["texts: FAILURE KeyError in test_fuzzing.py: fails"] > 10


def test_the_same_seed_tries_the_same(tmp_path: Path) -> None:
    def seen(random_seed: int) -> list[bytes]:
        cases: list[bytes] = []
        target = Target(".txt", lambda: [b"a,b\n" * 50], lambda file: cases.append(file.read_bytes()))
        turns = iter(range(5))
        Search(tmp_path, random_seed).run(
            "texts", Files(target, tmp_path), lambda: next(turns, None) is not None
        )
        return cases

    assert seen(1) == seen(1) != seen(2)


def test_what_waits_and_what_warns_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import time
    import warnings

    class Waiting:
        def example(self, random: Random) -> bytes:
            return b""

        def outcome(self, case: bytes) -> str:
            time.sleep(5) if case == b"wait" else warnings.warn("odd", stacklevel=1)
            return "done"

    monkeypatch.setattr("scripts.fuzzing.search.WAITED", 0.1)
    for case, kind in ((b"wait", "Slow"), (b"warn", "UserWarning")):
        found = tried(Waiting(), case)  # type: ignore[arg-type]
        assert isinstance(found, Failure) and found.kind == kind
