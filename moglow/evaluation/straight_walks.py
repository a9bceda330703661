"""Straight walks and runs at given speeds, beside recordings at nearly the same speed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from moglow.checkpoint import Checkpoint
from moglow.corpus.corpus import Corpus, Stretch
from moglow.evaluation.experiment import sample
from moglow.evaluation.panels import Conditions, Exam, Limits, over_seeds
from moglow.evaluation.trials import Trial
from moglow.maths.rotations import Array
from moglow.maths.signals import runs
from moglow.measures.bands import Estimate
from moglow.measures.gait import Gait, gait, steps
from moglow.measures.metrics import jerk
from moglow.measures.scores import Measure
from moglow.motion.clip import Clip
from moglow.motion.foot_lock import bent_toes, lock_feet
from moglow.paths.control_path import ControlPath
from moglow.sampling.ensemble import Ensemble
from moglow.sampling.generate import LOCK

SPEEDS = (0.7, 1.0, 1.3, 1.6, 2.2, 2.5, 3.0, 4.0)
"""Speeds in m/s."""


@dataclass(frozen=True)
class StraightSpec:
    """The length of walks, and the definition of recordings of straight walks at a speed."""

    seconds: float = 10.0
    window: float = 1.0
    """Time in seconds over which a recording's control is averaged."""
    near: float = 0.1
    """Largest difference of the mean speed from the requested one, and deviation in the window, relative to it."""
    turn: float = 0.2
    """Largest mean turning speed in rad/s."""
    fewest: int = 3
    """Least number of steps in a recording."""
    most: float = 240.0
    """Largest duration in seconds of recordings that are measured at each speed."""
    walk: float = 1.6
    """Largest speed of a walk in m/s."""
    crossed: float = 0.05
    """Limit of the share of crossed steps."""
    uneven: float = 0.06
    """Limit of the relative difference between left and right steps."""
    more: float = 1.3
    """Limit of low toes and jerk, as multiples of those of recordings."""
    band: tuple[float, float] = (0.1, 0.9)
    """Quantiles over recordings that limit step width, lean and flight."""


@dataclass(eq=False)
class StraightWalks(Exam):
    """Gait on straight lines at steady speeds."""

    corpus: Corpus | None
    fps: float
    seeds: int
    temperature: float
    device: str = "cpu"
    spec: StraightSpec = StraightSpec()
    _bands: dict[str, dict[str, tuple[float, float]]] = field(default_factory=dict)

    name = "gait"
    title = "Straight walks and runs"
    note = (
        "Straight lines at a steady speed in the default style, with intervals over seeds. Recordings: all straight "
        "pieces of at least a second within 10 % of the speed; the median over files (for crossed steps the share of "
        "all), and in brackets the 10 to 90 % band. Step width is that of the ankles, negative if the legs cross. Low "
        "toes are within 5 cm of their floor. Locked figures are of motion with the foot lock, as written by moglow "
        "generate."
    )
    measures: ClassVar[Mapping[str, Measure]] = {
        "speed": Measure("speed", "m/s"),
        "width": Measure("step width", "cm", 100),
        "crossed": Measure("crossed steps", "%", 100),
        "left": Measure("left step", "cm", 100),
        "right": Measure("right step", "cm", 100),
        "uneven": Measure("left and right differ", "%", 100),
        "lean": Measure("lean", "°"),
        "low_toes": Measure("low toes", "cm/s", 100),
        "low_toes_locked": Measure("low toes, locked", "cm/s", 100),
        "flight": Measure("flight", "%", 100),
        "jerk": Measure("jerk", "m/s³"),
        "jerk_locked": Measure("jerk, locked", "m/s³"),
        "seconds": Measure("motion", "s"),
    }
    columns = ("width", "crossed", "left", "right", "uneven", "lean", "low_toes_locked", "flight", "jerk")

    def recorded(self) -> Conditions:
        """Returns medians over the recordings at each speed; speeds without recordings are omitted."""
        found: dict[str, dict[str, Estimate]] = {}
        for speed in SPEEDS if self.corpus else ():
            pieces = list(self._pieces(speed))
            if not pieces:
                continue
            files = [figures for figures in map(self._of_file, pieces) if figures]
            clips = [clip for file in pieces for clip in file]
            weights = [len(clip) for clip in clips]
            medians = (
                {key: float(np.median([each[key] for each in files])) for key in files[0]} if files else {}
            )
            medians["jerk"] = float(
                np.average([jerk(clip.world_positions, clip.fps) for clip in clips], weights=weights)
            )
            if files:
                every = [step.width for clip in clips for step in steps(clip)]
                medians["crossed"] = float(np.mean(np.array(every) < 0))
                medians["low_toes_locked"] = medians["low_toes"]  # foot lock is for sampled motion
            medians["seconds"] = sum(weights) / self.fps
            name = _condition(speed)
            found[name] = {key: Estimate(value) for key, value in medians.items()}
            self._bands[name] = self._limits_of(medians, files)
        return found

    def sampled(self, name: str, checkpoint: Checkpoint) -> Conditions:
        """Returns means over seeds, each of one walk."""
        ensemble = Ensemble(checkpoint, self.temperature, self.device)
        seeds = self.seeds if ensemble.model.noise_dim else 1
        frames = round(self.spec.seconds * self.fps)
        trials = [
            Trial(_condition(speed), ControlPath.from_velocities([[speed, 0.0, 0.0]] * frames, self.fps))
            for speed in SPEEDS
        ]
        takes = sample(ensemble, trials, seeds)
        return {
            trial.name: over_seeds([figures(motion.clip) for motion in motions])
            for trial, motions in zip(trials, takes, strict=True)
        }

    def limits(self) -> Limits:
        """Returns bands from the recordings at each speed, and limits of crossed steps and unevenness for walks."""
        found = {}
        for speed in SPEEDS:
            always = {"uneven": (-np.inf, self.spec.uneven)}
            if speed <= self.spec.walk:  # runners place their feet on one line
                always["crossed"] = (-np.inf, self.spec.crossed)
            found[_condition(speed)] = always | self._bands.get(_condition(speed), {})
        return found

    def _limits_of(
        self, medians: dict[str, float], files: Sequence[dict[str, float]]
    ) -> dict[str, tuple[float, float]]:
        limits = {"jerk": (-np.inf, self.spec.more * medians["jerk"])}
        limits["jerk_locked"] = limits["jerk"]
        if files:
            for key in ("width", "lean", "flight"):
                low, high = np.quantile([each[key] for each in files], self.spec.band)
                limits[key] = float(low), float(high)
            limits["low_toes"] = limits["low_toes_locked"] = (-np.inf, self.spec.more * medians["low_toes"])
        return limits

    def _of_file(self, clips: Sequence[Clip]) -> dict[str, float] | None:
        """Returns the figures of all pieces of a file, or None if they have too few steps."""
        found = [step for clip in clips for step in steps(clip)]
        if len(found) < self.spec.fewest:
            return None
        gaits, weights = [gait(clip) for clip in clips], [len(clip) for clip in clips]
        return _table(
            [(step.side, step.width, step.length) for step in found],
            lean=_mean([each.lean for each in gaits], weights),
            low_toes=_mean([each.low_toe_speed for each in gaits], weights),
            flight=_mean([each.flight for each in gaits], weights),
            speed=_mean([_speed(clip) for clip in clips], weights),
        )

    def _pieces(self, speed: float) -> Iterator[list[Clip]]:
        """Yields the straight pieces of each file at a speed."""
        assert self.corpus is not None
        by_file: dict[str, list[tuple[Stretch, int, int]]] = {}
        for stretch in self.corpus.stretches:
            for start, stop in self._steady(stretch, speed):
                by_file.setdefault(stretch.name, []).append((stretch, start, stop))
        names = np.random.default_rng(0).permutation(sorted(by_file)).tolist()
        seconds = 0.0
        for name in names:
            if seconds >= self.spec.most:
                return
            yield [
                self.corpus.encoding.decode(
                    self.corpus.pose[stretch.start + start : stretch.start + stop],
                    self.corpus.path(stretch)[start:stop],
                )
                for stretch, start, stop in by_file[name]
            ]
            seconds += sum(stop - start for _, start, stop in by_file[name]) / self.fps

    def _steady(self, stretch: Stretch, speed: float) -> list[tuple[int, int]]:
        """Returns the ranges of frames of a recording that are straight at a speed."""
        assert self.corpus is not None
        length = round(self.spec.window * self.fps)
        if stretch.again or len(stretch) < length:
            return []
        control = np.asarray(self.corpus.control[stretch.frames], float)
        near = self.spec.near * speed
        mean, square = (_sliding(values, length) for values in (control, np.square(control)))
        deviation = np.sqrt(np.maximum(square - mean**2, 0.0))
        fits = (np.abs(mean[:, 0] - speed) < near) & (deviation[:, 0] < near)
        fits &= (np.abs(mean[:, 1]) < near) & (_sliding(np.abs(control), length)[:, 2] < self.spec.turn)
        inside = np.zeros(len(stretch), bool)
        for start in np.flatnonzero(fits):
            inside[start : start + length] = True
        return runs(inside)


def figures(clip: Clip) -> dict[str, float]:
    """Returns the figures of one walk."""
    found, locked = gait(clip), bent_toes(lock_feet(clip, spec=LOCK))
    held: Gait = gait(locked)
    return _table(
        [(step.side, step.width, step.length) for step in steps(clip)],
        lean=found.lean,
        low_toes=found.low_toe_speed,
        low_toes_locked=held.low_toe_speed,
        flight=found.flight,
        speed=_speed(clip),
        jerk=jerk(clip.world_positions, clip.fps),
        jerk_locked=jerk(locked.world_positions, clip.fps),
        seconds=len(clip) / clip.fps,
    )


def _table(found: Sequence[tuple[str, float, float]], **others: float) -> dict[str, float]:
    widths = [width for _, width, _ in found]
    left, right = ([length for side, _, length in found if side == each] for each in ("left", "right"))
    one, other = (float(np.median(lengths)) if lengths else float("nan") for lengths in (left, right))
    return {
        "width": float(np.median(widths)) if widths else float("nan"),
        "crossed": float(np.mean(np.array(widths) < 0)) if widths else float("nan"),
        "left": one,
        "right": other,
        "uneven": abs(one - other) / max((one + other) / 2, 1e-6) if left and right else float("nan"),
        **others,
    }


def _condition(speed: float) -> str:
    return f"{speed:g} m/s"


def _speed(clip: Clip) -> float:
    way = np.linalg.norm(clip.ground_positions()[-1] - clip.ground_positions()[0])
    return float(way / max(clip.duration, 1e-9))


def _mean(values: Sequence[float], weights: Sequence[float]) -> float:
    numbers, shares = np.array(values, float), np.array(weights, float)
    known = ~np.isnan(numbers)
    return float(np.average(numbers[known], weights=shares[known])) if known.any() else float("nan")


def _sliding(values: Array, length: int) -> Array:
    """Returns means ``(T − length + 1, ...)`` over windows of ``length`` frames."""
    sums = np.concatenate([np.zeros_like(values[:1]), np.cumsum(values, axis=0)])
    means: Array = (sums[length:] - sums[:-length]) / length
    return means
