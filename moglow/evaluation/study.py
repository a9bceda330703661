"""The parts of an evaluation: the recorded motion, the row of each model, the copies, and the panels.

Each part is computed alone, from the same checkpoints and corpora, so that workers can share them.
"""

import math
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from moglow.checkpoint import Checkpoint
from moglow.compute.device import find_device
from moglow.corpus.corpus import Corpus
from moglow.errors import CorpusError, MoglowError
from moglow.evaluation.discrimination import Discrimination
from moglow.evaluation.experiment import Experiment, middle, sample
from moglow.evaluation.likelihoods import likelihoods
from moglow.evaluation.manoeuvres import Driver, Manoeuvres
from moglow.evaluation.panels import Conditions, Exam, Panel
from moglow.evaluation.response import Response
from moglow.evaluation.results import COPY, HELD_OUT, MEASURED, REAL, SYNTHETIC, EvaluationSpec, Row
from moglow.evaluation.straight_walks import StraightWalks
from moglow.evaluation.style_changes import StyleChanges
from moglow.evaluation.trials import synthetic, wander
from moglow.evaluation.wandering import wandering
from moglow.motion.clip import Clip
from moglow.paths.control_range import ControlRange
from moglow.sampling.ensemble import Ensemble

RECORDED, MODEL, COPIED, PANEL = "recorded", "model", "copied", "panel"

Part = tuple[str, str]
"""The kind of a part, and the name of its model or panel."""
Shown = Mapping[str, Mapping[str, Clip]]
"""Clips for contact sheets by control and row."""


@dataclass(frozen=True, eq=False)
class Terms:
    """What all parts of an evaluation share: its controls in seconds, and the names of its contact sheets."""

    controls: Mapping[str, float]
    likeness: Mapping[str, float]
    sheets: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Outcome:
    """The result of a part: a row or a panel, clips for contact sheets, and the terms from the first part."""

    row: Row | None = None
    panel: Panel | None = None
    shown: Shown = field(default_factory=dict)
    terms: Terms | None = None


@dataclass(eq=False)
class Study:
    """Checkpoints and corpora to evaluate; ``driver`` steers a figure live."""

    checkpoints: Mapping[str, Checkpoint]
    corpora: Sequence[Corpus]
    spec: EvaluationSpec
    device: str = "cpu"
    driver: Driver | None = None

    def __post_init__(self) -> None:
        if unknown := set(self.spec.measures) - set(MEASURED):
            raise MoglowError(
                f"measures: {', '.join(sorted(unknown))}; expected some of {', '.join(MEASURED)}"
            )
        self.device = find_device(self.device)
        _check(self.checkpoints, self.corpora)
        self.corpus = self.corpora[0] if self.corpora else None
        self.controls = "controls" in self.spec.measures

    @property
    def fps(self) -> float:
        return self.corpus.fps if self.corpus else self._first.context.fps

    @property
    def reach(self) -> ControlRange:
        return (self.corpus or self._first).control_range

    @property
    def _first(self) -> Checkpoint:
        return next(iter(self.checkpoints.values()))

    @cached_property
    def experiment(self) -> Experiment:
        """The controls and the recorded motion."""
        reach = self.reach
        trials = synthetic(reach, self.fps, seconds=self.spec.synthetic_seconds) if self.controls else []
        walked = wander(reach, self.fps, seconds=self.spec.wander_seconds)
        return Experiment(self.spec, self.corpus, trials, walked, self.device)

    def made(self, part: Part) -> Generator[str, None, Outcome]:
        """Yields a line for each step of a part, and returns its outcome."""
        kind, name = part
        before = {control: set(rows) for control, rows in self.experiment.shown.items()}
        outcome = Outcome()
        if kind == RECORDED:
            yield "real motion"
            row = self.experiment.real_row(self._first) if self.controls else None
            outcome = Outcome(row=row, terms=self._terms())
        elif kind == MODEL:
            outcome = Outcome(row=(yield from self._evaluated(name)))
        elif kind == COPIED:
            count = len(self.experiment.trials) + len(self.experiment.synthetic)
            yield f"{COPY}: {count} controls"
            outcome = Outcome(row=self.experiment.row(COPY, self.experiment.copies(), {}))
        else:
            outcome = Outcome(panel=(yield from self._examined(name)))
        shown = {
            control: {row: middle(clip) for row, clip in rows.items() if row not in before.get(control, ())}
            for control, rows in self.experiment.shown.items()
        }
        return replace(outcome, shown={control: rows for control, rows in shown.items() if rows})

    def _terms(self) -> Terms:
        experiment = self.experiment
        return Terms(
            {
                HELD_OUT: sum(trial.seconds for trial in experiment.trials),
                SYNTHETIC: sum(trial.seconds for trial in experiment.synthetic),
                "wander": experiment.wander.seconds,
            },
            experiment.likeness,
            experiment.sheet_names,
            tuple(_notes(experiment, self.checkpoints, self.corpora)),
        )

    def _exam(self, name: str) -> Exam:
        """Returns the exam of a panel."""
        corpus, device, sampling = self.corpus, self.device, (self.spec.seeds, self.spec.temperature)
        if name == "tell" and corpus:
            return Discrimination(corpus, *sampling, self.spec.tell_seconds, device)
        if name == "gait":
            return StraightWalks(corpus, self.fps, *sampling, device)
        if name == "styles" and corpus:
            return StyleChanges(corpus, *sampling, device)
        assert self.driver, "only possible panels are parts"
        if name == "live":
            return Manoeuvres(self.driver, corpus, self.fps, *sampling)
        return Response(self.driver, corpus, self.reach, self.fps, *sampling, device)

    def _examined(self, name: str) -> Generator[str, None, Panel]:
        """Measures recorded motion and each model; yields a line for each, and returns the panel."""
        exam = self._exam(name)
        yield f"{exam.name}: {REAL}"
        recorded = exam.recorded()
        rows: dict[str, Conditions] = {REAL: recorded} if recorded else {}
        for model, checkpoint in self.checkpoints.items():
            yield f"{exam.name}: {model}"
            rows[model] = exam.sampled(model, checkpoint)
        return exam.panel(rows, bool(recorded))

    def _evaluated(self, name: str) -> Generator[str, None, Row]:
        """Samples and scores all motion of one model; yields a line for each step, and returns its row."""
        experiment, spec, checkpoint = self.experiment, self.spec, self.checkpoints[name]
        corpus = next((each for each in self.corpora if _fits(checkpoint, each)), None)
        ensemble = Ensemble(checkpoint, spec.temperature, self.device)
        seeds = spec.seeds if ensemble.model.noise_dim else 1
        row = Row(name, {}, about=_about(checkpoint))
        if self.controls:
            yield f"{name}: {len(experiment.trials) + len(experiment.synthetic)} controls, {seeds} seeds"
            trials = [*experiment.trials, *experiment.synthetic]
            motions = sample(ensemble, trials, seeds)
            row = experiment.row(name, [[m.clip for m in takes] for takes in motions], row.about)
            if corpus and experiment.trials:
                yield f"{name}: likelihood"
                own = [takes[0] for takes in motions[: len(experiment.trials)]]
                row = replace(row, likelihood=likelihoods(checkpoint, ensemble.model, corpus, own))
        if "wander" in spec.measures:
            wanders = spec.wanders if ensemble.model.noise_dim else 1
            yield f"{name}: wandering for {spec.wander_seconds / 60:g} minutes, {wanders} times"
            (wandered,) = sample(ensemble, [experiment.wander], wanders)
            known = experiment.real_motion.known_poses if experiment.real_motion else None
            path = experiment.wander.path.resample(checkpoint.context.fps)
            row = replace(row, wandering=wandering(wandered, path, known))
        if self.controls and experiment.comparison and ensemble.model.noise_dim:
            figures = []
            for temperature in spec.temperatures:
                yield f"{name}: temperature {temperature:g}"
                figures.append(experiment.at_temperature(checkpoint, temperature))
            row = replace(row, temperatures=tuple(figures))
        return row


def parts(checkpoints: Sequence[str], measures: Sequence[str], *, corpus: bool, driver: bool) -> list[Part]:
    """Returns the possible parts of an evaluation of so named checkpoints, in the order of the results.

    >>> parts(["first"], ("controls", "tell", "gait"), corpus=False, driver=False)
    [('recorded', ''), ('model', 'first'), ('panel', 'gait')]
    """
    panels = {"tell": corpus, "gait": True, "styles": corpus, "live": driver, "response": driver}
    return [
        (RECORDED, ""),
        *((MODEL, name) for name in checkpoints),
        *([(COPIED, "")] if corpus and "controls" in measures else []),
        *((PANEL, name) for name, possible in panels.items() if possible and name in measures),
    ]


def _fits(checkpoint: Checkpoint, corpus: Corpus) -> bool:
    """Returns whether a checkpoint and a corpus have the same encoding, up to rounding on different machines."""
    return _equal(checkpoint.context.encoding.to_json(), corpus.encoding.to_json())


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_equal, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-9)
    return bool(one == other)


def _check(checkpoints: Mapping[str, Checkpoint], corpora: Sequence[Corpus]) -> None:
    for name, checkpoint in checkpoints.items():
        for corpus in corpora[:1]:
            if checkpoint.skeleton != corpus.encoding.skeleton:
                raise CorpusError(
                    f"the corpus has another skeleton ({len(corpus.encoding.skeleton)} joints) than {name} "
                    f"({len(checkpoint.skeleton)}); give the corpus that the model was trained on"
                )
            if not math.isclose(checkpoint.context.fps, corpus.fps):
                raise CorpusError(
                    f"the corpus has {corpus.fps:g} frames a second, {name} {checkpoint.context.fps:g}; jerk and "
                    "slide depend on the rate, give a corpus of the same rate"
                )


def _about(checkpoint: Checkpoint) -> dict[str, Any]:
    kept = ("parameters", "steps", "seconds", "minutes_of_motion")
    figures = {key: checkpoint.figure(key) for key in kept}
    return {"model": checkpoint.model} | {key: value for key, value in figures.items() if value is not None}


def _notes(
    experiment: Experiment, checkpoints: Mapping[str, Checkpoint], corpora: Sequence[Corpus]
) -> Iterator[str]:
    """Yields remarks that a reader of the figures needs."""
    if not corpora:
        yield (
            "No corpus was given: there are no held-out controls, distances to real motion, likelihoods, tests that "
            "distinguish sampled from recorded motion, or changes of style; the figures of real motion are those "
            "stored in the checkpoint."
        )
    elif "controls" in experiment.spec.measures and not experiment.trials:
        yield "The corpus has no held-out clip of two seconds or more; there are only synthetic controls."
    for name, checkpoint in checkpoints.items():
        scored = corpora and "controls" in experiment.spec.measures
        if scored and not any(_fits(checkpoint, corpus) for corpus in corpora):
            yield f"{name} has another encoding than the corpus: its likelihood needs the corpus of that encoding too."
    if experiment.spec.seeds < 5:
        yield f"{experiment.spec.seeds} seeds only: the intervals are wide, and diversity is a mean over few pairs."
