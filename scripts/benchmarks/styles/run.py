"""Measures how well FlowGMM classifies styles given few labels, beside an LSTM trained on the labelled clips alone.

    python scripts/benchmarks/styles/run.py run --corpus bandai.corpus --results docs/styles.jsonl [--seeds 0 1 2]
    python scripts/benchmarks/styles/run.py table docs/styles.jsonl > docs/styles.md

The corpus is made by `moglow preprocess data/bandai/recipe.toml -o bandai.corpus`. The seed determines the weights and
the labelled clips; both models have the same labels and the same number of windows. Temperatures are fitted on training
clips that are held back from both; accuracy and confidence are measured on the held-out clips. Runs that are in the
results already are skipped.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from moglow.corpus.context import Context
from moglow.corpus.corpus import Corpus, Stretch
from moglow.corpus.windows import Footage, Windows
from moglow.evaluation.speed import processor
from moglow.recipe import read_recipe
from moglow.scoring.style_evidence import Floats, best_temperature, evidence_of_split, probabilities
from moglow.training.plan import TrainingPlan
from moglow.training.run import TrainingRun
from scripts.benchmarks.styles.page import read, written

RECIPE = Path(__file__).parents[3] / "data" / "bandai" / "styles.toml"
HELD_BACK = 0.1  # of the training clips, for temperatures


@dataclass(frozen=True)
class StyleScores:
    """Scores ``(N, S)``, nats up to a constant, and labels ``(N,)`` of held-back and of held-out clips."""

    held_back: tuple[Floats, NDArray[np.intp]]
    held_out: tuple[Floats, NDArray[np.intp]]
    parameters: int


class CorpusParts:
    """A corpus in three parts: clips for training, clips held back from them for temperatures, clips held out."""

    def __init__(self, corpus: Corpus) -> None:
        back = corpus.labelled("train", HELD_BACK, seed=0)
        stretches = [
            replace(stretch, split="back") if stretch.split == "train" and stretch.name in back else stretch
            for stretch in corpus.stretches
        ]
        self.whole = replace(corpus, stretches=tuple(stretches))
        self.training = replace(corpus, stretches=tuple(each for each in stretches if each.split == "train"))

    def score(
        self, score: Callable[[Corpus, str], tuple[Floats, NDArray[np.intp]]], parameters: int
    ) -> StyleScores:
        return StyleScores(score(self.whole, "back"), score(self.whole, "val"), parameters)


def flowgmm(parts: CorpusParts, plan: TrainingPlan, seed: int) -> StyleScores:
    """Trains the recipe's model on all clips, labelled or not."""
    with tempfile.TemporaryDirectory() as folder:
        run = TrainingRun(Path(folder), plan, parts.training, seed=seed)
        for _ in run.trainer.run():
            pass
    model, context = run.trainer.average.eval(), run.trainer.windows.footage.context
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return parts.score(lambda corpus, split: evidence_of_split(model, context, corpus, split)[:2], parameters)


class LSTMClassifier(nn.Module):
    """A bidirectional LSTM on poses and controls, its outputs averaged over time, a dense layer."""

    def __init__(self, inputs: int, styles: int, *, hidden: int = 64, dropout: float = 0.3) -> None:
        super().__init__()
        self.recurrent = nn.LSTM(inputs, hidden, batch_first=True, bidirectional=True)
        self.dropout, self.head = nn.Dropout(dropout), nn.Linear(2 * hidden, styles)

    def forward(self, motion: Tensor) -> Tensor:
        hidden, _ = self.recurrent(self.dropout(motion))
        logits: Tensor = self.head(self.dropout(hidden.mean(dim=1)))
        return logits


def lstm(parts: CorpusParts, plan: TrainingPlan, seed: int) -> StyleScores:
    """Trains the classifier on the labelled clips alone, with the recipe's number of windows."""
    spec, corpus = plan.training, parts.training
    labelled = corpus.labelled("train", spec.windows.labelled, seed=seed)
    own = replace(corpus, stretches=tuple(each for each in corpus.stretches if each.name in labelled))
    context = Context.of_corpus(plan.context, corpus)  # statistics need no labels
    shown = replace(spec.windows, labelled=1.0, style_dropout=0.0, history_noise={})
    windows = Windows(Footage(own, context), shown, split="train", batch=spec.batch, seed=seed)
    torch.manual_seed(seed)
    model = LSTMClassifier(context.pose_dim + 3, len(context.styles))
    optimizer = torch.optim.AdamW(model.parameters(), lr=spec.rate, weight_decay=0.01)
    for step in range(spec.steps):
        window = windows.batch(step)
        for group in optimizer.param_groups:
            group["lr"] = spec.rate_at(step)
        motion = torch.cat([window.poses, window.controls[:, : window.poses.shape[1]]], dim=-1)
        loss = nn.functional.cross_entropy(model(motion), window.style.argmax(dim=-1))
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
    model.eval()

    def log_odds(corpus: Corpus, stretch: Stretch) -> NDArray[np.float32]:
        features = corpus.features(stretch)
        parts = context.standardize_pose(features.pose), context.standardize_control(features.control)
        with torch.no_grad():
            logits: Tensor = model(torch.as_tensor(np.concatenate(parts, axis=1))[None].float())[0]
        return np.asarray(logits.numpy())

    def score(corpus: Corpus, split: str) -> tuple[Floats, NDArray[np.intp]]:
        found = corpus.split(split)
        labels = np.array([context.styles.index(stretch.style) for stretch in found], np.intp)
        return np.stack([log_odds(corpus, stretch) for stretch in found]).astype(float), labels

    return parts.score(score, sum(parameter.numel() for parameter in model.parameters()))


CLASSIFIERS: Mapping[str, Callable[[CorpusParts, TrainingPlan, int], StyleScores]] = {
    "FlowGMM": flowgmm,
    "LSTM": lstm,
}


def measure(model: str, share: float, seed: int, parts: CorpusParts) -> dict[str, Any]:
    """Returns a line of the results."""
    plan = TrainingPlan.of(read_recipe(RECIPE, [f"training.windows.labelled={share}"]))
    start = time.process_time()
    found = CLASSIFIERS[model](parts, plan, seed)
    temperature = best_temperature(*found.held_back)
    scores, labels = found.held_out
    row: dict[str, Any] = {
        "model": model,
        "labels": share,
        "seed": seed,
        "clips": len(parts.training.labelled("train", share, seed=seed)),
        "parameters": found.parameters,
        "steps": plan.training.steps,
        "batch": plan.training.batch,
        "cpu_seconds": round(time.process_time() - start, 1),
        "temperature": round(temperature, 3),
        "right": (scores.argmax(-1) == labels).astype(int).tolist(),
        "machine": f"{processor()}, one thread, torch {torch.__version__}",
    }
    for name, each in (("raw", 1.0), ("calibrated", temperature)):
        shares = probabilities(scores, each)
        row[f"confidence_{name}"] = shares.max(-1).round(4).tolist()
        row[f"of_truth_{name}"] = shares[np.arange(len(labels)), labels].round(6).tolist()
    return row


def run_all(corpus: Path, results: Path, models: list[str], shares: list[float], seeds: list[int]) -> None:
    """Makes the missing runs and writes a line for each."""
    torch.set_num_threads(1)
    parts = CorpusParts(Corpus.open(corpus))
    for seed in seeds:
        for share in shares:
            for model in models:
                made = read(results)
                if any((row["model"], row["labels"], row["seed"]) == (model, share, seed) for row in made):
                    continue
                row = measure(model, share, seed, parts)
                with results.open("a") as file:
                    file.write(json.dumps(row) + "\n")
                right = f"{sum(row['right'])} of {len(row['right'])}"
                print(f"{model}, {share:.0%} of labels, seed {seed}: {right}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    runner = commands.add_parser("run")
    runner.add_argument("--corpus", type=Path, required=True)
    runner.add_argument("--results", type=Path, required=True)
    runner.add_argument("--models", nargs="*", default=list(CLASSIFIERS), choices=CLASSIFIERS)
    runner.add_argument("--shares", nargs="*", type=float, default=[1.0, 0.1, 0.02])
    runner.add_argument("--seeds", nargs="*", type=int, default=[0, 1, 2])
    commands.add_parser("table").add_argument("results", type=Path)
    arguments = parser.parse_args()
    if arguments.command == "table":
        print(written(arguments.results), end="")
    else:
        run_all(arguments.corpus, arguments.results, arguments.models, arguments.shares, arguments.seeds)


if __name__ == "__main__":
    main()
