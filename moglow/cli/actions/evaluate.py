"""Implements `moglow evaluate`: shows progress and results on a terminal and writes results as JSON."""

import json
import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from moglow.checkpoint import Checkpoint
from moglow.cli.terminal import cell, make_console
from moglow.corpus.corpus import Corpus
from moglow.evaluation.evaluate import evaluate, evaluate_files
from moglow.evaluation.panels import Panel
from moglow.evaluation.results import HELD_OUT, SYNTHETIC, Evaluation, EvaluationSpec, Row, to_json
from moglow.evaluation.wording import number, standings
from moglow.files.atomic import replacing
from moglow.measures.bands import Estimate
from moglow.measures.scores import MEASURES
from moglow.sampling.generate import TEMPERATURE
from moglow.workers.opening import open_workers
from moglow_viewer.play.scripted import driven

COLOURS = {"in": "green", "unclear": "yellow", "out": "red", "": ""}
SHOWN = (
    *("slide_median", "slide_mean", "locked_median", "locked_mean", "toe_height", "stance"),
    *("path_mean", "path_p95", "heading", "straight_knees", "jerk", "frechet", "diversity"),
)
"""The measures shown on a terminal; the report and the JSON contain all."""


def evaluated(
    checkpoints: Sequence[Path],
    corpora: Sequence[Path],
    *,
    seeds: int,
    temperature: float | None,
    quick: bool,
    device: str,
    measures: tuple[str, ...],
    scheduler: str | None = None,
) -> Evaluation:
    """Evaluates the checkpoints, compares all others with the first and shows progress."""
    heat = TEMPERATURE if temperature is None else temperature
    spec = EvaluationSpec(seeds=seeds, temperature=heat, measures=measures)
    spec = spec.quick() if quick else spec
    files = {label(path, checkpoints): path for path in dict.fromkeys(checkpoints)}
    console = make_console(stderr=True)
    found: Evaluation | None = None
    with console.status("reading") as status, ExitStack() as opened:
        how: dict[str, Any] = {"device": device, "driver": driven}
        if scheduler:
            workers = opened.enter_context(open_workers(scheduler))
            events = evaluate_files(files, corpora, spec, workers, **how)
        else:
            models = {name: Checkpoint.read(path) for name, path in files.items()}
            events = evaluate(models, [Corpus.open(path) for path in corpora], spec, **how)
        for event in events:
            if isinstance(event, Evaluation):
                found = event
            else:
                status.update(event)
    assert found is not None, "an evaluation ends with one"
    return found


def label(path: Path, among: Sequence[Path]) -> str:
    """Returns the label of a checkpoint in tables: its name, or its path if several have the same name.

    >>> label(Path("runs/a/best.safetensors"), [Path("runs/a/best.safetensors"), Path("runs/b/best.safetensors")])
    'runs/a/best.safetensors'
    >>> label(Path("runs/first"), [Path("runs/first")])
    'first'
    """
    return path.as_posix() if sum(other.stem == path.stem for other in among) > 1 else path.stem


def write_json(evaluation: Evaluation, path: Path) -> None:
    """Writes all results in SI units."""
    with replacing(path) as file:
        file.write(json.dumps(to_json(evaluation), indent=1, allow_nan=False).encode())


def scoreboard(evaluation: Evaluation) -> RenderableType:
    """Returns a table of the main measures for each group of controls, coloured by their bands."""
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
    lines += [*_likelihoods(evaluation), *_wanders(evaluation)]
    return Group(*tables, *lines, *_panels(evaluation), *evaluation.notes)


def _panels(evaluation: Evaluation) -> Iterator[RenderableType]:
    for panel in evaluation.panels:
        yield panel_table(panel)
        yield from panel.remarks


def panel_table(panel: Panel) -> Table:
    """Returns a table of a panel with a line for each condition and row of motion, coloured by the limits."""
    rows = [row for row in panel.rows if panel.rows[row]]
    keys = [
        key
        for key in panel.columns or panel.measures
        if any(
            not math.isnan(found[key].value)
            for row in rows
            for found in panel.rows[row].values()
            if key in found
        )
    ]
    heads = [f"{panel.measures[key].label} {panel.measures[key].unit}".strip() for key in keys]
    table = Table("", "", *heads, title=panel.title, title_justify="left")
    for condition in panel.brief or panel.conditions:
        for row in (row for row in rows if condition in panel.rows[row]):
            cells = [_panel_cell(panel, row, condition, key) for key in keys]
            table.add_row(condition if row == rows[0] else "", row, *cells)
    return table


def _panel_cell(panel: Panel, row: str, condition: str, key: str) -> Text:
    found, scale = panel.rows[row][condition].get(key), panel.measures[key].scale
    if found is None or math.isnan(found.value):
        return cell("–")
    text, limits = number(found.value * scale), panel.limits_of(condition, key)
    if panel.is_recorded(row):
        band = limits and all(map(math.isfinite, limits))
        more = f" ({' … '.join(number(limit * scale) for limit in limits)})" if limits and band else ""
        return cell(text + more)
    return cell(text + spread(found, scale), COLOURS[panel.verdict(row, condition, key)])


def spread(found: Estimate, scale: float) -> str:
    """Returns half the confidence interval of an estimate as text, or "" without an interval.

    >>> spread(Estimate(1.0, 0.5, 1.5), 100), spread(Estimate(1.0), 100)
    (' ± 50', '')
    """
    if found.low is None or found.high is None:
        return ""
    return f" ± {number((found.high - found.low) / 2 * scale)}".removesuffix(" ± 0")


def _cell(evaluation: Evaluation, row: Row, group: str, key: str) -> Text:
    found, scale = row.figures[group].get(key), MEASURES[key].scale
    if found is None or math.isnan(found.value):
        return cell("–")
    verdict = evaluation.verdict(row, group, key)
    return cell(number(found.value * scale) + spread(found, scale), COLOURS[verdict])


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
