"""Dataclasses from tables: round trips, and errors that name the key, the expected and the actual value."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from moglow.errors import CheckpointError, RecipeError
from moglow.files.tables import from_table, to_table


@dataclass(frozen=True)
class Inner:
    rate: float = 0.5
    layers: tuple[int, ...] = (1, 2)


@dataclass(frozen=True)
class Outer:
    name: str
    steps: int = 10
    fast: bool = False
    limit: float | None = None
    scale: Literal["paper", "bounded"] = "bounded"
    pair: tuple[float, str] = (1.0, "a")
    weights: Mapping[str, float] = field(default_factory=dict)
    folder: Path = Path(".")
    inner: Inner = Inner()

    def __post_init__(self) -> None:
        if self.steps < 0:
            raise ValueError(f"steps is {self.steps}; give 0 or more")


FULL: dict[str, Any] = {
    "name": "x", "steps": 3, "fast": True, "limit": 2, "scale": "paper", "pair": [2, "b"],
    "weights": {"toe": 1}, "folder": "a/b", "inner": {"rate": 1, "layers": [3]},
}  # fmt: skip


def test_tables_become_dataclasses_and_tables_again() -> None:
    value = from_table(Outer, FULL, "here")
    assert value == Outer("x", 3, True, 2.0, "paper", (2.0, "b"), {"toe": 1.0}, Path("a/b"), Inner(1.0, (3,)))
    assert isinstance(value.inner.rate, float)
    assert from_table(Outer, to_table(value), "here") == value
    assert from_table(Outer, to_table(Outer("y")), "here") == Outer("y")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"stesp": 1}, "walk.toml: [a] does not know 'stesp'; did you mean 'steps'?"),
        ({"zzz": 1}, "does not know 'zzz'; known: name, steps"),
        ({"steps": 1.5}, "walk.toml: [a] steps should be a whole number, it is 1.5 (a number)"),
        ({"steps": True}, "steps should be a whole number, it is True (true or false)"),
        ({"steps": "1"}, "steps should be a whole number, it is '1' (text)"),
        ({"fast": 1}, "fast should be true or false, it is 1 (a whole number)"),
        ({"limit": "x"}, "limit should be a number, it is 'x' (text)"),
        ({"limit": 1e308}, "limit is 1e+308; give a finite number, at most 1e+100"),
        ({"scale": "papre"}, "scale should be one of 'paper', 'bounded', it is 'papre' (text)"),
        ({"pair": [1]}, "pair should have 2 values, it has 1"),
        ({"pair": 1}, "pair should be a list, each a number, it is 1 (a whole number)"),
        ({"weights": {"toe": "x"}}, "weights.toe should be a number, it is 'x' (text)"),
        ({"weights": [1]}, "weights should be a table, it is [1] (a list)"),
        ({"inner": {"rat": 1}}, "walk.toml: [a.inner] does not know 'rat'; did you mean 'rate'?"),
        ({"inner": {"layers": [1, "x"]}}, "walk.toml: [a.inner] layers[1] should be a whole number"),
        ({"inner": 3}, "should be a table of keys and values, it is 3 (a whole number)"),
        ({"steps": -1}, "walk.toml: [a] steps is -1; give 0 or more"),
    ],
)
def test_each_error_is_one_line(change: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError) as caught:
        from_table(Outer, {**FULL, **change}, "walk.toml: [a]")
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_a_missing_key_and_another_error_class() -> None:
    with pytest.raises(CheckpointError, match=r"a.ckpt: \[x\] needs 'name' \(text\)"):
        from_table(Outer, {}, "a.ckpt: [x]", CheckpointError)
    with pytest.raises(RecipeError, match="should be a table"):
        from_table(Outer, [1], "a")
