"""In which order the cells of a flow are computed: the results agree, time and memory differ. Stands on `diagonal`.

Measured with `scripts/benchmarks/speed/training.py`: on a CPU `plain` is the fastest at every size (its LSTMs
run at the rate of
the matrix products) and `recomputed` takes a third of the memory for a third more time. On a GPU, where K · T dependent
launches are the limit, it is `diagonal`.
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from moglow.flows.bijection import Chain, State
from moglow.flows.schedules.diagonal import can_run, diagonal, has_kernels

Schedule = Callable[[Chain, Tensor, Tensor, State], tuple[Tensor, Tensor, State]]


def plain(flow: Chain, x: Tensor, context: Tensor, state: State = None) -> tuple[Tensor, Tensor, State]:
    """Returns flow(x, context, state): step after step, each over the whole sequence; the reference."""
    result: tuple[Tensor, Tensor, State] = flow(x, context, state)
    return result


def recomputed(flow: Chain, x: Tensor, context: Tensor, state: State = None) -> tuple[Tensor, Tensor, State]:
    """Returns the same, but keeps only what goes from step to step; a step is computed again when going back."""
    ladj, after = x.new_zeros(x.shape[:-1]), []
    for link, before in zip(flow.links, flow.states(state), strict=True):
        x, gain, memory = checkpoint(link, x, context, before, use_reentrant=False, preserve_rng_state=False)
        ladj = ladj + gain
        after.append(memory)
    return x, ladj, tuple(after)


SCHEDULES: Mapping[str, Schedule] = {"plain": plain, "recomputed": recomputed, "diagonal": diagonal}


def fastest(flow: Chain, device: torch.device) -> Schedule:
    """Returns the schedule that is fastest on a device.

    >>> fastest(Chain(), torch.device("cpu")) is plain
    True
    """
    return diagonal if has_kernels(device) and can_run(flow) else plain
