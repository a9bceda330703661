"""Windows that begin with misplaced feet, which return to their places, so that a model learns to recover.

A generated foot may be left behind or stay in the air, and recordings contain no such frames. In the history of these
windows, feet are displaced by random offsets. In the frames to predict, a raised foot is lowered, and a displaced foot
steps to its place in the recording.
"""

import math

import torch
from torch import Generator, Tensor

from moglow.corpus.context import Context

HIGH = 0.04
"""Height in metres above its lowest position from which a foot counts as in the air."""
FAR = 0.1
"""Offset in metres from which a planted foot steps back; a smaller one stays until the next swing."""
RISE = 0.08
"""Height in metres of such a step."""
BACK = 0.15
"""Time constant in seconds with which the offset of a foot in the air decays."""


def random_offsets(size: int, feet: int, by: float, generator: Generator) -> Tensor:
    """Returns offsets ``(size, L, 3)`` in metres with a deviation; half of them are zero, and heights are positive."""
    offsets = torch.randn(size, feet, 3, generator=generator, device=generator.device)
    offsets = torch.cat([offsets[..., :2], offsets[..., 2:].abs()], -1) * by
    return offsets * (torch.rand(size, feet, 1, generator=generator, device=generator.device) < 0.5)


def misplace_feet(poses: Tensor, controls: Tensor, context: Context, offsets: Tensor, past: int) -> Tensor:
    """Returns standardised poses ``(B, T, D)`` with displaced feet.

    ``offsets`` ``(B, L, 3)`` are the offsets of L feet in the first frame, in metres: x, z and height. They are
    constant for ``past`` frames; x and z turn with the path. The standardised controls ``(B, T, 3)`` lead to the
    frames.
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
