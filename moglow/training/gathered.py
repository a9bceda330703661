"""Products with weights in a loop over frames, whose gradients are computed once for all frames.

A frame's share of the gradient of a large matrix costs as much memory traffic as the matrix itself. Here a backward
pass only stores the input and the gradient of the output of each product; one product of all of them follows.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


class GatheredProducts:
    """Named affine maps x ↦ x W + b; their matrices and biases may be expressions of parameters.

    >>> weight = torch.eye(2, requires_grad=True)
    >>> products = GatheredProducts()
    >>> products.add("double", 2 * weight)
    >>> x = torch.ones(1, 2, requires_grad=True)
    >>> products("double", x).sum().backward()
    >>> products.gradients((weight,))[0]
    tensor([[2., 2.],
            [2., 2.]])
    """

    def __init__(self) -> None:
        self._maps: dict[str, tuple[Tensor, Tensor | None]] = {}
        self._fixed: dict[str, tuple[Tensor, Tensor | None]] = {}
        self._uses: dict[str, list[tuple[Tensor, Tensor]]] = {}

    def add(self, name: str, weight: Tensor, bias: Tensor | None = None) -> None:
        """Adds a map with a matrix W (inputs, outputs) and a bias (outputs,)."""
        self._maps[name] = weight, bias
        self._fixed[name] = weight.detach().contiguous(), None if bias is None else bias.detach()
        self._uses[name] = []

    def __call__(self, name: str, x: Tensor, plus: Tensor | None = None) -> Tensor:
        """Returns the result for inputs (B, inputs); a map without a bias adds `plus` (B, outputs) instead."""
        weight, bias = self._fixed[name]
        result: Tensor = _Product.apply(x, weight, bias, plus, self._uses[name])  # type: ignore[no-untyped-call]
        return result

    def gradients(self, parameters: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Returns the gradients of parameters by all products since the last call; zeros where there are none."""
        results, gradients = [], []
        for name, uses in self._uses.items():
            if not uses:
                continue
            inputs, outputs = (torch.cat(part) for part in zip(*uses, strict=True))
            weight, bias = self._maps[name]
            results.append(weight)
            gradients.append(inputs.T @ outputs)
            if bias is not None:
                results.append(bias)
                gradients.append(outputs.sum(0))
            uses.clear()
        return torch.autograd.grad(
            results, parameters, gradients, retain_graph=True, allow_unused=True, materialize_grads=True
        )


class _Product(torch.autograd.Function):
    """x W + b, whose backward pass stores x and the gradient of the result in a list."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        plus: Tensor | None,
        uses: list[tuple[Tensor, Tensor]],
    ) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.uses, ctx.added = uses, plus is not None
        constant = bias if plus is None else plus
        return x @ weight if constant is None else torch.addmm(constant, x, weight)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        ctx.uses.append((x.detach(), gradient))
        of_input = gradient @ weight.T if ctx.needs_input_grad[0] else None
        return of_input, None, None, gradient if ctx.added else None, None
