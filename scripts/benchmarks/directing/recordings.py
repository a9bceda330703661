"""Held-out recordings, cut at random moments; the poses after a cut are goals for generated motion."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from moglow.corpus.corpus import Corpus, Stretch
from moglow.motion.clip import Clip

BEFORE, AFTER, SHORTEST = 3.0, 1.2, 7.0
"""Seconds of a recording before a cut and after a goal, and the duration of the shortest recording that is used."""
AHEAD = (0.5, 2.0)
"""Limits in seconds of the time from a cut to a goal."""


@dataclass(frozen=True, eq=False)
class Cut:
    """A recording around a cut, and the frames of the cut and of the goal."""

    name: str
    clip: Clip
    at: int
    goal: int

    @property
    def seconds(self) -> float:
        """The time from the cut to the goal."""
        return (self.goal - self.at) / self.clip.fps


def held_out(corpus: Corpus) -> list[Stretch]:
    """Returns the longest held-out stretch of each recording that is long enough."""
    longest: dict[str, Stretch] = {}
    for stretch in corpus.split("val"):
        if stretch.again or stretch.before or len(stretch) < SHORTEST * corpus.fps:
            continue
        if stretch.name not in longest or len(stretch) > len(longest[stretch.name]):
            longest[stretch.name] = stretch
    return [longest[name] for name in sorted(longest)]


def cuts(corpus: Corpus, count: int, seed: int) -> Iterator[Cut]:
    """Yields cuts at random moments of the held-out recordings, which are visited in a random order."""
    stretches, fps = held_out(corpus), corpus.fps
    generator = np.random.default_rng([seed, 7])
    order = generator.permutation(len(stretches))
    for number in range(count):
        stretch = stretches[order[number % len(order)]]
        ahead = generator.uniform(*AHEAD)
        at = round(generator.uniform(BEFORE, len(stretch) / fps - AFTER - ahead) * fps)
        first, goal = at - round(BEFORE * fps), at + round(ahead * fps)
        part = replace(stretch, start=stretch.start + first, stop=stretch.start + goal + round(AFTER * fps))
        yield Cut(stretch.name, corpus.clip(part), at - first, goal - first)
