"""The processes that train together under `torchrun`: joining them, and leaving."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, distributed

from moglow.compute.device import find_device
from moglow.compute.launch import process_number


@dataclass(frozen=True)
class Place:
    """Where a process stands among those that train together."""

    device: str = "cpu"
    rank: int = 0
    ranks: int = 1


@contextmanager
def joined(device: str = "auto") -> Iterator[Place]:
    """Joins the group that `torchrun` started, if it did, and says where in it this process stands.

    Several processes on one machine take a GPU each, see `find_device`.

    >>> with joined("cpu") as place:
    ...     place
    Place(device='cpu', rank=0, ranks=1)
    """
    (_, ranks), device = process_number(), find_device(device)
    if device.startswith("cuda"):
        torch.cuda.set_device(device)  # where kernels of Triton run and graphs are recorded
    if ranks == 1:
        yield Place(device)
        return
    distributed.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    try:
        yield Place(device, distributed.get_rank(), ranks)
        distributed.barrier()  # who leaves first takes the connections of the others down
    finally:
        distributed.destroy_process_group()


def first_alone(place: Place) -> "Iterator[bool]":
    """Yields once: True in the first process, before the others; False in these, when it is done.

    >>> [alone for alone in first_alone(Place())]
    [True]
    """
    if place.rank == 0:
        yield True
    if place.ranks > 1:
        distributed.barrier()
    if place.rank > 0:
        yield False


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
