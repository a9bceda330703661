"""An experiment: the controls and the real motion of an evaluation, and the scores of motions on them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from moglow.checkpoint import Checkpoint
from moglow.corpus.corpus import Corpus
from moglow.evaluation.comparison import Comparison, most_similar
from moglow.evaluation.real_motion import RealMotion
from moglow.evaluation.results import (
    HELD_OUT,
    REAL,
    SYNTHETIC,
    EvaluationSpec,
    Row,
    TemperatureFigures,
)
from moglow.evaluation.trials import Trial, held_out
from moglow.measures.bands import BANDS, Estimate, FigureParts
from moglow.measures.metrics import TOLERANCES, heel_points, jerk, step_durations, toe_slide
from moglow.measures.scores import Score, pooled, score
from moglow.motion.clip import Clip
from moglow.motion.contacts import toe_points
from moglow.sampling.ensemble import Ensemble, Motion

SHEET = 6.0
"""Seconds of a motion on a contact sheet."""


class Experiment:
    """The controls, the real motion and the clips for contact sheets that all rows of an evaluation share."""

    def __init__(
        self,
        spec: EvaluationSpec,
        corpus: Corpus | None,
        synthetic: Sequence[Trial],
        wander: Trial,
        device: str = "cpu",
    ) -> None:
        self.spec, self.corpus, self.synthetic, self.wander = spec, corpus, synthetic, wander
        self.device = device
        held = corpus if "controls" in spec.measures else None
        self.trials = held_out(held, seconds=spec.held_out_seconds) if held else []
        real = self.real_motion = RealMotion(corpus) if corpus else None
        self.comparison = Comparison(real, self.trials) if real and self.trials else None
        shortened = self._up_to(spec.sweep_seconds)
        self.sweep = Comparison(real, shortened) if real and shortened else None
        self.similar: dict[str, list[Trial]] = {}
        self.likeness: dict[str, float] = {}
        if real:
            for trial in synthetic:
                self.similar[trial.name], self.likeness[trial.name] = most_similar(real, trial)
        self.shown: dict[str, dict[str, Clip]] = {}

    def _up_to(self, seconds: float) -> list[Trial]:
        """Returns the first trials up to a total of `seconds`, at least one."""
        ends = np.cumsum([trial.seconds for trial in self.trials])
        return [t for t, end in zip(self.trials, ends, strict=True) if end - t.seconds < seconds]

    def copies(self) -> list[list[Clip]]:
        """Returns copied motion for each trial and seed."""
        assert self.real_motion is not None
        seeds = range(self.spec.seeds)
        return [self.real_motion.copies(trial.path, seeds) for trial in (*self.trials, *self.synthetic)]

    def row(self, name: str, takes: Sequence[Sequence[Clip]], about: Mapping[str, Any]) -> Row:
        """Returns the row of motions of the held-out and then of the synthetic trials, one for each seed."""
        trials = [*self.trials, *self.synthetic]
        scores = [
            [score(clip, trial.path.resample(clip.fps)) for clip in clips]
            for trial, clips in zip(trials, takes, strict=True)
        ]
        count, seeds = len(self.trials), range(len(takes[0]))
        seconds = [trial.seconds for trial in self.trials]
        groups: dict[str, list[dict[str, float]]] = {}
        if count:
            groups[HELD_OUT] = [pooled([s[seed] for s in scores[:count]], seconds) for seed in seeds]
        groups[SYNTHETIC] = [
            pooled([s[seed] for s in scores[count:]], [1.0] * len(self.synthetic)) for seed in seeds
        ]
        for trial, each in zip(self.synthetic, scores[count:], strict=True):
            groups[trial.name] = [each[seed] for seed in seeds]
        figures = {group: estimates(values) for group, values in groups.items()}
        parts = {
            HELD_OUT: broken_down(scores[:count], seconds),
            SYNTHETIC: broken_down(scores[count:], [1.0] * len(self.synthetic)),
        }
        if self.comparison:
            held = takes[:count]
            distances = [self.comparison.frechet([clips[seed] for clips in held]) for seed in seeds]
            figures[HELD_OUT]["frechet"] = Estimate.of(distances)
            figures[HELD_OUT]["diversity"] = Estimate(self.comparison.diversity(held))
            parts[HELD_OUT]["frechet"] = FigureParts(tuple(distances), (1.0,) * len(distances))
        self._show(name, trials, takes)
        clips = [clips[0] for clips in (takes[:count] if count else takes)]
        return Row(name, figures, footstep_curve(clips), about=about, parts=parts)

    def _show(
        self, row: str, trials: Sequence[Trial], takes: Sequence[Sequence[Clip]], control: str = ""
    ) -> None:
        """Keeps the first take of each trial for the contact sheets, by the name of the control."""
        for trial, clips in zip(trials, takes, strict=True):
            self.shown.setdefault(control or trial.name, {})[row] = clips[0]

    def real_row(self, checkpoint: Checkpoint) -> Row | None:
        """Returns the row of held-out real motion and, for synthetic controls, of the most similar real motion.

        Without a corpus it has the figures stored in the checkpoint, if any.
        """
        if self.corpus is None:
            return stored(checkpoint)
        figures: dict[str, dict[str, Estimate]] = {}
        parts: dict[str, dict[str, FigureParts]] = {}
        clips = [trial.real for trial in self.trials if trial.real]
        if self.comparison:
            scores = [score(clip, trial.path) for clip, trial in zip(clips, self.trials, strict=True)]
            seconds = [trial.seconds for trial in self.trials]
            figures[HELD_OUT] = estimates([pooled(scores, seconds)])
            parts[HELD_OUT] = broken_down([[each] for each in scores], seconds)
            figures[HELD_OUT]["frechet"] = Estimate(self.comparison.frechet())
            figures[HELD_OUT]["diversity"] = Estimate(self.comparison.real_diversity)
            self._show(REAL, self.trials, [[clip] for clip in clips])
        means = []
        for name, found in self.similar.items():
            scores = [score(trial.real, trial.path) for trial in found if trial.real]
            means.append(pooled(scores, [1.0] * len(scores)))
            figures[name] = estimates(means[-1:])
            self._show(REAL, found[:1], [[trial.real] for trial in found[:1] if trial.real], name)
        figures[SYNTHETIC] = estimates([pooled(means, [1.0] * len(means))])
        parts[SYNTHETIC] = broken_down([[each] for each in means], [1.0] * len(means))
        return Row(REAL, figures, footstep_curve(clips), parts=parts)

    def at_temperature(self, checkpoint: Checkpoint, temperature: float) -> TemperatureFigures:
        """Returns the figures of a few held-out controls at another temperature, with two seeds."""
        assert self.sweep is not None
        takes = sample(Ensemble(checkpoint, temperature, self.device), self.sweep.trials, 2)
        clips = [[motion.clip for motion in each] for each in takes]
        first = [each[0] for each in clips]
        weights = [clip.duration for clip in first]
        slides = [toe_slide(toe_points(clip), clip.fps).median for clip in first]
        jerks = [jerk(clip.world_positions, clip.fps) for clip in first]
        return TemperatureFigures(
            temperature,
            float(np.average(slides, weights=weights)),
            float(np.average(jerks, weights=weights)),
            self.sweep.frechet(first) / self.sweep.frechet(),
            self.sweep.diversity(clips) / self.sweep.real_diversity,
        )

    @property
    def sheet_names(self) -> tuple[str, ...]:
        """The names of the controls with a contact sheet: each synthetic one, and three held-out ones."""
        held_out = self.trials[:: max(1, len(self.trials) // 3)][:3]
        return tuple(trial.name for trial in (*self.synthetic, *held_out))


def middle(clip: Clip) -> Clip:
    """Returns the middle seconds of a clip, for a contact sheet."""
    frames = round(SHEET * clip.fps)
    start = max(0, (len(clip) - frames) // 2)
    return clip[start : start + frames]


def estimates(by_seed: Sequence[Mapping[str, float]]) -> dict[str, Estimate]:
    """Returns each figure with its interval over seeds."""
    return {key: Estimate.of([figures[key] for figures in by_seed]) for key in by_seed[0]}


def broken_down(scores: Sequence[Sequence[Score]], weights: Sequence[float]) -> dict[str, FigureParts]:
    """Returns the figures with a band for each control, as means over its seeds."""
    over_seeds = [pooled(each, [1.0] * len(each)) for each in scores]
    keys = [key for key in BANDS if over_seeds and key in over_seeds[0]]
    return {key: FigureParts(tuple(each[key] for each in over_seeds), tuple(weights)) for key in keys}


def footstep_curve(clips: Sequence[Clip]) -> tuple[float, ...]:
    """Returns the steps per second for each of `TOLERANCES`, over all clips."""
    seconds = sum(clip.duration for clip in clips)
    counts = np.zeros(len(TOLERANCES))
    for clip in clips:
        counts += [len(steps) for steps in step_durations(heel_points(clip), clip.fps)]
    return tuple((counts / max(seconds, 1e-9)).tolist())


def stored(checkpoint: Checkpoint) -> Row | None:
    """Returns the figures of real motion that are stored in a checkpoint, or None."""
    found = {
        key: checkpoint.figure("validation", "real", key) for key in ("slide_median", "slide_mean", "jerk")
    }
    kept = {key: Estimate(value) for key, value in found.items() if value is not None}
    return Row(REAL, {HELD_OUT: kept}, about={"stored": True}) if kept else None


def sample(ensemble: Ensemble, trials: Sequence[Trial], seeds: int) -> list[list[Motion]]:
    """Returns motions of each trial, one for each seed; those of different trials are independent."""
    paths = [trial.path for trial in trials for _ in range(seeds)]
    performers = [trial.performer for trial in trials for _ in range(seeds)]
    sampled = dict(ensemble.motions(paths, range(len(paths)), performers))
    return [[sampled[k * seeds + seed] for seed in range(seeds)] for k in range(len(trials))]
