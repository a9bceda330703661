"""Changes of style during a walk, classified by the movement of the body without its posture."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import permutations
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from moglow.checkpoint import Checkpoint
from moglow.corpus.corpus import Corpus
from moglow.evaluation.experiment import sample
from moglow.evaluation.panels import Conditions, Exam, Limits, over_seeds
from moglow.evaluation.trials import Trial
from moglow.maths.rotations import Array
from moglow.measures.bands import Estimate
from moglow.measures.gait_styles import GaitClassifier, gait_windows
from moglow.measures.scores import Measure
from moglow.motion.clip import Clip
from moglow.paths.control_path import ControlPath
from moglow.sampling.ensemble import Ensemble

Flags = NDArray[np.bool_]

ALL = "all pairs"
FOLDS = 10
"""Parts of the recorded files; those of each part are classified by a discriminant that was fitted to the others."""
USUAL = 0.2, 0.8
"""Quantiles of the speeds of recorded walks between which a speed is usual in a style."""


@dataclass(frozen=True)
class ChangeSpec:
    """The changes of style and their classification; times in seconds."""

    styles: int = 6
    """Number of styles, those with most walking motion at speeds in common; all ordered pairs are tested."""
    before: float = 5.0
    """Duration of the first style."""
    after: float = 5.0
    """Duration of the second style."""
    within: float = 2.0
    """Time after the change from which motion should have the second style."""
    window: float = 1.5
    """Duration of a window of the classifier."""
    hop: float = 0.25
    """Time between the starts of windows."""
    slowest: float = 0.4
    """Smallest speed of a walk in m/s."""
    fastest: float = 2.0
    """Largest speed of a walk in m/s."""
    judged: float = 0.5
    """Least share of a motion's windows that are classified as a style for the motion to have it."""
    arrived: float = 0.9
    """Limit of the share of changes that arrive."""
    more: float = 1.3
    """Limit of the peak acceleration, as a multiple of that of recordings."""


@dataclass(frozen=True, eq=False)
class Walks:
    """Windows ``(N, F)`` of recorded walking, with the file, the style and the mean speed of each."""

    windows: Array
    files: NDArray[np.str_]
    styles: NDArray[np.str_]
    speeds: Array
    peaks: Mapping[str, list[float]]
    """The peak accelerations in m/s² of pieces of the duration `ChangeSpec.within`, by style."""


@dataclass(eq=False)
class StyleChanges(Exam):
    """The share of changes that arrive, and their abruptness."""

    corpus: Corpus
    seeds: int
    temperature: float
    device: str = "cpu"
    spec: ChangeSpec = ChangeSpec()

    name = "styles"
    title = "Changes of style during a walk"
    note = (
        "Straight walks at a speed of both styles; the style changes half way. A linear discriminant, fitted to "
        "recorded windows of 1.5 s, uses ranges and speeds of toes, knees, hands, head and hips, but no posture. "
        "Arrived: more than half of the windows from 2 s after the change are classified as the second style rather "
        "than the first. In the first style before: the same for the seconds before the change. Changed: both. Held "
        "throughout: the second style from the start. Recorded motion: walks in the second style at a speed of both, "
        "by discriminants that were fitted to other files."
    )
    measures: ClassVar[Mapping[str, Measure]] = {
        "changed": Measure("changed", "%", 100),
        "arrived": Measure("arrived", "%", 100),
        "left": Measure("in the first style before", "%", 100),
        "held": Measure("held throughout", "%", 100),
        "peak": Measure("peak acceleration", "m/s²"),
        "ratio": Measure("peak ÷ recorded"),
        "accuracy": Measure("windows classified correctly", "%", 100),
    }

    @cached_property
    def walks(self) -> Walks:
        """Returns the recorded walks of both splits."""
        return self._walks()

    @cached_property
    def styles(self) -> tuple[str, ...]:
        """Returns the styles with most windows of walking, those with a speed in common before the others."""
        names, counts = np.unique(self.walks.styles, return_counts=True)
        most = sorted(
            (-int(count), str(name)) for name, count in zip(names, counts, strict=True) if count >= 20
        )
        chosen: list[str] = []
        for _, name in most:
            if all(np.less(*self._shared(name, other)) for other in chosen):
                chosen.append(name)
        others = [name for _, name in most if name not in chosen]
        return tuple([*chosen, *others][: self.spec.styles])

    @cached_property
    def classifier(self) -> GaitClassifier:
        """Returns the classifier fitted to recorded walks in the styles."""
        return self._fitted(np.isin(self.walks.styles, self.styles))

    def _fitted(self, kept: Flags) -> GaitClassifier:
        return GaitClassifier.fit(self.walks.windows[kept], self.walks.styles[kept].tolist())

    @cached_property
    def _scores(self) -> Array:
        """The scores ``(N, S)`` of recorded walks in the styles, by classifiers that were not fitted to their file."""
        walks = self.walks
        scores = np.full((len(walks.styles), len(self.styles)), -np.inf)
        fold = np.zeros(len(walks.styles), int)
        for style in self.styles:  # each fold has files of all styles
            files = np.unique(walks.files[walks.styles == style])
            for number, file in enumerate(np.random.default_rng(7).permutation(files)):
                fold[(walks.files == file) & (walks.styles == style)] = number % FOLDS
        kept = np.isin(walks.styles, self.styles)
        for number in np.unique(fold[kept]):
            others, own = kept & (fold != number), kept & (fold == number)
            if not others.any():
                continue
            classifier = self._fitted(others)
            columns = [self.styles.index(style) for style in classifier.styles]
            scores[np.ix_(own, columns)] = classifier.scores(walks.windows[own])
        return scores

    @property
    def _testable(self) -> bool:
        return len(self.styles) >= 2

    def recorded(self) -> Conditions:
        """Returns how well recorded walks at a speed of both styles are classified, and their peak accelerations.

        Walks of styles that share no speed have their own.
        """
        if not self._testable:
            return {}
        rows, walks, scores = {}, self.walks, self._scores
        for first, second in permutations(self.styles, 2):
            figures = {"peak": float(np.median(self._peaks(first) + self._peaks(second))), "ratio": 1.0}
            low, high = self._shared(first, second)
            chosen = walks.styles == second
            usual = chosen & (walks.speeds >= low) & (walks.speeds <= high)
            if (chosen := usual if usual.any() else chosen).any():
                right = scores[chosen, self.styles.index(second)] > scores[chosen, self.styles.index(first)]
                files = walks.files[chosen]
                judged = [right[files == file].mean() for file in np.unique(files)]
                figures["accuracy"] = float(right.mean())
                figures["arrived"] = float(np.mean(np.array(judged) > self.spec.judged))
            rows[f"{first} → {second}"] = {key: Estimate(value) for key, value in figures.items()}
        pooled = {
            key: Estimate(float(np.mean([row[key].value for row in rows.values() if key in row])))
            for key in dict.fromkeys(key for row in rows.values() for key in row)
        }
        return {ALL: pooled, **rows}

    def sampled(self, name: str, checkpoint: Checkpoint) -> Conditions:
        """Returns the figures of each change over seeds, without styles that the model does not have."""
        if not self._testable:
            return {}
        ensemble = Ensemble(checkpoint, self.temperature, self.device)
        styles = [style for style in self.styles if style in checkpoint.context.styles]
        pairs = list(permutations(styles, 2))
        if not pairs:
            return {}
        trials = [self._trial(first, second) for first, second in pairs]
        trials += [self._trial(second, second, self._speed(first, second)) for first, second in pairs]
        takes = sample(ensemble, trials, self.seeds if ensemble.model.noise_dim else 1)
        rows = {
            f"{first} → {second}": [
                self._judged(change.clip, held.clip, first, second)
                for change, held in zip(takes[row], takes[len(pairs) + row], strict=True)
            ]
            for row, (first, second) in enumerate(pairs)
        }
        by_seed = [
            {
                key: float(np.nanmean([row[seed][key] for row in rows.values()]))
                for key in next(iter(rows.values()))[0]
            }
            for seed in range(len(takes[0]))
        ]
        return {ALL: over_seeds(by_seed), **{name: over_seeds(row) for name, row in rows.items()}}

    def limits(self) -> Limits:
        """Returns the limits for all pairs together."""
        return {ALL: {"changed": (self.spec.arrived, np.inf), "ratio": (-np.inf, self.spec.more)}}

    def brief(self) -> tuple[str, ...]:
        """Returns the condition of all pairs; single pairs are in the JSON and on the page."""
        return (ALL,)

    def remarks(self) -> Sequence[str]:
        """Returns the styles with the accuracy of the classifier."""
        if not self._testable:
            return ("styles: the corpus has fewer than two styles with walks, so no change was tested.",)
        found = np.array(self.styles)[self._scores.argmax(1)]
        shares = [
            f"{style} {100 * (found[self.walks.styles == style] == style).mean():.0f} %"
            for style in self.styles
        ]
        return (
            f"styles: recorded windows of other files classified correctly among {len(self.styles)} styles: "
            f"{', '.join(shares)}.",
        )

    def _judged(self, change: Clip, held: Clip, first: str, second: str) -> dict[str, float]:
        spec, fps = self.spec, change.fps
        at = round(spec.before * fps)
        later = self._share(change[at + round(spec.within * fps) :], second, first)
        peak = peak_acceleration(change[at : at + round(spec.within * fps)])
        arrived = later > spec.judged
        left = self._share(change[round(fps) : at], first, second) > spec.judged
        return {
            "changed": float(left and arrived),
            "arrived": float(arrived),
            "left": float(left),
            "held": float(self._share(held[at + round(spec.within * fps) :], second, first) > spec.judged),
            "peak": peak,
            "ratio": peak / float(np.median(self._peaks(first) + self._peaks(second))),
            "accuracy": later,
        }

    def _share(self, clip: Clip, style: str, other: str) -> float:
        """Returns the share of a clip's windows that are classified as ``style`` rather than ``other``."""
        windows = gait_windows(clip, seconds=self.spec.window, hop=self.spec.hop)
        return float(self.classifier.prefers(windows, style, other).mean())

    def _peaks(self, style: str) -> list[float]:
        return self.walks.peaks[style]

    def _shared(self, first: str, second: str) -> Array:
        """Returns the least and the largest speed that both styles have; the least is larger if they share none."""
        speeds = [self.walks.speeds[self.walks.styles == style] for style in (first, second)]
        low, high = np.transpose([np.quantile(each, USUAL) for each in speeds])
        return np.array([low.max(), high.min()])

    def _speed(self, first: str, second: str) -> float:
        """Returns a speed of both styles, or one between theirs."""
        return float(self._shared(first, second).mean())

    def _trial(self, first: str, second: str, speed: float | None = None) -> Trial:
        fps = self.corpus.fps
        before, after = (round(seconds * fps) for seconds in (self.spec.before, self.spec.after))
        rows = np.tile(
            [self._speed(first, second) if speed is None else speed, 0.0, 0.0], (before + after, 1)
        )
        styles = [first] * before + [second] * after
        return Trial(f"{first} → {second}", ControlPath.from_velocities(rows, fps, styles=styles))

    def _walks(self) -> Walks:
        spec, fps = self.spec, self.corpus.fps
        windows, files, styles, speeds = [], [], [], []
        peaks: dict[str, list[float]] = {}
        length, hop, piece = (round(seconds * fps) for seconds in (spec.window, 2 * spec.hop, spec.within))
        for stretch in (*self.corpus.split("train"), *self.corpus.split("val")):
            if stretch.again or not stretch.style or len(stretch) < length:
                continue
            speed = np.linalg.norm(self.corpus.control[stretch.frames][:, :2], axis=1)
            starts = np.arange(0, len(stretch) - length + 1, hop)
            walking = np.array([self._walked(speed[start : start + length]) for start in starts])
            if not walking.any():
                continue
            clip = self.corpus.clip(stretch)
            windows.append(gait_windows(clip, seconds=spec.window, hop=hop / fps)[walking])
            speeds += [speed[start : start + length].mean() for start in starts[walking]]
            files += [stretch.name] * int(walking.sum())
            styles += [stretch.style] * int(walking.sum())
            found = peaks.setdefault(stretch.style, [])
            for start in range(0, len(stretch) - piece + 1, piece):
                if self._walked(speed[start : start + piece]):
                    found.append(peak_acceleration(clip[start : start + piece]))
        stacked = np.concatenate(windows) if windows else np.zeros((0, 1))
        return Walks(stacked, np.array(files, str), np.array(styles, str), np.array(speeds, float), peaks)

    def _walked(self, speed: Array) -> bool:
        return bool(speed.min() > self.spec.slowest and speed.max() < self.spec.fastest)


def peak_acceleration(clip: Clip) -> float:
    """Returns the largest acceleration (m/s²) of a joint in the world; 0 for fewer than three frames."""
    second = np.diff(clip.world_positions, 2, axis=0) * clip.fps**2
    return float(np.linalg.norm(second, axis=-1).max()) if len(second) else 0.0
