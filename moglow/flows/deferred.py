"""A layer of gates in all flow steps at once, whose weight gradients wait for the last frame. Used by `diagonal`."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def diagonal_of(table: Tensor, diagonal: int) -> Tensor:
    """Returns a view of the entries [k, t] of a contiguous (K, T, …) with k + t = diagonal, in the order of k.

    >>> table = torch.arange(6).view(3, 2)
    >>> diagonal_of(table, 0), diagonal_of(table, 1), diagonal_of(table, 3)
    (tensor([0]), tensor([1, 2]), tensor([5]))
    """
    steps, frames, *rest = table.shape
    along_k, along_t, *strides = table.stride()
    first, last = max(0, diagonal - frames + 1), min(steps - 1, diagonal)
    offset = table.storage_offset() + first * along_k + (diagonal - first) * along_t
    return table.as_strided((last - first + 1, *rest), (along_k - along_t, *strides), offset)


class Gates:
    """The pre-activations of one recurrent layer in each of K flow steps, made diagonal by diagonal.

    gates[k, t] = share[k, t] + inputs[k, t] @ weight[k], where `share` is known before the flow starts (the bias and
    the context's part: one product for all steps and frames) and `inputs` comes up on the way.

    Going back, autograd would add up K + T gradients, each of the size of all weights. Here each diagonal only leaves
    the gradient of its gates in a buffer, and when all have, one product over all frames makes the weights'.
    """

    def __init__(
        self, weight: Tensor, bias: Tensor, context: Tensor, context_weight: Tensor, *, precision: torch.dtype
    ) -> None:
        """Takes weight (K, I, G), bias (K, G), context (T, B, C) and its weight (K, C, G); C may be 0.

        `precision` is that of the products on the way; the context's product keeps that of the weights.
        """
        steps, width, size = weight.shape
        frames, batch, _ = context.shape
        self.weight = weight.detach().to(precision)
        self.inputs = self.weight.new_empty(steps, frames, batch, width)
        known = context.detach().flatten(end_dim=1).expand(steps, -1, -1)  # (K, T * B, C)
        share = torch.baddbmm(bias.detach()[:, None], known, context_weight.detach())
        self.share = share.view(steps, frames, batch, size)
        self.gradient = self.share  # the same memory: nobody reads a share once its gates are made
        self.token: Tensor = _Settle.apply(weight, bias, context, context_weight, self)  # type: ignore[no-untyped-call]

    def at(self, diagonal: int, below: Tensor, hidden: Tensor) -> Tensor:
        """Returns the gates (k, B, G) of a diagonal's cells from what the layer below and the past say (k, B, …)."""
        gates: Tensor = _Product.apply(below, hidden, self.token, self, diagonal)  # type: ignore[no-untyped-call]
        return gates


class _Product(torch.autograd.Function):
    """The gates of one diagonal; going back it hands on what its inputs get and leaves the rest in the buffer."""

    @staticmethod
    def forward(
        ctx: Any, below: Tensor, hidden: Tensor, token: Tensor, gates: Gates, diagonal: int
    ) -> Tensor:
        first = max(0, diagonal - gates.inputs.shape[1] + 1)
        ctx.gates, ctx.diagonal, ctx.width = gates, diagonal, below.shape[-1]
        ctx.weight = gates.weight[first : first + len(below)]
        inputs = diagonal_of(gates.inputs, diagonal)
        inputs.copy_(torch.cat([below, hidden], dim=-1))
        known = diagonal_of(gates.share, diagonal)
        product: Tensor = inputs @ ctx.weight
        return known + product

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None, None, None]:
        diagonal_of(ctx.gates.gradient, ctx.diagonal).copy_(gradient)
        below, hidden = (gradient.to(ctx.weight.dtype) @ ctx.weight.mT).tensor_split((ctx.width,), dim=-1)
        return below.to(gradient.dtype), hidden.to(gradient.dtype), None, None, None


class _Settle(torch.autograd.Function):
    """A token that every diagonal holds, so that its backward runs after theirs, when all gradients lie ready."""

    @staticmethod
    def forward(
        ctx: Any, weight: Tensor, bias: Tensor, context: Tensor, context_weight: Tensor, gates: Gates
    ) -> Tensor:
        ctx.gates = gates
        ctx.save_for_backward(context, context_weight)
        return weight.new_zeros(())

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, _: Tensor) -> tuple[Tensor, Tensor, Tensor | None, Tensor, None]:
        context, context_weight = ctx.saved_tensors
        gates = ctx.gates.gradient.flatten(1, 2)  # (K, T * B, G)
        inputs = ctx.gates.inputs.flatten(1, 2)  # (K, T * B, I)
        weight = (inputs.mT @ gates.to(inputs.dtype)).to(gates.dtype)
        known = context.flatten(end_dim=1)
        context_gradient = None
        if ctx.needs_input_grad[2]:
            context_gradient = torch.einsum("kng,kcg->nc", gates, context_weight).view_as(context)
        return weight, gates.sum(dim=1), context_gradient, known.T @ gates, None
