"""Windows whose feet are shifted sideways for a whole clip, so that a model learns how far apart steps are.

People keep the distance between their feet, and a model that has only seen this keeps any distance. Small errors of
many steps add up: feet cross or come too far apart. In the history of these windows all feet are further out or in, for
as long as the clip lasts, so that neither the past poses nor the memory contain the recorded distance. In the frames
to predict, a raised foot moves towards its recorded place. Only clips that walk ahead are changed: in side-steps the
distance between the feet changes all the time, and figures that stand would learn to stand with crossed legs.
"""

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from moglow.corpus.context import Context
from moglow.corpus.misplaced_feet import BACK
from moglow.corpus.window import Window

RAISED = 0.03
"""Height in metres above its lowest position from which a foot is raised."""
AHEAD, ALL_THE_TIME = 0.3, 0.9
"""Smallest forward speed in m/s of a walk, and the share of the frames of a clip that have it."""


def walks_ahead(control: NDArray[np.floating]) -> bool:
    """Returns whether a clip with controls ``(T, 3)`` walks ahead all the time."""
    return bool((control[:, 0] > AHEAD).mean() > ALL_THE_TIME)


def sampled_offsets(passages: Tensor, feet: int, share: float, most: float, seed: int) -> Tensor:
    """Returns outward offsets ``(B, L)`` in metres of the feet, the same for windows of the same passage ``(B,)``.

    A ``share`` of the passages has offsets of up to ``most``, small ones more often; half of these have the same offset
    for all feet.
    """
    rows: list[NDArray[np.floating]] = []
    for passage in passages.tolist():
        generator = np.random.default_rng([seed, passage, 2])
        chosen, alike = generator.random(2)
        offsets = generator.uniform(-1, 1, feet)
        offsets = np.full(feet, offsets[0]) if alike < 0.5 else offsets
        rows.append((chosen < share) * most * offsets * np.abs(offsets))
    return torch.as_tensor(np.array(rows, np.float32).reshape(-1, feet))


def set_apart(window: Window, context: Context, metres: Tensor) -> Window:
    """Returns windows in which all feet are further out by metres ``(B,)``, in the history and in what to predict."""
    poses = window.poses + further_out(context, metres[:, None])
    return replace(window, poses=poses, history=poses)


def further_out(context: Context, metres: Tensor) -> Tensor:
    """Returns the change ``(B, 1, D)`` of standardised poses that moves feet outwards by metres ``(B, L or 1)``."""
    x = context.encoding.slices["toe_x"]
    result = torch.zeros(len(metres), 1, context.pose_dim, device=metres.device)
    result[..., x] = (metres * torch.sign(context.pose_mean[x]))[:, None] / context.pose_deviation[x]
    return result


def shift_feet(poses: Tensor, controls: Tensor, context: Context, offsets: Tensor) -> tuple[Tensor, Tensor]:
    """Returns what is added to the history and to the poses to predict, both ``(B, T, D)`` and standardised.

    ``poses`` ``(B, T, D)`` are the recorded ones, the standardised ``controls`` ``(B, T, 3)`` lead to them;
    ``offsets`` ``(B, L)`` are in metres, positive away from the middle. A planted foot stays where it is while the
    path turns.
    """
    x, z, height = (context.encoding.slices[name] for name in ("toe_x", "toe_z", "toe_height"))
    heights = context.physical_pose(poses)[..., height]
    raised = heights > heights.amin(1, keepdim=True) + RAISED
    history = torch.zeros_like(poses) + further_out(context, offsets)
    here, there = (context.carried(each[:, :-1], controls[:, 1:]) for each in (poses, poses + history))
    target = torch.cat([history[:, :1], there - here], 1)
    for group in (x, z):
        target[..., group] *= torch.where(raised, 1 - 1 / (BACK * context.fps), 1.0)
    return history, target
