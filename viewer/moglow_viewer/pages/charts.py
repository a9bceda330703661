"""Line charts and histograms as SVG, in the colours of the page's style. Needs numpy alone."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from moglow.evaluation.wording import number

WIDTH, HEIGHT = 460, 250
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 14, 36
TICKS = 5
"""Approximate number of ticks on an axis."""


@dataclass(frozen=True)
class Series:
    """A named curve; ``style`` is a class of the page, such as ``real`` or ``model0``."""

    name: str
    style: str
    x: Sequence[float]
    y: Sequence[float]
    area: bool = False


def chart(
    series: Sequence[Series],
    *,
    x_label: str,
    y_label: str,
    log_x: bool = False,
    from_zero: bool = True,
    band: tuple[float, float] | None = None,
) -> str:
    """Returns a chart with axes, grid and one curve for each series; ``band`` is the target range of y.

    >>> text = chart([Series("a", "real", [0, 1], [2, 3])], x_label="s", y_label="m")
    >>> text.startswith("<svg"), text.count("<polyline")
    (True, 1)
    """
    points = [(x, y) for each in series for x, y in zip(each.x, each.y, strict=True) if math.isfinite(y)]
    if not points:
        return '<p class="empty">No data.</p>'
    xs, ys = [x for x, _ in points], [y for _, y in points]
    wanted = [limit for limit in band or () if math.isfinite(limit)]
    low = min(0.0, *ys) if from_zero else min(ys + wanted)
    y_ticks = ticks(low, max(ys + wanted))
    bottom, top = min(low, y_ticks[0]), max(max(ys + wanted), y_ticks[-1])
    x_ticks = decades(min(xs), max(xs)) if log_x else ticks(min(xs), max(xs))

    def across(value: float) -> float:
        ends = (math.log(min(xs)), math.log(max(xs))) if log_x else (min(xs), max(xs))
        at = math.log(value) if log_x else value
        return LEFT + (WIDTH - LEFT - RIGHT) * (at - ends[0]) / ((ends[1] - ends[0]) or 1.0)

    def up(value: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (value - bottom) / ((top - bottom) or 1.0)

    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(y_label)}">']
    if band:
        ends = [up(min(max(limit, bottom), top)) for limit in band]
        parts.append(
            f'<rect class="band" x="{LEFT}" y="{min(ends):.1f}" width="{WIDTH - LEFT - RIGHT}" '
            f'height="{abs(ends[0] - ends[1]):.1f}"><title>band</title></rect>'
        )
    for tick in y_ticks:
        parts.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{up(tick):.1f}" y2="{up(tick):.1f}"/>'
        )
        parts.append(f'<text class="tick end" x="{LEFT - 7}" y="{up(tick) + 3.5:.1f}">{number(tick)}</text>')
    for tick in x_ticks:
        if min(xs) <= tick <= max(xs):
            parts.append(
                f'<text class="tick mid" x="{across(tick):.1f}" y="{HEIGHT - BOTTOM + 15}">{number(tick)}</text>'
            )
    parts.append(
        f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{up(bottom):.1f}" y2="{up(bottom):.1f}"/>'
    )
    parts.append(
        f'<text class="label mid" x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 5}">{escape(x_label)}</text>'
    )
    for each in series:
        places = [
            f"{across(x):.1f},{up(y):.1f}" for x, y in zip(each.x, each.y, strict=True) if math.isfinite(y)
        ]
        if each.area and places:
            ends_x = [place.partition(",")[0] for place in (places[-1], places[0])]
            floor = [f"{end},{up(max(bottom, 0.0)):.1f}" for end in ends_x]
            parts.append(f'<polygon class="area {each.style}" points="{" ".join(places + floor)}"/>')
        parts.append(
            f'<polyline class="curve {each.style}" points="{" ".join(places)}">'
            f"<title>{escape(each.name)}</title></polyline>"
        )
    return "".join([*parts, "</svg>"])


def figure(title: str, drawing: str, series: Sequence[Series] = (), note: str = "") -> str:
    """Returns a chart with its title, legend and note."""
    key = "".join(f'<li><i class="{each.style}"></i>{escape(each.name)}</li>' for each in series)
    return (
        f"<figure><figcaption><b>{escape(title)}</b>{f'<ul>{key}</ul>' if key else ''}</figcaption>{drawing}"
        + (f"<p>{escape(note)}</p>" if note else "")
        + "</figure>"
    )


def ticks(low: float, high: float) -> list[float]:
    """Returns round numbers that span a range.

    >>> ticks(0.0, 9.3)
    [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]
    """
    span = (high - low) or abs(high) or 1.0
    power = 10.0 ** math.floor(math.log10(span / TICKS))
    step = next(power * round_ for round_ in (1, 2, 2.5, 5, 10) if power * round_ * TICKS >= span * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [float(value) for value in (np.arange(first, last + 1) * step).round(12)]


def decades(low: float, high: float) -> list[float]:
    """Returns 1, 2 and 5 times powers of ten within a range.

    >>> decades(0.01, 0.1)
    [0.01, 0.02, 0.05, 0.1]
    """
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    found = [round(digit * 10.0**power, 12) for power in powers for digit in (1, 2, 5)]
    return [value for value in found if low * 0.999 <= value <= high * 1.001]
