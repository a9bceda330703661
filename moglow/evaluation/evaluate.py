"""The evaluation of models beside real motion on the same controls, as in `moglow evaluate`."""

import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from moglow.checkpoint import BEST, Checkpoint
from moglow.corpus.corpus import Corpus
from moglow.corpus.shards import files_of
from moglow.evaluation.manoeuvres import Driver
from moglow.evaluation.results import Evaluation, EvaluationSpec, Sheet
from moglow.evaluation.study import Outcome, Part, Study, parts
from moglow.motion.clip import Clip
from moglow.workers.workers import Workers


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
    began, study = time.perf_counter(), Study(checkpoints, corpora, spec, device, driver)
    outcomes = []
    for part in parts(list(checkpoints), spec.measures, corpus=bool(corpora), driver=driver is not None):
        outcomes.append((yield from study.made(part)))
    yield together(spec, outcomes, time.perf_counter() - began)


@dataclass(frozen=True)
class StudyFiles:
    """The files and the settings of an evaluation by workers; ``token`` differs from that of any other evaluation."""

    checkpoints: tuple[tuple[str, Path], ...]
    corpora: tuple[Path, ...]
    spec: EvaluationSpec
    device: str
    driver: Driver | None
    token: str


def evaluate_files(
    checkpoints: Mapping[str, Path],
    corpora: Sequence[Path],
    spec: EvaluationSpec,
    workers: Workers,
    *,
    device: str = "cpu",
    driver: Driver | None = None,
) -> Iterator[str | Evaluation]:
    """Yields what `evaluate` yields, computed by workers that read the files of checkpoints and corpora themselves.

    A task is a row of the tables or a panel; there is one line for each.
    """
    began = time.perf_counter()
    files = StudyFiles(tuple(checkpoints.items()), tuple(corpora), spec, device, driver, secrets.token_hex(8))
    jobs = parts(list(checkpoints), spec.measures, corpus=bool(corpora), driver=driver is not None)
    read = [path / BEST if path.is_dir() else path for path in checkpoints.values()]
    read += [file for corpus in corpora for file in files_of(corpus)]
    yield f"0 of {len(jobs)} parts"
    outcomes = []
    for outcome in workers.results(evaluate_part, files, jobs, lambda part: read):
        outcomes.append(outcome)
        yield f"{len(outcomes)} of {len(jobs)} parts"
    yield together(spec, outcomes, time.perf_counter() - began)


def evaluate_part(files: StudyFiles, part: Part) -> Outcome:
    """Computes a part of an evaluation; a task for workers."""
    steps = _study(files).made(part)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            outcome: Outcome = end.value
            return outcome


@lru_cache(maxsize=1)
def _study(files: StudyFiles) -> Study:
    """Returns the study of files; a process keeps the last one for its further parts."""
    checkpoints = {name: Checkpoint.read(path) for name, path in files.checkpoints}
    corpora = [Corpus.open(path) for path in files.corpora]
    return Study(checkpoints, corpora, files.spec, files.device, files.driver)


def together(spec: EvaluationSpec, outcomes: Sequence[Outcome], seconds: float) -> Evaluation:
    """Returns the evaluation with the outcomes of all parts, in the order of `parts`."""
    terms = outcomes[0].terms
    assert terms is not None, "the first part has the terms"
    shown: dict[str, dict[str, Clip]] = {}
    for outcome in outcomes:
        for control, rows in outcome.shown.items():
            shown.setdefault(control, {}).update(rows)
    return Evaluation(
        spec=spec,
        rows=tuple(outcome.row for outcome in outcomes if outcome.row),
        sheets=tuple(Sheet(name, shown[name]) for name in terms.sheets),
        controls=terms.controls,
        likeness=terms.likeness,
        notes=terms.notes,
        seconds=seconds,
        panels=tuple(outcome.panel for outcome in outcomes if outcome.panel),
    )
