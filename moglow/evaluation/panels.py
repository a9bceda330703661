"""Panels: further tables of an evaluation, each with figures under several conditions beside recorded motion."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from moglow.checkpoint import Checkpoint
from moglow.measures.bands import Estimate
from moglow.measures.scores import Measure

Conditions = Mapping[str, Mapping[str, Estimate]]
"""Figures by condition (a speed, a part of the body, a pair of styles) and key."""
Limits = Mapping[str, Mapping[str, tuple[float, float]]]
"""The lowest and highest acceptable value, by condition and key."""


@dataclass(frozen=True, eq=False)
class Panel:
    """One table of an evaluation: figures of each row of motion under each condition, in SI units."""

    name: str
    title: str
    note: str
    """A description of the measurement and the figures."""
    measures: Mapping[str, Measure]
    """The measures in the order of the columns."""
    rows: Mapping[str, Conditions]
    """Figures by row of motion; recorded motion first."""
    limits: Limits = field(default_factory=dict)
    brief: tuple[str, ...] = ()
    """The conditions shown in a terminal; all if empty."""
    columns: tuple[str, ...] = ()
    """The figures shown in a terminal; all if empty."""
    remarks: tuple[str, ...] = ()
    """Sentences about the results."""
    recorded: bool = True
    """Whether the first row is recorded motion."""

    @property
    def conditions(self) -> tuple[str, ...]:
        """Returns all conditions, in the order of the rows that have them."""
        return tuple(dict.fromkeys(name for row in self.rows.values() for name in row))

    def is_recorded(self, row: str) -> bool:
        """Returns whether a row is recorded motion."""
        return self.recorded and row == next(iter(self.rows))

    def limits_of(self, condition: str, key: str) -> tuple[float, float] | None:
        """Returns the limits of a figure, or None."""
        return self.limits.get(condition, {}).get(key)

    def verdict(self, row: str, condition: str, key: str) -> str:
        """Returns "in", "out" or "unclear" for a figure of sampled motion; "" without limits."""
        found = self.rows[row].get(condition, {}).get(key)
        if found is None or self.is_recorded(row):
            return ""
        return found.verdict(self.limits_of(condition, key))


class Exam(ABC):
    """The measurement of a panel: first of recorded motion, then of each model by the same code."""

    name: str
    title: str
    note: str
    measures: ClassVar[Mapping[str, Measure]]
    columns: ClassVar[tuple[str, ...]] = ()
    """The figures shown in a terminal; all if empty."""

    @abstractmethod
    def recorded(self) -> Conditions:
        """Returns the figures of recorded motion; empty without recordings."""

    @abstractmethod
    def sampled(self, name: str, checkpoint: Checkpoint) -> Conditions:
        """Returns the figures of a model's motion; ``name`` is that of its row."""

    def limits(self) -> Limits:
        """Returns the acceptable ranges of the figures of sampled motion."""
        return {}

    def brief(self) -> tuple[str, ...]:
        """Returns the conditions shown in a terminal; all if empty."""
        return ()

    def remarks(self) -> Sequence[str]:
        """Returns sentences about the results, after all rows were measured."""
        return ()

    def panel(self, rows: Mapping[str, Conditions], recorded: bool) -> Panel:
        """Returns the panel with all rows."""
        return Panel(
            self.name,
            self.title,
            self.note,
            self.measures,
            rows,
            self.limits(),
            self.brief(),
            self.columns,
            tuple(self.remarks()),
            recorded,
        )


def over_seeds(by_seed: Sequence[Mapping[str, float]]) -> dict[str, Estimate]:
    """Returns each figure with its interval over seeds; seeds without the figure are ignored.

    >>> found = over_seeds([{"lean": 4.0}, {"lean": 6.0}, {"lean": float("nan")}])["lean"]
    >>> found.value, round(found.high - found.low, 2)
    (5.0, 25.41)
    """
    return {key: Estimate.of([figures[key] for figures in by_seed]) for key in by_seed[0]}
