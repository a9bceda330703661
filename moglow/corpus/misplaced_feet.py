"""Feet that are out of place at the beginning of a window and come back, so that a model learns to recover.

A generated foot may be left behind or stay in the air, and no recording shows how motion continues from there. The
history of such a window shows feet moved by random offsets. In the frames to predict, a raised foot comes down, and a
foot out of place makes a step to where the recording has it.
"""

import math

import torch
from torch import Tensor

from moglow.corpus.context import Context

HIGH = 0.04
"""Metres above its lowest height from which a foot is in the air."""
FAR = 0.1
"""Metres from which a standing foot makes a step back to its place; a smaller offset stays until the next swing."""
RISE = 0.08
"""Metres by which that step rises."""
BACK = 0.15
"""Seconds in which an offset in the air falls to 1/e."""


def misplace_feet(poses: Tensor, controls: Tensor, context: Context, offsets: Tensor, past: int) -> Tensor:
    """Returns standardised poses ``(B, T, D)`` with feet out of place.

    ``offsets`` ``(B, L, 3)`` are those of L feet in the first frame, in metres: x, z and height. They stay through
    ``past`` frames; x and z turn with the path. The standardised controls ``(B, T, 3)`` lead to the frames.
    """
    x, z, height = (context.encoding.slices[name] for name in ("toe_x", "toe_z", "toe_height"))
    turns = context.physical_control(controls)[..., 2] / context.fps
    heights = context.physical_pose(poses)[..., height]
    raised = heights > heights.amin(1, keepdim=True) + HIGH
    tau, moved = BACK * context.fps, []
    aside, ahead, up = offsets.unbind(-1)
    far = offsets[..., :2].norm(dim=-1) > FAR
    for frame in range(poses.shape[1]):
        if frame:
            cos, sin = torch.cos(turns[:, frame, None]), torch.sin(turns[:, frame, None])
            aside, ahead = cos * aside - sin * ahead, sin * aside + cos * ahead
        if frame >= past:
            kept = torch.where(raised[:, frame] | (up > HIGH) | far, 1 - 1 / tau, 1.0)
            aside, ahead, up = kept * aside, kept * ahead, (1 - 1 / tau) * up
        since = max(frame - past + 1, 0) / tau
        moved.append(torch.stack([aside, ahead, up + RISE * since * math.exp(1 - since) * far]))
    found = torch.stack(moved, 2)  # (3, B, T, L)
    result = poses.clone()
    for group, offset in zip((x, z, height), found, strict=True):
        result[..., group] += offset / context.pose_deviation[group]
    return result
