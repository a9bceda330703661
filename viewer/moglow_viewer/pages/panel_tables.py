"""The panels of an evaluation as tables of a page, coloured by their limits. Needs numpy alone."""

import math
from html import escape

from moglow.evaluation.panels import Panel
from moglow.evaluation.results import REAL, Evaluation
from moglow.evaluation.wording import number
from moglow_viewer.pages.tables import row_style


def panel_section(evaluation: Evaluation, panel: Panel) -> str:
    """Returns a panel's main conditions, the other ones in a collapsed table, and the remarks."""
    main = panel.brief or panel.conditions
    rest = tuple(each for each in panel.conditions if each not in main)
    folded = (
        f"<details><summary>one by one</summary>{_table(evaluation, panel, rest)}</details>" if rest else ""
    )
    remarks = "".join(f'<p class="note">{escape(remark)}</p>' for remark in panel.remarks)
    return f"{_table(evaluation, panel, main)}{folded}{remarks}" if panel.conditions else remarks


def _table(evaluation: Evaluation, panel: Panel, conditions: tuple[str, ...]) -> str:
    heads = "".join(
        f"<th>{measure.label}{f' <small>{measure.unit}</small>' if measure.unit else ''}</th>"
        for measure in panel.measures.values()
    )
    lines = []
    for condition in conditions:
        for row in (row for row in panel.rows if condition in panel.rows[row]):
            cells = "".join(_cell(panel, row, condition, key) for key in panel.measures)
            lines.append(
                f'<tr><th>{escape(condition)}</th><th><i class="{_colour(evaluation, row)}"></i>{escape(row)}</th>'
                f"{cells}</tr>"
            )
    return (
        f'<div class="wide"><table><thead><tr><th></th><th></th>{heads}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def _colour(evaluation: Evaluation, row: str) -> str:
    found = next((each for each in evaluation.rows if each.name == row), None)
    return row_style(evaluation, found) if found else "real" if row == REAL else "copy"


def _cell(panel: Panel, row: str, condition: str, key: str) -> str:
    found, scale = panel.rows[row][condition].get(key), panel.measures[key].scale
    if found is None or math.isnan(found.value):
        return "<td class=none>–</td>"
    limits, more = panel.limits_of(condition, key), ""
    if panel.is_recorded(row):
        if limits and all(map(math.isfinite, limits)):
            more = f" <small>({' … '.join(number(limit * scale) for limit in limits)})</small>"
    elif found.low is not None and found.high is not None:
        half = number((found.high - found.low) / 2 * scale)
        more = f" <small>± {half}</small>" if half != "0" else ""
    verdict = panel.verdict(row, condition, key) or "plain"
    return f'<td><span class="{verdict}">{number(found.value * scale)}{more}</span></td>'
