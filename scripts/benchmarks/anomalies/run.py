"""Measures how well each detector finds each kind of damage, after training on partly damaged motion.

    python scripts/benchmarks/anomalies/run.py --corpus FILE --results docs/anomalies.jsonl
        [--only DETECTOR …] [--trainings TRAINING …] [--damaged SHARE …] [--seeds 0 1]

FILE is made by `moglow preprocess data/open/recipe.toml -o FILE --set data.smoother=[]`. The damage is made by
`moglow.cleaning.injection` in clips before they are encoded: in held-out clips one kind at a time (see `detection`), in
training clips all kinds mixed, until the given share of the training windows contains a bad frame. Runs that are in the
results already are skipped, so the script can be stopped at any time. Runs can be distributed: each process writes its
own results, and their lines are concatenated afterwards.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from itertools import product
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from moglow.checkpoint import Checkpoint
from moglow.corpus.context import Context
from moglow.corpus.context_spec import ContextSpec
from moglow.corpus.corpus import Corpus, Stretch
from moglow.corpus.window_order import Cuts
from moglow.corpus.window_spec import WindowSpec
from moglow.corpus.windows import Footage, Windows
from moglow.evaluation.speed import processor
from moglow.models import MODELS
from moglow.models.model import MotionModel
from moglow.sampling.generate import PRETRAINED
from moglow.training.outliers import OutlierSpec
from moglow.training.spec import TrainingSpec
from moglow.training.trainer import Trainer
from scripts.benchmarks.anomalies.detection import (
    BASELINES,
    KINDS,
    DamagedMotion,
    Flags,
    Scores,
    damage_piece,
    damaged_motion,
    detection_figures,
    join,
    pieces,
)

Detector = Callable[[DamagedMotion], list[Scores]]
Maker = Callable[[str, str, float, int], Detector]

CONTEXT = ContextSpec(
    carry={"toe_x": 1.0, "toe_z": 1.0, "foot_yaw": 1.0, "toe_height": 0.7, "others": 0.9}, styles=False
)
WINDOWS = WindowSpec(length=20, pose_dropout=0.0, style_dropout=0.0, dequantise=5e-4)
TRAINING = TrainingSpec(
    steps=300, batch=32, rate=4e-3, warmup=30, schedule="cosine", average=0.98, windows=WINDOWS
)
TRAININGS: Mapping[str, Callable[[float], OutlierSpec]] = {
    "plain": lambda share: OutlierSpec(),
    "refine": lambda share: OutlierSpec(share=share, assignment="refine"),
    "LOE soft": lambda share: OutlierSpec(share=share, assignment="soft"),
    "LOE hard": lambda share: OutlierSpec(share=share, assignment="hard"),
}
"""The treatment of outliers when a known share of the motion is damaged; without damage all are plain training."""
DAMAGED = (0.0, 0.1, 0.2, 0.05)
SHIPPED = "moglow as shipped"
DETECTORS = (
    *(SHIPPED, *BASELINES),
    *("regression", "undercomplete", "overcomplete", "denoising", "sparse_l1", "sparse_kl"),
    *("vae", "moglow", "realnvp", "maf"),
)
"""The detectors that are evaluated by default; `--only` accepts every model."""

TRAINED_PIECE = 45
"""Frames of training motion that are damaged at most once, 1.5 s."""


def bad_windows(bad: Flags) -> Flags:
    """Returns whether each window contains a bad frame among those it predicts; windows overlap by half."""
    starts = np.arange(CONTEXT.history, len(bad) - WINDOWS.length + 1, WINDOWS.length // 2)
    return np.array([bad[start : start + WINDOWS.length].any() for start in starts], bool)


def damaged_corpus(corpus: Corpus, share: float, seed: int) -> Corpus:
    """Returns the training clips with damage of all kinds in a share of the windows."""
    random = np.random.default_rng([7, seed])
    train = corpus.split("train")
    parts = [
        [(part, np.zeros(len(part), bool)) for part in pieces(corpus.clip(stretch), TRAINED_PIECE)]
        for stretch in train
    ]
    windows = [bad_windows(np.zeros(len(stretch), bool)) for stretch in train]
    places = [(clip, part) for clip, clip_parts in enumerate(parts) for part in range(len(clip_parts))]
    for clip, part in random.permutation(places).tolist():
        if np.concatenate(windows).mean() >= share:
            break
        parts[clip][part] = damage_piece(parts[clip][part][0], random.permutation(KINDS).tolist(), random)
        windows[clip] = bad_windows(np.concatenate([flags for _, flags in parts[clip]]))
    features = [corpus.encoding.features(join([part for part, _ in clip_parts])) for clip_parts in parts]
    labels = [(stretch.name, stretch.style, "train") for stretch in train]
    return Corpus.build(corpus.encoding, features, labels, fps=corpus.fps)


@torch.no_grad()
def model_scores(motion: DamagedMotion, context: Context, model: MotionModel) -> list[Scores]:
    """Returns the score that a model gives each frame of each clip; NaN where a frame has no past."""
    footage, past, length = Footage(motion.corpus, context), context.spec.history, 2 * WINDOWS.length
    found = []
    for stretch in footage.corpus.stretches:
        scores, frames = np.full(len(stretch), np.nan), min(length, len(stretch) - past)
        last = len(stretch) - past - frames
        starts = np.unique(np.append(np.arange(0, last + 1, frames), last))
        window = footage.cut(_cuts(stretch, starts), past, frames, context.spec.lookahead)
        rows, _ = model.score(window.target(footage.context), window.context(footage.context))
        for start, row in zip(starts, rows.double().numpy(), strict=True):
            scores[start + past : start + past + frames] = row
        found.append(scores)
    return found


def _cuts(stretch: Stretch, starts: NDArray[np.int64]) -> Cuts:
    still = torch.zeros(len(starts), dtype=torch.bool)
    frames = torch.as_tensor(stretch.start + starts)
    return Cuts(frames, still, still, still, frames)


def trained(name: str, footage: Footage, outliers: OutlierSpec, seed: int) -> MotionModel:
    """Returns a small model after a brief training."""
    context, spec = footage.context, replace(TRAINING, outliers=outliers)
    generator = torch.Generator().manual_seed(seed)
    model = MODELS[name](MODELS[name].PRESETS["toy"], context.pose_dim, context.size, generator=generator)
    windows = Windows(footage, spec.windows, split="train", batch=spec.batch, seed=seed)
    trainer = Trainer(model, windows, spec)
    for _ in trainer.run():
        pass
    return trainer.average.eval()


class Bench:
    """The motion of all runs, computed when it is first needed, and the file of results."""

    def __init__(self, corpus: Corpus, results: Path) -> None:
        self.results = results
        self.held_out = cache(lambda kind: damaged_motion(corpus, kind))
        self.corpus = cache(lambda share, seed: damaged_corpus(corpus, share, seed))

    def context(self, share: float, seed: int) -> Context:
        """Returns the context of a corpus, whose statistics include the damage."""
        return Context.of_corpus(CONTEXT, self.corpus(share, seed))

    def model(self, name: str, training: str, share: float, seed: int) -> Detector:
        """Returns a model as a detector, after training on damaged motion."""
        context = self.context(share, seed)
        model = trained(name, Footage(self.corpus(share, seed), context), TRAININGS[training](share), seed)
        return partial(model_scores, model=model, context=context)

    def baseline(self, name: str, training: str, share: float, seed: int) -> Detector:
        """Returns a baseline, which uses mean and standard deviation of the damaged motion alone."""
        scores, context = BASELINES[name], self.context(share, seed)
        return lambda motion: scores(motion, context)

    def shipped(self, name: str, training: str, share: float, seed: int) -> Detector:
        """Returns the model of the package; it was trained long, on sound motion, with the same clips held out."""
        checkpoint = Checkpoint.read(PRETRAINED)
        return partial(model_scores, model=checkpoint.to_torch(), context=checkpoint.context)

    def run(self, name: str, training: str, share: float, seed: int) -> None:
        """Adds the row of a detector to the results, unless it is there."""
        which = {"detector": name, "training": training, "damaged": share, "seed": seed}
        known = self.results.read_text().splitlines() if self.results.exists() else []
        if any(which.items() <= json.loads(line).items() for line in known):
            return
        makers: Mapping[str, Maker] = {SHIPPED: self.shipped, **dict.fromkeys(BASELINES, self.baseline)}
        self.corpus(share, seed)  # computed here, so that it is in no detector's seconds
        start = time.process_time()
        detector = makers.get(name, self.model)(name, training, share, seed)
        motion = {kind: self.held_out(kind) for kind in KINDS}
        kinds = {
            kind: detection_figures(each, detector(each), CONTEXT.history) for kind, each in motion.items()
        }
        seconds = round(time.process_time() - start, 1)
        machine = f"{processor()}, torch {torch.__version__}"
        with self.results.open("a") as file:
            file.write(json.dumps({**which, "kinds": kinds, "seconds": seconds, "machine": machine}) + "\n")
        area = np.mean([each["intervals"][0] for each in kinds.values()])
        print(f"{name}, {training}, {share:.0%} damaged, seed {seed}: {area:.3f} in {seconds} s", flush=True)


def runs(
    detectors: Sequence[str], trainings: Sequence[str], shares: Sequence[float], seeds: Sequence[int]
) -> Iterator[tuple[str, str, float, int]]:
    """Yields detector, training, share and seed of the runs that are possible.

    Only trained models have other kinds of training than plain, and only on damaged motion; the model of the package is
    not trained again.
    """
    for seed, share, training, name in product(seeds, shares, trainings, detectors):
        plain, once = training == "plain", (training, share, seed) == ("plain", 0.0, 0)
        if once if name == SHIPPED else plain or (share and name not in BASELINES):
            yield name, training, share, seed


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--only", nargs="*", default=DETECTORS, choices=(SHIPPED, *BASELINES, *MODELS))
    parser.add_argument("--trainings", nargs="*", default=tuple(TRAININGS), choices=TRAININGS)
    parser.add_argument("--damaged", nargs="*", type=float, default=DAMAGED)
    parser.add_argument("--seeds", nargs="*", type=int, default=[0])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    bench = Bench(Corpus.open(arguments.corpus), arguments.results)
    for which in runs(arguments.only, arguments.trainings, arguments.damaged, arguments.seeds):
        bench.run(*which)


if __name__ == "__main__":
    main()
