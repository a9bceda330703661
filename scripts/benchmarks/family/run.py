"""Trains and measures all models of the family with one budget: the same motion, windows, steps and a similar size.

    python scripts/benchmarks/family/run.py run --corpora DIR --runs DIR [--only NAME …] [--seeds 0 1 2] [--results DIR]
    python scripts/benchmarks/family/run.py page > docs/models.md

`run` adds a line for each run to docs/models.jsonl and a strip of its motion to docs/models/. The corpora are those of
`scripts/benchmarks/family/ablate.py`. Existing results are skipped and interrupted runs are resumed, so the script can
be stopped at any time. Runs can be distributed, each process with its own results folder: real and copied motion are
the same in all, so `cat */models.jsonl | sort -u` merges the lines, and the strips are copied. `page` writes the page
from the docstrings of the models and the results.
"""

import argparse
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from moglow.checkpoint import Checkpoint
from moglow.corpus.corpus import Corpus
from moglow.evaluation.evaluate import evaluate
from moglow.evaluation.results import COPY, HELD_OUT, REAL, SYNTHETIC, Evaluation, EvaluationSpec, Row
from moglow.evaluation.speed import processor
from moglow.files.tables import from_table, to_table
from moglow.models import MODELS
from moglow.motion.clip import Clip
from moglow.recipe import Recipe, read_recipe
from moglow.training.folder import STATE
from moglow.training.plan import TrainingPlan
from moglow.training.run import TrainingRun
from moglow_viewer.pages.film_strip import picture
from scripts.benchmarks.family.ablate import BASE, PAPER, brief
from scripts.benchmarks.family.page import page

ROOT = Path(__file__).resolve().parents[3]
DOCS = ROOT / "docs"
RECIPE = ROOT / "data" / "open" / "recipe.toml"
STEPS = 2_400
"""Steps of each training: four times those of the ablation, a sixth of those of the shipped recipe."""
SPEC = EvaluationSpec(
    wanders=16, wander_seconds=120.0, temperature=0.7, temperatures=(), measures=("controls", "wander")
)
SHOWN = ("walk", "turn, walking", "side")
"""Synthetic controls whose motion is shown in the strips."""


@dataclass(frozen=True)
class Member:
    """A model of the family, with its changes to the recipe."""

    model: str
    corpus: str = "feet_first"
    settings: tuple[str, ...] = ()

    @property
    def recipe(self) -> Recipe:
        """The shipped recipe with the compact preset of this model."""
        recipe = read_recipe(RECIPE, [*brief(STEPS), f"features.encoding={self.corpus}"])
        model = {"name": self.model, "preset": "compact"}
        return replace(recipe, tables={**recipe.tables, "model": model}).overridden(self.settings)


MEMBERS: Mapping[str, Member] = {
    **{name: Member(name) for name in MODELS},
    "paper-positions": Member("moglow", "positions", (*BASE, *PAPER)),
    "paper-rotations": Member("moglow", "rotations", (*BASE, *PAPER)),
}
"""The models, which are compared with the first, and MoGlow with the choices of the paper and the size of `compact`."""


def train(name: str, seed: int, corpora: Path, folder: Path) -> None:
    """Trains a member; resumes an interrupted training, and does nothing if it is complete."""
    member = MEMBERS[name]
    corpus = Corpus.open(corpora / f"{member.corpus}.corpus")
    resume = (folder / STATE).exists()
    for _ in TrainingRun(folder, TrainingPlan.of(member.recipe), corpus, seed=seed, resume=resume).events():
        pass


def measure(
    names: Mapping[str, tuple[str, int]], corpora: Path, runs: Path
) -> Iterator[tuple[Row, dict[str, Clip]]]:
    """Yields the rows of trained members, of real and of copied motion, each with some of its motion."""
    encodings = dict.fromkeys(["feet_first", *(MEMBERS[name].corpus for name, _ in names.values())])
    checkpoints = {label: Checkpoint.read(folder(runs, *who)) for label, who in names.items()}
    *_, found = evaluate(checkpoints, [Corpus.open(corpora / f"{each}.corpus") for each in encodings], SPEC)
    assert isinstance(found, Evaluation)
    machine = f"{processor()}, torch {torch.__version__}"
    for row in found.rows:
        clips = {sheet.control: sheet.clips[row.name] for sheet in found.sheets if row.name in sheet.clips}
        if row.name in names:
            member, seed = names[row.name]
            spread = checkpoints[row.name].about["validation"].get("spread", math.nan)
            about = {**row.about, "member": member, "seed": seed, "spread": spread, "machine": machine}
            row = replace(row, about=about)
        yield row, {control: clips[control] for control in SHOWN if control in clips}


def folder(runs: Path, name: str, seed: int) -> Path:
    return runs / f"{name}-{seed}"


def run(corpora: Path, runs: Path, only: Sequence[str], seeds: Sequence[int], results: Path) -> Iterator[str]:
    """Makes the missing runs and yields a line about each step."""
    requested = {
        name if seed == 0 else f"{name}, seed {seed}": (name, seed)
        for seed in seeds
        for name in only or MEMBERS
    }
    known = read_rows(results)
    missing = {label: who for label, who in requested.items() if label not in known}
    for label, (name, seed) in missing.items():
        train(name, seed, corpora, folder(runs, name, seed))
        yield f"{label}: trained"
    (results / "models").mkdir(parents=True, exist_ok=True)
    for row, clips in measure(missing, corpora, runs) if missing else ():
        if row.name not in known:
            write_row(results, row)
            if row.about.get("seed", 0) == 0:
                (results / "models" / f"{row.name.replace(' ', '_')}.svg").write_text(picture(clips))
            yield f"{row.name}: measured"


def write_row(docs: Path, row: Row) -> None:
    """Adds a line to the results: the row without its curves, with numbers rounded to five digits."""
    groups = (HELD_OUT, SYNTHETIC)
    kept = replace(
        row,
        figures={group: row.figures[group] for group in groups if group in row.figures},
        footsteps=(),
        likelihood=row.likelihood and replace(row.likelihood, edges=(), shares={}),
        temperatures=(),
    )
    with (docs / "models.jsonl").open("a") as file:
        file.write(json.dumps(rounded(to_table(kept)), ensure_ascii=False) + "\n")


def rounded(value: Any) -> Any:
    """Returns a table with its numbers rounded to five digits."""
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in value.items()}
    if isinstance(value, list):
        return [rounded(each) for each in value]
    return float(f"{value:.5g}") if isinstance(value, float) else value


def read_rows(docs: Path) -> dict[str, Row]:
    """Returns the rows measured so far, by name."""
    file = docs / "models.jsonl"
    lines = file.read_text().splitlines() if file.exists() else []
    rows = [
        from_table(Row, json.loads(line), f"{file}, line {n}:", finite=False)
        for n, line in enumerate(lines, 1)
    ]
    return {row.name: row for row in rows}


def found(docs: Path) -> Evaluation:
    """Returns the rows measured so far as one evaluation: real motion, the members and their seeds, copied motion."""
    order = [REAL, *MEMBERS, COPY]

    def place(row: Row) -> tuple[int, int]:
        return order.index(str(row.about.get("member", row.name))), row.about.get("seed", 0)

    return Evaluation(SPEC, tuple(sorted(read_rows(docs).values(), key=place)), (), {}, {}, (), 0.0)


def written(docs: Path) -> str:
    """Returns the page of the rows measured so far."""
    training = TrainingPlan.of(next(iter(MEMBERS.values())).recipe).training
    return page(found(docs), training, TrainingPlan.of(read_recipe(RECIPE)).training.steps)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    runner = commands.add_parser("run")
    runner.add_argument("--corpora", type=Path, required=True)
    runner.add_argument("--runs", type=Path, required=True)
    runner.add_argument("--only", nargs="*", default=[], choices=MEMBERS)
    runner.add_argument("--seeds", nargs="*", type=int, default=[0])
    runner.add_argument("--results", type=Path, default=DOCS)
    commands.add_parser("page")
    arguments = parser.parse_args()
    if arguments.command == "page":
        print(written(DOCS), end="")
    else:
        for line in run(
            arguments.corpora, arguments.runs, arguments.only, arguments.seeds, arguments.results
        ):
            print(line, flush=True)


if __name__ == "__main__":
    main()
