"""The curves of an evaluation as charts of a page: footsteps, likelihoods, drift, temperature. Needs numpy alone."""

import math
from collections.abc import Iterator
from html import escape

from moglow.evaluation.results import HELD_OUT, Evaluation
from moglow.evaluation.wording import number
from moglow.measures.metrics import TOLERANCES
from moglow_viewer.pages.charts import Series, chart, figure
from moglow_viewer.pages.tables import row_style


def footstep_curves(evaluation: Evaluation) -> str:
    series = [
        Series(row.name, row_style(evaluation, row), [100 * v for v in TOLERANCES], row.footsteps)
        for row in evaluation.rows
        if row.footsteps
    ]
    if not series:
        return ""
    drawing = chart(series, x_label="heel slower than (cm/s)", y_label="steps per second", log_x=True)
    return (
        '<div class="charts">'
        + figure(
            "Steps per second, by the heel speed below which a foot is planted",
            drawing,
            series,
            "Planted feet that do not slide are counted at low speeds already; sliding feet only at higher speeds.",
        )
        + "</div>"
    )


def likelihood_histograms(evaluation: Evaluation) -> Iterator[str]:
    names = {"held-out": "held-out motion", "training": "training motion", "own": "its own motion"}
    styles = {"held-out": "real", "training": "copy", "own": "model0"}
    pieces = []
    for row in evaluation.rows:
        found = row.likelihood
        if not found:
            continue
        middles = [(a + b) / 2 for a, b in zip(found.edges, found.edges[1:], strict=False)]
        series = [
            Series(
                f"{names[key]}: {number(found.means[key])}",
                styles[key],
                middles,
                [100 * s for s in shares],
                area=True,
            )
            for key, shares in found.shares.items()
        ]
        note = (
            f"Negative log-likelihood of held-out motion: {number(-found.means['held-out'])} nats per frame, "
            f"{-found.means['held-out'] / found.channels:.3f} per channel; {number(-found.physical)} in metres and "
            f"radians; with dequantisation noise of {found.dequantised:g} deviations."
        )
        pieces.append(
            figure(
                f"{row.name}: log-likelihood of frames",
                chart(series, x_label="nats", y_label="% of frames"),
                series,
                note,
            )
        )
    if pieces:
        yield f'<div class="charts">{"".join(pieces)}</div>'


def drift_curves(evaluation: Evaluation) -> Iterator[str]:
    rows = [row for row in evaluation.rows if row.wandering]
    if not rows:
        return
    lines = []
    for row in rows:
        found = row.wandering
        assert found is not None
        cells = []
        for gain in (found.slide_drift, found.jerk_drift):
            verdict = gain.verdict((-math.inf, 0.1))
            half = "" if gain.high is None else f" <small>± {number(100 * (gain.high - gain.value))}</small>"
            shown = "–" if math.isnan(gain.value) else f"{number(100 * gain.value)} %{half}"
            cells.append(f'<td><span class="{verdict or "plain"}">{shown}</span></td>')
        for count in (found.blown_up, found.frozen):
            cells.append(
                f'<td><span class="{"out" if count else "in"}">{count} of {found.rollouts}</span></td>'
            )
        lines.append(
            f'<tr><th><i class="{row_style(evaluation, row)}"></i>{escape(row.name)}</th>{"".join(cells)}</tr>'
        )
    yield (
        '<div class="wide"><table><thead><tr><th></th><th>more slide in the last minute than in the first</th>'
        f"<th>more jerk</th><th>diverged</th><th>frozen</th></tr></thead><tbody>{''.join(lines)}</tbody></table></div>"
        '<div class="charts three">'
    )
    for title, key, scale in (
        ("Foot slide, cm/s", "slide", 100.0),
        ("Jerk, m/s³", "jerk", 1.0),
        ("Distance to the nearest real pose, cm", "pose_distance", 100.0),
    ):
        series = [
            Series(
                row.name,
                row_style(evaluation, row),
                row.wandering.times,
                [scale * v for v in getattr(row.wandering, key)],
            )
            for row in rows
            if row.wandering
        ]
        yield figure(
            title, chart(series, x_label="seconds", y_label=title), series if len(series) > 1 else ()
        )
    yield "</div>"


def temperature_curves(evaluation: Evaluation) -> Iterator[str]:
    rows = [row for row in evaluation.rows if row.temperatures]
    if not rows:
        return
    yield '<div class="charts">'
    for title, key, scale, band in (
        ("Foot slide, cm/s", "slide_median", 100.0, evaluation.limits(HELD_OUT, "slide_median")),
        ("Jerk, m/s³", "jerk", 1.0, evaluation.limits(HELD_OUT, "jerk")),
        ("Fréchet distance, × real against real", "frechet", 1.0, (0.0, 3.0)),
        ("Diversity, × real", "diversity", 1.0, (0.7, math.inf)),
    ):
        series = [
            Series(
                row.name,
                row_style(evaluation, row),
                [each.temperature for each in row.temperatures],
                [scale * getattr(each, key) for each in row.temperatures],
            )
            for row in rows
        ]
        scaled = (band[0] * scale, band[1] * scale) if band else None
        drawing = chart(series, x_label="temperature", y_label=title, band=scaled)
        yield figure(title, drawing, series if len(series) > 1 else ())
    yield "</div>"
