"""Continues recorded side-steps for longer than people are recorded going sideways. Needs numpy alone.

Recordings hold three or four seconds of side-steps. A model that has seen no more continues with one foot left behind.
Here a cycle of a recording, between two frames with the same gait, is joined to itself again and again.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from moglow.corpus.corpus import Corpus, Stretch
from moglow.corpus.splicing import distances, extended, gait, joined
from moglow.encodings.encoding import Features
from moglow.maths.rotations import Array
from moglow.maths.signals import runs


@dataclass(frozen=True)
class SideSpec:
    """The settings of continued side-steps; the recipe's ``[data] sides``."""

    cycles: int = 0
    """Largest number of cycles of each passage that are repeated; none by default."""
    seconds: float = 10.0
    """Duration in seconds of the repetitions of a cycle."""
    apart: float = 0.3
    """Largest difference between the gaits at the ends of a cycle; see `moglow.corpus.splicing.SpliceSpec.apart`."""

    def __post_init__(self) -> None:
        if not 0 <= self.cycles <= 100:
            raise ValueError(f"cycles is {self.cycles}; give 0 to 100")
        if not 0 < self.seconds <= 600:
            raise ValueError(f"seconds is {self.seconds}; give at most 600")
        if not self.apart >= 0:
            raise ValueError(f"apart is {self.apart}; give 0 or more")


SIDEWAYS, AHEAD, TURNING = 0.2, 0.3, 0.6
"""Smallest sideways speed in m/s of a passage, and its largest speeds ahead, in m/s, and of turning, in rad/s."""
SHORTEST, LONGEST = 0.7, 2.7
"""Durations in seconds of cycles."""
SIMILAR = 0.25
"""Duration in seconds; of cycles that begin and end within it of each other, the best is used."""
LEAD = 1.5
"""Duration in seconds of the recording before a cycle."""
BLEND = 0.2
"""Duration in seconds in which the body passes from the end of a cycle to its beginning."""


def with_long_sides(corpus: Corpus, spec: SideSpec) -> Corpus:
    """Returns a corpus with continued side-steps of training clips."""
    return extended(corpus, list(_continued(corpus, spec))) if spec.cycles else corpus


def _continued(corpus: Corpus, spec: SideSpec) -> Iterator[tuple[Stretch, Features]]:
    """Yields the stretch and the features of the repetitions of each cycle."""
    fps = corpus.fps
    for stretch in corpus.split("train"):
        if stretch.again:
            continue
        forward, sideways, turn = np.abs(corpus.control[stretch.frames].astype(float)).T
        for first, stop in runs((sideways > SIDEWAYS) & (forward < AHEAD) & (turn < TURNING)):
            frames = np.arange(stretch.start + first, stretch.start + stop)
            walk = gait(corpus, frames, np.array([stretch.start]))
            for begin, end in _cycles(distances(walk, walk), spec, fps):
                lead = max(0, first + begin - round(LEAD * fps))
                features = repeated(corpus, stretch, lead, first + begin, first + end, spec.seconds)
                yield replace(stretch, again=True), features


def _cycles(apart: Array, spec: SideSpec, fps: float) -> list[tuple[int, int]]:
    """Returns the beginnings and ends of the best cycles, for squared differences ``(T, T)`` of gaits."""
    begins, ends = np.indices(apart.shape)
    frames = ends - begins
    blend, near = round(BLEND * fps), round(SIMILAR * fps)
    allowed = (frames >= SHORTEST * fps) & (frames <= LONGEST * fps) & (ends < len(apart) - blend)
    apart = np.where(allowed & (apart <= spec.apart**2), apart, np.inf)
    found: list[tuple[int, int]] = []
    while len(found) < spec.cycles and np.isfinite(apart).any():
        begin, end = (int(each) for each in np.unravel_index(np.argmin(apart), apart.shape))
        found.append((begin, end))
        apart[(np.abs(begins - begin) < near) & (np.abs(ends - end) < near)] = np.inf
    return found


def repeated(corpus: Corpus, stretch: Stretch, lead: int, begin: int, end: int, seconds: float) -> Features:
    """Returns a stretch from the frame ``lead`` on, whose frames from ``begin`` to ``end`` are repeated."""
    blend, start = round(BLEND * corpus.fps), stretch.start
    result = corpus.part(start + lead, start + end + blend)
    cycle = corpus.part(start + begin, start + end + blend)
    for _ in range(-(-round(seconds * corpus.fps) // (end - begin)) - 1):
        result = joined(corpus.encoding, result, cycle, blend, corpus.fps)
    return result
