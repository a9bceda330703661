"""What each choice is worth: the same small model trained once per choice, by the same steps, and let walk.

    python scripts/benchmarks/family/ablate.py run --corpora DIR --results docs/ablation.jsonl [--only NAME …]
    [--seeds 0 1 2] [--steps N]
    python scripts/benchmarks/family/ablate.py table docs/ablation.jsonl > docs/ablation.md

DIR holds feet_first.corpus, rotations.corpus and positions.corpus, made from the recipe data/open with
`moglow preprocess data/open/recipe.toml -o DIR/NAME.corpus --set features.encoding=NAME`, and two variants:
feet_first_contacts.corpus by `--set features.contacts=true`, feet_first_recorded.corpus by `--set data.smoother=[]`.
A run that the results already hold is not made again, so it may be stopped at any time. Runs of different lengths make
tables of their own: a brief one of all choices, a longer one, with more seeds, of those that came close. Choices may
be measured side by side, each with results of its own, whose lines are put together afterwards.
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
from moglow.training.rollouts import Rollouts, RolloutSpec
from moglow.training.run import TrainingPlan, TrainingRun

BRIEF = 600
"""Steps of a training that shows what breaks a model."""

CARRY = "context.carry={toe_x=%s,toe_z=%s,foot_yaw=%s,toe_height=%s,others=%s}"
PAST = "training.windows"
BASE = (
    *(f"{PAST}.order=shuffled", f"{PAST}.short=20", f"{PAST}.short_share=0.1"),
    *("context.usual=''", "context.sideways=''"),
)
"""What the recipe had when these choices were measured, and has otherwise now; each line is one change from it."""
PAPER = (
    *("context.carry={}", "context.lookahead=0", "context.flags=false", "context.styles=false"),
    *("model.encoder=[]", "model.scale=paper", "model.latent=normal", "model.dropout=0"),
    *(f"{PAST}.pose_dropout=0.95", f"{PAST}.dropout_windows=1", f"{PAST}.dropout_shared=false"),
    *(f"{PAST}.history_noise={{}}", f"{PAST}.short=0"),
)
"""The paper's choices at our size."""

ONE_FOR_ALL = ("context.carry={others=0.9}", f"{PAST}.history_noise={{others=0.01}}")
"""For encodings that know no toes to treat otherwise."""

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
    "poses hidden: share drawn per window": (
        *(f"{PAST}.pose_dropout=1.0", f"{PAST}.dropout_drawn=true", f"{PAST}.dropout_windows=1"),
    ),
    "history noise: none": (f"{PAST}.history_noise={{}}",),
    "history noise: 0.003 everywhere": (f"{PAST}.history_noise={{others=0.003}}",),
    "history noise: 0.02 everywhere": (f"{PAST}.history_noise={{others=0.02}}",),
    "history noise: 0.03 but for planted toes": (
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
    "windows: memory carried over (ships)": (f"{PAST}.order=consecutive", f"{PAST}.short=0"),
    "windows: memory carried over, half forgotten": (f"{PAST}.order=consecutive", f"{PAST}.forget=0.5"),
    "windows: 80 frames, batch 16": (f"{PAST}.length=80", "training.batch=16"),
    "paths: as recorded, no smoother ones": ("data.smoother=[]",),
    "windows: no short ones": (f"{PAST}.short=0",),
    "contact channels": ("features.contacts=true",),
    "styles: none": ("context.styles=false",),
    "styles: hidden in 0.1 of the windows": (f"{PAST}.style_dropout=0.1",),
}
LONG = 60.0  # seconds of the roll-outs that drift is read from


def brief(steps: int) -> tuple[str, ...]:
    """Returns what makes a recipe's training so short, settings and all that depends on its length."""
    return (
        *(f"training.steps={steps}", f"training.warmup={steps // 10}", f"training.validate_every={steps}"),
        *(f"training.average={1 - 6 / steps:g}", "training.rollouts.takes=8", "training.rollouts.seconds=10"),
    )


def recipe_of(name: str, steps: int = BRIEF) -> Recipe:
    """Returns the recipe that ships, on the windows of `BASE`, with fewer steps and one thing changed: the choice."""
    return read_recipe("data/open/recipe.toml", [*brief(steps), *BASE, *CHOICES[name]])


def measure(name: str, seed: int, steps: int, corpora: Path) -> dict[str, Any]:
    """Trains a choice with a seed and returns its figures."""
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
    """Makes the runs that are missing and writes a line for each."""
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
    """Returns a mean, with its deviation where there are several seeds."""
    text = format(float(np.mean(values)), form)
    return f"{text} ± {format(float(np.std(values, ddof=1)), form.lstrip('+'))}" if len(values) > 1 else text


COLUMNS = ("choice", "seeds", "M parameters", "nats a frame", "slide median", "slide mean", "jerk", "energy")
DRIFT = ("slide drifts", "jerk drifts")


def looks(rows: list[dict[str, Any]], part: str) -> list[str]:
    """Returns the cells of a part's figures: slide in cm/s, jerk in m/s³, energy in square deviations."""
    asked = (
        ("slide_median", 100, ".1f"),
        ("slide_mean", 100, ".1f"),
        ("jerk", 1, ".0f"),
        ("energy", 1, ".2f"),
    )
    return [cell([scale * row[part][figure] for row in rows], form) for figure, scale, form in asked]


def drifts(rows: list[dict[str, Any]]) -> list[str]:
    """Returns the cells of what changes from the first third of a minute to the last."""
    figures = ("slide_mean", "jerk")
    return [
        cell([row["last_third"][figure] / row["first_third"][figure] - 1 for row in rows], "+.0%")
        for figure in figures
    ]


def tables(results: Path) -> str:
    """Returns a table in Markdown for each length of training."""
    rows = [json.loads(line) for line in results.read_text().splitlines()]
    parts = []
    for steps in sorted({row["steps"] for row in rows}):
        parts += [f"## {steps} steps", "", table([row for row in rows if row["steps"] == steps]), ""]
    return "\n".join(parts).rstrip()


def table(rows_of_all: list[dict[str, Any]]) -> str:
    """Returns the table of some runs in Markdown, least slide first."""
    runs: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows_of_all:
        runs[row["choice"]].append(row)
    lines: list[tuple[str, ...]] = [(*COLUMNS, *DRIFT), ("---",) * 10]
    lines.append(
        ("**held-out real motion**", "", "", "", *looks(next(iter(runs.values()))[:1], "real"), "", "")
    )
    for name, rows in sorted(runs.items(), key=lambda item: mean_slide(item[1])):
        size, nats = f"{rows[0]['parameters'] / 1e6:.2f}", cell([row["nats"] for row in rows])
        lines.append((name, str(len(rows)), size, nats, *looks(rows, "figures"), *drifts(rows)))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def mean_slide(rows: list[dict[str, Any]]) -> float:
    """Returns what the table is ordered by."""
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
