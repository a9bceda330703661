"""The likelihood of held-out motion under a model, in nats per frame."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from moglow.corpus.context import Context
from moglow.corpus.windows import Windows
from moglow.models.model import MotionModel


@dataclass(frozen=True)
class Likelihood:
    """Negative log-likelihood of held-out motion, with no past pose dropped, in nats per frame."""

    standardized: float  # of standardised poses
    physical: float  # of poses in metres and radians
    channels: int
    dequantised: float  # deviation of the dequantisation noise, on which the figures depend

    @property
    def per_channel(self) -> float:
        """Nats per frame and channel, standardised."""
        return self.standardized / self.channels


@torch.no_grad()
def frame_nats(
    model: MotionModel, windows: Windows, context: Context, *, batches: int | None = None
) -> NDArray[np.float64]:
    """Returns the negative log-likelihood (N,) of each frame of standardised poses, with no past pose dropped.

    `batches` limits the number of batches, which are spread over the split. A model with a stride divides the score of
    a stride equally among its frames; frames after a window's last whole stride are left out.
    """
    windows.must_hold(model.stride)
    on_device, nats = windows.footage.context, []
    count = len(windows) if batches is None else min(batches, len(windows))
    for number in np.linspace(0, len(windows) - 1, count).astype(int).tolist():
        window = windows.batch(number)
        log_prob, _ = model.log_prob(window.target(on_device), window.context(on_device))
        nats.append(-shared(log_prob.double(), model.stride).flatten().cpu().numpy())
    return np.concatenate(nats) + context.log_scale


def shared(scores: Tensor, stride: int) -> Tensor:
    """Returns scores (B, T), given at the last frame of each stride, divided equally among the frames of the stride.

    Frames after the last whole stride are left out.

    >>> shared(torch.tensor([[0.0, 0.0, 6.0, 0.0, 0.0, 9.0, 0.0]]), 3)
    tensor([[2., 2., 2., 3., 3., 3.]])
    """
    count = scores.shape[1] // stride
    each = scores[:, : count * stride].reshape(len(scores), count, stride).mean(dim=-1, keepdim=True)
    return each.expand(-1, -1, stride).flatten(start_dim=1)


def likelihood(model: MotionModel, windows: Windows, context: Context) -> Likelihood:
    """Returns the mean over all windows of a split; `context` is the numpy one, for its scales."""
    standardized = float(np.mean(frame_nats(model, windows, context)))
    physical = standardized + context.log_deviation
    return Likelihood(standardized, physical, context.pose_dim, windows.spec.dequantise)
