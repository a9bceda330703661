"""The diagonal schedule: a flow of LSTM couplings in K + T stages instead of K · T.

Cell (k, t), step k of the flow at frame t, depends on (k − 1, t) for its input and on (k, t − 1) for its memory. All
cells with k + t = s can therefore be computed at once, as one batched product over k:

    t = 0  1  2  3
 k = 0   0  1  2  3
 k = 1   1  2  3  4
 k = 2   2  3  4  5

The numbers are the stages. The context's contribution to the gates does not depend on the flow and is one product for
all steps and frames; so is each gradient of a weight. `plain` is the readable reference; results and gradients of the
two agree up to rounding.
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
"""Number of tensors of a `Layer`."""


def can_run(flow: Chain) -> bool:
    """Returns whether a flow is a chain of Glow steps with LSTM nets and a scale of the form σ(a + 2) + floor."""
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
            "schedule diagonal: expected Glow steps with LSTM nets and scales σ(a + 2) + floor, found others; "
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
    from_context, layers = recurrent_layers(nets, steps[0].coupling.kept)
    floor, precision = FLOORS[steps[0].coupling.scale], nets[0].precision or x.dtype
    z, gain, hidden, memory = _Pass.apply(  # type: ignore[no-untyped-call]
        floor, precision, x.transpose(0, 1), context.transpose(0, 1), *start_of(state, nets, x),
        mix, shift, from_context, head, head_bias, *layers,
    )  # fmt: skip
    pairs = zip(hidden.unbind(1), memory.unbind(1), strict=True)
    return z.transpose(0, 1), gain.transpose(0, 1) + constant, tuple((None, None, pair) for pair in pairs)


def recurrent_layers(nets: Sequence[LSTM], kept: int) -> tuple[Tensor, list[Tensor]]:
    """Returns the weights from the context to the first layer (K, C, H, 4), and the tensors of all `Layer`s in turn."""
    parts: list[Tensor] = []
    from_context: list[Tensor] = []
    for depth in range(nets[0].recurrent.num_layers):
        w_in, w_back, b_in, b_back = (
            torch.stack([by_kind(getattr(net.recurrent, f"{name}_l{depth}")) for net in nets])
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        below, *rest = w_in.tensor_split((kept,), dim=-1) if depth == 0 else (w_in,)
        from_context += rest
        parts += [below.transpose(1, 3), w_back.transpose(1, 3), (b_in + b_back).transpose(1, 2)]
    return from_context[0].transpose(1, 3), parts


def start_of(state: State, nets: Sequence[LSTM], x: Tensor) -> tuple[Tensor, Tensor]:
    """Returns hidden state and memory (L, K, B, H) from the state of a chain of Glow steps."""
    net = nets[0].recurrent
    zeros = x.new_zeros(net.num_layers, len(x), net.hidden_size)
    after = cast(tuple[tuple[State, State, State], ...], state or ((None, None, None),) * len(nets))
    pairs = [cast(tuple[Tensor, Tensor], coupling or (zeros, zeros)) for _, _, coupling in after]
    hidden, memory = (torch.stack(part, dim=1) for part in zip(*pairs, strict=True))
    return hidden, memory


def has_kernels(device: torch.device) -> bool:
    """Returns whether Triton is installed and compiles for a device."""
    return device.type == "cuda" and find_spec("triton") is not None


def stages_on(device: torch.device) -> type[Stages]:
    """Returns the class that computes the stages on a device: fused kernels on a GPU with Triton, torch elsewhere."""
    if has_kernels(device):
        from moglow.flows.schedules.fused_stages import FusedStages

        return FusedStages
    return Stages


class _Pass(torch.autograd.Function):
    """All cells: maps frames (T, B, D) and contexts (T, B, C) to z, log-determinants, hidden state and memory.

    The weights' gate dimensions (…, H, 4) are views of torch's order, so that one copy transposes and rounds them.
    """

    @staticmethod
    def forward(
        ctx: Any, floor: float, precision: torch.dtype, x: Tensor, context: Tensor, h: Tensor, c: Tensor,
        mix: Tensor, shift: Tensor, from_context: Tensor, head: Tensor, head_bias: Tensor, *layers: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
        kinds = [precision if n % PARTS < PARTS - 1 else x.dtype for n in range(len(layers))]
        parts = [
            part.to(kind, memory_format=torch.contiguous_format).flatten(-2)
            for part, kind in zip(layers, kinds, strict=True)
        ]
        stacked = tuple(Layer(*parts[n : n + PARTS]) for n in range(0, len(parts), PARTS))
        narrow = padded(from_context.flatten(-2).to(precision), dim=1)
        weights = Weights(mix.contiguous(), shift.contiguous(), narrow, head, head_bias, stacked)
        rows = padded(context.to(precision).flatten(0, 1), dim=1)  # (T * B, C)
        bias = stacked[0].bias.to(precision)[:, None]
        share = torch.baddbmm(bias, rows.expand(len(from_context), -1, -1), narrow)
        share = share.view(len(from_context), *x.shape[:2], -1)
        stages = stages_on(x.device)(x.contiguous(), share, (h, c), weights, floor)
        ctx.stages, ctx.rows, ctx.context = stages, rows, context.shape
        z, gain, hidden, memory = stages.forward()
        return z.clone(), gain, hidden.clone(), memory.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_z: Tensor, d_gain: Tensor, dh: Tensor, dc: Tensor) -> tuple[Tensor | None, ...]:
        stages, ctx.stages = ctx.stages, None
        if stages is None:
            raise RuntimeError("a second backward pass is not possible: the first has overwritten the gates")
        rows, width, single = ctx.rows, ctx.context[-1], d_z.dtype
        weights, gradients = stages.weights, stages.backward(d_z, d_gain, (dh, dc))
        gates = [table.flatten(1, 2) for table in stages.gates]  # (K, T * B, 4 H), gradients now
        d_context = None
        if ctx.needs_input_grad[3]:
            d_context = torch.zeros_like(rows, dtype=single)
            for d_gates, from_context in zip(gates[0], weights.from_context, strict=True):
                d_context += d_gates @ from_context.T
            d_context = d_context[:, :width].view(ctx.context)
        d_from_context = by_unit((rows.T @ gates[0])[:, :width].to(single))
        layers = [part for depth in range(len(gates)) for part in _of_layer(stages, gates[depth], depth)]
        outputs, y = gradients.outputs.flatten(1, 2), gradients.y.flatten(1, 2)
        last = stages.hidden[-1, :, 1:].flatten(1, 2).to(single)
        return (
            None, None, gradients.x, d_context, gradients.hidden, gradients.memory,
            stages.x[:-1].flatten(1, 2).mT @ y, y.sum(dim=1), d_from_context, last.mT @ outputs, outputs.sum(dim=1),
            *layers,
        )  # fmt: skip


def _of_layer(stages: Stages, gates: Tensor, depth: int) -> tuple[Tensor, ...]:
    """Returns the gradients of a layer's tensors from those of its gates (K, T * B, 4 H)."""
    below, past = stages.below(depth).to(gates.dtype), stages.hidden[depth, :, :-1].flatten(1, 2)
    inward = (padded(below.flatten(1, 2), dim=2).mT @ gates)[:, : below.shape[-1]]
    single = stages.x.dtype
    tensors = (inward.to(single), (past.mT @ gates).to(single), gates.sum(dim=1, dtype=single))
    return tuple(by_unit(tensor) for tensor in tensors)


def by_kind(rows: Tensor) -> Tensor:
    """Returns a tensor of gates (4 H, …) grouped by the four kinds: (4, H, …)."""
    return rows.view(4, -1, *rows.shape[1:])


def padded(table: Tensor, *, dim: int) -> Tensor:
    """Returns a table zero-padded to a multiple of eight, whose products are several times as fast on matrix units.

    >>> padded(torch.ones(1, 3), dim=1)
    tensor([[1., 1., 1., 0., 0., 0., 0., 0.]])
    """
    after = [0, 0] * (table.dim() - 1 - dim) + [0, -table.shape[dim] % 8]
    return torch.nn.functional.pad(table, after)
