"""The training loop: it yields a `StepReport` per step and does not access files.

All random numbers of step n depend only on the seed and n, so a resumed run, on any number of processes, gives the same
result as an uninterrupted one.
"""

import copy
import math
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from moglow.compute.cuda_graphs import GraphedGradients, leaves
from moglow.compute.distributed import gathered
from moglow.corpus.window import Window
from moglow.corpus.windows import Windows
from moglow.errors import CheckpointError, TrainingError
from moglow.files.tensors import check_tensors
from moglow.flows.bijection import State, map_state
from moglow.flows.nets import recurrent_products_in
from moglow.models.model import Loss, MotionModel, Objective
from moglow.training.criticism import Criticism
from moglow.training.named_tensors import below, optimizer_tensors, restore_optimizer
from moglow.training.outliers import Suspicion
from moglow.training.spec import PRECISIONS, TrainingSpec


@dataclass(frozen=True)
class StepReport:
    """The figures of one step; `losses` are means over the global batch, by objective."""

    step: int  # number of steps done, including this one
    losses: Mapping[str, float]
    gradient: float  # norm of the last objective's gradient, before clipping
    rate: float
    frames: int  # predicted in this step, over all processes
    seconds: float  # wall-clock time of the step
    critic: float | None = None  # the critic's loss; None without one, or if it saw nothing in this step


class Diverged(TrainingError):
    """A loss or a gradient is not finite; the weights are those of the step before."""


def adam(
    parameters: tuple[nn.Parameter, ...], *, rate: float, weight_decay: float = 0.0
) -> torch.optim.AdamW:
    """Returns Adam with its moments already allocated.

    torch allocates them in the first step, between the gradients. When the gradients are freed, the fragmented memory
    is not reusable, and the paper's model needs a tenth more memory at its peak.
    """
    optimizer = torch.optim.AdamW(parameters, lr=0.0, weight_decay=weight_decay, fused=True)
    for parameter in parameters:
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()  # with rate 0, which changes no weight
    for state in optimizer.state.values():
        state["step"].zero_()
    optimizer.zero_grad(set_to_none=True)
    for group in optimizer.param_groups:
        group["lr"] = rate
    return optimizer


class _Loss(nn.Module):
    """An objective as the forward method of a module, as `DistributedDataParallel` needs it."""

    def __init__(self, model: MotionModel, objective: Objective) -> None:
        super().__init__()
        self.model, self.loss = model, objective.loss

    def forward(
        self,
        target: Tensor,
        vectors: Tensor,
        state: State,
        *,
        suspicion: Suspicion | None,
        generator: Generator,
    ) -> tuple[Tensor, State]:
        if suspicion:
            return suspicion.loss(self.model, self.loss, target, vectors, state, generator)
        return self.loss(target, vectors, state, generator=generator)


Batch: TypeAlias = tuple[Window, Tensor, Tensor]
"""Windows, their targets and their contexts."""


class Trainer:
    """A model in training: `run` makes steps, `state` and `restore` allow to stop and resume.

    `average` is the model whose weights are the running average; it is validated and saved.
    """

    def __init__(
        self, model: MotionModel, windows: Windows, spec: TrainingSpec, *, trained: bool = False
    ) -> None:
        """Prepares a model for its first step. The average includes the initial weights if the model is `trained`."""
        self.model, self.windows, self.spec, self.trained = model, windows, spec, trained
        self.step, self.memory = 0, model.initial_state()
        self._stopping = self.stopped = False
        self.precision = PRECISIONS[spec.precision](model, windows.footage.device)
        windows.must_hold(model.stride)
        first = windows.batch(
            0, whole=True
        )  # the global batch, so that all processes start with equal weights
        context = windows.footage.context
        model.initialize(first.target(context), first.context(context))
        self.average = copy.deepcopy(model).requires_grad_(False) if spec.average else model
        objectives = model.objectives()
        self._losses = {
            objective.name: self._shared(objective, alone=len(objectives) == 1) for objective in objectives
        }
        device = windows.footage.device
        self._graphed = {
            objective.name: GraphedGradients(
                self._narrowed(objective.loss), objective.parameters, device, buffers=tuple(model.buffers())
            )
            for objective in objectives
            if device.type == "cuda" and not distributed.is_initialized()
        }
        self._parameters = {objective.name: objective.parameters for objective in objectives}
        self._optimizers = {
            objective.name: adam(objective.parameters, rate=spec.rate, weight_decay=spec.weight_decay)
            for objective in objectives
        }
        self.criticism = (
            Criticism(model, windows, spec.critic, seed=windows.seed) if spec.critic.weight else None
        )
        self._averaged = [list[Tensor](each.parameters()) for each in (self.average, model)]
        # On a CPU, a thread cuts the next windows while others compute: torch and the kernels release Python's lock.
        self._cutter = ThreadPoolExecutor(1, "windows") if device.type == "cpu" else None
        self._coming: dict[int, Batch | Future[Batch]] = {}

    def _narrowed(self, loss: Loss) -> Loss:
        """Returns a loss with its recurrent products in the precision of this training."""

        def narrowed(
            pose: Tensor, context: Tensor, state: State = None, *, generator: Generator
        ) -> tuple[Tensor, State]:
            with recurrent_products_in(self.precision, self.model):
                return loss(pose, context, state, generator=generator)

        return narrowed

    def _shared(self, objective: Objective, *, alone: bool) -> nn.Module:
        loss = _Loss(self.model, objective)
        if not distributed.is_initialized():
            return loss
        return DistributedDataParallel(loss, find_unused_parameters=not alone)

    def run(self, steps: int | None = None) -> Iterator[StepReport]:
        """Trains until `steps` steps, by default those of the settings, are done in total; yields a report per step."""
        while self.step < (self.spec.steps if steps is None else steps) and not self.stopped:
            yield self._step()

    def stop(self) -> None:
        """Ends `run` after the current step, in all processes after the same one."""
        self._stopping = True

    def _step(self) -> StepReport:
        start = time.perf_counter()
        step, spec, context = self.step, self.spec, self.windows.footage.context
        rate = spec.rate_at(step)
        window, target, vectors = self._next_batch(step)
        state = self._continued(window.fresh)
        if spec.free_running.share_at(step):
            window = spec.free_running.applied(
                window, self.model, context, state,
                step=step, size=spec.batch, rows=self.windows.rows, generator=self.windows.generator(step, 1),
            )  # fmt: skip
            target, vectors = window.target(context), window.context(context)
        losses, gradient, after, critic = {}, 0.0, state, None
        for number, (name, optimizer) in enumerate(self._optimizers.items()):
            # Each rank has other rows and so needs other random numbers.
            generator = self.windows.generator(step, 2 + self.windows.rank, number)
            suspicion = spec.outliers.suspicion(step, self.model, window, context, state)
            if name in self._graphed and suspicion is None:
                loss, after = self._graphed[name](target, vectors, state, generator=generator)
                if step + 1 not in self._coming:
                    self._coming = {step + 1: self._batch(step + 1)}  # while the GPU computes
            else:
                optimizer.zero_grad(set_to_none=True)
                with recurrent_products_in(self.precision, self.model):
                    loss, after = self._losses[name](
                        target, vectors, state, suspicion=suspicion, generator=generator
                    )
                    loss.backward()
            losses[name] = self._agreed(loss)
            if self.criticism:
                critic = self.criticism.add(step, state, self._parameters[name])
            limit = spec.clip or math.inf
            gradient = float(nn.utils.clip_grad_norm_(self._parameters[name], limit, foreach=True))
            if not (math.isfinite(losses[name]) and math.isfinite(gradient)):
                raise Diverged(
                    f"step {step + 1}: {name} is {losses[name]:.3g}, its gradient {gradient:.3g}; the weights of step "
                    f"{step} are kept; lower training.rate, or set training.clip"
                )
            for group in optimizer.param_groups:
                group["lr"] = rate
            optimizer.step()
        if self.windows.goes_on(step):
            self.memory = map_state(Tensor.detach, after)
        self.step += 1
        self._take_average()
        frames = spec.batch * target.shape[1]
        return StepReport(self.step, losses, gradient, rate, frames, time.perf_counter() - start, critic)

    def _next_batch(self, step: int) -> Batch:
        """Returns the batch of a step, cut already if the step before was computed; begins the next one on a CPU."""
        coming = self._coming.pop(step, None)
        if isinstance(coming, Future):
            coming = coming.result()
        if self._cutter and step + 1 < self.spec.steps:
            self._coming = {step + 1: self._cutter.submit(self._batch, step + 1)}
        return coming or self._batch(step)

    def _batch(self, step: int) -> Batch:
        """Returns the windows of a step, their targets and their contexts."""
        window, context = self.windows.batch(step), self.windows.footage.context
        return window, window.target(context), window.context(context)

    def _agreed(self, loss: Tensor) -> float:
        """Returns a loss averaged over processes, whose batches have equal size; sets `stopped` if one stops."""
        if not distributed.is_initialized():
            self.stopped = self._stopping
            return loss.item()
        values = torch.stack([loss.detach(), loss.new_tensor(float(self._stopping))])
        distributed.all_reduce(values)
        mean, stop = (values / distributed.get_world_size()).tolist()
        self.stopped = stop > 0
        return float(mean)

    def _continued(self, fresh: Tensor) -> State:
        """Returns the initial memory of the rows of this batch: zero for fresh rows."""
        if not self.windows.goes_on(self.step):
            return self.model.initial_state()
        return map_state(lambda memory: memory * (1 - fresh)[:, None], self.memory)  # (…, B, H)

    @torch.no_grad()
    def _take_average(self) -> None:
        if self.average is self.model:
            return
        # The average is shorter at first, to exclude random initial weights.
        keep = (
            self.spec.average if self.trained else min(self.spec.average, (1 + self.step) / (10 + self.step))
        )
        torch._foreach_lerp_(self._averaged[0], self._averaged[1], 1 - keep)
        for kept, now in zip(self.average.buffers(), self.model.buffers(), strict=True):
            kept.copy_(now)  # buffers are constants or running averages already

    def state(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Returns the state on which the next step depends, as arrays and a JSON table; every process must call it."""
        tensors = {f"model.{name}": tensor for name, tensor in self.model.state_dict().items()}
        tensors |= {f"average.{name}": tensor for name, tensor in self.average.state_dict().items()}
        for name, optimizer in self._optimizers.items():
            moments = optimizer_tensors(optimizer)
            tensors |= {f"optimizer.{name}.{key}": value for key, value in moments.items()}
        if self.spec.windows.order == "consecutive":
            tensors |= {f"memory.{i}": gathered(leaf, -2) for i, leaf in enumerate(leaves(self.memory))}
        if self.criticism:
            tensors |= {f"critic.{name}": tensor for name, tensor in self.criticism.state().items()}
        arrays = {name: tensor.detach().cpu().numpy().copy() for name, tensor in tensors.items()}
        return arrays, {"step": self.step, "seed": self.windows.seed}

    def restore(self, arrays: Mapping[str, NDArray[Any]], step: int, place: str) -> None:
        """Restores the result of `state` after a step; training then continues bit for bit.

        Raises an error, which begins with ``place``, for arrays of another model.
        """
        check_tensors(arrays, self._expected(arrays), place, CheckpointError)
        device = self.windows.footage.device
        tensors = {name: torch.tensor(np.array(array), device=device) for name, array in arrays.items()}
        self.step = step
        self.model.load_state_dict(below("model.", tensors))
        self.average.load_state_dict(below("average.", tensors))
        for name, optimizer in self._optimizers.items():
            restore_optimizer(optimizer, below(f"optimizer.{name}.", tensors))
        if self.criticism:
            self.criticism.restore(below("critic.", tensors))
        kept = [tensors[f"memory.{i}"] for i in range(len(below("memory.", tensors)))]
        if kept:  # it is missing before the first batch that continues another
            memory = iter(kept)
            self.memory = map_state(
                lambda _: next(memory)[..., self.windows.rows, :], self._shape_of_memory()
            )

    def _expected(self, arrays: Mapping[str, NDArray[Any]]) -> dict[str, tuple[tuple[int, ...], Any]]:
        """Returns shape and type of each array of `state`; it contains the memory from the first continued batch on."""
        expected = {name: (array.shape, array.dtype) for name, array in self.state()[0].items()}
        if any(name.startswith("memory.") for name in arrays):
            for i, leaf in enumerate(leaves(self._shape_of_memory())):
                shape = (*leaf.shape[:-2], self.spec.batch, leaf.shape[-1])
                expected[f"memory.{i}"] = shape, torch.empty(0, dtype=leaf.dtype).numpy().dtype
        return expected

    @torch.no_grad()
    def _shape_of_memory(self) -> State:
        """Returns a state of the right structure, which is found by running the model on one frame."""
        window, context = self.windows.batch(0), self.windows.footage.context
        return self.model.log_prob(window.target(context)[:, :1], window.context(context)[:, :1])[1]
