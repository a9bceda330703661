"""How strange a model finds each frame of any clip. Floor 11, in torch."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from moglow.checkpoint import Checkpoint
from moglow.clip import Clip
from moglow.contacts import runs
from moglow.models.model import MotionModel
from moglow.retarget import retarget
from moglow.validation import shared

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
    history, ahead = context.spec.history, context.spec.lookahead
    seen = context.encoding.spec.posed(retarget(clip.resample(context.fps), context.encoding.skeleton))
    if len(seen) <= history + 1:
        return np.full(len(clip), np.nan)
    features, torch_context = context.encoding.features(seen), context.mapped(torch.as_tensor, torch)
    pose = torch_context.standardize_pose(torch.as_tensor(features.pose, dtype=torch.float32))
    control = torch_context.standardize_control(torch.as_tensor(features.control, dtype=torch.float32))
    control = torch.cat([control, control[-1:].expand(ahead, -1)])
    past = pose[:-1].unfold(0, history, 1).transpose(-1, -2)  # (T - K, K, D)
    around = control.unfold(0, history + 1 + ahead, 1).transpose(-1, -2)  # (T - K, K + 1 + L, 3)
    style = torch.zeros(len(past), len(context.styles))
    vectors = torch_context.build(past, around, style)
    targets = torch_context.to_target(pose[history:], pose[history - 1 : -1], control[history : len(pose)])
    with torch.no_grad():
        scores = shared(model.score(targets[None], vectors[None])[0], model.stride)[0]
    known = np.full(len(seen), np.nan)
    known[history : history + len(scores)] = scores.double().numpy() + context.log_scale
    nearest = np.minimum(np.round(clip.times * context.fps).astype(int), len(known) - 1)
    found: NDArray[np.float64] = known[nearest]
    return found
