"""How well styles are told apart from few labels: FlowGMM, and an LSTM classifier that sees the labelled clips alone.

    python scripts/bench_styles.py run --corpus bandai.corpus --results docs/styles.jsonl [--seeds 0 1 2]
    python scripts/bench_styles.py table docs/styles.jsonl > docs/styles.md

The corpus is made by `moglow preprocess data/bandai/recipe.toml -o bandai.corpus`. A seed draws the labelled clips and
the weights; both ways see the same labels and as many windows. Temperatures are fitted on training clips that were
held back from both, accuracy and confidence are read on the held-out clips. A run that the results already hold is not
made again.
"""

import argparse
import json
import math
import platform
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from moglow.classification import Floats, best_temperature, evidence_of_split, probabilities
from moglow.context import Context
from moglow.corpus import Corpus, Stretch
from moglow.recipe import read_recipe
from moglow.training_run import Plan, TrainingRun
from moglow.windows import Footage, Windows

RECIPE = Path(__file__).parents[1] / "data" / "bandai" / "styles.toml"
HELD_BACK = 0.1  # of the training clips, for temperatures
BINS = 5  # of confidence, of equal width between one third and 1
STUDENT = {3: 4.30, 4: 3.18, 5: 2.78, 6: 2.57, 7: 2.45, 8: 2.36, 9: 2.31, 10: 2.26}  # 97.5 %, n − 1


@dataclass(frozen=True)
class Exam:
    """What a way says of held-back and of held-out clips: scores (N, S), nats up to a constant, and labels (N,)."""

    held_back: tuple[Floats, NDArray[np.intp]]
    held_out: tuple[Floats, NDArray[np.intp]]
    parameters: int


class Parts:
    """A corpus in three: clips to learn from, clips held back from them for temperatures, clips held out."""

    def __init__(self, corpus: Corpus) -> None:
        back = corpus.labelled("train", HELD_BACK, seed=0)
        parted = [
            replace(stretch, split="back") if stretch.split == "train" and stretch.name in back else stretch
            for stretch in corpus.stretches
        ]
        self.whole = replace(corpus, stretches=tuple(parted))
        self.learnt = replace(corpus, stretches=tuple(each for each in parted if each.split == "train"))

    def exam(self, score: Callable[[Corpus, str], tuple[Floats, NDArray[np.intp]]], parameters: int) -> Exam:
        return Exam(score(self.whole, "back"), score(self.whole, "val"), parameters)


def flowgmm(parts: Parts, plan: Plan, seed: int) -> Exam:
    """Trains the recipe's model on all clips, labelled or not."""
    with tempfile.TemporaryDirectory() as folder:
        run = TrainingRun(Path(folder), plan, parts.learnt, seed=seed)
        for _ in run.trainer.run():
            pass
    model, context = run.trainer.average.eval(), run.trainer.windows.footage.context
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return parts.exam(lambda corpus, split: evidence_of_split(model, context, corpus, split)[:2], parameters)


class LSTMClassifier(nn.Module):
    """A bidirectional LSTM on poses and controls, its outputs averaged over time, a dense layer."""

    def __init__(self, inputs: int, styles: int, *, hidden: int = 64, dropout: float = 0.3) -> None:
        super().__init__()
        self.recurrent = nn.LSTM(inputs, hidden, batch_first=True, bidirectional=True)
        self.dropout, self.head = nn.Dropout(dropout), nn.Linear(2 * hidden, styles)

    def forward(self, motion: Tensor) -> Tensor:
        hidden, _ = self.recurrent(self.dropout(motion))
        said: Tensor = self.head(self.dropout(hidden.mean(dim=1)))
        return said


def lstm(parts: Parts, plan: Plan, seed: int) -> Exam:
    """Trains the classifier on the labelled clips alone, as many windows as the recipe says."""
    spec, corpus = plan.training, parts.learnt
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

    def says(corpus: Corpus, stretch: Stretch) -> NDArray[np.float32]:
        features = corpus.features(stretch)
        parts = context.standardize_pose(features.pose), context.standardize_control(features.control)
        with torch.no_grad():
            said: Tensor = model(torch.as_tensor(np.concatenate(parts, axis=1))[None].float())[0]
        return np.asarray(said.numpy())

    def score(corpus: Corpus, split: str) -> tuple[Floats, NDArray[np.intp]]:
        found = corpus.split(split)
        labels = np.array([context.styles.index(stretch.style) for stretch in found], np.intp)
        return np.stack([says(corpus, stretch) for stretch in found]).astype(float), labels

    return parts.exam(score, sum(parameter.numel() for parameter in model.parameters()))


WAYS: Mapping[str, Callable[[Parts, Plan, int], Exam]] = {"FlowGMM": flowgmm, "LSTM": lstm}


def measure(way: str, share: float, seed: int, parts: Parts) -> dict[str, Any]:
    """Returns a line of the results."""
    plan = Plan.of(read_recipe(RECIPE, [f"training.windows.labelled={share}"]))
    start = time.process_time()
    exam = WAYS[way](parts, plan, seed)
    temperature = best_temperature(*exam.held_back)
    scores, labels = exam.held_out
    row: dict[str, Any] = {
        "way": way,
        "labels": share,
        "seed": seed,
        "clips": len(parts.learnt.labelled("train", share, seed=seed)),
        "parameters": exam.parameters,
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


def processor() -> str:
    """Returns the name of the processor."""
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else ():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def run_all(corpus: Path, results: Path, ways: list[str], shares: list[float], seeds: list[int]) -> None:
    """Makes the runs that are missing and writes a line for each."""
    torch.set_num_threads(1)
    parts = Parts(Corpus.open(corpus))
    for seed in seeds:
        for share in shares:
            for way in ways:
                made = read(results)
                if any((row["way"], row["labels"], row["seed"]) == (way, share, seed) for row in made):
                    continue
                row = measure(way, share, seed, parts)
                with results.open("a") as file:
                    file.write(json.dumps(row) + "\n")
                right = f"{sum(row['right'])} of {len(row['right'])}"
                print(f"{way}, {share:.0%} of labels, seed {seed}: {right}", flush=True)


def read(results: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []


def calibration_error(confidence: Floats, right: Floats) -> float:
    """Returns the expected calibration error: |right − confidence| in each bin, by how many lie in it."""
    gaps = [len(own) * abs(float(own[:, 1].mean() - own[:, 0].mean())) for own in binned(confidence, right)]
    return sum(gaps) / len(right)


def binned(confidence: Floats, right: Floats) -> list[NDArray[Any]]:
    """Returns confidence and right (n, 2) of each bin that is not empty."""
    place = np.clip(((confidence - 1 / 3) * 1.5 * BINS).astype(int), 0, BINS - 1)
    both = np.stack([confidence, right], axis=-1)
    return [both[place == k] for k in range(BINS) if (place == k).any()]


def interval(values: Iterable[float], form: str) -> str:
    """Returns a mean and half its 95 % interval over seeds; two seeds tell of none."""
    found = np.array(list(values))
    text = format(float(found.mean()), form)
    if len(found) < 3:
        return text
    half = STUDENT[len(found)] * float(found.std(ddof=1)) / math.sqrt(len(found))
    return f"{text} ± {format(half, form)}"


def table(results: Path) -> str:
    """Returns the page in Markdown."""
    runs: dict[tuple[float, str], list[dict[str, Any]]] = defaultdict(list)
    for row in read(results):
        runs[row["labels"], row["way"]].append(row)
    ordered = sorted(runs.items(), key=lambda item: (-item[0][0], item[0][1]))
    headings = "labels|clips|way|seeds|right, %|worst seed|ECE raw, %|ECE, %|NLL raw|NLL|temperature|CPU s"
    lines = [f"| {' | '.join(headings.split('|'))} |"]
    lines.append("|" + "---|" * 12)
    reliability = [
        "| labels | way | " + " | ".join(f"sure {low:.2f} – {high:.2f}" for low, high in edges()) + " |"
    ]
    reliability.append("|" + "---|" * (2 + BINS))
    for (share, way), rows in ordered:
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
            way,
            str(len(rows)),
            interval(right, ".1f"),
            f"{min(right):.1f}",
        ]
        cells += [f"{error:.1f}" for error in errors] + losses
        cells += [f"{float(np.median([row['temperature'] for row in rows])):.2g}"]
        cells += [f"{float(np.mean([row['cpu_seconds'] for row in rows])):.0f}"]
        lines.append(f"| {' | '.join(cells)} |")
        reliability.append(f"| {share:.0%} | {way} | {' | '.join(reliable(pooled))} |")
    any_row = read(results)[0]
    sizes = {row["way"]: row["parameters"] for row in read(results)}
    return PAGE.format(
        steps=any_row["steps"],
        batch=any_row["batch"],
        held_out=len(any_row["right"]),
        sizes=", ".join(f"{way} {count:,}" for way, count in sizes.items()),
        machine="; ".join(sorted({row["machine"] for row in read(results)})),
        table="\n".join(lines),
        reliability="\n".join(reliability),
    )


def joined(rows: list[dict[str, Any]], name: str) -> Floats:
    return np.concatenate([np.asarray(row[name], float) for row in rows])


def edges() -> list[tuple[float, float]]:
    ends = np.linspace(1 / 3, 1, BINS + 1).tolist()
    return list(pairwise(ends))


def reliable(pooled: Mapping[str, Floats]) -> list[str]:
    """Returns for each bin which share is right, and of how many."""
    place = np.clip(((pooled["confidence_calibrated"] - 1 / 3) * 1.5 * BINS).astype(int), 0, BINS - 1)
    own = [pooled["right"][place == k] for k in range(BINS)]
    return [f"{each.mean():.2f} of {len(each)}" if len(each) else "–" for each in own]


PAGE = """# Styles from few labels

By `scripts/bench_styles.py`, from Bandai Namco's locomotion (styles normal, masculine and active in walks, runs and
turns; [data/bandai](../data/bandai/README.md)), recipe `data/bandai/styles.toml`: {steps} steps of {batch} windows.
**FlowGMM** learns from all training clips, the style of a share of them told; **LSTM** is a supervised classifier of
the labelled clips alone, as many windows. A seed draws which clips are labelled, the same for both, and the weights.
Parameters: {sizes}. On {machine}.

Right: share of the {held_out} held-out clips, mean and 95 % interval over seeds. ECE: expected calibration error,
{bins} bins, all seeds pooled. Raw is what the model says, FlowGMM by Bayes' rule on the mean nats a frame; the other
columns are at a temperature fitted on a tenth of the training clips, which were held back with their labels (at 2 %
these are more labels than there are to learn from).

{table}

How often what is said with some confidence is right, at the fitted temperature, all seeds pooled:

{reliability}
""".replace("{bins}", str(BINS))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    runner = commands.add_parser("run")
    runner.add_argument("--corpus", type=Path, required=True)
    runner.add_argument("--results", type=Path, required=True)
    runner.add_argument("--ways", nargs="*", default=list(WAYS), choices=WAYS)
    runner.add_argument("--shares", nargs="*", type=float, default=[1.0, 0.1, 0.02])
    runner.add_argument("--seeds", nargs="*", type=int, default=[0, 1, 2])
    commands.add_parser("table").add_argument("results", type=Path)
    arguments = parser.parse_args()
    if arguments.command == "table":
        print(table(arguments.results), end="")
    else:
        run_all(arguments.corpus, arguments.results, arguments.ways, arguments.shares, arguments.seeds)


if __name__ == "__main__":
    main()
