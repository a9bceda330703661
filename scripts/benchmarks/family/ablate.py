"""Measures the effect of each choice of the recipe: a small model is trained and sampled once for each choice.

    python scripts/benchmarks/family/ablate.py run --corpora DIR --results docs/ablation.jsonl [--only NAME …]
    [--seeds 0 1 2] [--steps N]
    python scripts/benchmarks/family/ablate.py table docs/ablation.jsonl > docs/ablation.md

DIR contains feet_first.corpus, rotations.corpus and positions.corpus, made from the recipe data/open with
`moglow preprocess data/open/recipe.toml -o DIR/NAME.corpus --set features.encoding=NAME`, and two variants:
feet_first_contacts.corpus by `--set features.contacts=true`, feet_first_recorded.corpus by `--set data.smoother=[]`.
Runs that are in the results already are skipped, so the script can be stopped at any time. There is one table for each
number of steps: a brief one of all choices, and longer ones, with more seeds, of the choices that came close. Runs can
be distributed: each process writes its own results, and their lines are concatenated afterwards.
"""

import argparse
import json
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from moglow.corpus.corpus import Corpus
from moglow.evaluation.speed import processor
from moglow.files.tables import to_table
from moglow.recipe import Recipe, read_recipe
from moglow.training.plan import TrainingPlan
from moglow.training.rollouts import Rollouts, RolloutSpec
from moglow.training.run import TrainingRun

BRIEF = 600
"""Steps of a brief training, enough to show which choices fail."""

CARRY = "context.carry={toe_x=%s,toe_z=%s,foot_yaw=%s,toe_height=%s,others=%s}"
PAST = "training.windows"
BASE = (
    *(f"{PAST}.order=shuffled", f"{PAST}.short=20", f"{PAST}.short_share=0.1"),
    *("context.usual=''", "context.sideways=''"),
)
"""Settings of the shipped recipe at the time of these measurements that have changed since; each choice is one change
from them.
"""
PAPER = (
    *("context.carry={}", "context.lookahead=0", "context.flags=false", "context.styles=false"),
    *("model.encoder=[]", "model.scale=paper", "model.latent=normal", "model.dropout=0"),
    *(f"{PAST}.pose_dropout=0.95", f"{PAST}.dropout_windows=1", f"{PAST}.dropout_shared=false"),
    *(f"{PAST}.history_noise={{}}", f"{PAST}.short=0"),
)
"""The choices of the paper with the size of the `compact` preset."""

ONE_FOR_ALL = ("context.carry={others=0.9}", f"{PAST}.history_noise={{others=0.01}}")
"""Carry and noise for encodings without separate toe channels."""

CHOICES: dict[str, tuple[str, ...]] = {
    "the base": (),
    "all of the paper's, positions": ("features.encoding=positions", *PAPER),
    "all of the paper's, rotations": ("features.encoding=rotations", *PAPER),
    "encoding: rotations": ("features.encoding=rotations", *ONE_FOR_ALL),
    "encoding: positions": ("features.encoding=positions", *ONE_FOR_ALL),
    "carry: none (the pose itself)": ("context.carry={}",),
    "carry: 1 everywhere": (CARRY % (1.0, 1.0, 1.0, 1.0, 1.0),),
    "carry: 0.9 everywhere": (CARRY % (0.9, 0.9, 0.9, 0.9, 0.9),),
    "poses hidden: never": (f"{PAST}.pose_dropout=0",),
    "poses hidden: 0.95, lag by lag (paper)": (
        *(f"{PAST}.pose_dropout=0.95", f"{PAST}.dropout_windows=1", f"{PAST}.dropout_shared=false"),
        "context.flags=false",
    ),
    "poses hidden: 0.95, lag by lag, flags": (
        *(f"{PAST}.pose_dropout=0.95", f"{PAST}.dropout_windows=1", f"{PAST}.dropout_shared=false"),
    ),
    "poses hidden: 0.7 in all windows": (f"{PAST}.pose_dropout=0.7", f"{PAST}.dropout_windows=1"),
    "poses hidden: lag by lag": (f"{PAST}.dropout_shared=false",),
    "poses hidden: share sampled per window": (
        *(f"{PAST}.pose_dropout=1.0", f"{PAST}.dropout_drawn=true", f"{PAST}.dropout_windows=1"),
    ),
    "history noise: none": (f"{PAST}.history_noise={{}}",),
    "history noise: 0.003 everywhere": (f"{PAST}.history_noise={{others=0.003}}",),
    "history noise: 0.02 everywhere": (f"{PAST}.history_noise={{others=0.02}}",),
    "history noise: 0.03 except for toes": (
        f"{PAST}.history_noise={{toe_x=0.003,toe_z=0.003,foot_yaw=0.003,others=0.03}}",
    ),
    "dequantise: 2e-3": (f"{PAST}.dequantise=2e-3",),
    "dequantise: 1e-2": (f"{PAST}.dequantise=1e-2",),
    "latent: normal (paper)": ("model.latent=normal",),
    "scale: paper": ("model.scale=paper",),
    "conditioner: gru": ("model.conditioner=gru",),
    "conditioner: mingru": ("model.conditioner=mingru",),
    "conditioner: mlp": ("model.conditioner=mlp", "model.layers=2"),
    "two layers": ("model.layers=2",),
    "twice as wide": ("model.hidden=256",),
    "twice the steps of flow": ("model.steps=16",),
    "no shared encoder (paper)": ("model.encoder=[]",),
    "no average of weights": ("training.average=0",),
    "lookahead: none (paper)": ("context.lookahead=0",),
    "lookahead: 6": ("context.lookahead=6",),
    "context dropout: none": ("model.dropout=0",),
    "weight decay 0.1": ("training.weight_decay=0.1",),
    "free running: half the batches": ("training.free_running.share=0.5", "training.free_running.start=200"),
    "windows: recurrent state carried over (shipped)": (f"{PAST}.order=consecutive", f"{PAST}.short=0"),
    "windows: recurrent state carried over, half of them reset": (
        f"{PAST}.order=consecutive",
        f"{PAST}.forget=0.5",
    ),
    "windows: 80 frames, batch 16": (f"{PAST}.length=80", "training.batch=16"),
    "paths: as recorded, no smoother ones": ("data.smoother=[]",),
    "windows: no short ones": (f"{PAST}.short=0",),
    "contact channels": ("features.contacts=true",),
    "styles: none": ("context.styles=false",),
    "styles: hidden in 0.1 of the windows": (f"{PAST}.style_dropout=0.1",),
}
LONG = 60.0  # seconds of the roll-outs in which drift is measured


def brief(steps: int) -> tuple[str, ...]:
    """Returns the settings of a training of this many steps, with all that depends on their number."""
    return (
        *(f"training.steps={steps}", f"training.warmup={steps // 10}", f"training.validate_every={steps}"),
        *(f"training.average={1 - 6 / steps:g}", "training.rollouts.takes=8", "training.rollouts.seconds=10"),
    )


def recipe_of(name: str, steps: int = BRIEF) -> Recipe:
    """Returns the shipped recipe with the settings of `BASE`, fewer steps, and one choice changed."""
    return read_recipe("data/open/recipe.toml", [*brief(steps), *BASE, *CHOICES[name]])


def measure(name: str, seed: int, steps: int, corpora: Path) -> dict[str, Any]:
    """Trains with a choice and a seed, and returns the figures."""
    recipe = recipe_of(name, steps)
    features = recipe.tables["features"]
    suffix = "_contacts" if features.get("contacts") else ""
    suffix += "" if recipe.tables["data"]["smoother"] else "_recorded"
    corpus = Corpus.open(corpora / f"{features['encoding']}{suffix}.corpus")
    with tempfile.TemporaryDirectory() as folder:
        run = TrainingRun(Path(folder), TrainingPlan.of(recipe), corpus, seed=seed)
        start = time.perf_counter()
        for _ in run.events():
            pass
        seconds = time.perf_counter() - start
    validation, model = run.validations[-1], run.trainer.average
    spec = RolloutSpec(takes=8, seconds=LONG, temperature=0.7)
    thirds = Rollouts(run.trainer.windows.footage, run.context, spec, seed=1).figures_over_time(model, 3)
    return {
        "choice": name,
        "seed": seed,
        "steps": steps,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "seconds": round(seconds),
        "nats": validation.likelihood.standardized,
        "figures": to_table(validation.figures),
        "real": to_table(validation.real),
        "first_third": to_table(thirds[0]),
        "last_third": to_table(thirds[-1]),
        "machine": f"{processor()}, torch {torch.__version__}",
    }


def run_all(corpora: Path, results: Path, only: list[str], seeds: list[int], steps: int) -> None:
    """Makes the missing runs and writes a line for each."""
    for seed in seeds:
        for name in only or CHOICES:
            made = [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []
            if (name, seed, steps) in [(row["choice"], row["seed"], row["steps"]) for row in made]:
                continue
            row = measure(name, seed, steps, corpora)
            with results.open("a") as file:
                file.write(json.dumps(row) + "\n")
            print(f"{name}, seed {seed}, {steps} steps: {row['nats']:.2f} nats, {row['figures']}", flush=True)


def cell(values: list[float], form: str = ".1f") -> str:
    """Returns a mean as text, with its standard deviation where there are several seeds."""
    text = format(float(np.mean(values)), form)
    return f"{text} ± {format(float(np.std(values, ddof=1)), form.lstrip('+'))}" if len(values) > 1 else text


COLUMNS = ("choice", "seeds", "M parameters", "nats a frame", "slide median", "slide mean", "jerk", "energy")
DRIFT = ("slide drifts", "jerk drifts")


def figure_cells(rows: list[dict[str, Any]], part: str) -> list[str]:
    """Returns the cells of figures: slide in cm/s, jerk in m/s³, energy in squared standard deviations."""
    columns = (
        ("slide_median", 100, ".1f"),
        ("slide_mean", 100, ".1f"),
        ("jerk", 1, ".0f"),
        ("energy", 1, ".2f"),
    )
    return [cell([scale * row[part][figure] for row in rows], form) for figure, scale, form in columns]


def drifts(rows: list[dict[str, Any]]) -> list[str]:
    """Returns the cells of relative changes from the first third of a minute to the last."""
    figures = ("slide_mean", "jerk")
    return [
        cell([row["last_third"][figure] / row["first_third"][figure] - 1 for row in rows], "+.0%")
        for figure in figures
    ]


def tables(results: Path) -> str:
    """Returns a Markdown table for each number of training steps."""
    rows = [json.loads(line) for line in results.read_text().splitlines()]
    parts = []
    for steps in sorted({row["steps"] for row in rows}):
        parts += [f"## {steps} steps", "", table([row for row in rows if row["steps"] == steps]), ""]
    return "\n".join(parts).rstrip()


def table(rows_of_all: list[dict[str, Any]]) -> str:
    """Returns a Markdown table of some runs, in order of their mean slide."""
    runs: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows_of_all:
        runs[row["choice"]].append(row)
    lines: list[tuple[str, ...]] = [(*COLUMNS, *DRIFT), ("---",) * 10]
    lines.append(
        ("**held-out real motion**", "", "", "", *figure_cells(next(iter(runs.values()))[:1], "real"), "", "")
    )
    for name, rows in sorted(runs.items(), key=lambda item: mean_slide(item[1])):
        size, nats = f"{rows[0]['parameters'] / 1e6:.2f}", cell([row["nats"] for row in rows])
        lines.append((name, str(len(rows)), size, nats, *figure_cells(rows, "figures"), *drifts(rows)))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def mean_slide(rows: list[dict[str, Any]]) -> float:
    """Returns the figure by which the table is sorted."""
    return float(np.mean([row["figures"]["slide_mean"] for row in rows]))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    runner = commands.add_parser("run")
    runner.add_argument("--corpora", type=Path, required=True)
    runner.add_argument("--results", type=Path, required=True)
    runner.add_argument("--only", nargs="*", default=[], choices=CHOICES)
    runner.add_argument("--seeds", nargs="*", type=int, default=[0])
    runner.add_argument("--steps", type=int, default=BRIEF)
    commands.add_parser("table").add_argument("results", type=Path)
    arguments = parser.parse_args()
    if arguments.command == "table":
        print(tables(arguments.results))
    else:
        run_all(arguments.corpora, arguments.results, arguments.only, arguments.seeds, arguments.steps)


if __name__ == "__main__":
    main()
