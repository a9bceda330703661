"""Windows that begin with another body above the feet and return to their own, so that a model obeys its label.

A model that always sees the past of a recording learns to continue it: a figure told to march, but with its arms at
rest, goes on with its arms at rest. In the history of these windows, all channels but those of the feet are blended
with other poses: the poses of another window, their mean, or the mean of their own. In the frames to predict, the
difference disappears as a critically damped spring comes to rest.
"""

import torch
from torch import Tensor

from moglow.corpus.context import Context

FEET = ("toe_x", "toe_z", "foot_yaw", "toe_height", "foot_roll", "foot_pitch")
"""Channel groups that keep their values."""
RETURN = 0.13
"""Time constant of the spring in seconds."""
OWN_MEAN, OTHER_MEAN = 0.25, 0.25
"""Shares of the windows that are blended with a mean; the rest are blended with moving poses."""


def blend_bodies(
    poses: Tensor, others: Tensor, context: Context, shares: Tensor, kinds: Tensor, past: int
) -> Tensor:
    """Returns standardised poses ``(B, T, D)`` that begin blended with `others` ``(B, T, D)``.

    ``shares`` ``(B,)``, from 0 to 1, are those of the other poses in the first ``past`` frames; ``kinds`` ``(B,)``,
    from 0 to 1, determine the kind of the other poses.
    """
    kind = kinds[:, None, None]
    means = torch.where(kind < OWN_MEAN, poses.mean(1, keepdim=True), others.mean(1, keepdim=True))
    others = torch.where(kind < OWN_MEAN + OTHER_MEAN, means, others)
    since = (torch.arange(poses.shape[1], device=poses.device) - past + 1).clamp(min=0) / (
        RETURN * context.fps
    )
    left = (1 + since) * torch.exp(-since)
    body = torch.ones(poses.shape[-1], device=poses.device)
    for group in FEET:
        body[context.encoding.slice(group)] = 0
    return poses + shares[:, None, None] * left[:, None] * body * (others - poses)
