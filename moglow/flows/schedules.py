"""In which order the cells of a flow are computed: the results agree, time and memory differ. Stands on `diagonal`.

Measured with `scripts/bench_training.py`: on a CPU `plain` is the fastest at every size (its LSTMs run at the rate of
the matrix products), `recomputed` takes a third of the memory for a third more time, and `diagonal` takes half as
long again. `diagonal` is made for GPUs, where K · T dependent launches are the limit; `fastest` measures and says.
"""

import time
from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from moglow.flows.bijection import Chain, State
from moglow.flows.diagonal import diagonal

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


def fastest(
    flow: Chain, x: Tensor, context: Tensor, *, among: Iterable[str] = ("plain", "diagonal"), rounds: int = 3
) -> str:
    """Returns the name of the schedule that goes forward and back in the least time on these windows, here and now.

    Ask once and keep the answer: two schedules round differently, so a run that is to be resumed bit for bit stays
    with one.
    """

    def seconds(schedule: Schedule) -> float:
        _wait_for(x.device)
        start = time.perf_counter()
        z, ladj, _ = schedule(flow, x, context, None)
        torch.autograd.grad(z.square().sum() - ladj.sum(), tuple(flow.parameters()))
        _wait_for(x.device)
        return time.perf_counter() - start

    # Schedules take turns, and the best round of each counts: another program's noise only ever adds.
    times = [{name: seconds(SCHEDULES[name]) for name in among} for _ in range(rounds)]
    return min(times[0], key=lambda name: min(round_[name] for round_ in times))


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
