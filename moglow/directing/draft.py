"""Sampled motion that meets goals, before its feet are locked. Needs numpy alone."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

from moglow.directing.directed import Directed
from moglow.directing.goals import Goal, PoseGoal
from moglow.directing.pins import Direction
from moglow.directing.uneven import Uneven


@dataclass(frozen=True, eq=False)
class Draft:
    """Sampled motion on a level floor, its goals, and the ground on which it will stand.

    ``first`` is the last pose of the continued clip on the floor, ``placed`` the same pose on the ground.
    """

    directed: Directed
    goals: tuple[Goal, ...]
    first: PoseGoal | None = None
    placed: PoseGoal | None = None
    uneven: Uneven | None = None

    def named(self, given: Sequence[Direction]) -> Self:
        """Returns the draft with its goals and prices named after directions of the same numbers."""
        goals = tuple(replace(goal, words=str(given[goal.number])) for goal in self.goals)
        prices = [
            replace(price, words=goal.words) for price, goal in zip(self.directed.prices, goals, strict=True)
        ]
        return replace(self, goals=goals, directed=replace(self.directed, prices=tuple(prices)))

    @property
    def all_goals(self) -> list[Goal]:
        """The goals, with the last pose of the continued clip."""
        return [*self.goals] if self.first is None else [self.first, *self.goals]

    @property
    def poses(self) -> list[PoseGoal]:
        """The goals that are poses."""
        return [goal for goal in self.all_goals if isinstance(goal, PoseGoal)]
