"""Rows of all processes that train together, as one tensor; floor 9."""

import torch
from torch import Tensor, distributed


def gathered(rows: Tensor, axis: int) -> Tensor:
    """Returns the rows of all processes one after the other along an axis; a process alone has them already.

    >>> gathered(torch.arange(3), 0)
    tensor([0, 1, 2])
    """
    if not distributed.is_initialized():
        return rows
    parts = [torch.empty_like(rows) for _ in range(distributed.get_world_size())]
    distributed.all_gather(parts, rows.contiguous())
    return torch.cat(parts, dim=axis)
