"""The processes that train together under `torchrun`: joining them, and leaving; floor 9."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import distributed

from moglow.device import find_device
from moglow.training_run import Place


@contextmanager
def joined(device: str = "auto") -> Iterator[Place]:
    """Joins the group that `torchrun` started, if it did, and says where in it this process stands.

    Several processes on one machine take a GPU each, see `find_device`.

    >>> with joined("cpu") as place:
    ...     place
    Place(device='cpu', rank=0, ranks=1)
    """
    ranks, device = int(os.environ.get("WORLD_SIZE", "1")), find_device(device)
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
