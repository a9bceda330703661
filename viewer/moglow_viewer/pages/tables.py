"""The figures of an evaluation as tables of a page, coloured by their bands. Needs numpy alone."""

import math
from collections.abc import Iterator
from html import escape

from moglow.evaluation.results import COPY, HELD_OUT, REAL, SYNTHETIC, Evaluation, Row
from moglow.evaluation.wording import difference_text, number
from moglow.measures.bands import Estimate, standing
from moglow.measures.scores import MEASURES

SHORT = ("slide_median", "slide_mean", "locked_median", "locked_mean", "stance", "path_p95", "jerk")
"""Figures of the tables with a line per control."""


def row_style(evaluation: Evaluation, row: Row) -> str:
    """Returns the CSS class of a row's colour."""
    if row.name == REAL:
        return "real"
    if row.name == COPY:
        return "copy"
    models = [each for each in evaluation.rows if each.name not in (REAL, COPY)]
    return f"model{models.index(row) % 6}"


def figures_table(evaluation: Evaluation, group: str) -> str:
    """Returns a table of all figures with a column for each row of the evaluation, and the bands."""
    rows = [row for row in evaluation.rows if group in row.figures]
    head = "".join(f'<th><i class="{row_style(evaluation, row)}"></i>{escape(row.name)}</th>' for row in rows)
    lines = []
    for key, measure in MEASURES.items():
        found = [row.figures[group].get(key) for row in rows]
        if all(each is None or math.isnan(each.value) for each in found):
            continue
        cells = "".join(_cell(evaluation, row, group, key) for row in rows)
        unit = f" <small>{measure.unit}</small>" if measure.unit else ""
        lines.append(
            f"<tr><th>{measure.label}{unit}</th>{cells}<td class=limits>{_band(evaluation, group, key)}</td></tr>"
        )
    return (
        f'<div class="wide"><table><thead><tr><th></th>{head}<th>band</th></tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def _cell(evaluation: Evaluation, row: Row, group: str, key: str) -> str:
    found = row.figures[group].get(key, Estimate(math.nan))
    if math.isnan(found.value):
        return "<td class=none>–</td>"
    verdict, scale = evaluation.verdict(row, group, key), MEASURES[key].scale
    spread = ""
    if found.low is not None and found.high is not None:
        half = number((found.high - found.low) / 2 * scale)
        spread = f" <small>± {half}</small>" if half != "0" else ""
    return f'<td><span class="{verdict or "plain"}">{number(found.value * scale)}{spread}</span></td>'


def _band(evaluation: Evaluation, group: str, key: str) -> str:
    limits, scale = evaluation.limits(group, key), MEASURES[key].scale
    if limits is None:
        return ""
    low, high = (number(limit * scale) if math.isfinite(limit) else "" for limit in limits)
    return f"{low} – {high}" if low and high else f"≤ {high}" if high else f"≥ {low}"


def differences_table(evaluation: Evaluation, group: str) -> str:
    """Returns a table of how much farther each row is from the targets than the first model; "" without others."""
    rows = [
        row
        for row in evaluation.rows
        if any(difference_text(evaluation, row, group, key) for key in MEASURES)
    ]
    head = "".join(f'<th><i class="{row_style(evaluation, row)}"></i>{escape(row.name)}</th>' for row in rows)
    lines = []
    for key, measure in MEASURES.items():
        cells = []
        for row in rows:
            text, found = difference_text(evaluation, row, group, key), evaluation.difference(row, group, key)
            style = {"better": "in", "worse": "out"}.get(standing(found) if found else "", "plain")
            cells.append(f'<td><span class="{style}">{text}</span></td>' if text else "<td class=none>–</td>")
        if any("span" in cell for cell in cells):
            unit = f" <small>{measure.unit}</small>" if measure.unit else ""
            lines.append(f"<tr><th>{measure.label}{unit}</th>{''.join(cells)}</tr>")
    return (
        f'<div class="wide"><table><thead><tr><th>{escape(group)}</th>{head}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>"
        if rows
        else ""
    )


def control_tables(evaluation: Evaluation) -> Iterator[str]:
    """Yields a table for each row of the evaluation, with a line for each synthetic control."""
    names = [
        name
        for name in (evaluation.rows[-1].figures if evaluation.rows else {})
        if name not in (HELD_OUT, SYNTHETIC)
    ]
    keys = "".join(
        f"<th>{MEASURES[key].label}{f' <small>{MEASURES[key].unit}</small>' if MEASURES[key].unit else ''}</th>"
        for key in SHORT
    )
    for row in evaluation.rows:
        lines = [
            f"<tr><th>{escape(name)}</th>{''.join(_cell(evaluation, row, name, key) for key in SHORT)}</tr>"
            for name in names
            if name in row.figures
        ]
        if lines:
            yield (
                f'<details{" open" if row.name != COPY else ""}><summary><i class="{row_style(evaluation, row)}"></i>'
                f'{escape(row.name)}</summary><div class="wide"><table><thead><tr><th></th>{keys}</tr></thead>'
                f"<tbody>{''.join(lines)}</tbody></table></div></details>"
            )
