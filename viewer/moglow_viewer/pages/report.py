"""The report of an evaluation as a self-contained HTML page: tables, curves, contact sheets. It needs no script."""

from collections.abc import Iterator
from html import escape
from pathlib import Path
from string import Template

from moglow.evaluation.results import HELD_OUT, SYNTHETIC, Evaluation
from moglow.evaluation.wording import standings
from moglow_viewer.pages.curves import (
    drift_curves,
    footstep_curves,
    likelihood_histograms,
    temperature_curves,
)
from moglow_viewer.pages.film_strip import strip
from moglow_viewer.pages.panel_tables import panel_section
from moglow_viewer.pages.single_page import fingerprint, part, save_page
from moglow_viewer.pages.tables import control_tables, differences_table, figures_table, row_style

TITLES = {HELD_OUT: "Held-out controls", SYNTHETIC: "Seven synthetic controls, together"}


def write_report(evaluation: Evaluation, path: str | Path) -> None:
    """Writes the report; the same evaluation gives the same bytes."""
    save_page(make_report(evaluation), path)


def make_report(evaluation: Evaluation) -> str:
    """Returns the page as text; see `write_report`."""
    style = part("pages/report.css")
    return Template(part("pages/report.html")).substitute(
        policy=f"default-src 'none'; base-uri 'none'; form-action 'none'; style-src '{fingerprint(style)}'",
        style=style,
        summary="".join(_summary(evaluation)),
        body="".join(_sections(evaluation)),
    )


def _summary(evaluation: Evaluation) -> Iterator[str]:
    """Yields the amount of motion, the notes, and a tile for each row."""
    spec, seconds = evaluation.spec, evaluation.controls
    parts = [f"{spec.seeds} seed{'s' * (spec.seeds != 1)} at temperature {spec.temperature:g}"]
    if "controls" in spec.measures:
        parts.append(f"{seconds[HELD_OUT] / 60:.1f} minutes of held-out controls")
        parts.append(f"seven synthetic ones ({spec.synthetic_seconds:g} s each)")
    if "wander" in spec.measures:
        parts.append(f"{spec.wanders} wanders of {spec.wander_seconds / 60:g} minutes")
    yield f"<p>{', '.join(parts)}. The evaluation took {evaluation.seconds:.0f} s.</p>"
    yield from (f'<p class="note">{escape(note)}</p>' for note in evaluation.notes)
    yield '<div class="tiles">'
    for row in evaluation.rows:
        if row is evaluation.real:
            continue
        verdicts = [
            evaluation.verdict(row, group, key)
            for group in (HELD_OUT, SYNTHETIC)
            for key in row.figures.get(group, {})
        ]
        met, unclear = verdicts.count("in"), verdicts.count("unclear")
        bands = sum(verdict != "" for verdict in verdicts)
        more = (
            f"{row.about['parameters'] / 1e6:.1f} M parameters" if "parameters" in row.about else "no model"
        )
        if row.wandering:
            failed = row.wandering.blown_up + row.wandering.frozen
            more += f" · {failed} of {row.wandering.rollouts} wanders failed"
        yield (
            f'<div class="tile"><h3><i class="{row_style(evaluation, row)}"></i>{escape(row.name)}</h3>'
            f"<b>{met}</b> of {bands} figures in their band{f', {unclear} unclear' if unclear else ''}"
            f"<p>{escape(more)}</p></div>"
        )
    yield "</div>"


def _sections(evaluation: Evaluation) -> Iterator[str]:
    for group in (HELD_OUT, SYNTHETIC):
        if any(group in row.figures for row in evaluation.rows):
            yield _section(TITLES[group], figures_table(evaluation, group), _note_on(evaluation, group))
    yield _section("Compared with the first model", "".join(_compared(evaluation)))
    yield _section("Control by control", "".join(control_tables(evaluation)))
    yield _section("Footsteps", footstep_curves(evaluation))
    yield _section("Likelihood", "".join(likelihood_histograms(evaluation)))
    yield _section("Stability over minutes", "".join(drift_curves(evaluation)))
    yield _section("Quality and temperature", "".join(temperature_curves(evaluation)))
    for panel in evaluation.panels:
        yield _section(panel.title, panel_section(evaluation, panel), escape(panel.note))
    yield _section("Contact sheets", "".join(_sheets(evaluation)))


def _section(title: str, content: str, note: str = "") -> str:
    return (
        f"<section><h2>{escape(title)}</h2>{f'<p>{note}</p>' if note else ''}{content}</section>"
        if content
        else ""
    )


def _compared(evaluation: Evaluation) -> Iterator[str]:
    """Yields tables of differences, and a sentence for each row."""
    tables = [differences_table(evaluation, group) for group in (HELD_OUT, SYNTHETIC)]
    if any(tables) and evaluation.first:
        yield (
            f"<p>How much farther a figure is from its target than that of <b>{escape(evaluation.first.name)}</b>, "
            "control by control; negative if it is nearer. Differences whose whole interval is on one side of zero are "
            "coloured; about one in twenty is by chance.</p>"
        )
    yield from tables
    for group in (HELD_OUT, SYNTHETIC):
        yield from (f"<p>{escape(line)}.</p>" for line in standings(evaluation, group))


def _note_on(evaluation: Evaluation, group: str) -> str:
    if group == HELD_OUT:
        return (
            "Real motion is measured by the same code; its Fréchet distance is that of one half of it from the other, "
            "its diversity that of real takes with similar controls."
        )
    return (
        "The real motion for each control is the training motion with the most similar control."
        if evaluation.likeness
        else "There is no real motion for these; bands use the figures of held-out motion in the checkpoint."
    )


def _sheets(evaluation: Evaluation) -> Iterator[str]:
    if evaluation.sheets:
        yield (
            "<p>The middle six seconds (two of the real motion for synthetic controls), seen from the side; "
            '<b class="left-ink">left</b> and <b class="right-ink">right</b>, a dot at a planted foot.</p>'
        )
    for sheet in evaluation.sheets:
        strips = "".join(
            f'<div class="take"><span><i class="{row_style(evaluation, row)}"></i>{escape(row.name)}</span>'
            f"{strip(sheet.clips[row.name])}</div>"
            for row in evaluation.rows
            if row.name in sheet.clips
        )
        yield f"<details open><summary>{escape(sheet.control)}</summary>{strips}</details>"
