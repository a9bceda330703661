"""The diagonal schedule: a flow of LSTM couplings in K + T stages instead of K · T. Stands on `glow`, `stages`.

Cell (k, t), step k of the flow at frame t, waits for (k − 1, t), which gives it its input, and for (k, t − 1), which
gives it its memory. So all cells with k + t = s can be done at once, as one batched product over k:

    t = 0  1  2  3
 k = 0   0  1  2  3
 k = 1   1  2  3  4
 k = 2   2  3  4  5

The numbers are the stages. What is known before the flow starts, the context's share of the gates, is one product for
all steps and frames, and so is each gradient of a weight. `plain` is the readable reference; the two agree up to
rounding, gradients too.
"""

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from moglow.errors import RecipeError
from moglow.flows.bijection import Chain, State
from moglow.flows.glow import GlowStep
from moglow.flows.nets import LSTM
from moglow.flows.scales import FLOORS
from moglow.flows.schedules.stages import Layer, Stages, Weights, by_unit

PARTS = 3
"""Tensors of a layer."""


def can_run(flow: Chain) -> bool:
    """Returns whether a flow is a chain of Glow steps with LSTM nets and a scale with a floor."""
    return all(
        isinstance(link, GlowStep)
        and isinstance(link.coupling.conditioner, LSTM)
        and link.coupling.scale in FLOORS
        for link in flow.links
    )


def diagonal(flow: Chain, x: Tensor, context: Tensor, state: State = None) -> tuple[Tensor, Tensor, State]:
    """Returns what flow(x, context, state) returns, for a chain of Glow steps with LSTM nets of one size."""
    if not can_run(flow):
        raise RecipeError(
            "schedule diagonal: expected Glow steps with LSTM nets, scaling by σ(a + 2) and a floor, found others; "
            "use the plain schedule"
        )
    steps = cast(tuple[GlowStep, ...], flow.links)
    nets = [cast(LSTM, step.coupling.conditioner) for step in steps]
    mix = torch.stack([step.actnorm.log_scale.exp()[:, None] * step.linear.weight().T for step in steps])
    shift = (torch.stack([step.actnorm.bias for step in steps])[:, None] @ mix)[:, 0]
    constant = torch.stack(
        [step.actnorm.log_scale.sum() + step.linear.log_scale.sum() for step in steps]
    ).sum()
    head = torch.stack([net.head.weight for net in nets]).mT.contiguous()  # (K, H, 2 M)
    head_bias = torch.stack([net.head.bias for net in nets])
    known, layers = recurrent_layers(nets, steps[0].coupling.kept)
    floor, precision = FLOORS[steps[0].coupling.scale], nets[0].precision or x.dtype
    z, gain, hidden, memory = _Pass.apply(  # type: ignore[no-untyped-call]
        floor, precision, x.transpose(0, 1), context.transpose(0, 1), *start_of(state, nets, x),
        mix, shift, known, head, head_bias, *layers,
    )  # fmt: skip
    pairs = zip(hidden.unbind(1), memory.unbind(1), strict=True)
    return z.transpose(0, 1), gain.transpose(0, 1) + constant, tuple((None, None, pair) for pair in pairs)


def recurrent_layers(nets: Sequence[LSTM], kept: int) -> tuple[Tensor, list[Tensor]]:
    """Returns the context's way into the first layer (K, C, H, 4), and the tensors of each `Layer`, one by one."""
    parts: list[Tensor] = []
    known: list[Tensor] = []
    for depth in range(nets[0].recurrent.num_layers):
        w_in, w_back, b_in, b_back = (
            torch.stack([by_kind(getattr(net.recurrent, f"{name}_l{depth}")) for net in nets])
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        below, *rest = w_in.tensor_split((kept,), dim=-1) if depth == 0 else (w_in,)
        known += rest
        parts += [below.transpose(1, 3), w_back.transpose(1, 3), (b_in + b_back).transpose(1, 2)]
    return known[0].transpose(1, 3), parts


def start_of(state: State, nets: Sequence[LSTM], x: Tensor) -> tuple[Tensor, Tensor]:
    """Returns hidden state and memory (L, K, B, H) from the state of a chain of Glow steps."""
    net = nets[0].recurrent
    zeros = x.new_zeros(net.num_layers, len(x), net.hidden_size)
    after = cast(tuple[tuple[State, State, State], ...], state or ((None, None, None),) * len(nets))
    pairs = [cast(tuple[Tensor, Tensor], coupling or (zeros, zeros)) for _, _, coupling in after]
    hidden, memory = (torch.stack(part, dim=1) for part in zip(*pairs, strict=True))
    return hidden, memory


def has_kernels(device: torch.device) -> bool:
    """Returns whether a device is one that Triton can compile for here."""
    return device.type == "cuda" and find_spec("triton") is not None


def stages_on(device: torch.device) -> type[Stages]:
    """Returns who does the stages on a device: few kernels on a GPU with Triton, torch elsewhere."""
    if has_kernels(device):
        from moglow.flows.schedules.fused_stages import FusedStages

        return FusedStages
    return Stages


class _Pass(torch.autograd.Function):
    """All cells: from frames (T, B, D) and contexts (T, B, C) to z, its log-determinants, hidden state and memory.

    Weights come with gates (…, H, 4) as views of torch's order, so that one copy turns and rounds them.
    """

    @staticmethod
    def forward(
        ctx: Any, floor: float, precision: torch.dtype, x: Tensor, context: Tensor, h: Tensor, c: Tensor,
        mix: Tensor, shift: Tensor, known: Tensor, head: Tensor, head_bias: Tensor, *layers: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
        kinds = [precision if n % PARTS < PARTS - 1 else x.dtype for n in range(len(layers))]
        parts = [
            part.to(kind, memory_format=torch.contiguous_format).flatten(-2)
            for part, kind in zip(layers, kinds, strict=True)
        ]
        stacked = tuple(Layer(*parts[n : n + PARTS]) for n in range(0, len(parts), PARTS))
        narrow = padded(known.flatten(-2).to(precision), dim=1)
        weights = Weights(mix.contiguous(), shift.contiguous(), narrow, head, head_bias, stacked)
        rows = padded(context.to(precision).flatten(0, 1), dim=1)  # (T * B, C)
        share = torch.baddbmm(stacked[0].bias.to(precision)[:, None], rows.expand(len(known), -1, -1), narrow)
        share = share.view(len(known), *x.shape[:2], -1)
        stages = stages_on(x.device)(x.contiguous(), share, (h, c), weights, floor)
        ctx.stages, ctx.rows, ctx.context = stages, rows, context.shape
        z, gain, hidden, memory = stages.forward()
        return z.clone(), gain, hidden.clone(), memory.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_z: Tensor, d_gain: Tensor, dh: Tensor, dc: Tensor) -> tuple[Tensor | None, ...]:
        stages, ctx.stages = ctx.stages, None
        if stages is None:
            raise RuntimeError("there is no second way back: the gates have become their gradients")
        rows, width, single = ctx.rows, ctx.context[-1], d_z.dtype
        weights, given = stages.weights, stages.backward(d_z, d_gain, (dh, dc))
        gates = [table.flatten(1, 2) for table in stages.gates]  # (K, T * B, 4 H), gradients now
        d_context = None
        if ctx.needs_input_grad[3]:
            d_context = torch.zeros_like(rows, dtype=single)
            for gradient, known in zip(gates[0], weights.known, strict=True):
                d_context += gradient @ known.T
            d_context = d_context[:, :width].view(ctx.context)
        d_known = by_unit((rows.T @ gates[0])[:, :width].to(single))
        layers = [part for depth in range(len(gates)) for part in _of_layer(stages, gates[depth], depth)]
        said, y = given.said.flatten(1, 2), given.y.flatten(1, 2)
        last = stages.hidden[-1, :, 1:].flatten(1, 2).to(single)
        return (
            None, None, given.x, d_context, given.hidden, given.memory,
            stages.x[:-1].flatten(1, 2).mT @ y, y.sum(dim=1), d_known, last.mT @ said, said.sum(dim=1),
            *layers,
        )  # fmt: skip


def _of_layer(stages: Stages, gates: Tensor, depth: int) -> tuple[Tensor, ...]:
    """Returns the gradients of a layer's tensors from those of its gates (K, T * B, 4 H)."""
    below, past = stages.below(depth).to(gates.dtype), stages.hidden[depth, :, :-1].flatten(1, 2)
    inward = (padded(below.flatten(1, 2), dim=2).mT @ gates)[:, : below.shape[-1]]
    single = stages.x.dtype
    found = (inward.to(single), (past.mT @ gates).to(single), gates.sum(dim=1, dtype=single))
    return tuple(by_unit(each) for each in found)


def by_kind(rows: Tensor) -> Tensor:
    """Returns what belongs to gates, (4 H, …), by their four kinds: (4, H, …)."""
    return rows.view(4, -1, *rows.shape[1:])


def padded(table: Tensor, *, dim: int) -> Tensor:
    """Returns a table with zeros up to a whole number of eights, which matrix units take several times as fast.

    >>> padded(torch.ones(1, 3), dim=1)
    tensor([[1., 1., 1., 0., 0., 0., 0., 0.]])
    """
    after = [0, 0] * (table.dim() - 1 - dim) + [0, -table.shape[dim] % 8]
    return torch.nn.functional.pad(table, after)
