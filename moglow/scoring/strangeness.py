"""The anomaly score of each frame of a clip, and the stretches that stand out."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from moglow.checkpoint import Checkpoint
from moglow.corpus.window import Window
from moglow.corpus.windows import on_device
from moglow.maths.signals import runs
from moglow.models.model import MotionModel
from moglow.motion.clip import Clip
from moglow.motion.retarget import retarget
from moglow.scoring.likelihood import shared

ABOVE = 150.0
"""Nats above the median of its take from which a frame is listed."""
BRIDGED = 0.2
"""Seconds between two unlikely stretches that are joined into one."""


@dataclass(frozen=True)
class UnlikelyStretch:
    """Frames ``start`` up to ``stop`` whose score is above the median of the take, by at most ``nats``."""

    start: int
    stop: int
    nats: float

    @property
    def why(self) -> str:
        return f"unlikely under the model, by {self.nats:.0f} nats a frame more than the rest"


def find_unlikely(checkpoint: Checkpoint, model: MotionModel, clip: Clip) -> list[UnlikelyStretch]:
    """Returns the stretches that stand out of a take.

    A take that is unlikely throughout, such as a dance under a model of walking, has none.
    """
    scores = strangeness(checkpoint, model, clip)
    if np.isnan(scores).all():
        return []
    above = np.nan_to_num(scores - np.nanmedian(scores), nan=0.0)
    spread = float(np.median(np.abs(above)))
    unlikely = above > max(ABOVE, 8 * spread)
    for start, stop in runs(~unlikely):
        if start > 0 and stop < len(clip) and stop - start <= BRIDGED * clip.fps:
            unlikely[start:stop] = True
    return [UnlikelyStretch(start, stop, float(above[start:stop].max())) for start, stop in runs(unlikely)]


def strangeness(checkpoint: Checkpoint, model: MotionModel, clip: Clip) -> NDArray[np.float64]:
    """Returns the score ``(T,)`` of each frame (see `MotionModel.score`); NaN for the first frames, without a past.

    The clip is retargeted to the model's skeleton and resampled to its rate; the scores are at the clip's rate.
    """
    context = checkpoint.context
    history = context.spec.history
    fitted = context.encoding.spec.posed(retarget(clip.resample(context.fps), context.encoding.skeleton))
    if len(fitted) <= history + 1:
        return np.full(len(clip), np.nan)
    tensors = on_device(context, "cpu")
    window = Window.of_clip(tensors, context.encoding.features(fitted), torch.zeros(1, context.labels))
    with torch.no_grad():
        scores = shared(model.score(window.target(tensors), window.context(tensors))[0], model.stride)[0]
    padded = np.full(len(fitted), np.nan)
    padded[history : history + len(scores)] = scores.double().numpy() + context.log_scale
    nearest = np.minimum(np.round(clip.times * context.fps).astype(int), len(padded) - 1)
    resampled: NDArray[np.float64] = padded[nearest]
    return resampled
