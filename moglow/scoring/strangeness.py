"""How strange a model finds each frame of any clip."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from moglow.checkpoint import Checkpoint
from moglow.corpus.windows import Window, on_device
from moglow.maths.signals import runs
from moglow.models.model import MotionModel
from moglow.motion.clip import Clip
from moglow.motion.retarget import retarget
from moglow.scoring.likelihood import shared

ABOVE = 150.0
"""Nats by which a frame is stranger than half of its take before it is listed."""
BRIDGED = 0.2
"""Seconds between two strange stretches that are one."""


@dataclass(frozen=True)
class Strange:
    """Frames ``start`` up to ``stop`` that a model finds stranger than the middle frame of the take, by ``nats``."""

    start: int
    stop: int
    nats: float

    @property
    def why(self) -> str:
        return f"the model finds it strange, by {self.nats:.0f} nats a frame more than the rest"


def find_strange(checkpoint: Checkpoint, model: MotionModel, clip: Clip) -> list[Strange]:
    """Stretches that stand out of a take: a take that is strange throughout, as a dance is to a walker, has none."""
    scores = strangeness(checkpoint, model, clip)
    if np.isnan(scores).all():
        return []
    above = np.nan_to_num(scores - np.nanmedian(scores), nan=0.0)
    spread = float(np.median(np.abs(above)))
    strange = above > max(ABOVE, 8 * spread)
    for start, stop in runs(~strange):
        if start > 0 and stop < len(clip) and stop - start <= BRIDGED * clip.fps:
            strange[start:stop] = True
    return [Strange(start, stop, float(above[start:stop].max())) for start, stop in runs(strange)]


def strangeness(checkpoint: Checkpoint, model: MotionModel, clip: Clip) -> NDArray[np.float64]:
    """The model's score ``(T,)`` of each frame (see `MotionModel.score`); not a number where it sees no past yet.

    The clip is put on the model's skeleton, on its floor and at its rate, and the scores are read back at the clip's.
    """
    context = checkpoint.context
    history = context.spec.history
    seen = context.encoding.spec.posed(retarget(clip.resample(context.fps), context.encoding.skeleton))
    if len(seen) <= history + 1:
        return np.full(len(clip), np.nan)
    tensors = on_device(context, "cpu")
    window = Window.of_clip(tensors, context.encoding.features(seen), torch.zeros(1, context.labels))
    with torch.no_grad():
        scores = shared(model.score(window.target(tensors), window.context(tensors))[0], model.stride)[0]
    known = np.full(len(seen), np.nan)
    known[history : history + len(scores)] = scores.double().numpy() + context.log_scale
    nearest = np.minimum(np.round(clip.times * context.fps).astype(int), len(known) - 1)
    found: NDArray[np.float64] = known[nearest]
    return found
