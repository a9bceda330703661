"""An LSTM and the dense layer after it over a whole sequence on a CPU, with a hand-written backward pass.

The inputs' contribution to the gates, and every gradient of a weight, is one product over all frames; only the hidden
state's contribution is computed frame by frame. The forward pass saves only the gates of each frame, in the precision
of the products. The backward pass computes memory and hidden state from them again, which needs no matrix product. A
context that requires no gradient gets none.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from moglow.flows.bijection import State


def unrolled_lstm(
    net: nn.LSTM, head: nn.Linear, x: Tensor, context: Tensor, state: State, *, precision: torch.dtype
) -> tuple[Tensor, State]:
    """Returns head(net([x, context], state)) (B, T, outputs) and the pair (h, c); `precision` is for the products.

    >>> net, head = nn.LSTM(3, 4, num_layers=2, batch_first=True), nn.Linear(4, 2)
    >>> x, context = torch.randn(2, 5, 1), torch.randn(2, 5, 2)
    >>> outputs, (h, c) = unrolled_lstm(net, head, x, context, None, precision=torch.float32)
    >>> torch.allclose(outputs, head(net(torch.cat([x, context], dim=-1))[0]), atol=1e-6)
    True
    """
    start = x.new_zeros(2, net.num_layers, len(x), net.hidden_size)
    h, c = state if isinstance(state, tuple) else start.unbind()
    w_in, w_back, b_in, b_back = (
        [getattr(net, f"{name}_l{depth}") for depth in range(net.num_layers)]
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    biases = [a + b for a, b in zip(b_in, b_back, strict=True)]
    outputs, *after = _Unrolled.apply(  # type: ignore[no-untyped-call]
        x.transpose(0, 1),
        context.transpose(0, 1),
        h,
        c,
        precision,
        head.weight,
        head.bias,
        *w_in,
        *w_back,
        *biases,
    )
    return outputs.transpose(0, 1), tuple(after)


class _LayerStates(NamedTuple):
    """The states of a layer in all frames."""

    memory: Tensor  # c before the first frame and after each, (T + 1, B, H)
    bounded: Tensor  # tanh of the memory after each frame, (T, B, H)
    hidden: Tensor  # h before the first frame and after each, in the precision of the products, (T + 1, B, H)

    @classmethod
    def of(cls, gates: Tensor, h: Tensor, c: Tensor) -> "_LayerStates":
        """Returns the states computed from the gates (T, B, 4 H) and from h and c before the first frame."""
        enter, keep, new, leave = gates.chunk(4, dim=-1)
        memory, bounded = c.new_empty(len(gates) + 1, *c.shape), c.new_empty(len(gates), *c.shape)
        hidden = gates.new_empty(memory.shape)
        memory[0], hidden[0] = c, h
        for t in range(len(gates)):
            torch.mul(memory[t], keep[t], out=memory[t + 1]).addcmul_(enter[t], new[t])
            bounded[t] = _tanh(memory[t + 1])
            torch.mul(bounded[t], leave[t], out=hidden[t + 1])
        return cls(memory, bounded, hidden)


class _Unrolled(torch.autograd.Function):
    """All layers and the head.

    Maps inputs (T, B, I), context (T, B, C) and the initial h and c (L, B, H) to the head's outputs (T, B, outputs) and
    the final h and c. `weights` are the input weights of all layers, then the recurrent weights, then the biases.
    """

    @staticmethod
    def forward(
        ctx: Any,
        inputs: Tensor,
        context: Tensor,
        h: Tensor,
        c: Tensor,
        precision: torch.dtype,
        w_head: Tensor,
        b_head: Tensor,
        *weights: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        layers, rows, kept = len(h), _joined(inputs, context, precision), []
        h_after, c_after = torch.empty_like(h), c.clone()
        for depth in range(layers):
            w_in, w_back, bias = (weight.to(precision) for weight in weights[depth::layers])
            kept.append(torch.addmm(bias, rows, w_in.T).view(*inputs.shape[:2], -1))
            hidden = _run_forward(kept[depth], h[depth], c_after[depth], w_back)
            h_after[depth] = hidden[-1]
            rows = hidden.flatten(0, 1)
        ctx.save_for_backward(inputs, context, h, c, w_head, *weights[: 2 * layers], *kept)
        outputs = torch.addmm(b_head, rows.to(w_head.dtype), w_head.T)
        return outputs.view(*inputs.shape[:2], -1), h_after, c_after

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_outputs: Tensor, dh: Tensor, dc: Tensor) -> tuple[Tensor | None, ...]:
        inputs, context, h, c, w_head, *rest = ctx.saved_tensors
        layers, width = len(h), inputs.shape[-1]
        weights, kept = rest[: 2 * layers], rest[2 * layers :]
        dh, dc = dh.clone(), dc.clone()
        d_inputs: Tensor | None = None
        d_context: Tensor | None = None
        d_weights: list[Tensor | None] = [None] * (3 * layers)
        past = _LayerStates.of(kept[-1], h[-1], c[-1])
        precision = past.hidden.dtype
        d_rows = d_outputs.flatten(0, 1)
        d_head = d_rows.T @ past.hidden[1:].flatten(0, 1).to(w_head.dtype)
        d_hidden, d_offset = (d_rows @ w_head).view(*inputs.shape[:2], -1), d_rows.sum(0)
        for depth in reversed(range(layers)):
            w_in, w_back = (weight.to(precision) for weight in weights[depth::layers])
            d_bias = _run_backward(kept[depth], past, d_hidden, dh[depth], dc[depth], w_back)
            rows = kept[depth].flatten(0, 1)  # (T * B, 4 H), gradients now
            d_back = rows.T @ past.hidden[:-1].flatten(0, 1)
            del past  # frees its memory before the next one is computed
            if depth:
                past = _LayerStates.of(kept[depth - 1], h[depth - 1], c[depth - 1])
                below = past.hidden[1:].flatten(0, 1)
                d_hidden = (rows @ w_in).view(*inputs.shape[:2], -1)
            else:
                below = _joined(inputs, context, precision)
                d_inputs = (rows @ w_in[:, :width]).view_as(inputs).to(inputs.dtype)
                if ctx.needs_input_grad[1]:
                    d_context = (rows @ w_in[:, width:]).view_as(context).to(context.dtype)
            d_in = rows.T @ below
            d_weights[depth::layers] = [d_in.to(w_head.dtype), d_back.to(w_head.dtype), d_bias]
        return d_inputs, d_context, dh, dc, None, d_head, d_offset, *d_weights


def _run_forward(gates: Tensor, h: Tensor, c: Tensor, w_back: Tensor) -> Tensor:
    """Runs a layer over all frames; returns the hidden state after each frame, (T, B, H).

    In place, `gates` (T, B, 4 H) changes from the inputs' contribution to the activated gates, and c (B, H) from the
    initial to the final memory.
    """
    hidden, before = gates.new_empty(*gates.shape[:2], w_back.shape[-1]), h.to(gates.dtype)
    active = torch.empty_like(gates[0], dtype=c.dtype)
    enter, keep, new, leave = active.chunk(4, dim=-1)
    for t in range(len(gates)):
        active.copy_(torch.addmm(gates[t], before, w_back.T, out=gates[t]))
        _activate(active)
        active.copy_(gates[t].copy_(active))  # rounded as the backward pass reads them
        c.mul_(keep).addcmul_(enter, new)
        before = torch.mul(_tanh(c), leave, out=hidden[t])
    return hidden


def _run_backward(
    gates: Tensor, past: _LayerStates, d_hidden: Tensor, dh: Tensor, dc: Tensor, w_back: Tensor
) -> Tensor:
    """Runs the backward pass of a layer over all frames; returns the gradient of the bias.

    In place, `gates` (T, B, 4 H) changes from the activated gates to the gradients before their activation functions,
    and dh and dc (B, H) from the gradients of the final state to those of the initial state.
    """
    size = w_back.shape[-1]
    active, d_active = (torch.empty_like(gates[0], dtype=dc.dtype) for _ in range(2))
    enter, keep, new, leave = active.chunk(4, dim=-1)
    d_enter, d_keep, d_new, d_leave = d_active.chunk(4, dim=-1)
    d_bias = dc.new_zeros(gates.shape[-1])
    sigmoid_back = torch.ops.aten.sigmoid_backward.grad_input
    for t in reversed(range(len(gates))):
        active.copy_(gates[t])
        bounded = past.bounded[t]
        dh += d_hidden[t]
        torch.mul(dh, bounded, out=d_leave)
        dh *= leave
        dc += dh
        dc.addcmul_(dh.mul_(bounded), bounded, value=-1)
        torch.mul(dc, new, out=d_enter)
        torch.mul(dc, past.memory[t], out=d_keep)
        torch.mul(dc, enter, out=d_new)
        dc *= keep
        d_new.addcmul_(d_new * new, new, value=-1)
        sigmoid_back(d_active[:, : 2 * size], active[:, : 2 * size], grad_input=d_active[:, : 2 * size])
        sigmoid_back(d_leave, leave, grad_input=d_leave)
        d_bias += d_active.sum(0)
        gates[t] = d_active
        dh.copy_(gates[t] @ w_back)
    return d_bias


def _joined(inputs: Tensor, context: Tensor, precision: torch.dtype) -> Tensor:
    """Returns the inputs and contexts of all frames as rows (T * B, I + C), in a precision."""
    return torch.cat([inputs.to(precision), context.to(precision)], dim=-1).flatten(0, 1)


def _activate(gates: Tensor) -> None:
    """Applies the activation functions to gates (B, 4 H) in torch's order i, f, g, o, in place."""
    new = gates.tensor_split(4, dim=-1)[2]
    new *= 2
    gates.sigmoid_()
    new.mul_(2).sub_(1)


def _tanh(x: Tensor) -> Tensor:
    """Returns tanh(x) = 2 σ(2 x) − 1: on a CPU a sigmoid takes a fifth of the time of a tanh."""
    return (2 * x).sigmoid_().mul_(2).sub_(1)
