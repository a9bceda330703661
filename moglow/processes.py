"""The processes that train together under `torchrun`: joining them, and leaving; floor 9."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import distributed

from moglow.errors import TrainingError
from moglow.training_run import Place


@contextmanager
def joined(device: str = "auto") -> Iterator[Place]:
    """Joins the group that `torchrun` started, if it did, and says where in it this process stands.

    `device` is "auto", "cpu", "cuda" or "cuda:1"; several processes on one machine take a GPU each.

    >>> with joined("cpu") as place:
    ...     place
    Place(device='cpu', rank=0, ranks=1)
    """
    ranks, local = int(os.environ.get("WORLD_SIZE", "1")), os.environ.get("LOCAL_RANK", "0")
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise TrainingError(f"--device {device}: torch sees no CUDA GPU here; use --device cpu")
    if device == "cuda":
        device = f"cuda:{local}"
    if ranks == 1:
        yield Place(device)
        return
    if device.startswith("cuda"):
        torch.cuda.set_device(device)
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
