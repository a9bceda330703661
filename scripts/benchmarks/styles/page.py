"""The page docs/styles.md, made from the results of `run.py`."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from moglow.measures.bands import Estimate
from moglow.scoring.style_evidence import Floats

BINS = 5  # of confidence, of equal width between one third and 1


def read(results: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []


def calibration_error(confidence: Floats, right: Floats) -> float:
    """Returns the expected calibration error: |right − confidence| of the bins, weighted by their sizes."""
    bins = [own for own in binned(confidence, right) if len(own)]
    gaps = [len(own) * abs(float(own[:, 1].mean() - own[:, 0].mean())) for own in bins]
    return sum(gaps) / len(right)


def binned(confidence: Floats, right: Floats) -> list[Floats]:
    """Returns confidence and right, ``(n, 2)``, of each bin."""
    place = np.clip(((confidence - 1 / 3) * 1.5 * BINS).astype(int), 0, BINS - 1)
    both = np.stack([confidence, right], axis=-1)
    return [both[place == k] for k in range(BINS)]


def interval(values: Iterable[float], form: str) -> str:
    """Returns a mean and half its 95 % interval over seeds; without the interval for fewer than three seeds."""
    found = list(values)
    mean = Estimate.of(found)
    text = format(mean.value, form)
    if len(found) < 3 or mean.high is None:
        return text
    return f"{text} ± {format(mean.high - mean.value, form)}"


def written(results: Path) -> str:
    """Returns the page in Markdown."""
    runs: dict[tuple[float, str], list[dict[str, Any]]] = defaultdict(list)
    rows_of_all = read(results)
    for row in rows_of_all:
        runs[row["labels"], row["model"]].append(row)
    ordered = sorted(runs.items(), key=lambda item: (-item[0][0], item[0][1]))
    headings = "labels|clips|model|seeds|right, %|worst seed|ECE raw, %|ECE, %|NLL raw|NLL|temperature|CPU s"
    lines = [f"| {' | '.join(headings.split('|'))} |"]
    lines.append("|" + "---|" * 12)
    reliability = [
        "| labels | model | " + " | ".join(f"sure {low:.2f} – {high:.2f}" for low, high in edges()) + " |"
    ]
    reliability.append("|" + "---|" * (2 + BINS))
    for (share, model), rows in ordered:
        right = [100 * float(np.mean(row["right"])) for row in rows]
        pooled = {name: joined(rows, name) for name in ("right", "confidence_raw", "confidence_calibrated")}
        errors = [
            100 * calibration_error(pooled[f"confidence_{name}"], pooled["right"])
            for name in ("raw", "calibrated")
        ]
        losses = [
            interval(
                (-float(np.log(np.maximum(row[f"of_truth_{name}"], 1e-6)).mean()) for row in rows), ".2f"
            )
            for name in ("raw", "calibrated")
        ]
        cells = [
            f"{share:.0%}",
            str(rows[0]["clips"]),
            model,
            str(len(rows)),
            interval(right, ".1f"),
            f"{min(right):.1f}",
        ]
        cells += [f"{error:.1f}" for error in errors] + losses
        cells += [f"{float(np.median([row['temperature'] for row in rows])):.2g}"]
        cells += [f"{float(np.mean([row['cpu_seconds'] for row in rows])):.0f}"]
        lines.append(f"| {' | '.join(cells)} |")
        reliability.append(f"| {share:.0%} | {model} | {' | '.join(reliable(pooled))} |")
    sizes = {row["model"]: row["parameters"] for row in rows_of_all}
    any_row = rows_of_all[0]
    return PAGE.format(
        steps=any_row["steps"],
        batch=any_row["batch"],
        held_out=len(any_row["right"]),
        sizes=", ".join(f"{model} {count:,}" for model, count in sizes.items()),
        machine="; ".join(sorted({row["machine"] for row in rows_of_all})),
        table="\n".join(lines),
        reliability="\n".join(reliability),
    )


def joined(rows: list[dict[str, Any]], name: str) -> Floats:
    return np.concatenate([np.asarray(row[name], float) for row in rows])


def edges() -> list[tuple[float, float]]:
    ends = np.linspace(1 / 3, 1, BINS + 1).tolist()
    return list(pairwise(ends))


def reliable(pooled: Mapping[str, Floats]) -> list[str]:
    """Returns for each bin the share that is right, and the number of cases."""
    bins = binned(pooled["confidence_calibrated"], pooled["right"])
    return [f"{own[:, 1].mean():.2f} of {len(own)}" if len(own) else "–" for own in bins]


PAGE = """# Styles from few labels

`scripts/benchmarks/styles/run.py` measures these figures on Bandai Namco's locomotion (styles normal, masculine and
active in walks, runs and turns; [data/bandai](../data/bandai/README.md)) with the recipe `data/bandai/styles.toml`:
{steps} steps of {batch} windows. **FlowGMM** is trained on all training clips, of which a share is labelled with its
style; **LSTM** is a supervised classifier trained on the labelled clips alone, with the same number of windows. The
seed determines the weights and which clips are labelled; the labels are the same for both models. Parameters: {sizes}.
On {machine}.

Right: share of the {held_out} held-out clips, mean and 95 % interval over seeds. ECE: expected calibration error,
{bins} bins, all seeds pooled. Raw: probabilities of the model, for FlowGMM by Bayes' rule on the mean nats a frame. The
other columns are at a temperature fitted on a tenth of the training clips, which were held back with their labels (at
2 % these are more labels than there are for training).

{table}

Share of right answers by confidence, at the fitted temperature, all seeds pooled:

{reliability}
""".replace("{bins}", str(BINS))
