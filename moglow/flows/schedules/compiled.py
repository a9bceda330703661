"""The compiled schedule: a flow of LSTM couplings with one layer each, by our own C kernel on a CPU.

A kernel computes each cell as `plain` does, step by step and frame by frame, but for a few sequences and frames at a
time, whose values stay in the processor's cache from the affine map to the coupling. Threads divide the sequences, and
in the backward pass the gradients of the weights, so they seldom wait for each other. Results do not depend on the
number of threads; they agree with those of `plain` up to rounding.
"""

import contextlib
import ctypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any, Self, cast

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from moglow.errors import DeviceError, TrainingError
from moglow.files.compiled import NATIVE, load_library
from moglow.flows.bijection import Chain, State
from moglow.flows.glow import GlowStep
from moglow.flows.linear import invertible_matrix
from moglow.flows.nets import LSTM
from moglow.flows.scales import FLOORS
from moglow.flows.schedules.diagonal import can_run as runs_by_stages
from moglow.flows.schedules.diagonal import start_of

SOURCE = Path(__file__).with_name("glow_steps.c")
FLAGS = (NATIVE, "-fno-math-errno", "-fno-trapping-math")
SIZES = ("steps", "frames", "rows", "pose", "kept", "context", "hidden", "threads")
TABLES = ("x", "opening", "memory", "gates", "hidden_states", "given", "narrow", "gain")
GIVEN = ("w_in", "w_back", "b_in", "b_back", "w_head", "b_head")
GRADIENTS = ("w_in", "w_back", "bias", "w_head", "b_head")


class _Pass(ctypes.Structure):
    """The structure `pass` of the kernel."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in SIZES),
        ("floor", ctypes.c_double),
        *((name, ctypes.c_void_p) for name in GIVEN),
        *((name, ctypes.c_void_p) for name in ("mix", "shift")),
        *((name, ctypes.c_void_p) for name in TABLES),
        *((name, ctypes.c_void_p) for name in ("d_x", "d_gain", "dh", "dc", "d_outputs", "d_y", "d_context")),
        *((f"d_{name}", ctypes.c_void_p) for name in GRADIENTS),
        *((name, ctypes.c_void_p) for name in ("d_mix", "d_shift", "packed")),
    )


@cache
def kernel(precision: torch.dtype) -> ctypes.CDLL | None:
    """Returns the kernel whose LSTMs multiply in a precision; None without a C compiler or for other processors."""
    if precision not in (torch.float32, torch.bfloat16):
        return None
    flags = (*FLAGS, "-DNARROW") if precision is torch.bfloat16 else FLAGS
    with contextlib.suppress(DeviceError):
        library = load_library(SOURCE, (*flags, "-pthread"), needs=" and AVX2")
        library.packed_words.restype = ctypes.c_int64
        return library
    return None


def can_run(flow: Chain) -> bool:
    """Returns whether the kernel computes a flow: float32, Glow steps, LSTMs of one layer, scales σ(a + 2) + floor."""
    return (
        bool(flow.links)
        and runs_by_stages(flow)
        and all(net.recurrent.num_layers == 1 for net in _nets(flow))
        and next(flow.parameters()).dtype is torch.float32
        and kernel(_precision(flow)) is not None
    )


def compiled(flow: Chain, x: Tensor, context: Tensor, state: State = None) -> tuple[Tensor, Tensor, State]:
    """Returns flow(x, context, state), by the kernel if it can run the flow; needs frames and contexts in float32."""
    if not can_run(flow):
        result: tuple[Tensor, Tensor, State] = flow(x, context, state)
        return result
    steps, nets = _steps(flow), _nets(flow)
    mix, shift, constant = affine_maps(steps)
    hidden, memory = start_of(state, nets, x)
    names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    weights = [getattr(net.recurrent, name) for name in names for net in nets]
    weights += [net.head.weight for net in nets] + [net.head.bias for net in nets]
    z, gain, hidden, memory = _Steps.apply(  # type: ignore[no-untyped-call]
        FLOORS[steps[0].coupling.scale], _precision(flow), x.transpose(0, 1), context.transpose(0, 1),
        hidden[0], memory[0], mix, shift, *weights,
    )  # fmt: skip
    pairs = zip(hidden.unbind(), memory.unbind(), strict=True)
    after = tuple((None, None, (h[None], c[None])) for h, c in pairs)
    return z.transpose(0, 1), gain.transpose(0, 1) + constant, after


def affine_maps(steps: Sequence[GlowStep]) -> tuple[Tensor, Tensor, Tensor]:
    """Returns ActNorm and matrix of each step as x @ mix + shift, (K, D, D) and (K, D), and their log-determinant."""
    norms, matrices = [step.actnorm for step in steps], [step.linear for step in steps]
    gain, scale = (torch.stack([part.log_scale for part in parts]) for parts in (norms, matrices))
    permutation, lower, upper, sign = (
        torch.stack([getattr(matrix, name) for matrix in matrices])
        for name in ("permutation", "lower", "upper", "sign")
    )
    weight = invertible_matrix(permutation, lower, upper, sign, scale)
    mix = gain.exp()[:, :, None] * weight.mT
    shift = torch.stack([norm.bias for norm in norms])[:, None] @ mix
    return mix, shift[:, 0], gain.sum() + scale.sum()


def _steps(flow: Chain) -> tuple[GlowStep, ...]:
    return cast(tuple[GlowStep, ...], flow.links)


def _nets(flow: Chain) -> list[LSTM]:
    return [cast(LSTM, step.coupling.conditioner) for step in _steps(flow)]


def _precision(flow: Chain) -> torch.dtype:
    return _nets(flow)[0].precision or torch.float32


@dataclass(frozen=True)
class _Tables:
    """Values of all steps k and frames t, kept for the backward pass; the kernel fills them."""

    x: Tensor  # (K + 1, T, B, D), into each step; the last is z
    opening: Tensor  # (K, T, B, D − kept), σ(a + 2)
    memory: Tensor  # (K, T + 1, B, H), before the first frame and after each
    gates: Tensor  # (K, T, B, 4 H), in the precision of the products, like all below but `given` and `gain`
    hidden_states: Tensor  # (K, T + 1, B, H), with an even number of columns in bfloat16
    given: Tensor  # (T, B, C), the contexts
    narrow: Tensor  # the same, with an even number of columns in bfloat16
    gain: Tensor  # (T, B)

    @classmethod
    def of(cls, x: Tensor, context: Tensor, h: Tensor, c: Tensor, precision: torch.dtype, moved: int) -> Self:
        """Returns the tables with frames, contexts and initial states filled in."""
        (frames, rows, pose), (steps, _, hidden) = x.shape, h.shape
        given, whole = context.contiguous(), 1 if precision is torch.float32 else 2
        states, contexts = (-(-width // whole) * whole for width in (hidden, context.shape[-1]))
        tables = cls(
            x=x.new_empty(steps + 1, frames, rows, pose),
            opening=x.new_empty(steps, frames, rows, moved),
            memory=x.new_empty(steps, frames + 1, rows, hidden),
            gates=x.new_empty(steps, frames, rows, 4 * hidden, dtype=precision),
            hidden_states=x.new_empty(steps, frames + 1, rows, states, dtype=precision),
            given=given,
            narrow=given if whole == 1 else x.new_empty(frames, rows, contexts, dtype=precision),
            gain=x.new_empty(frames, rows),
        )
        if states > hidden:
            tables.hidden_states.zero_()
        tables.x[0] = x
        tables.memory[:, 0], tables.hidden_states[:, 0, :, :hidden] = c, h
        return tables


class _Steps(torch.autograd.Function):
    """All steps: maps frames (T, B, D), contexts (T, B, C), states (K, B, H) to z, log-determinants and final states.

    `weights` are those of `GIVEN`, each kind for all steps.
    """

    @staticmethod
    def forward(
        ctx: Any, floor: float, precision: torch.dtype, x: Tensor, context: Tensor, h: Tensor, c: Tensor,
        mix: Tensor, shift: Tensor, *weights: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
        mix, shift, *weights = (tensor.contiguous() for tensor in (mix, shift, *weights))  # type: ignore[assignment]
        tables = _Tables.of(x, context, h, c, precision, moved=len(weights[-1]) // 2)
        call = _Call(tables, floor, precision, mix, shift, weights)
        call.run("forward")
        ctx.save_for_backward(mix, shift, *weights)
        ctx.call = call
        hidden = tables.hidden_states[:, -1, :, : h.shape[-1]].to(x.dtype, copy=True)
        return tables.x[-1].clone(), tables.gain, hidden, tables.memory[:, -1].clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_z: Tensor, d_gain: Tensor, dh: Tensor, dc: Tensor) -> tuple[Tensor | None, ...]:
        mix, shift, *weights = ctx.saved_tensors
        call, ctx.call = ctx.call, None
        if call is None:
            raise RuntimeError("a second backward pass is not possible: the first has overwritten the gates")
        tables, count = call.tables, len(mix)
        kinds = [weights[n : n + count] for n in range(0, len(weights), count)]
        of_weights = [[torch.empty_like(each) for each in kind] for kind in (*kinds[:3], *kinds[4:])]
        passed = {
            "d_x": d_z.contiguous().clone(),
            "d_gain": d_gain.contiguous(),
            "dh": dh.contiguous().clone(),
            "dc": dc.contiguous().clone(),
            "d_outputs": d_z.new_empty(*tables.opening.shape[:-1], 2 * tables.opening.shape[-1]),
            "d_y": torch.empty_like(tables.x[1:]),
            "d_mix": torch.empty_like(mix),
            "d_shift": torch.empty_like(shift),
        }
        if ctx.needs_input_grad[3]:
            passed["d_context"] = torch.empty_like(tables.given)
        call.run("backward", passed, of_weights)
        d_in, d_back, d_bias, *d_head = of_weights
        return (
            None, None, passed["d_x"], passed.get("d_context"), passed["dh"], passed["dc"],
            passed["d_mix"], passed["d_shift"],
            *d_in, *d_back, *d_bias, *(bias.clone() for bias in d_bias), *d_head[0], *d_head[1],
        )  # fmt: skip


class _Call:
    """The structure that the kernel reads, and what its pointers point to."""

    def __init__(
        self,
        tables: _Tables,
        floor: float,
        precision: torch.dtype,
        mix: Tensor,
        shift: Tensor,
        weights: Sequence[Tensor],
    ) -> None:
        steps, frames, rows, moved = tables.opening.shape
        pose, hidden, context = mix.shape[-1], tables.memory.shape[-1], tables.given.shape[-1]
        self.tables, self.library = tables, cast(ctypes.CDLL, kernel(precision))
        self.about = _Pass(
            steps, frames, rows, pose, pose - moved, context, hidden, torch.get_num_threads(), floor
        )
        self._pointers: list[Any] = []
        self._point({field.name: getattr(tables, field.name) for field in fields(tables)})
        self._point({"mix": mix, "shift": shift})
        self._point_to_lists(GIVEN, [weights[n : n + steps] for n in range(0, len(weights), steps)])
        self.packed = torch.empty(self.library.packed_words(ctypes.byref(self.about)), dtype=torch.int32)
        self._point({"packed": self.packed})

    def run(
        self, name: str, passed: Mapping[str, Tensor] = {}, of_weights: Sequence[Sequence[Tensor]] = ()
    ) -> None:
        """Calls a function of the kernel; raises an error if it lacks memory."""
        self._point(passed)
        self._point_to_lists([f"d_{kind}" for kind in GRADIENTS[: len(of_weights)]], of_weights)
        if getattr(self.library, name)(ctypes.byref(self.about)):
            raise TrainingError("training: a step needs more memory than is free; lower training.batch")

    def _point(self, tensors: Mapping[str, Tensor]) -> None:
        for name, tensor in tensors.items():
            setattr(self.about, name, tensor.data_ptr())

    def _point_to_lists(self, names: Sequence[str], lists: Sequence[Sequence[Tensor]]) -> None:
        for name, tensors in zip(names, lists, strict=True):
            array = (ctypes.c_void_p * len(tensors))(*(tensor.data_ptr() for tensor in tensors))
            self._pointers.append(array)
            setattr(self.about, name, ctypes.addressof(array))
