"""Comparisons with the first model in words, and the format of numbers, for pages and the terminal."""

from collections.abc import Iterator

from moglow.evaluation.results import Evaluation, Row
from moglow.measures.bands import standing
from moglow.measures.scores import MEASURES


def standings(evaluation: Evaluation, group: str) -> Iterator[str]:
    """Yields a sentence for each row that is compared with the first model on a group of controls."""
    for row in evaluation.rows:
        named: dict[str, list[str]] = {"better": [], "worse": [], "": []}
        for key, measure in MEASURES.items():
            if found := evaluation.difference(row, group, key):
                change = difference_text(evaluation, row, group, key)
                text = f"{measure.label} ({change} {measure.unit}".rstrip() + ")"
                named[standing(found)].append(text)
        if evaluation.first and any(named.values()):
            clear = [f"{word} in {'; '.join(named[word])}" for word in ("better", "worse") if named[word]]
            unclear = [f"no clear difference in {len(named[''])} measures"] if named[""] else []
            yield f"{row.name} against {evaluation.first.name}, {group}: {'. '.join([*clear, *unclear])}"


def difference_text(evaluation: Evaluation, row: Row, group: str, key: str) -> str:
    """Returns how much farther a row is from a figure's target than the first model, with its interval, or ""."""
    found = evaluation.difference(row, group, key)
    if found is None or found.low is None or found.high is None:
        return ""
    scale = MEASURES[key].scale
    sign = "+" if found.value > 0 else ""
    return f"{sign}{number(found.value * scale)} ± {number((found.high - found.low) / 2 * scale)}"


UNSEEN = 5e-4
"""Numbers smaller than this, in display units, are written as zero."""


def number(value: float) -> str:
    """Returns a number with three significant digits and a typographic minus sign.

    >>> number(-0.25), number(1200.0), number(1e-12)
    ('−0.25', '1200', '0')
    """
    value = 0.0 if abs(value) < UNSEEN else value
    text = f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return text.replace("-", "−")
