"""An LSTM and the dense layer on it over a whole sequence, going forward and back by hand, on a CPU. Used by `nets`.

What is known for all frames is one product for all frames: the inputs' share of the gates, and every gradient of a
weight. Only the hidden state's share waits, frame by frame. Of each frame only the gates are kept, in the precision of
the products: memory and hidden state are made from them once more when going back, which takes no product at all. No
gradient is made for a context that wants none.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from moglow.flows.bijection import State


def unrolled_lstm(
    net: nn.LSTM, head: nn.Linear, x: Tensor, context: Tensor, state: State, *, precision: torch.dtype
) -> tuple[Tensor, State]:
    """Returns head(net([x, context], state)), (B, T, outputs), and the pair (h, c); the net's products in a precision.

    >>> net, head = nn.LSTM(3, 4, num_layers=2, batch_first=True), nn.Linear(4, 2)
    >>> x, context = torch.randn(2, 5, 1), torch.randn(2, 5, 2)
    >>> said, (h, c) = unrolled_lstm(net, head, x, context, None, precision=torch.float32)
    >>> torch.allclose(said, head(net(torch.cat([x, context], dim=-1))[0]), atol=1e-6)
    True
    """
    start = x.new_zeros(2, net.num_layers, len(x), net.hidden_size)
    h, c = state if isinstance(state, tuple) else start.unbind()
    w_in, w_back, b_in, b_back = (
        [getattr(net, f"{name}_l{depth}") for depth in range(net.num_layers)]
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    biases = [a + b for a, b in zip(b_in, b_back, strict=True)]
    said, *after = _Unrolled.apply(  # type: ignore[no-untyped-call]
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
    return said.transpose(0, 1), tuple(after)


class _Past(NamedTuple):
    """What a layer went through."""

    memory: Tensor  # c before the first frame and after each, (T + 1, B, H)
    seen: Tensor  # tanh of the memory after each frame, (T, B, H)
    hidden: Tensor  # h before the first frame and after each, in the precision of the products, (T + 1, B, H)

    @classmethod
    def of(cls, gates: Tensor, h: Tensor, c: Tensor) -> "_Past":
        """Makes it from the gates (T, B, 4 H) and from h and c before the first frame."""
        enter, keep, new, leave = gates.chunk(4, dim=-1)
        memory, seen = c.new_empty(len(gates) + 1, *c.shape), c.new_empty(len(gates), *c.shape)
        hidden = gates.new_empty(memory.shape)
        memory[0], hidden[0] = c, h
        for t in range(len(gates)):
            torch.mul(memory[t], keep[t], out=memory[t + 1]).addcmul_(enter[t], new[t])
            seen[t] = _tanh(memory[t + 1])
            torch.mul(seen[t], leave[t], out=hidden[t + 1])
        return cls(memory, seen, hidden)


class _Unrolled(torch.autograd.Function):
    """All layers and the head: from what is said (T, B, I) and known (T, B, C), and h and c (L, B, H) before, to what
    the head says (T, B, outputs), and h and c after. The weights are those into each layer, back into it, its bias."""

    @staticmethod
    def forward(
        ctx: Any,
        said: Tensor,
        known: Tensor,
        h: Tensor,
        c: Tensor,
        precision: torch.dtype,
        w_head: Tensor,
        b_head: Tensor,
        *weights: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        layers, rows, kept = len(h), _joined(said, known, precision), []
        h_after, c_after = torch.empty_like(h), c.clone()
        for depth in range(layers):
            w_in, w_back, bias = (weight.to(precision) for weight in weights[depth::layers])
            kept.append(torch.addmm(bias, rows, w_in.T).view(*said.shape[:2], -1))
            hidden = _forth_in_time(kept[depth], h[depth], c_after[depth], w_back)
            h_after[depth] = hidden[-1]
            rows = hidden.flatten(0, 1)
        ctx.save_for_backward(said, known, h, c, w_head, *weights[: 2 * layers], *kept)
        heard = torch.addmm(b_head, rows.to(w_head.dtype), w_head.T)
        return heard.view(*said.shape[:2], -1), h_after, c_after

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_said: Tensor, dh: Tensor, dc: Tensor) -> tuple[Tensor | None, ...]:
        said, known, h, c, w_head, *rest = ctx.saved_tensors
        layers, width = len(h), said.shape[-1]
        weights, kept = rest[: 2 * layers], rest[2 * layers :]
        dh, dc = dh.clone(), dc.clone()
        d_known: Tensor | None = None
        d_weights: list[Tensor | None] = [None] * (3 * layers)
        past = _Past.of(kept[-1], h[-1], c[-1])
        precision = past.hidden.dtype
        d_rows = d_said.flatten(0, 1)
        d_head = d_rows.T @ past.hidden[1:].flatten(0, 1).to(w_head.dtype)
        d_hidden, d_offset = (d_rows @ w_head).view(*said.shape[:2], -1), d_rows.sum(0)
        for depth in reversed(range(layers)):
            w_in, w_back = (weight.to(precision) for weight in weights[depth::layers])
            d_bias = _back_in_time(kept[depth], past, d_hidden, dh[depth], dc[depth], w_back)
            rows = kept[depth].flatten(0, 1)  # (T * B, 4 H), gradients now
            d_back = rows.T @ past.hidden[:-1].flatten(0, 1)
            del past  # before there is another
            if depth:
                past = _Past.of(kept[depth - 1], h[depth - 1], c[depth - 1])
                below = past.hidden[1:].flatten(0, 1)
                d_hidden = (rows @ w_in).view(*said.shape[:2], -1)
            else:
                below = _joined(said, known, precision)
                d_said = (rows @ w_in[:, :width]).view_as(said).to(said.dtype)
                if ctx.needs_input_grad[1]:
                    d_known = (rows @ w_in[:, width:]).view_as(known).to(known.dtype)
            d_in = rows.T @ below
            d_weights[depth::layers] = [d_in.to(w_head.dtype), d_back.to(w_head.dtype), d_bias]
        return d_said, d_known, dh, dc, None, d_head, d_offset, *d_weights


def _forth_in_time(gates: Tensor, h: Tensor, c: Tensor, w_back: Tensor) -> Tensor:
    """Turns the inputs' share of the gates (T, B, 4 H) into what the gates let through, and c (B, H) before into that
    after; returns the hidden state after each frame, (T, B, H).
    """
    hidden, before = gates.new_empty(*gates.shape[:2], w_back.shape[-1]), h.to(gates.dtype)
    active = torch.empty_like(gates[0], dtype=c.dtype)
    enter, keep, new, leave = active.chunk(4, dim=-1)
    for t in range(len(gates)):
        active.copy_(torch.addmm(gates[t], before, w_back.T, out=gates[t]))
        _activate(active)
        active.copy_(gates[t].copy_(active))  # rounded, as they are found when going back
        c.mul_(keep).addcmul_(enter, new)
        before = torch.mul(_tanh(c), leave, out=hidden[t])
    return hidden


def _back_in_time(
    gates: Tensor, past: _Past, d_hidden: Tensor, dh: Tensor, dc: Tensor, w_back: Tensor
) -> Tensor:
    """Turns gates (T, B, 4 H) into the gradient of what they were before their non-linearities, and dh and dc (B, H),
    of what came after, into those of what was before; returns the gradient of the bias.
    """
    size = w_back.shape[-1]
    active, d_active = (torch.empty_like(gates[0], dtype=dc.dtype) for _ in range(2))
    enter, keep, new, leave = active.chunk(4, dim=-1)
    d_enter, d_keep, d_new, d_leave = d_active.chunk(4, dim=-1)
    d_bias = dc.new_zeros(gates.shape[-1])
    sigmoid_back = torch.ops.aten.sigmoid_backward.grad_input
    for t in reversed(range(len(gates))):
        active.copy_(gates[t])
        seen = past.seen[t]
        dh += d_hidden[t]
        torch.mul(dh, seen, out=d_leave)
        dh *= leave
        dc += dh
        dc.addcmul_(dh.mul_(seen), seen, value=-1)
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


def _joined(said: Tensor, known: Tensor, precision: torch.dtype) -> Tensor:
    """Returns the inputs of all frames as rows (T * B, I + C), in a precision."""
    return torch.cat([said.to(precision), known.to(precision)], dim=-1).flatten(0, 1)


def _activate(gates: Tensor) -> None:
    """Turns gates (B, 4 H) in torch's order i, f, g, o into what they let through, in place."""
    new = gates.tensor_split(4, dim=-1)[2]
    new *= 2
    gates.sigmoid_()
    new.mul_(2).sub_(1)


def _tanh(x: Tensor) -> Tensor:
    """Returns tanh(x) = 2 σ(2 x) − 1: on a CPU a sigmoid takes a fifth of the time of a tanh."""
    return (2 * x).sigmoid_().mul_(2).sub_(1)
