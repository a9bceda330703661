"""Measures the feet in forty manoeuvres that are steered live, as with keys that are pressed and released.

The driver of the figure is an argument, so that the walker of the window is measured.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import permutations
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from moglow.checkpoint import Checkpoint
from moglow.corpus.corpus import Corpus
from moglow.evaluation.panels import Conditions, Exam, Limits, over_seeds
from moglow.maths.rotations import Array, heading_to_vector
from moglow.maths.signals import runs
from moglow.measures.bands import Estimate
from moglow.measures.metrics import toe_slide
from moglow.measures.scores import Measure
from moglow.motion.clip import Clip
from moglow.motion.contacts import ground_speed, legs_of, toe_points
from moglow.paths.control_path import ControlPath

Stick = tuple[float, float, float]
"""Forward, left and turn to the left, each from −1 to 1."""

ALL, DIRECT, STOPPED = "all manoeuvres", "one move after the other", "with a stop between"


@dataclass(frozen=True)
class Hold:
    """A position of the stick for some seconds."""

    seconds: float
    stick: Stick = (0.0, 0.0, 0.0)
    hurry: bool = False


@dataclass(frozen=True)
class Manoeuvre:
    """A sequence of holds, from standing to standing."""

    name: str
    holds: tuple[Hold, ...]

    @property
    def rest(self) -> float:
        """Returns the duration in seconds of the last hold, in which the stick is released."""
        return self.holds[-1].seconds


Driver = Callable[[Checkpoint, Sequence[Manoeuvre], float, int], Iterable[tuple[Clip, ControlPath]]]
"""A function of checkpoint, manoeuvres, temperature and seed that yields the motion and path of each manoeuvre."""

MOVES: dict[str, tuple[Stick, bool]] = {
    "forward": ((1.0, 0.0, 0.0), False),
    "back": ((-1.0, 0.0, 0.0), False),
    "side": ((0.0, 1.0, 0.0), False),
    "turn": ((0.0, 0.0, 1.0), False),
    "hurry": ((1.0, 0.0, 0.0), True),
}
STAND, MOVE, STOP, REST = 1.0, 2.5, 1.5, 3.0
"""Durations in seconds of standing before, each move, a stop between two moves, and standing after."""


def manoeuvres() -> tuple[Manoeuvre, ...]:
    """Returns all ordered pairs of moves, without and with a stop between them; half of them are to the other side.

    >>> len(manoeuvres()), manoeuvres()[0].name, sum(hold.seconds for hold in manoeuvres()[0].holds)
    (40, 'forward, back', 9.0)
    """
    found = []
    for number, (one, other) in enumerate(permutations(MOVES, 2)):
        side = 1.0 if number % 2 == 0 else -1.0
        first, second = (
            Hold(MOVE, (stick[0], side * stick[1], side * stick[2]), hurry)
            for stick, hurry in (MOVES[one], MOVES[other])
        )
        stand, stop, rest = Hold(STAND), Hold(STOP), Hold(REST)
        found.append(Manoeuvre(f"{one}, {other}", (stand, first, second, rest)))
        found.append(Manoeuvre(f"{one}, stop, {other}", (stand, first, stop, second, rest)))
    return tuple(sorted(found, key=lambda each: "stop" in each.name))


@dataclass(frozen=True)
class StandSpec:
    """The definitions of standing, settled and astray; times in seconds."""

    still: float = 0.15
    """Speed in m/s and rad/s below which a path stands."""
    moving: float = 0.4
    """Speed in m/s that a path must exceed within two seconds before it stops."""
    quiet: float = 0.15
    """Speed in m/s below which a toe is at rest."""
    hold: float = 0.5
    """Time for which both toes must be at rest."""
    least: float = 1.0
    """Shortest recorded stand that is used."""
    last: float = 0.5
    """Time at the end of a stand over which the positions of the feet are averaged."""
    usual: float = 0.95
    """Quantile over recorded stands of the distance between feet beyond which a foot is astray."""
    slide: float = 1.5
    """Limit of the slide, as a multiple of that of recordings."""
    settle: float = 1.0
    """Limit of the time until both toes are at rest."""


@dataclass(eq=False)
class Manoeuvres(Exam):
    """Slide, legs while standing, and time to settle, over manoeuvres that are steered live."""

    driver: Driver
    corpus: Corpus | None
    fps: float
    seeds: int
    temperature: float
    spec: StandSpec = StandSpec()
    script: tuple[Manoeuvre, ...] = manoeuvres()

    name = "live"
    title = "Live manoeuvres"
    note = (
        "Keys are pressed and released: forward, back, side, turn and hurry in all orders, without and with a stop "
        "between them, from standing to standing, by the code of the window and the page. Crossed: the legs are "
        "crossed while standing, between the moves or at the end. Astray: at the end a foot is farther out or ahead "
        "than in 95 % of recorded stands. Slide is the speed of the lowest toe, beside that of recordings at the same "
        "speeds. Settling is the time from the end of the path until both toes are at rest. Recorded motion: stands "
        "of at least a second, and for settling those after a walk."
    )
    measures: ClassVar[Mapping[str, Measure]] = {
        "crossed": Measure("crossed legs", "%", 100),
        "astray": Measure("foot astray at the end", "%", 100),
        "slide": Measure("slide", "cm/s", 100),
        "ratio": Measure("slide ÷ recorded"),
        "sliding": Measure("slide > 1.5 × recorded", "%", 100),
        "settle": Measure("time to settle", "s"),
        "late": Measure("settled after more than 1 s", "%", 100),
    }

    @cached_property
    def stands(self) -> tuple[Array, Array]:
        """Returns the left ankle relative to the right one ``(N, 2)``, and the times to settle ``(M,)``, when recorded.

        Only stands after a walk have a time to settle.
        """
        apart, times, fps, spec = [], [], self.fps, self.spec
        for stretch in self.corpus.stretches if self.corpus else ():
            assert self.corpus is not None
            control = np.asarray(self.corpus.control[stretch.frames], float)
            speed = np.linalg.norm(control[:, :2], axis=1)
            stands = [(a, b) for a, b in runs(_still(control, spec)) if b - a >= spec.least * fps]
            for start, stop in stands if not stretch.again else ():
                clip = self.corpus.clip(stretch)[start : min(stop, start + round(REST * fps))]
                apart.append(ankles_apart(clip, spec))
                if speed[max(0, start - round(2 * fps)) : start + 1].max() > spec.moving:
                    times.append(settling(clip, spec))
        return np.reshape(apart, (-1, 2)), np.array(times)

    @cached_property
    def _farthest(self) -> Array:
        """Returns the largest usual distance ``(2,)`` of the ankles in a stand, sideways and ahead."""
        apart, _ = self.stands
        if not len(apart):
            return np.array([np.inf, np.inf])
        far: Array = np.quantile(np.abs(apart), self.spec.usual, axis=0)
        return far

    def recorded(self) -> Conditions:
        """Returns the figures of recorded stands, without slide, which is compared at the speeds of each path."""
        apart, times = self.stands
        if not len(apart):
            return {}
        figures = {
            "crossed": float((apart[:, 0] < 0).mean()),
            "astray": float((np.abs(apart) > self._farthest).any(1).mean()),
            "ratio": 1.0,
        }
        if len(times):
            figures |= {"settle": float(times.mean()), "late": float((times > self.spec.settle).mean())}
        return {ALL: {key: Estimate(value) for key, value in figures.items()}}

    def sampled(self, name: str, checkpoint: Checkpoint) -> Conditions:
        """Returns the figures of all manoeuvres, once for each seed."""
        rows: dict[str, list[dict[str, float]]] = {manoeuvre.name: [] for manoeuvre in self.script}
        for seed in range(self.seeds):
            motions = self.driver(checkpoint, self.script, self.temperature, seed)
            for manoeuvre, (clip, path) in zip(self.script, motions, strict=True):
                rows[manoeuvre.name].append(self._figures(manoeuvre, clip, path))
        groups = {
            ALL: list(rows),
            DIRECT: [each for each in rows if "stop" not in each],
            STOPPED: [each for each in rows if "stop" in each],
        }
        pooled = {
            group: [
                {key: float(np.nanmean([rows[each][seed][key] for each in names])) for key in self.measures}
                for seed in range(self.seeds)
            ]
            for group, names in groups.items()
            if names
        }
        return {each: over_seeds(found) for each, found in {**pooled, **rows}.items()}

    def limits(self) -> Limits:
        """Returns limits without crossed legs, and for slide and time to settle."""
        return {
            name: {
                "crossed": (-np.inf, 0.0),
                "ratio": (-np.inf, self.spec.slide),
                "settle": (-np.inf, self.spec.settle),
            }
            for name in (ALL, DIRECT, STOPPED, *(manoeuvre.name for manoeuvre in self.script))
        }

    def brief(self) -> tuple[str, ...]:
        """Returns the groups of manoeuvres; single ones are in the JSON and on the page."""
        return ALL, DIRECT, STOPPED

    def _figures(self, manoeuvre: Manoeuvre, clip: Clip, path: ControlPath) -> dict[str, float]:
        """Returns the figures of one manoeuvre."""
        velocities = path.velocities()
        end = len(clip) - round(manoeuvre.rest * self.fps)
        still = np.flatnonzero(_still(velocities[end:], self.spec))
        stand = clip[end + (int(still[0]) if len(still) else 0) :]
        # At the end of each stand except the first one, before which there is no move.
        ends = np.cumsum([round(hold.seconds * self.fps) for hold in manoeuvre.holds]).tolist()
        idle = [frame for frame, hold in zip(ends, manoeuvre.holds, strict=True) if not any(hold.stick)][1:]
        apart = np.array([ankles_apart(clip[:frame], self.spec) for frame in idle])
        slide = toe_slide(toe_points(clip), clip.fps).mean
        return {
            "crossed": float((apart[:, 0] < 0).any()),
            "astray": float((np.abs(apart[-1]) > self._farthest).any()),
            "slide": slide,
            "ratio": (ratio := slide / self._usual_slide(velocities)),
            "sliding": float(ratio > self.spec.slide) if ratio == ratio else float("nan"),
            "settle": (settled := settling(stand, self.spec)),
            "late": float(settled > self.spec.settle),
        }

    @cached_property
    def _slides(self) -> tuple[Array, Array]:
        """Returns speed (forward, sideways, turn) and slide of half seconds of recordings ``(N, 3)`` and ``(N,)``."""
        if self.corpus is None:
            return np.zeros((0, 3)), np.zeros(0)
        length, places, slides = max(2, round(0.5 * self.fps)), [], []
        for stretch in self.corpus.split("train"):
            if stretch.again or len(stretch) < 2 * length:
                continue
            toes = toe_points(self.corpus.clip(stretch))
            for start in range(0, len(stretch) - length, 2 * length):
                frames = slice(start, start + length + 1)
                slides.append(toe_slide(toes[frames], self.fps).mean)
                control = self.corpus.control[stretch.start + start + 1 : stretch.start + start + length + 1]
                places.append(np.asarray(control, float).mean(0))
        return np.reshape(places, (-1, 3)), np.array(slides)

    def _usual_slide(self, velocities: Array, near: int = 20) -> float:
        """Returns the mean slide of recordings at the speeds of a path, from the ones nearest to each half second."""
        places, slides = self._slides
        if len(places) < near:
            return float("nan")
        length = max(2, round(0.5 * self.fps))
        requested = [
            velocities[start : start + length].mean(0)
            for start in range(0, len(velocities) - length + 1, length)
        ]
        weight = np.array([1.0, 1.0, 0.5])  # a turn of 1 rad/s moves a foot at about 0.5 m/s
        found = []
        for each in requested:
            # Left and right are equivalent, so recordings of both sides are used.
            far = np.minimum(
                np.square((places - each) * weight).sum(1),
                np.square((places * [1.0, -1.0, -1.0] - each) * weight).sum(1),
            )
            found.append(slides[np.argpartition(far, near)[:near]].mean())
        return float(np.mean(found))


def ankles_apart(clip: Clip, spec: StandSpec = StandSpec()) -> Array:
    """Returns the left ankle relative to the right one ``(2,)``, left and ahead, at the end of a stand."""
    last = max(1, round(spec.last * clip.fps))
    world, heading = clip.world_positions[-last:], clip.headings()[-last:]
    legs = {leg.side: leg.ankle for leg in legs_of(clip.skeleton)}
    between = (world[:, legs["left"]] - world[:, legs["right"]])[:, [0, 2]]
    ahead = heading_to_vector(heading)
    left = np.stack([ahead[:, 1], -ahead[:, 0]], axis=-1)
    return np.array([(between * left).sum(1).mean(), (between * ahead).sum(1).mean()])


def settling(clip: Clip, spec: StandSpec = StandSpec()) -> float:
    """Returns the seconds from the start of a stand until both toes are at rest, or its whole length."""
    speed = ground_speed(toe_points(clip), clip.fps).max(1)
    quiet: NDArray[np.bool_] = speed < spec.quiet
    long = [start for start, stop in runs(quiet) if stop - start >= spec.hold * clip.fps]
    return (long[0] if long else len(clip)) / clip.fps


def _still(velocities: Array, spec: StandSpec) -> NDArray[np.bool_]:
    speed = np.maximum(np.linalg.norm(velocities[:, :2], axis=1), np.abs(velocities[:, 2]))
    still: NDArray[np.bool_] = speed < spec.still
    return still
