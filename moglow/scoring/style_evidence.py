"""The style of a clip by Bayes' rule, for any model with styles and a likelihood.

A clip is scored once under each style: p(style | clip) ∝ p(clip | style). All past poses in the context are dropped:
given ten poses in a style, the likelihood of the next pose hardly depends on the style label. A model can do without
past poses if it was trained with `pose_dropout` and windows in which all are dropped.

The errors of a model are highly correlated between frames, so that the sum over frames would be far too confident. The
evidence is therefore the mean over the frames, in nats, divided by a temperature that maximises the likelihood of
held-out labels (Guo et al., *On calibration of modern neural networks*, arXiv 1706.04599, 2017). With the temperature
1 / frames it is exactly Bayes' rule.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray

from moglow.corpus.context import Context
from moglow.corpus.corpus import Corpus
from moglow.corpus.window import Window
from moglow.encodings.encoding import Features
from moglow.errors import ClipError
from moglow.models.model import MotionModel

Floats = NDArray[np.float64]

PIECE = 256
"""Number of frames of a clip that are scored at once; it limits the memory."""
TEMPERATURES = np.geomspace(1e-3, 1e3, 601)
"""Candidates of the calibration."""


@torch.no_grad()
def evidence(model: MotionModel, context: Context, features: Features, name: str = "clip") -> Floats:
    """Returns log p(clip | style) for each style (S,), up to a constant, in nats per frame.

    `context` holds tensors on the model's device, `features` are those of the clip.
    """
    spec = context.spec
    frames = len(features.pose) - spec.history
    if frames < 1:
        raise ClipError(
            f"{name}: {len(features.pose)} frames at {context.fps:g} fps, the model needs {spec.history + 1}; "
            "give a longer clip"
        )
    labels = torch.eye(context.labels, device=context.scale.device)[len(context.performers) :]
    window = Window.of_clip(context, features, labels)
    window = replace(window, shown=torch.zeros_like(window.shown))
    total, state = np.zeros(len(labels)), None
    piece = max(1, PIECE // model.stride) * model.stride
    for first in range(0, frames, piece):
        part = window.part(context, first, min(first + piece, frames))
        log_prob, state = model.log_prob(part.target(context), part.context(context), state)
        total += log_prob.double().sum(dim=1).cpu().numpy()
    return np.asarray(total / frames)


def probabilities(evidence: Floats, temperature: float) -> Floats:
    """Returns the probability of each style (…, S) with a uniform prior.

    >>> probabilities(np.array([0.0, 0.2]), 0.1)
    array([0.12, 0.88])
    """
    scaled = np.asarray(evidence) / temperature
    likely = np.exp(scaled - scaled.max(-1, keepdims=True))
    return np.asarray(likely / likely.sum(-1, keepdims=True))


def best_temperature(evidence: Floats, labels: NDArray[np.intp]) -> float:
    """Returns the temperature that maximises the likelihood of the labels (N,) of clips, given their evidence (N, S).

    >>> sure, wrong = [9.0, 0.0], [0.0, 9.0]  # three of four are right: a confidence of 3/4
    >>> probabilities(sure, best_temperature(np.array([sure, sure, sure, wrong]), np.array([0, 0, 0, 0])))
    array([0.75, 0.25])
    """
    chosen = [probabilities(evidence, t)[np.arange(len(labels)), labels] for t in TEMPERATURES]
    return float(TEMPERATURES[np.argmax([np.log(np.maximum(each, 1e-12)).mean() for each in chosen])])


def evidence_of_split(
    model: MotionModel, context: Context, corpus: Corpus, split: str
) -> tuple[Floats, NDArray[np.intp], Sequence[str]]:
    """Returns the evidence (N, S), labels (N,) and names of the labelled clips of a split that are long enough."""
    stretches = [
        stretch
        for stretch in corpus.split(split)
        if stretch.style in context.styles and len(stretch) > context.spec.history and not stretch.again
    ]
    found = [evidence(model, context, corpus.features(stretch), stretch.name) for stretch in stretches]
    labels = np.array([context.styles.index(stretch.style) for stretch in stretches], np.intp)
    return np.array(found).reshape(-1, len(context.styles)), labels, [each.name for each in stretches]


@dataclass(frozen=True)
class StyleAccuracy:
    """The accuracy of a model in classifying the styles of held-out clips."""

    clips: int
    right: int
    temperature: float  # fitted to these clips; see `best_temperature`

    @classmethod
    def of_held_out(cls, model: MotionModel, context: Context, corpus: Corpus) -> Self | None:
        """Returns the accuracy; None without two styles, labelled held-out clips or a likelihood."""
        if len(context.styles) < 2:
            return None
        found, labels, _ = evidence_of_split(model, context, corpus, "val")
        if not len(labels) or not np.isfinite(found).all():
            return None
        right = int((found.argmax(-1) == labels).sum())
        return cls(len(labels), right, best_temperature(found, labels))
