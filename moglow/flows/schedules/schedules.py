"""The schedules: orders in which the cells of a flow are computed. Results agree, time and memory differ.

Measured with `scripts/benchmarks/speed/training.py`: on a CPU `compiled` is the fastest where it can run. Of the others
`plain` is the fastest at every size, since its LSTMs are limited by matrix products, and `recomputed` takes a third of
the memory for a third more time. On a GPU, which is limited by K · T dependent launches, `diagonal` is the fastest.
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from moglow.flows.bijection import Chain, State
from moglow.flows.schedules import compiled as by_kernel
from moglow.flows.schedules.diagonal import can_run, diagonal, has_kernels

Schedule = Callable[[Chain, Tensor, Tensor, State], tuple[Tensor, Tensor, State]]


def plain(flow: Chain, x: Tensor, context: Tensor, state: State = None) -> tuple[Tensor, Tensor, State]:
    """Returns flow(x, context, state), computed step by step over the whole sequence; the reference."""
    result: tuple[Tensor, Tensor, State] = flow(x, context, state)
    return result


def recomputed(flow: Chain, x: Tensor, context: Tensor, state: State = None) -> tuple[Tensor, Tensor, State]:
    """Returns the same, saving only the inputs of each step; the backward pass computes the steps again."""
    ladj, after = x.new_zeros(x.shape[:-1]), []
    for link, before in zip(flow.links, flow.states(state), strict=True):
        x, gain, memory = checkpoint(link, x, context, before, use_reentrant=False, preserve_rng_state=False)
        ladj = ladj + gain
        after.append(memory)
    return x, ladj, tuple(after)


SCHEDULES: Mapping[str, Schedule] = {
    "plain": plain,
    "recomputed": recomputed,
    "diagonal": diagonal,
    "compiled": by_kernel.compiled,
}


def fastest(flow: Chain, device: torch.device) -> Schedule:
    """Returns the fastest schedule on a device; on a CPU without gradients the plain one, which keeps no tables.

    >>> fastest(Chain(), torch.device("cpu")) is plain
    True
    """
    if device.type == "cpu" and torch.is_grad_enabled() and by_kernel.can_run(flow):
        return by_kernel.compiled
    return diagonal if has_kernels(device) and can_run(flow) else plain
