"""What `moglow evaluate` does with its options: progress and figures on a terminal, figures as JSON."""

import json
import math
from collections.abc import Sequence
from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from moglow.checkpoint import Checkpoint
from moglow.cli.terminal import cell, make_console
from moglow.corpus.corpus import Corpus
from moglow.evaluation.evaluate import evaluate
from moglow.evaluation.results import HELD_OUT, SYNTHETIC, Evaluation, EvaluationSpec, Row, to_json
from moglow.evaluation.wording import number, standings
from moglow.files.atomic import replacing
from moglow.measures.scores import MEASURES
from moglow.sampling.generate import TEMPERATURE

COLOURS = {"in": "green", "unclear": "yellow", "out": "red", "": ""}
SHOWN = (
    *("slide_median", "slide_mean", "locked_median", "locked_mean", "toe_height", "stance"),
    *("path_mean", "path_p95", "heading", "jerk", "frechet", "diversity"),
)
"""Figures that a terminal has room for; the report and the JSON have all."""


def evaluated(
    checkpoints: Sequence[Path],
    corpora: Sequence[Path],
    *,
    seeds: int,
    temperature: float | None,
    quick: bool,
    device: str,
) -> Evaluation:
    """Evaluates the checkpoints, all but the first held against it, and shows what is being done."""
    spec = EvaluationSpec(seeds=seeds, temperature=TEMPERATURE if temperature is None else temperature)
    models = {label(path, checkpoints): Checkpoint.read(path) for path in dict.fromkeys(checkpoints)}
    console = make_console(stderr=True)
    found: Evaluation | None = None
    with console.status("reading") as status:
        opened = [Corpus.open(path) for path in corpora]
        for event in evaluate(models, opened, spec.quick() if quick else spec, device=device):
            if isinstance(event, Evaluation):
                found = event
            else:
                status.update(event)
    assert found is not None, "an evaluation ends with one"
    return found


def label(path: Path, among: Sequence[Path]) -> str:
    """What a checkpoint is called in the tables: its name, or its whole path where names are alike.

    >>> label(Path("runs/a/best.safetensors"), [Path("runs/a/best.safetensors"), Path("runs/b/best.safetensors")])
    'runs/a/best.safetensors'
    >>> label(Path("runs/first"), [Path("runs/first")])
    'first'
    """
    return path.as_posix() if sum(other.stem == path.stem for other in among) > 1 else path.stem


def write_json(evaluation: Evaluation, path: Path) -> None:
    """Writes all figures, in SI units."""
    with replacing(path) as file:
        file.write(json.dumps(to_json(evaluation), indent=1, allow_nan=False).encode())


def scoreboard(evaluation: Evaluation) -> RenderableType:
    """The main figures, a table for each group of controls, coloured by their bands."""
    tables: list[RenderableType] = []
    for group in (HELD_OUT, SYNTHETIC):
        rows = [row for row in evaluation.rows if group in row.figures]
        table = Table(
            Column(no_wrap=True), *(row.name for row in rows), title=f"{group} controls", title_justify="left"
        )
        for key in SHOWN:
            if any(key in row.figures[group] for row in rows):
                measure = MEASURES[key]
                table.add_row(
                    f"{measure.label} {measure.unit}".strip(),
                    *(_cell(evaluation, row, group, key) for row in rows),
                )
        if rows:
            tables.append(table)
    lines = [line for group in (HELD_OUT, SYNTHETIC) for line in standings(evaluation, group)]
    return Group(*tables, *lines, *_likelihoods(evaluation), *_wanders(evaluation), *evaluation.notes)


def _cell(evaluation: Evaluation, row: Row, group: str, key: str) -> Text:
    found, scale = row.figures[group].get(key), MEASURES[key].scale
    if found is None or math.isnan(found.value):
        return cell("–")
    spread = ""
    if found.low is not None and found.high is not None:
        spread = f" ± {number((found.high - found.low) / 2 * scale)}".removesuffix(" ± 0")
    verdict = evaluation.verdict(row, group, key)
    return cell(number(found.value * scale) + spread, COLOURS[verdict])


def _likelihoods(evaluation: Evaluation) -> list[str]:
    return [
        f"{row.name}: held-out motion {number(-found.means['held-out'])} nats a frame "
        f"({number(-found.means['held-out'] / found.channels)} a channel; {number(-found.physical)} physical; "
        f"dequantised {found.dequantised:g} σ), training motion {number(-found.means['training'])}"
        for row in evaluation.rows
        if (found := row.likelihood)
    ]


def _wanders(evaluation: Evaluation) -> list[str]:
    lines = []
    for row in evaluation.rows:
        if found := row.wandering:
            drifts = ", ".join(
                f"{name} {100 * gain.value:+.0f} %"
                for name, gain in (("slide", found.slide_drift), ("jerk", found.jerk_drift))
                if not math.isnan(gain.value)
            )
            lines.append(
                f"{row.name}: wandered {found.rollouts} × {found.seconds:.0f} s, {found.blown_up} blew up, "
                f"{found.frozen} froze{f'; from first to last minute {drifts}' if drifts else ''}"
            )
    return lines
