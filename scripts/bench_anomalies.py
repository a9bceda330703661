"""Who finds what is wrong with motion: every judge × every fault, after training on motion that is partly spoilt.

    python scripts/bench_anomalies.py run --corpus FILE --results docs/anomalies.jsonl [--seeds 0 1] [--models NAME …]
    python scripts/bench_anomalies.py table docs/anomalies.jsonl

FILE is made by `moglow preprocess data/open/recipe.toml -o FILE --set data.smoother=[]`. Faults are those of
`scripts/injuries.py`, put into clips before they are encoded: into held-out clips, one kind at a time, to be found,
and into training clips, all kinds mixed, until so many per cent of the training windows hold a bad frame. A run that
the results already hold is not made again, so it may be stopped at any time.
"""

import argparse
import json
import platform
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from injuries import inject
from moglow.clip import Clip
from moglow.context import Context, ContextSpec
from moglow.corpus import Corpus, Stretch
from moglow.errors import ClipError
from moglow.models import MODELS
from moglow.models.model import MotionModel
from moglow.outliers import OutlierSpec
from moglow.training import Trainer, TrainingSpec
from moglow.window_order import Cuts
from moglow.windows import Footage, Windows, WindowSpec

Scores = NDArray[np.float64]
Flags = NDArray[np.bool_]

KINDS = ("spike", "swap", "frozen", "floor", "teleport", "rate")
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
JUDGED = (
    *("regression", "undercomplete", "overcomplete", "denoising", "sparse_l1", "sparse_kl"),
    *("vae", "moglow", "realnvp", "maf"),
)

TRAINED_PIECE, JUDGED_PIECE = 45, 120
"""Frames that get at most one fault, in training and in judging: 1.5 s and 4 s."""
NEAR = 30
"""Frames around a fault that are not judged: models see it in their past, and paths are smoothed over a second."""
MOMENT = 15
"""Frames of a moment, half a second: bad if any frame of it is, and as strange as the strangest."""
DRAWS = 200
"""Resamplings of the 4 s pieces that an interval is made from."""


@dataclass(frozen=True)
class Judged:
    """Held-out motion with faults of one kind: a corpus of it, its clips, and for each frame whether it is bad."""

    corpus: Corpus
    clips: tuple[Clip, ...]
    bad: tuple[Flags, ...]


def pieces(clip: Clip, length: int) -> list[Clip]:
    """Returns a clip in pieces of at least a length, or whole where it is shorter."""
    cuts = np.linspace(0, len(clip), max(1, len(clip) // length) + 1).astype(int)
    return [clip[start:stop] for start, stop in zip(cuts[:-1], cuts[1:], strict=True)]


def joined(parts: Sequence[Clip]) -> Clip:
    """Returns pieces as one clip again."""
    positions, rotations = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("positions", "rotations")
    )
    return replace(parts[0], positions=positions, rotations=rotations)


def injured(clip: Clip, kinds: Sequence[str], random: np.random.Generator) -> tuple[Clip, Flags]:
    """Returns a piece with a fault of the first kind that it can have, and its bad frames; sound where there is none."""
    for kind in kinds:
        try:
            found = inject(clip, kind, generator=random)
        except (ClipError, ValueError):  # too short, or no foot stands in it
            continue
        return found.clip, found.frames
    return clip, np.zeros(len(clip), bool)


def judged_motion(corpus: Corpus, kind: str) -> Judged:
    """Returns the held-out clips with a fault of a kind in every 4 s; the same for all judges."""
    random, clips, bad = np.random.default_rng(KINDS.index(kind)), [], []
    for stretch in corpus.split("val"):
        parts = [injured(part, [kind], random) for part in pieces(corpus.clip(stretch), JUDGED_PIECE)]
        clips.append(joined([clip for clip, _ in parts]))
        bad.append(np.concatenate([flags for _, flags in parts]))
    labels = [(stretch.name, stretch.style, "train") for stretch in corpus.split("val")]
    features = [corpus.encoding.features(clip) for clip in clips]
    return Judged(Corpus.build(corpus.encoding, features, labels, fps=corpus.fps), tuple(clips), tuple(bad))


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
def model_scores(model: MotionModel, footage: Footage) -> list[Scores]:
    """Returns how strange a model finds each frame of each clip; not a number where it has no past."""
    past, length = CONTEXT.history, 2 * WINDOWS.length
    found = []
    for stretch in footage.corpus.stretches:
        scores, frames = np.full(len(stretch), np.nan), min(length, len(stretch) - past)
        last = len(stretch) - past - frames
        starts = np.unique(np.append(np.arange(0, last + 1, frames), last))
        window = footage.cut(_cuts(stretch, starts), past, frames, CONTEXT.lookahead)
        rows, _ = model.score(window.target(footage.context), window.context(footage.context))
        for start, row in zip(starts, rows.double().numpy(), strict=True):
            scores[start + past : start + past + frames] = row
        found.append(scores)
    return found


def _cuts(stretch: Stretch, starts: NDArray[np.int64]) -> Cuts:
    still = torch.zeros(len(starts), dtype=torch.bool)
    return Cuts(torch.as_tensor(stretch.start + starts), still, still, still)


def jerk_scores(judged: Judged, context: Context) -> list[Scores]:
    """Returns the largest jerk of any joint in the world around each frame: what a threshold looks at."""
    found = []
    for clip in judged.clips:
        jerk = np.linalg.norm(np.diff(clip.world()[0], n=3, axis=0), axis=-1).max(
            1
        )  # between frames t + 1 and t + 2
        around = np.maximum(np.append(jerk, 0), np.append(0, jerk))
        found.append(np.concatenate([[np.nan], around, [np.nan]]))
    return found


def pose_scores(judged: Judged, context: Context) -> list[Scores]:
    """Returns the z-score of each pose, of its most unusual channel."""
    features = map(judged.corpus.features, judged.corpus.stretches)
    return [np.abs(context.standardize_pose(each.pose)).max(1).astype(float) for each in features]


def step_scores(judged: Judged, context: Context) -> list[Scores]:
    """Returns the z-score of each step from the pose before, of its most unusual channel: a model's target, unlearnt."""
    found = []
    for each in map(judged.corpus.features, judged.corpus.stretches):
        pose, control = context.standardize_pose(each.pose), context.standardize_control(each.control)
        steps = np.abs(context.to_target(pose[1:], pose[:-1], control[1:])).max(1)
        found.append(np.append(np.nan, steps))
    return found


BLIND: Mapping[str, Callable[[Judged, Context], list[Scores]]] = {
    "jerk": jerk_scores,
    "z-score of poses": pose_scores,
    "z-score of steps": step_scores,
}


def roc_area(scores: Scores, bad: Flags) -> float:
    """Returns the chance that a bad one is stranger than a sound one, ties counting half.

    >>> roc_area(np.array([1.0, 2.0, 2.0, 3.0]), np.array([False, False, True, True]))
    0.875
    """
    _, place, count = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(count) - (count - 1) / 2)[place]
    positive = int(bad.sum())
    return float((ranks[bad].sum() - positive * (positive + 1) / 2) / (positive * (len(bad) - positive)))


def average_precision(scores: Scores, bad: Flags) -> float:
    """Returns the mean over bad ones of the share of bad ones among all that are as strange.

    >>> average_precision(np.array([3.0, 2.0, 1.0]), np.array([True, False, True])).__round__(3)
    0.833
    """
    order = np.argsort(-scores, kind="stable")
    ordered, hits = scores[order], np.cumsum(bad[order])
    last = np.searchsorted(-ordered, -ordered, side="right") - 1  # of those that are as strange
    return float((hits[last] / (last + 1))[bad[order]].mean())


def moments(scores: Scores, bad: Flags, judged: Flags) -> Iterator[tuple[int, float, bool]]:
    """Yields the piece of each half second, how strange it is and whether it is bad; mixed ones are left out."""
    for start in range(0, len(bad) - MOMENT + 1, MOMENT):
        part = slice(start, start + MOMENT)
        if (bad[part].any() or judged[part].all()) and np.isfinite(scores[part]).any():
            yield start // JUDGED_PIECE, float(np.nanmax(scores[part])), bool(bad[part].any())


def judgement(judged: Judged, scores: list[Scores]) -> dict[str, Any]:
    """Returns AUROC and average precision, per frame and per half second, and the latter's deviation over pieces."""
    of_frames, of_moments = [], []
    for clip, (found, bad) in enumerate(zip(scores, judged.bad, strict=True)):
        near = np.convolve(bad, np.ones(2 * NEAR + 1))[NEAR : NEAR + len(bad)] > 0
        counted = np.isfinite(found) & (bad | ~near)
        counted[: CONTEXT.history] = False  # models have no past there; all are judged on the same frames
        of_frames.append(np.stack([found[counted], bad[counted]]))
        of_moments += [(1000 * clip + piece, *rest) for piece, *rest in moments(found, bad, counted)]
    frames = np.concatenate(of_frames, axis=1)
    piece, strange, is_bad = (np.array(column) for column in zip(*of_moments, strict=True))
    random, names, draws = np.random.default_rng(0), np.unique(piece), []
    rows = [np.flatnonzero(piece == name) for name in names]
    for _ in range(DRAWS):
        drawn = np.concatenate([rows[number] for number in random.integers(len(rows), size=len(rows))])
        draws.append(roc_area(strange[drawn], is_bad[drawn]))
    return {
        "frames": [
            roc_area(frames[0], frames[1] > 0),
            average_precision(frames[0], frames[1] > 0),
            frames[1].mean(),
        ],
        "moments": [roc_area(strange, is_bad), average_precision(strange, is_bad), is_bad.mean()],
        "deviation": float(np.std(draws)),
    }


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
        self.corpus, self.results = corpus, results
        self.judged = cache(lambda kind: judged_motion(corpus, kind))
        self.spoilt = cache(lambda share, seed: spoilt(corpus, share, seed))

    def rows(self) -> list[dict[str, Any]]:
        return (
            [json.loads(line) for line in self.results.read_text().splitlines()]
            if self.results.exists()
            else []
        )

    def run(self, judge: str, way: str, share: float, seed: int) -> None:
        """Adds a row, unless it is there."""
        which = {"judge": judge, "way": way, "spoilt": share, "seed": seed}
        if any(all(row[key] == value for key, value in which.items()) for row in self.rows()):
            return
        corpus, start = self.spoilt(share, seed), time.process_time()
        context = Context.of_corpus(CONTEXT, corpus)
        if judge in BLIND:
            kinds = {
                kind: judgement(self.judged(kind), BLIND[judge](self.judged(kind), context)) for kind in KINDS
            }
        else:
            model = trained(judge, Footage(corpus, context), WAYS[way](share), seed)
            kinds = {
                kind: judgement(
                    self.judged(kind), model_scores(model, Footage(self.judged(kind).corpus, context))
                )
                for kind in KINDS
            }
        machine = f"{platform.processor() or platform.machine()}, torch {torch.__version__}"
        row = {**which, "kinds": kinds, "seconds": round(time.process_time() - start, 1), "machine": machine}
        with self.results.open("a") as file:
            file.write(json.dumps(row) + "\n")
        area = np.mean([found["moments"][0] for found in kinds.values()])
        print(
            f"{judge}, {way}, {share:.0%} spoilt, seed {seed}: {area:.3f} in {row['seconds']} s", flush=True
        )


def run_all(bench: Bench, models: Sequence[str], shares: Sequence[float], seeds: Sequence[int]) -> None:
    """Makes the runs that are missing."""
    for seed in seeds:
        for share in shares:
            for judge in BLIND:
                bench.run(judge, "plain", share, seed)
            for way in WAYS if share else ("plain",):
                for judge in models:
                    bench.run(judge, way, share, seed)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    runner = commands.add_parser("run")
    runner.add_argument("--corpus", type=Path, required=True)
    runner.add_argument("--results", type=Path, required=True)
    runner.add_argument("--models", nargs="*", default=JUDGED, choices=MODELS)
    runner.add_argument("--spoilt", nargs="*", type=float, default=SPOILT)
    runner.add_argument("--seeds", nargs="*", type=int, default=[0])
    commands.add_parser("table").add_argument("results", type=Path)
    arguments = parser.parse_args()
    if arguments.command == "table":
        print(table(arguments.results))
    else:
        torch.set_num_threads(1)
        bench = Bench(Corpus.open(arguments.corpus), arguments.results)
        run_all(bench, arguments.models, arguments.spoilt, arguments.seeds)


if __name__ == "__main__":
    main()
