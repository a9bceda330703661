"""The tables of docs/anomalies.md, made from the results of `run.py`.

python scripts/benchmarks/anomalies/page.py docs/anomalies.jsonl
"""

import json
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from scripts.benchmarks.anomalies.detection import KINDS

TRAININGS = ("plain", "refine", "LOE soft", "LOE hard")
FEW = 5
"""Below this number of runs no interval of a gain is given."""

Rows = Sequence[Mapping[str, Any]]


def figure(rows: Rows, kind: str, unit: str = "intervals", place: int = 0) -> float:
    """Returns a figure of one kind of damage, averaged over seeds: AUROC (place 0) or average precision (1)."""
    return float(np.mean([row["kinds"][kind][unit][place] for row in rows]))


def mean_figure(rows: Rows, place: int = 0, unit: str = "intervals") -> float:
    """Returns a figure averaged over kinds and seeds."""
    return float(np.mean([figure(rows, kind, unit, place) for kind in KINDS]))


def with_interval(rows: Rows) -> str:
    """Returns the mean AUROC over kinds and seeds with its 95 % interval, from resampled pieces and from seeds."""
    areas = [mean_figure([row]) for row in rows]
    pieces = (
        np.mean([sum(found["deviation"] ** 2 for found in row["kinds"].values()) for row in rows])
        / len(KINDS) ** 2
    )
    seeds = np.var(areas, ddof=1) / len(areas) if len(areas) > 1 else 0.0
    return f"{np.mean(areas):.3f} ± {1.96 * np.sqrt(pieces + seeds):.3f}"


def lines(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Returns a Markdown table."""
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows))


def tables(results: Path) -> dict[str, str]:
    """Returns the Markdown tables: kinds of damage, shares of damaged motion, gains of the kinds of training."""
    runs: dict[tuple[str, str, float], list[dict[str, Any]]] = defaultdict(list)
    for line in results.read_text().splitlines():
        row = json.loads(line)
        runs[row["detector"], row["training"], row["damaged"]].append(row)
    sound = {detector: rows for (detector, _, share), rows in runs.items() if not share}
    ranked = sorted(sound, key=lambda detector: -mean_figure(sound[detector]))
    blank = [f"{figure(sound[ranked[0]], kind, place=2):.2f}" for kind in KINDS]
    by_kind = [["*chance: AUROC 0.5, average precision*", "", *blank, "", ""]]
    for detector in ranked:
        rows = sound[detector]
        cells = [f"{figure(rows, kind):.2f} / {figure(rows, kind, place=1):.2f}" for kind in KINDS]
        by_frame = f"{mean_figure(rows, unit='frames'):.2f} / {mean_figure(rows, 1, 'frames'):.2f}"
        by_kind.append(
            [
                detector,
                str(len(rows)),
                *cells,
                f"{with_interval(rows)} / {mean_figure(rows, 1):.2f}",
                by_frame,
            ]
        )
    shares = sorted({share for _, _, share in runs})
    trainings = [training for training in TRAININGS if any(training == found for _, found, _ in runs)]
    of_shares = [
        [detector, training, *(_both(runs.get((detector, training, share), [])) for share in shares)]
        for detector in ranked
        for training in trainings
        if training == "plain" or any((detector, training, share) in runs for share in shares)
    ]
    changes = [
        [training, *(_change(runs, training, share) for share in shares if share)]
        for training in trainings
        if training != "plain"
    ]
    percent = [f"{share:.0%}" for share in shares]
    return {
        "kinds": lines(["detector", "seeds", *KINDS, "mean", "mean, per frame"], by_kind),
        "shares": lines(["detector", "trained", *percent], of_shares),
        "changes": lines(["trained", *percent[1:]], changes),
    }


def filled(page: str, found: Mapping[str, str]) -> str:
    """Returns a page whose tables are replaced.

    >>> filled("<!-- kinds -->old<!-- -->", {"kinds": "new"})
    '<!-- kinds -->\\nnew\\n<!-- -->'
    """
    for name, text in found.items():
        before, begin, rest = page.partition(f"<!-- {name} -->")
        _, end, after = rest.partition("<!-- -->")
        page = f"{before}{begin}\n{text}\n{end}{after}"
    return page


def _both(rows: Rows) -> str:
    """Returns AUROC and average precision averaged over kinds and seeds, with the number of seeds."""
    return f"{mean_figure(rows):.3f} / {mean_figure(rows, 1):.3f} ({len(rows)})" if rows else ""


def _change(runs: Mapping[tuple[str, str, float], Rows], training: str, share: float) -> str:
    """Returns the gain in mean AUROC over plain training on the same motion, averaged over all models."""
    gains = [
        mean_figure([row]) - mean_figure([plain])
        for (detector, found, damaged_share), rows in runs.items()
        if (found, damaged_share) == (training, share)
        for row in rows
        for plain in runs[detector, "plain", share]
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
