"""Distributed training: the process group that `torchrun` starts."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, distributed

from moglow.compute.device import find_device
from moglow.compute.launch import process_number


@dataclass(frozen=True)
class Place:
    """The device and rank of a process, and the number of processes."""

    device: str = "cpu"
    rank: int = 0
    ranks: int = 1


@contextmanager
def process_group(device: str = "auto") -> Iterator[Place]:
    """Context manager that joins the process group, if `torchrun` started one, and yields this process's place in it.

    Several processes on one machine take one GPU each, see `find_device`.

    >>> with process_group("cpu") as place:
    ...     place
    Place(device='cpu', rank=0, ranks=1)
    """
    (_, ranks), device = process_number(), find_device(device)
    if device.startswith("cuda"):
        torch.cuda.set_device(device)  # Triton's kernels and CUDA graphs use the current device
    if ranks == 1:
        yield Place(device)
        return
    distributed.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    try:
        yield Place(device, distributed.get_rank(), ranks)
        distributed.barrier()  # the first process to leave closes the connections of the others
    finally:
        distributed.destroy_process_group()


def first_alone(place: Place) -> "Iterator[bool]":
    """Yields once: True in the first process; False in the others, after the first has finished.

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
    """Returns the rows of all processes, concatenated along an axis; the rows themselves for a single process.

    >>> gathered(torch.arange(3), 0)
    tensor([0, 1, 2])
    """
    if not distributed.is_initialized():
        return rows
    parts = [torch.empty_like(rows) for _ in range(distributed.get_world_size())]
    distributed.all_gather(parts, rows.contiguous())
    return torch.cat(parts, dim=axis)
