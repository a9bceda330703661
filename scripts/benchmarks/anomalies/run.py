"""Who finds what is wrong with motion: every judge × every fault, after training on motion that is partly spoilt.

    python scripts/benchmarks/anomalies/run.py --corpus FILE --results docs/anomalies.jsonl
        [--only JUDGE …] [--ways WAY …] [--spoilt SHARE …] [--seeds 0 1]

FILE is made by `moglow preprocess data/open/recipe.toml -o FILE --set data.smoother=[]`. Faults are those of
`injuries`, put into clips before they are encoded: into held-out clips, one kind at a time (see `judging`), and into
training clips, all kinds mixed, until a share of the training windows holds a bad frame. A run that
the results already hold is not made again, so it may be stopped at any time. Parts of the runs may be made side by
side, each with results of its own, whose lines are put together afterwards.
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
from moglow.corpus.context import Context, ContextSpec
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
from scripts.benchmarks.anomalies.judging import (
    BLIND,
    KINDS,
    Flags,
    Judged,
    Scores,
    injured,
    joined,
    judged_motion,
    judgement,
    pieces,
)

Judge = Callable[[Judged], list[Scores]]
Maker = Callable[[str, str, float, int], Judge]

CONTEXT = ContextSpec(
    carry={"toe_x": 1.0, "toe_z": 1.0, "foot_yaw": 1.0, "toe_height": 0.7, "others": 0.9}, styles=False
)
WINDOWS = WindowSpec(length=20, pose_dropout=0.0, style_dropout=0.0, dequantise=5e-4)
TRAINING = TrainingSpec(
    steps=300, batch=32, rate=4e-3, warmup=30, schedule="cosine", average=0.98, windows=WINDOWS
)
WAYS: Mapping[str, Callable[[float], OutlierSpec]] = {
    "plain": lambda share: OutlierSpec(),
    "refine": lambda share: OutlierSpec(share=share, assignment="refine"),
    "LOE soft": lambda share: OutlierSpec(share=share, assignment="soft"),
    "LOE hard": lambda share: OutlierSpec(share=share, assignment="hard"),
}
"""How a model is trained on motion of which a known share is spoilt; without any, all ways are the plain one."""
SPOILT = (0.0, 0.1, 0.2, 0.05)
SHIPPED = "moglow as shipped"
JUDGES = (
    *(SHIPPED, *BLIND),
    *("regression", "undercomplete", "overcomplete", "denoising", "sparse_l1", "sparse_kl"),
    *("vae", "moglow", "realnvp", "maf"),
)
"""Who is asked unless others are: any model may be."""

TRAINED_PIECE = 45
"""Frames of training motion with at most one fault, 1.5 s."""


def bad_windows(bad: Flags) -> Flags:
    """Returns whether windows of predicted frames hold a bad one, half of each shared with the next."""
    starts = np.arange(CONTEXT.history, len(bad) - WINDOWS.length + 1, WINDOWS.length // 2)
    return np.array([bad[start : start + WINDOWS.length].any() for start in starts], bool)


def spoilt(corpus: Corpus, share: float, seed: int) -> Corpus:
    """Returns the corpus with faults of all kinds in its training clips, in a share of the windows."""
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
        parts[clip][part] = injured(parts[clip][part][0], random.permutation(KINDS).tolist(), random)
        windows[clip] = bad_windows(np.concatenate([flags for _, flags in parts[clip]]))
    features = [corpus.encoding.features(joined([part for part, _ in clip_parts])) for clip_parts in parts]
    labels = [(stretch.name, stretch.style, "train") for stretch in train]
    return Corpus.build(corpus.encoding, features, labels, fps=corpus.fps)


@torch.no_grad()
def model_scores(judged: Judged, context: Context, model: MotionModel) -> list[Scores]:
    """Returns how strange a model finds each frame of each clip; not a number where it has no past."""
    footage, past, length = Footage(judged.corpus, context), context.spec.history, 2 * WINDOWS.length
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
    return Cuts(torch.as_tensor(stretch.start + starts), still, still, still)


def trained(name: str, footage: Footage, outliers: OutlierSpec, seed: int) -> MotionModel:
    """Returns a small model of a name after a brief training."""
    context, spec = footage.context, replace(TRAINING, outliers=outliers)
    generator = torch.Generator().manual_seed(seed)
    model = MODELS[name](MODELS[name].PRESETS["toy"], context.pose_dim, context.size, generator=generator)
    windows = Windows(footage, spec.windows, split="train", batch=spec.batch, seed=seed)
    trainer = Trainer(model, windows, spec)
    for _ in trainer.run():
        pass
    return trainer.average.eval()


class Bench:
    """The motion of all runs, made when it is needed, and the file that holds what was found."""

    def __init__(self, corpus: Corpus, results: Path) -> None:
        self.results = results
        self.judged = cache(lambda kind: judged_motion(corpus, kind))
        self.spoilt = cache(lambda share, seed: spoilt(corpus, share, seed))

    def context(self, share: float, seed: int) -> Context:
        """Returns the context of spoilt motion: its scales are spoilt too."""
        return Context.of_corpus(CONTEXT, self.spoilt(share, seed))

    def model(self, name: str, way: str, share: float, seed: int) -> Judge:
        """Returns a model as a judge, after training a way on spoilt motion."""
        context = self.context(share, seed)
        model = trained(name, Footage(self.spoilt(share, seed), context), WAYS[way](share), seed)
        return partial(model_scores, model=model, context=context)

    def blind(self, name: str, way: str, share: float, seed: int) -> Judge:
        """Returns a blind judge that knows mean and deviation of spoilt motion."""
        judge, context = BLIND[name], self.context(share, seed)
        return lambda judged: judge(judged, context)

    def shipped(self, name: str, way: str, share: float, seed: int) -> Judge:
        """Returns the model inside the package: trained at length, on sound motion, the same clips held out."""
        checkpoint = Checkpoint.read(PRETRAINED)
        return partial(model_scores, model=checkpoint.to_torch(), context=checkpoint.context)

    def run(self, name: str, way: str, share: float, seed: int) -> None:
        """Adds the row of a judge, unless it is there."""
        which = {"judge": name, "way": way, "spoilt": share, "seed": seed}
        known = self.results.read_text().splitlines() if self.results.exists() else []
        if any(which.items() <= json.loads(line).items() for line in known):
            return
        makers: Mapping[str, Maker] = {SHIPPED: self.shipped, **dict.fromkeys(BLIND, self.blind)}
        self.spoilt(share, seed)  # its making is nobody's seconds
        start = time.process_time()
        judge = makers.get(name, self.model)(name, way, share, seed)
        found = {kind: self.judged(kind) for kind in KINDS}
        kinds = {kind: judgement(each, judge(each), CONTEXT.history) for kind, each in found.items()}
        seconds = round(time.process_time() - start, 1)
        machine = f"{processor()}, torch {torch.__version__}"
        with self.results.open("a") as file:
            file.write(json.dumps({**which, "kinds": kinds, "seconds": seconds, "machine": machine}) + "\n")
        area = np.mean([each["moments"][0] for each in kinds.values()])
        print(f"{name}, {way}, {share:.0%} spoilt, seed {seed}: {area:.3f} in {seconds} s", flush=True)


def runs(
    judges: Sequence[str], ways: Sequence[str], shares: Sequence[float], seeds: Sequence[int]
) -> Iterator[tuple[str, str, float, int]]:
    """Yields the runs there are of those asked for: judge, way, share and seed.

    Only models learn otherwise than plainly, and only where motion is spoilt; the one inside the package learnt once.
    """
    for seed, share, way, name in product(seeds, shares, ways, judges):
        plain, once = way == "plain", (way, share, seed) == ("plain", 0.0, 0)
        if once if name == SHIPPED else plain or (share and name not in BLIND):
            yield name, way, share, seed


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--only", nargs="*", default=JUDGES, choices=(SHIPPED, *BLIND, *MODELS))
    parser.add_argument("--ways", nargs="*", default=tuple(WAYS), choices=WAYS)
    parser.add_argument("--spoilt", nargs="*", type=float, default=SPOILT)
    parser.add_argument("--seeds", nargs="*", type=int, default=[0])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    bench = Bench(Corpus.open(arguments.corpus), arguments.results)
    for which in runs(arguments.only, arguments.ways, arguments.spoilt, arguments.seeds):
        bench.run(*which)


if __name__ == "__main__":
    main()
