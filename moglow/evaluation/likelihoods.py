"""Likelihoods of training motion, held-out motion and a model's own motion.

They are in nats per frame of standardised poses, with no past pose dropped and with the dequantisation of training. A
gap between training and held-out motion shows overfitting.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moglow.checkpoint import Checkpoint
from moglow.corpus.corpus import Corpus, Stretch
from moglow.corpus.window_spec import WindowSpec, fitting
from moglow.corpus.windows import Footage, Windows
from moglow.errors import TrainingError
from moglow.files.tables import from_table
from moglow.models.model import MotionModel
from moglow.sampling.ensemble import Motion
from moglow.scoring.likelihood import frame_nats

BATCH = 32
BINS = 60
"""Number of bins of the histograms."""
SHOWN = (0.005, 0.995)
"""Quantiles at the ends of the histograms, since a density has long tails."""


@dataclass(frozen=True)
class Likelihoods:
    """Mean log-likelihoods, and histograms: the share of frames between each two ``edges``."""

    channels: int
    dequantised: float
    means: Mapping[str, float]  # held-out, training, own: nats a frame, standardised
    physical: float  # of held-out motion, of poses in metres and radians
    edges: tuple[float, ...]
    shares: Mapping[str, tuple[float, ...]]


def likelihoods(
    checkpoint: Checkpoint, model: MotionModel, corpus: Corpus, motions: Sequence[Motion]
) -> Likelihoods | None:
    """Returns the likelihoods of held-out motion, as much training motion, and own motion; None without a density.

    Real motion is scored with its style label, as in training; own motion without a label, as it was sampled.
    """
    if model.noise_dim == 0 or not corpus.split("val"):
        return None
    spec = window_spec(checkpoint)
    try:
        held_out = log_likelihoods(checkpoint, model, corpus, spec, "val")
        training = log_likelihoods(checkpoint, model, corpus, spec, "train", frames=len(held_out))
    except TrainingError:  # no clip is as long as a window of this model
        return None
    found = {"held-out": held_out, "training": training}
    if motions:
        own = log_likelihoods(checkpoint, model, _corpus_of(motions, corpus), spec, "val", styled=False)
        found["own"] = own
    pooled = np.concatenate(list(found.values()))
    low, high = np.quantile(pooled, SHOWN).tolist()
    edges = np.linspace(low, high, BINS + 1)
    return Likelihoods(
        channels=checkpoint.context.pose_dim,
        dequantised=spec.dequantise,
        means={name: float(values.mean()) for name, values in found.items()},
        physical=float(held_out.mean()) - checkpoint.context.log_deviation,
        edges=tuple(edges.tolist()),
        shares={
            name: tuple((np.histogram(values, edges)[0] / len(values)).tolist())
            for name, values in found.items()
        },
    )


def window_spec(checkpoint: Checkpoint) -> WindowSpec:
    """Returns the settings of the training windows without noise and dropout, but with the dequantisation."""
    table: Any = checkpoint.about
    for key in ("recipe", "training", "windows"):
        table = table.get(key) if isinstance(table, Mapping) else None
    if table is None:
        return WindowSpec().clean()
    return from_table(WindowSpec, table, "the checkpoint's [training.windows]").clean()


def log_likelihoods(
    checkpoint: Checkpoint,
    model: MotionModel,
    corpus: Corpus,
    spec: WindowSpec,
    split: str,
    *,
    frames: int | None = None,
    styled: bool = True,
) -> NDArray[np.float64]:
    """Returns the log-likelihoods (N,) of the frames of a split, or of about `frames` of them."""
    context = checkpoint.context
    footage = Footage(corpus, context, next(model.parameters()).device)
    if not styled:
        footage.style[:, len(context.performers) :] = 0
    spec = fitting(spec, corpus, context, split)
    windows = Windows(footage, spec, split=split, batch=BATCH, seed=0)
    batches = None if frames is None else -(-frames // (BATCH * spec.length))
    return -frame_nats(model, windows, context, batches=batches)


def _corpus_of(motions: Sequence[Motion], corpus: Corpus) -> Corpus:
    """Returns motions as a held-out split, with the statistics of another corpus."""
    ends = np.cumsum([len(motion.pose) for motion in motions]).tolist()
    style = corpus.stretches[0].style
    return replace(
        corpus,
        pose=np.concatenate([motion.pose for motion in motions]).astype(np.float32),
        control=np.concatenate([motion.control for motion in motions]).astype(np.float32),
        stretches=tuple(
            Stretch(f"take {k}", style, "val", start, stop)
            for k, (start, stop) in enumerate(zip([0, *ends[:-1]], ends, strict=True))
        ),
    )
