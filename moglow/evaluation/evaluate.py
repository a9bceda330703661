"""Models beside real motion, on the same controls, by the same code: what `moglow evaluate` does."""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from moglow.checkpoint import Checkpoint
from moglow.compute.device import find_device
from moglow.corpus.corpus import Corpus
from moglow.errors import CorpusError
from moglow.evaluation.experiment import Scene, draw
from moglow.evaluation.likelihoods import likelihoods
from moglow.evaluation.results import COPY, HELD_OUT, SYNTHETIC, Evaluation, EvaluationSpec, Row
from moglow.evaluation.trials import synthetic, wander
from moglow.evaluation.wandering import wandering
from moglow.sampling.ensemble import Ensemble


def evaluate(
    checkpoints: Mapping[str, Checkpoint],
    corpora: Sequence[Corpus],
    spec: EvaluationSpec,
    *,
    device: str = "cpu",
) -> Iterator[str | Evaluation]:
    """Yields what is being done, and at last the evaluation.

    Real motion, held-out controls and the copies come from the first corpus. A checkpoint is scored for likelihood on
    the corpus of its own encoding. Without a corpus there are synthetic controls and the wander only.
    """
    began, device = time.perf_counter(), find_device(device)
    corpus = corpora[0] if corpora else None
    _check(checkpoints, corpora)
    first = next(iter(checkpoints.values()))
    reach, fps = (corpus.control_range, corpus.fps) if corpus else (first.control_range, first.context.fps)
    made = synthetic(reach, fps, seconds=spec.synthetic_seconds)
    walked = wander(reach, fps, seconds=spec.wander_seconds)
    yield "real motion"
    scene = Scene(spec, corpus, made, walked, device)
    rows = [row for row in (scene.real_row(first),) if row]
    for name, checkpoint in checkpoints.items():
        own = next((c for c in corpora if _fits(checkpoint, c)), None)
        yield from _modelled(scene, name, checkpoint, own, rows)
    if scene.library:
        yield f"{COPY}: {len(scene.trials) + len(made)} controls"
        rows.append(scene.row(COPY, scene.copies(), {}))
    yield Evaluation(
        spec=spec,
        rows=tuple(rows),
        sheets=scene.sheets(),
        controls={
            HELD_OUT: sum(trial.seconds for trial in scene.trials),
            SYNTHETIC: sum(trial.seconds for trial in made),
            "wander": walked.seconds,
        },
        likeness=scene.likeness,
        notes=tuple(_notes(scene, checkpoints, corpora)),
        seconds=time.perf_counter() - began,
    )


def _modelled(
    scene: "Scene", name: str, checkpoint: Checkpoint, corpus: Corpus | None, rows: list[Row]
) -> Iterator[str]:
    """Draws and scores all of one model's motion and appends its row."""
    spec, ensemble = scene.spec, Ensemble(checkpoint, scene.spec.temperature, scene.device)
    seeds = spec.seeds if ensemble.model.noise_dim else 1
    yield f"{name}: {len(scene.trials) + len(scene.synthetic)} controls, {seeds} seeds"
    trials = [*scene.trials, *scene.synthetic]
    motions = draw(ensemble, trials, seeds)
    row = scene.row(name, [[m.clip for m in takes] for takes in motions], _about(checkpoint))
    if corpus and scene.trials:
        yield f"{name}: likelihood"
        own = [takes[0] for takes in motions[: len(scene.trials)]]
        row = replace(row, likelihood=likelihoods(checkpoint, ensemble.model, corpus, own))
    wanders = spec.wanders if ensemble.model.noise_dim else 1
    yield f"{name}: wandering for {spec.wander_seconds / 60:g} minutes, {wanders} times"
    (wandered,) = draw(ensemble, [scene.wander], wanders)
    known = scene.library.known_poses if scene.library else None
    path = scene.wander.path.resample(checkpoint.context.fps)
    row = replace(row, wandering=wandering(wandered, path, known))
    if scene.comparison and ensemble.model.noise_dim:
        warmth = []
        for temperature in spec.temperatures:
            yield f"{name}: temperature {temperature:g}"
            warmth.append(scene.warmth(checkpoint, temperature))
        row = replace(row, warmth=tuple(warmth))
    rows.append(row)


def _fits(checkpoint: Checkpoint, corpus: Corpus) -> bool:
    """Whether a checkpoint's encoding is the corpus', up to the rounding of the machines that made them."""
    return _alike(checkpoint.context.encoding.to_json(), corpus.encoding.to_json())


def _alike(one: Any, other: Any) -> bool:
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_alike(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_alike, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-9)
    return bool(one == other)


def _check(checkpoints: Mapping[str, Checkpoint], corpora: Sequence[Corpus]) -> None:
    for name, checkpoint in checkpoints.items():
        for corpus in corpora[:1]:
            if checkpoint.skeleton != corpus.encoding.skeleton:
                raise CorpusError(
                    f"--corpus: has another skeleton ({len(corpus.encoding.skeleton)} joints) than {name} "
                    f"({len(checkpoint.skeleton)}); give the corpus that it was trained on"
                )
            if not math.isclose(checkpoint.context.fps, corpus.fps):
                raise CorpusError(
                    f"--corpus: has {corpus.fps:g} frames a second, {name} {checkpoint.context.fps:g}; jerk and "
                    "slide depend on the rate, give a corpus of the same"
                )


def _about(checkpoint: Checkpoint) -> dict[str, Any]:
    kept = ("parameters", "steps", "seconds", "minutes_of_motion")
    figures = {key: checkpoint.figure(key) for key in kept}
    return {"model": checkpoint.model} | {key: value for key, value in figures.items() if value is not None}


def _notes(scene: Scene, checkpoints: Mapping[str, Checkpoint], corpora: Sequence[Corpus]) -> Iterator[str]:
    """What a reader must know to read the figures."""
    if not corpora:
        yield (
            "No corpus was given: there are no held-out controls, no distances to real motion and no likelihoods; "
            "the figures of real motion are those stored in the checkpoint."
        )
    elif not scene.trials:
        yield "The corpus holds no held-out clip of two seconds or more; there are synthetic controls only."
    for name, checkpoint in checkpoints.items():
        if corpora and not any(_fits(checkpoint, corpus) for corpus in corpora):
            yield f"{name} has another encoding than the corpus: its likelihood needs --corpus with its own as well."
    if scene.spec.seeds < 5:
        yield f"{scene.spec.seeds} seeds only: the intervals are wide, and diversity rests on few pairs."
