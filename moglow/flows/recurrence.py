"""A layer of an LSTM over a whole sequence, going forward and back by hand on a CPU in bfloat16. Used by `nets`.

What is known for all frames is one product for all frames: the inputs' share of the gates, and every gradient of a
weight. Only the hidden state's share waits, frame by frame. Of each frame the gates, the memory and the hidden state
are kept, in the precision of the products, and nothing of the context, for whom no gradient is made unasked.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from moglow.flows.bijection import State


def unrolled_lstm(
    net: nn.LSTM, x: Tensor, context: Tensor, state: State, *, precision: torch.dtype
) -> tuple[Tensor, State]:
    """Returns what net([x, context], state) returns, (B, T, H) in a precision, and the pair (h, c).

    >>> net = nn.LSTM(3, 4, num_layers=2, batch_first=True)
    >>> x, context = torch.randn(2, 5, 1), torch.randn(2, 5, 2)
    >>> hidden, (h, c) = unrolled_lstm(net, x, context, None, precision=torch.float32)
    >>> torch.allclose(hidden, net(torch.cat([x, context], dim=-1))[0], atol=1e-6)
    True
    """
    start = x.new_zeros(2, net.num_layers, len(x), net.hidden_size)
    hidden, memory = state if isinstance(state, tuple) else start.unbind()
    assert isinstance(hidden, Tensor) and isinstance(memory, Tensor)
    said, known = x.transpose(0, 1), context.transpose(0, 1)  # (T, B, …)
    after = []
    for depth, before in enumerate(zip(hidden, memory, strict=True)):
        w_in, w_back, b_in, b_back = (
            getattr(net, f"{name}_l{depth}") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        said, *pair = _Layer.apply(said, known, w_in, w_back, b_in + b_back, *before, precision)  # type: ignore[no-untyped-call]
        after.append(pair)
        known = known[..., :0]
    h, c = (torch.stack(part) for part in zip(*after, strict=True))
    return said.transpose(0, 1), (h, c)


def _joined(said: Tensor, known: Tensor, precision: torch.dtype) -> Tensor:
    """Returns the inputs of all frames as rows (T * B, I), in a precision; a lone part that has it is not copied."""
    parts = [part.to(precision) for part in (said, known) if part.shape[-1]]
    return (parts[0] if len(parts) == 1 else torch.cat(parts, dim=-1)).flatten(0, 1)


class _Layer(torch.autograd.Function):
    """One layer: what is said below (T, B, I), what is known (T, B, C), the weights, h and c before; h of all frames,
    then h and c after."""

    @staticmethod
    def forward(
        ctx: Any,
        said: Tensor,
        known: Tensor,
        w_in: Tensor,
        w_back: Tensor,
        bias: Tensor,
        h: Tensor,
        c: Tensor,
        precision: torch.dtype,
    ) -> tuple[Tensor, Tensor, Tensor]:
        frames, batch, size = *said.shape[:2], len(c[0])
        rows = _joined(said, known, precision)
        gates = torch.addmm(bias.to(precision), rows, w_in.to(precision).T).view(frames, batch, 4 * size)
        hidden, memory = (gates.new_empty(frames + 1, batch, size) for _ in range(2))
        hidden[0], memory[0], c = h, c, c.clone()
        back = w_back.to(precision).T
        active = torch.empty_like(gates[0], dtype=c.dtype)
        enter, keep, new, leave = active.chunk(4, dim=-1)
        for t in range(frames):
            active.copy_(torch.addmm(gates[t], hidden[t], back, out=gates[t]))
            _activate(active)
            c.mul_(keep).addcmul_(enter, new)
            hidden[t + 1] = _tanh(c).mul_(leave)
            gates[t], memory[t + 1] = active, c
        ctx.save_for_backward(said, known, w_in, w_back, gates, hidden, memory)
        return hidden[1:], hidden[-1].to(c.dtype), c

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_hidden: Tensor, dh: Tensor, dc: Tensor) -> tuple[Tensor | None, ...]:
        said, known, w_in, w_back, gates, hidden, memory = ctx.saved_tensors
        frames, width = len(gates), gates.shape[-1]
        size, precision = width // 4, gates.dtype
        dh, dc = dh.clone(), dc.clone()
        back = w_back.to(precision)
        before = torch.empty_like(gates)  # gradients of the gates before their non-linearities
        active, d_active = (torch.empty_like(gates[0], dtype=dc.dtype) for _ in range(2))
        enter, keep, new, leave = active.chunk(4, dim=-1)
        d_enter, d_keep, d_new, d_leave = d_active.chunk(4, dim=-1)
        sigmoid_back = torch.ops.aten.sigmoid_backward.grad_input
        for t in reversed(range(frames)):
            active.copy_(gates[t])
            seen = _tanh(memory[t + 1].to(dc.dtype))
            dh += d_hidden[t]
            torch.mul(dh, seen, out=d_leave)
            dh *= leave
            dc += dh
            dc.addcmul_(dh.mul_(seen), seen, value=-1)
            torch.mul(dc, new, out=d_enter)
            torch.mul(dc, memory[t], out=d_keep)
            torch.mul(dc, enter, out=d_new)
            dc *= keep
            d_new.addcmul_(d_new * new, new, value=-1)
            sigmoid_back(d_active[:, : 2 * size], active[:, : 2 * size], grad_input=d_active[:, : 2 * size])
            sigmoid_back(d_leave, leave, grad_input=d_leave)
            before[t] = d_active
            dh = (before[t] @ back).to(dc.dtype)
        rows = before.flatten(0, 1)  # (T * B, 4 H)
        d_said = (rows @ w_in[:, : said.shape[-1]].to(precision)).view_as(said).to(said.dtype)
        d_known = None
        if ctx.needs_input_grad[1]:
            d_known = (rows @ w_in[:, said.shape[-1] :].to(precision)).view_as(known).to(known.dtype)
        d_in = (rows.T @ _joined(said, known, precision)).to(w_in.dtype)
        d_back = (rows.T @ hidden[:-1].flatten(0, 1)).to(w_back.dtype)
        return d_said, d_known, d_in, d_back, rows.sum(0, dtype=w_in.dtype), dh, dc, None


def _activate(gates: Tensor) -> None:
    """Turns gates (B, 4 H) in torch's order i, f, g, o into what they let through, in place."""
    new = gates.tensor_split(4, dim=-1)[2]
    new *= 2
    gates.sigmoid_()
    new.mul_(2).sub_(1)


def _tanh(x: Tensor) -> Tensor:
    """Returns tanh(x) = 2 σ(2 x) − 1: on a CPU a sigmoid takes a fifth of the time of a tanh."""
    return (2 * x).sigmoid_().mul_(2).sub_(1)
