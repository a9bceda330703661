"""The evaluation of models beside real motion on the same controls, as in `moglow evaluate`."""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from moglow.checkpoint import Checkpoint
from moglow.compute.device import find_device
from moglow.corpus.corpus import Corpus
from moglow.errors import CorpusError, MoglowError
from moglow.evaluation.discrimination import Discrimination
from moglow.evaluation.experiment import Experiment, sample
from moglow.evaluation.likelihoods import likelihoods
from moglow.evaluation.manoeuvres import Driver, Manoeuvres
from moglow.evaluation.panels import Conditions, Exam, Panel
from moglow.evaluation.response import Response
from moglow.evaluation.results import (
    COPY,
    HELD_OUT,
    MEASURED,
    REAL,
    SYNTHETIC,
    Evaluation,
    EvaluationSpec,
    Row,
)
from moglow.evaluation.straight_walks import StraightWalks
from moglow.evaluation.style_changes import StyleChanges
from moglow.evaluation.trials import synthetic, wander
from moglow.evaluation.wandering import wandering
from moglow.paths.control_range import ControlRange
from moglow.sampling.ensemble import Ensemble


def evaluate(
    checkpoints: Mapping[str, Checkpoint],
    corpora: Sequence[Corpus],
    spec: EvaluationSpec,
    *,
    device: str = "cpu",
    driver: Driver | None = None,
) -> Iterator[str | Evaluation]:
    """Yields a line for each step of the work and finally the evaluation.

    Real motion, held-out controls and the copies are from the first corpus. The likelihood of a checkpoint is computed
    on the corpus with its encoding. Without a corpus there are only the synthetic controls, the wander, straight walks,
    live manoeuvres and the response. ``driver`` steers a figure live; without one the last two are omitted.

    Raises:
        MoglowError: for an unknown measure in ``spec``.
        CorpusError: for a corpus of another skeleton or rate than a checkpoint's.
    """
    if unknown := set(spec.measures) - set(MEASURED):
        raise MoglowError(f"measures: {', '.join(sorted(unknown))}; expected some of {', '.join(MEASURED)}")
    began, device = time.perf_counter(), find_device(device)
    corpus = corpora[0] if corpora else None
    _check(checkpoints, corpora)
    first = next(iter(checkpoints.values()))
    reach, fps = (corpus.control_range, corpus.fps) if corpus else (first.control_range, first.context.fps)
    controls = "controls" in spec.measures
    trials = synthetic(reach, fps, seconds=spec.synthetic_seconds) if controls else []
    walked = wander(reach, fps, seconds=spec.wander_seconds)
    yield "real motion"
    experiment = Experiment(spec, corpus, trials, walked, device)
    rows = [row for row in (experiment.real_row(first) if controls else None,) if row]
    for name, checkpoint in checkpoints.items():
        own = next((c for c in corpora if _fits(checkpoint, c)), None)
        yield from _evaluated(experiment, name, checkpoint, own, rows)
    if experiment.real_motion and controls:
        yield f"{COPY}: {len(experiment.trials) + len(trials)} controls"
        rows.append(experiment.row(COPY, experiment.copies(), {}))
    panels: list[Panel] = []
    for exam in _exams(spec, corpus, reach, fps, device, driver):
        yield from _examined(exam, checkpoints, panels)
    yield Evaluation(
        spec=spec,
        rows=tuple(rows),
        sheets=experiment.sheets(),
        controls={
            HELD_OUT: sum(trial.seconds for trial in experiment.trials),
            SYNTHETIC: sum(trial.seconds for trial in trials),
            "wander": walked.seconds,
        },
        likeness=experiment.likeness,
        notes=tuple(_notes(experiment, checkpoints, corpora)),
        seconds=time.perf_counter() - began,
        panels=tuple(panels),
    )


def _exams(
    spec: EvaluationSpec,
    corpus: Corpus | None,
    reach: ControlRange,
    fps: float,
    device: str,
    driver: Driver | None,
) -> Iterator[Exam]:
    """Yields the exams of the requested panels that are possible."""
    sampling = spec.seeds, spec.temperature
    if "tell" in spec.measures and corpus:
        yield Discrimination(corpus, *sampling, spec.tell_seconds, device)
    if "gait" in spec.measures:
        yield StraightWalks(corpus, fps, *sampling, device)
    if "styles" in spec.measures and corpus:
        yield StyleChanges(corpus, *sampling, device)
    if "live" in spec.measures and driver:
        yield Manoeuvres(driver, corpus, fps, *sampling)
    if "response" in spec.measures and driver:
        yield Response(driver, corpus, reach, fps, *sampling, device)


def _examined(exam: Exam, checkpoints: Mapping[str, Checkpoint], panels: list[Panel]) -> Iterator[str]:
    """Measures recorded motion and each model, and appends the panel; yields a line for each."""
    yield f"{exam.name}: {REAL}"
    recorded = exam.recorded()
    rows: dict[str, Conditions] = {REAL: recorded} if recorded else {}
    for name, checkpoint in checkpoints.items():
        yield f"{exam.name}: {name}"
        rows[name] = exam.sampled(name, checkpoint)
    panels.append(exam.panel(rows, bool(recorded)))


def _evaluated(
    experiment: Experiment, name: str, checkpoint: Checkpoint, corpus: Corpus | None, rows: list[Row]
) -> Iterator[str]:
    """Samples and scores all motion of one model and appends its row; yields a line for each step."""
    spec, ensemble = experiment.spec, Ensemble(checkpoint, experiment.spec.temperature, experiment.device)
    seeds = spec.seeds if ensemble.model.noise_dim else 1
    row, controls = Row(name, {}, about=_about(checkpoint)), "controls" in spec.measures
    if controls:
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
    if controls and experiment.comparison and ensemble.model.noise_dim:
        figures = []
        for temperature in spec.temperatures:
            yield f"{name}: temperature {temperature:g}"
            figures.append(experiment.at_temperature(checkpoint, temperature))
        row = replace(row, temperatures=tuple(figures))
    rows.append(row)


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
