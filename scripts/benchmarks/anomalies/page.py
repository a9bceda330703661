"""The tables of docs/anomalies.md, made from what `run.py` found, so that they cannot drift.

python scripts/benchmarks/anomalies/page.py docs/anomalies.jsonl
"""

import json
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from scripts.benchmarks.anomalies.judging import KINDS

WAYS = ("plain", "refine", "LOE soft", "LOE hard")
FEW = 5
"""Runs below which no interval is given for what a way of training changes."""

Rows = Sequence[Mapping[str, Any]]


def figure(rows: Rows, kind: str, unit: str = "moments", place: int = 0) -> float:
    """Returns the mean over seeds of a figure of a kind of fault: AUROC (place 0) or average precision (1)."""
    return float(np.mean([row["kinds"][kind][unit][place] for row in rows]))


def mean_figure(rows: Rows, place: int = 0, unit: str = "moments") -> float:
    """Returns the mean over kinds and seeds."""
    return float(np.mean([figure(rows, kind, unit, place) for kind in KINDS]))


def with_interval(rows: Rows) -> str:
    """Returns the mean AUROC over kinds and seeds, and 1.96 times what resampled pieces and other seeds make of it."""
    areas = [mean_figure([row]) for row in rows]
    pieces = (
        np.mean([sum(found["deviation"] ** 2 for found in row["kinds"].values()) for row in rows])
        / len(KINDS) ** 2
    )
    seeds = np.var(areas, ddof=1) / len(areas) if len(areas) > 1 else 0.0
    return f"{np.mean(areas):.3f} ± {1.96 * np.sqrt(pieces + seeds):.3f}"


def lines(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Returns a table in Markdown."""
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows))


def tables(results: Path) -> dict[str, str]:
    """Returns the tables in Markdown: each kind of fault, shares of spoilt motion, what ways of training change."""
    runs: dict[tuple[str, str, float], list[dict[str, Any]]] = defaultdict(list)
    for line in results.read_text().splitlines():
        row = json.loads(line)
        runs[row["judge"], row["way"], row["spoilt"]].append(row)
    sound = {judge: rows for (judge, _, share), rows in runs.items() if not share}
    ranked = sorted(sound, key=lambda judge: -mean_figure(sound[judge]))
    blank = [f"{figure(sound[ranked[0]], kind, place=2):.2f}" for kind in KINDS]
    by_kind = [["*chance: AUROC 0.5, average precision*", "", *blank, "", ""]]
    for judge in ranked:
        rows = sound[judge]
        cells = [f"{figure(rows, kind):.2f} / {figure(rows, kind, place=1):.2f}" for kind in KINDS]
        by_frame = f"{mean_figure(rows, unit='frames'):.2f} / {mean_figure(rows, 1, 'frames'):.2f}"
        by_kind.append(
            [judge, str(len(rows)), *cells, f"{with_interval(rows)} / {mean_figure(rows, 1):.2f}", by_frame]
        )
    shares = sorted({share for _, _, share in runs})
    ways = [way for way in WAYS if any(way == found for _, found, _ in runs)]
    of_shares = [
        [judge, way, *(_both(runs.get((judge, way, share), [])) for share in shares)]
        for judge in ranked
        for way in ways
        if way == "plain" or any((judge, way, share) in runs for share in shares)
    ]
    changes = [
        [way, *(_change(runs, way, share) for share in shares if share)] for way in ways if way != "plain"
    ]
    percent = [f"{share:.0%}" for share in shares]
    return {
        "kinds": lines(["judge", "seeds", *KINDS, "mean", "mean, per frame"], by_kind),
        "shares": lines(["judge", "trained", *percent], of_shares),
        "changes": lines(["trained", *percent[1:]], changes),
    }


def filled(page: str, found: Mapping[str, str]) -> str:
    """Returns a page with the tables in their places.

    >>> filled("<!-- kinds -->old<!-- -->", {"kinds": "new"})
    '<!-- kinds -->\\nnew\\n<!-- -->'
    """
    for name, text in found.items():
        before, begin, rest = page.partition(f"<!-- {name} -->")
        _, end, after = rest.partition("<!-- -->")
        page = f"{before}{begin}\n{text}\n{end}{after}"
    return page


def _both(rows: Rows) -> str:
    """Returns AUROC and average precision over kinds and seeds, with the number of seeds."""
    return f"{mean_figure(rows):.3f} / {mean_figure(rows, 1):.3f} ({len(rows)})" if rows else ""


def _change(runs: Mapping[tuple[str, str, float], Rows], way: str, share: float) -> str:
    """Returns what a way of training adds to the mean AUROC of plain training on the same motion, over all models."""
    gains = [
        mean_figure([row]) - mean_figure([plain])
        for (judge, found, spoilt_share), rows in runs.items()
        if (found, spoilt_share) == (way, share)
        for row in rows
        for plain in runs[judge, "plain", share]
        if plain["seed"] == row["seed"]
    ]
    if not gains:
        return ""
    counted = f"({sum(gain > 0 for gain in gains)} of {len(gains)} runs better)"
    if len(gains) < FEW:
        return f"{np.mean(gains):+.4f} {counted}"
    error = np.std(gains, ddof=1) / np.sqrt(len(gains))
    return f"{np.mean(gains):+.4f} ± {1.96 * error:.4f} {counted}"


if __name__ == "__main__":
    results, page = map(Path, sys.argv[1:])
    page.write_text(filled(page.read_text(encoding="utf-8"), tables(results)), encoding="utf-8")
