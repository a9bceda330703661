"""Measures how soon a figure follows a change of speed, turn or direction, live and from a file, beside recordings.

The driver of the figure is an argument, so that the walker of the window is measured.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from moglow.checkpoint import Checkpoint
from moglow.corpus.corpus import Corpus
from moglow.evaluation.experiment import sample
from moglow.evaluation.manoeuvres import Driver, Hold, Manoeuvre, Stick
from moglow.evaluation.panels import Conditions, Exam, Limits, over_seeds
from moglow.evaluation.trials import Trial
from moglow.maths.rotations import Array
from moglow.measures.bands import Estimate
from moglow.measures.scores import Measure
from moglow.motion.clip import Clip
from moglow.paths.control_path import ControlPath
from moglow.paths.control_range import ControlRange
from moglow.paths.steering import Steering
from moglow.sampling.ensemble import Ensemble

ALL = "all changes"


@dataclass(frozen=True)
class Change:
    """A change from one position of the stick to another; ``hurry`` is that of either position."""

    name: str
    before: Stick
    after: Stick
    hurry: tuple[bool, bool] = (False, False)

    def velocities(self, steering: Steering, hurry: float = 1.35) -> Array:
        """Returns the velocities ``(2, 3)`` before and after the change."""
        pairs = zip((self.before, self.after), self.hurry, strict=True)
        return np.array([steering.wanted(*stick, hurry=hurry if fast else 1.0) for stick, fast in pairs])


REST, AHEAD, BACK, SIDE = (0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (-1.0, 0.0, 0.0), (0.0, 1.0, 0.0)
SPIN, BEND = (0.0, 0.0, 1.0), (1.0, 0.0, 1.0)
CHANGES = (
    Change("stand, walk", REST, AHEAD),
    Change("walk, stand", AHEAD, REST),
    Change("walk, hurry", AHEAD, AHEAD, (False, True)),
    Change("hurry, walk", AHEAD, AHEAD, (True, False)),
    Change("stand, turn", REST, SPIN),
    Change("walk, bend", AHEAD, BEND),
    Change("bend, walk", BEND, AHEAD),
    Change("walk, back", AHEAD, BACK),
    Change("walk, side", AHEAD, SIDE),
    Change("side, walk", SIDE, AHEAD),
)


@dataclass(frozen=True)
class ResponseSpec:
    """The length of the changes and the definitions of the figures; times in seconds."""

    before: float = 3.0
    after: float = 3.0
    settled: float = 1.0
    """The time at either end over which the velocity before and after is averaged."""
    smoothing: float = 0.15
    """Standard deviation of the Gaussian that smooths the velocity of the hips, which sways in each step."""
    begun: float = 0.1
    """The share of a change from which a recorded change counts as begun."""
    turn: float = 0.5
    """A turn of 1 rad/s counts as this speed in m/s."""
    visible: float = 0.005
    """The shift of a joint in metres that is visible."""
    near: float = 0.6
    """The largest difference of a recorded velocity from that of a change, as a share of the change."""
    gap: float = 0.75
    """The time on either side of the middle of a recorded change that may belong to it."""
    steady: float = 0.5
    """The time for which a recorded velocity must be steady before and after that."""
    most: int = 60
    """The largest number of recordings of a change."""
    ratio: float = 1.1
    """Limit of the times, as a multiple of those of recordings."""
    frames: float = 2.0
    """Limit of the frames until the first visible change."""


@dataclass(eq=False)
class Response(Exam):
    """Times from a change of the stick, or of a path, until the hips have the new velocity."""

    driver: Driver
    corpus: Corpus | None
    reach: ControlRange
    fps: float
    seeds: int
    temperature: float
    device: str = "cpu"
    spec: ResponseSpec = ResponseSpec()
    changes: tuple[Change, ...] = CHANGES

    name = "response"
    title = "Response"
    note = (
        "The time from a sudden change of speed, turn or direction until the hips have 50 and 90 % of the change of "
        "velocity; live, by the code of the window and the page, from the key; and along a path whose velocities "
        "jump, as from a file, from the jump. First change: frames after the key until a joint is 5 mm off the "
        "motion without the key and with the same noise; 1 is the first frame that can differ. Recordings: changes "
        "between nearly the same velocities, from the frame at which 10 % of the change is complete."
    )
    measures: ClassVar[Mapping[str, Measure]] = {
        "half": Measure("50 %, live", "s"),
        "most": Measure("90 %, live", "s"),
        "half_ratio": Measure("50 % ÷ recorded"),
        "most_ratio": Measure("90 % ÷ recorded"),
        "first": Measure("first change", "frames"),
        "reached": Measure("of the requested change", "%", 100),
        "half_file": Measure("50 %, file", "s"),
        "most_file": Measure("90 %, file", "s"),
        "recordings": Measure("recordings"),
    }

    def recorded(self) -> Conditions:
        """Returns the median times of each change in recordings; changes without recordings are omitted."""
        found: dict[str, dict[str, Estimate]] = {}
        for change in self.changes:
            times = self._recorded[change.name]
            if len(times):
                half, most = np.median(times, axis=0)
                figures = {"half": half, "most": most, "half_ratio": 1.0, "most_ratio": 1.0}
                figures["recordings"] = float(len(times))
                found[change.name] = {key: Estimate(float(value)) for key, value in figures.items()}
        if found:
            shared = [each for each in self.measures if all(each in figures for figures in found.values())]
            pooled = {key: np.mean([each[key].value for each in found.values()]) for key in shared}
            pooled["recordings"] *= len(found)
            found[ALL] = {key: Estimate(float(value)) for key, value in pooled.items()}
        return found

    def sampled(self, name: str, checkpoint: Checkpoint) -> Conditions:
        """Returns the figures of all changes, over seeds; the means are over those with recordings."""
        rows: dict[str, list[dict[str, float]]] = {change.name: [] for change in self.changes}
        files = self._from_file(checkpoint)
        for seed in range(self.seeds):
            for change, live, filed in zip(self.changes, self._live(checkpoint, seed), files, strict=True):
                half, most = filed[min(seed, len(filed) - 1)]
                rows[change.name].append(live | {"half_file": half, "most_file": most})
        compared = [name for name in rows if len(self._recorded[name])] or list(rows)
        keys = [key for key in self.measures if key != "recordings"]
        pooled = [
            {key: mean_known([rows[each][seed][key] for each in compared]) for key in keys}
            for seed in range(self.seeds)
        ]
        times = self.recorded().get(ALL, {})
        for figures in pooled if times else ():
            for key in ("half", "most"):  # ratios of the means, which short times do not dominate
                figures[f"{key}_ratio"] = figures[key] / times[key].value
        return {name: over_seeds(found) for name, found in {ALL: pooled, **rows}.items()}

    def limits(self) -> Limits:
        """Returns limits of the ratios to recordings and of the frames until the first change."""
        one = {key: (-np.inf, self.spec.ratio) for key in ("half_ratio", "most_ratio")}
        return {
            name: {**one, "first": (-np.inf, self.spec.frames)}
            for name in (ALL, *(change.name for change in self.changes))
        }

    @cached_property
    def _steering(self) -> Steering:
        return Steering(self.reach, self.fps)

    @cached_property
    def _recorded(self) -> dict[str, Array]:
        """Returns the times ``(N, 2)`` of each change in recordings, of training and held-out ones."""
        found: dict[str, list[tuple[float, float]]] = {change.name: [] for change in self.changes}
        stretches = [each for each in self.corpus.stretches if not each.again] if self.corpus else []
        order = np.random.default_rng(0).permutation(len(stretches)).tolist()
        for number in order:
            assert self.corpus is not None
            stretch = stretches[number]
            control = np.asarray(self.corpus.control[stretch.frames], float)
            wanted = {change: self._places(control, change) for change in self.changes}
            if not any(len(places) for places in wanted.values()):
                continue
            measured = self._velocities(self.corpus.clip(stretch))
            for change, places in wanted.items():
                for frame in places:
                    times = self._of_recording(measured, frame, change)
                    if times and len(found[change.name]) < self.spec.most:
                        found[change.name].append(times)
        return {name: np.reshape(times, (-1, 2)) for name, times in found.items()}

    def _places(self, control: Array, change: Change) -> list[int]:
        """Returns the middle frames of changes like ``change`` in a recording's control ``(T, 3)``, of either side."""
        weight = np.array([1.0, 1.0, self.spec.turn])
        gap, steady = (round(each * self.fps) for each in (self.spec.gap, self.spec.steady))
        reach = gap + steady
        if len(control) <= 2 * reach:
            return []
        sums = np.cumsum(np.concatenate([np.zeros((1, 3)), control]), axis=0)
        middles = np.arange(reach, len(control) - reach)
        means = [(sums[middles + b] - sums[middles + a]) / steady for a, b in ((-reach, -gap), (gap, reach))]
        before, after = change.velocities(self._steering)
        places: list[int] = []
        for mirror in (np.ones(3), np.array([1.0, -1.0, -1.0])):
            one, other = before * mirror, after * mirror
            size = np.linalg.norm((other - one) * weight)
            far = np.array(
                [
                    np.linalg.norm((m - goal) * weight, axis=1)
                    for m, goal in zip(means, (one, other), strict=True)
                ]
            ).max(0)
            along = ((control - one) * weight) @ ((other - one) * weight) / size**2
            crossing = (along[middles - 1] < 0.5) & (along[middles] >= 0.5)
            places += middles[crossing & (far < self.spec.near * size)].tolist()
            if np.allclose(one, before * [1.0, -1.0, -1.0]) and np.allclose(other, after * [1.0, -1.0, -1.0]):
                break  # a change without a side
        return sorted(set(places))

    def _of_recording(self, velocities: Array, frame: int, change: Change) -> tuple[float, float] | None:
        """Returns the times of a recorded change around a frame, or None if it has no beginning there."""
        gap, steady = (round(each * self.fps) for each in (self.spec.gap, self.spec.steady))
        piece = velocities[frame - gap - steady : frame + gap + steady]
        share = self._share(piece, piece[:steady].mean(0), piece[-steady:].mean(0))
        middle = first_from(share, 0.5, steady)
        if not np.isfinite(middle):
            return None
        early = np.flatnonzero(share[: int(middle)] < self.spec.begun)
        if not len(early):
            return None
        begun = first_from(share, self.spec.begun, int(early[-1]))
        most = first_from(share, 0.9, int(middle))
        found = (middle - begun) / self.fps, (most - begun) / self.fps
        return found if np.isfinite(found).all() else None

    def _live(self, checkpoint: Checkpoint, seed: int) -> Iterator[dict[str, float]]:
        """Yields the figures of each change that is steered live."""
        spec = self.spec
        scripts: list[list[Manoeuvre]] = [[], []]
        for change in self.changes:
            first = Hold(spec.before, change.before, change.hurry[0])
            second = Hold(spec.after, change.after, change.hurry[1])
            scripts[0].append(Manoeuvre(change.name, (first, second)))
            scripts[1].append(Manoeuvre(change.name, (first, Hold(1.0, change.before, change.hurry[0]))))
        changed, held = (self.driver(checkpoint, script, self.temperature, seed) for script in scripts)
        at = round(spec.before * self.fps)
        for change, (clip, path), (same, _) in zip(self.changes, changed, held, strict=True):
            half, most, reached = self._times(clip, at, path.velocities(), change)
            known = self._recorded[change.name]
            usual = np.median(known, axis=0) if len(known) else (float("nan"), float("nan"))
            yield {
                "half": half,
                "most": most,
                "half_ratio": half / usual[0],
                "most_ratio": most / usual[1],
                "first": first_difference(clip[at:], same[at:], spec.visible),
                "reached": reached,
            }

    def _from_file(self, checkpoint: Checkpoint) -> list[list[tuple[float, float]]]:
        """Returns the times of each change and seed along paths whose velocities jump."""
        ensemble = Ensemble(checkpoint, self.temperature, self.device)
        before, after = (round(seconds * self.fps) for seconds in (self.spec.before, self.spec.after))
        trials = []
        for change in self.changes:
            rows = np.repeat(change.velocities(self._steering), (before, after), axis=0)
            trials.append(Trial(change.name, ControlPath.from_velocities(rows, self.fps)))
        takes = sample(ensemble, trials, self.seeds if ensemble.model.noise_dim else 1)
        return [
            [self._times(motion.clip, before, trial.path.velocities(), change)[:2] for motion in motions]
            for change, trial, motions in zip(self.changes, trials, takes, strict=True)
        ]

    def _times(self, clip: Clip, at: int, requested: Array, change: Change) -> tuple[float, float, float]:
        """Returns the times of 50 and 90 % after frame ``at``, and the share of the requested change."""
        velocities, steady = self._velocities(clip), round(self.spec.settled * self.fps)
        one, other = velocities[at - steady : at].mean(0), velocities[-steady:].mean(0)
        share = self._share(velocities, one, other)
        half, most = (first_from(share, part, at - steady) for part in (0.5, 0.9))
        asked, got = requested[-1] - requested[at - 1], other - one
        weight = np.array([1.0, 1.0, self.spec.turn]) ** 2
        size = float((asked * asked) @ weight)
        reached = float((asked * got) @ weight) / size if size else float("nan")
        # The step from frame k - 1 to frame k has the velocity k; the first one with the key ends at frame `at`.
        return (half - at + 1) / self.fps, (most - at + 1) / self.fps, reached

    def _velocities(self, clip: Clip) -> Array:
        """Returns the velocities ``(T, 3)`` of hips and heading, smoothed."""
        return ControlPath.from_clip(clip, self.spec.smoothing).velocities()

    def _share(self, velocities: Array, one: Array, other: Array) -> Array:
        """Returns the share of the change from ``one`` to ``other`` ``(T,)`` that is complete."""
        weight = np.array([1.0, 1.0, self.spec.turn]) ** 2
        along: Array = ((velocities - one) * (other - one)) @ weight
        size = float((other - one) ** 2 @ weight)
        return along / size if size else along


def mean_known(values: Sequence[float]) -> float:
    """Returns the mean of the values that are not NaN; NaN if there are none."""
    known = [value for value in values if value == value]
    return float(np.mean(known)) if known else float("nan")


def first_from(values: Array, level: float, start: int) -> float:
    """Returns the place, between frames, at which values reach a level at or after frame ``start``; NaN if never.

    >>> first_from(np.array([0.0, 0.0, 0.4, 0.8]), 0.5, 0)
    2.25
    """
    above = np.flatnonzero(values[start:] >= level)
    if not len(above):
        return float("nan")
    frame = start + int(above[0])
    if frame == start:
        return float(frame)
    low, high = float(values[frame - 1]), float(values[frame])
    return frame - 1 + (level - low) / (high - low)


def first_difference(clip: Clip, other: Clip, visible: float) -> float:
    """Returns the number of the first frame, from 1, in which a joint is ``visible`` metres away; NaN if none is."""
    frames = min(len(clip), len(other))
    apart = np.linalg.norm(clip.world_positions[:frames] - other.world_positions[:frames], axis=-1).max(1)
    seen: Sequence[int] = np.flatnonzero(apart > visible).tolist()
    return seen[0] + 1.0 if seen else float("nan")
