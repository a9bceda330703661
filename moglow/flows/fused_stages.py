"""The stages of the diagonal schedule on a GPU: L + 1 launches a stage each way. Stands on `stage_kernels`."""

import torch
import triton
from torch import Tensor

from moglow.flows.stage_kernels import (
    couple_back_kernel,
    couple_kernel,
    remember_back_kernel,
    remember_kernel,
)
from moglow.flows.stages import Gradients, Stages, Weights

PRECISION = "tf32x3"
"""Of products of float32: three products of ten bits each, as exact as float32 to a digit, on the tensor cores."""

ROWS = 16
"""Rows of a tile in the couplings, whose products are small."""


class FusedStages(Stages):
    """The same stages, each a few kernels."""

    def __init__(
        self, frames: Tensor, share: Tensor, start: tuple[Tensor, Tensor], weights: Weights, floor: float
    ) -> None:
        super().__init__(frames, share, start, weights, floor)
        batch, hidden, single = frames.shape[1], self.hidden.shape[-1], share.dtype == torch.float32
        self.tile = min(64 if single else 128, max(16, power_of_2(batch)))
        self.columns = 64 if hidden >= 256 and not single else 32
        self.deep = 32 if single else 64
        self.parts_wide = max(16, power_of_2(self.opening.shape[-1]))
        self.options = {"num_warps": 8 if self.tile * self.columns >= 4096 else 4, "num_stages": 3}

    def remember(self, stage: int, depth: int) -> None:
        layer, rows, below = self.weights.layers[depth], self.rows(stage), self.below(depth)
        (_, inputs, _), hidden, batch = layer.inward.shape, self.hidden.shape[-1], self.x.shape[2]
        grid = (triton.cdiv(hidden, self.columns), triton.cdiv(batch, self.tile), rows.stop - rows.start)
        remember_kernel[grid](
            below, self.hidden[depth], self.memory[depth], self.gates[depth], layer.inward, layer.back, layer.bias,
            stage, rows.start, self.length, batch,
            below.stride(0), below.stride(1), below.stride(2), inputs, hidden, depth == 0,
            self.tile, self.columns, self.block(inputs), self.block(hidden), PRECISION, **self.options,
        )  # fmt: skip

    def couple(self, stage: int) -> None:
        weights, rows, (_, length, batch, moved) = self.weights, self.rows(stage), self.opening.shape
        hidden = self.hidden.shape[-1]
        couple_kernel[(triton.cdiv(batch, ROWS), rows.stop - rows.start)](
            self.hidden[-1], self.x, self.y, self.opening, weights.head, weights.head_bias, weights.mix, weights.shift,
            self.floor, stage, rows.start, self.steps, length, batch,
            hidden, self.kept, moved, ROWS, self.block(hidden), self.parts_wide, 2 * self.parts_wide, PRECISION,
        )  # fmt: skip

    def couple_back(self, stage: int, given: Gradients) -> None:
        weights, rows, (_, length, batch, moved) = self.weights, self.rows(stage), self.opening.shape
        hidden = self.hidden.shape[-1]
        columns = self.block(hidden)
        grid = (triton.cdiv(hidden, columns), triton.cdiv(batch, ROWS), rows.stop - rows.start)
        couple_back_kernel[grid](
            self.x, self.opening, weights.head, weights.mix, self.gates[-1], self.memory[-1],
            given.z, given.gain, given.y, given.said, given.hidden[-1], given.memory[-1],
            self.floor, stage, rows.start, self.steps, length, batch,
            hidden, self.kept, moved, ROWS, columns, self.parts_wide, 2 * self.parts_wide, PRECISION,
        )  # fmt: skip

    def remember_back(self, stage: int, depth: int, given: Gradients) -> None:
        layer, rows, lower = self.weights.layers[depth], self.rows(stage), max(depth - 1, 0)
        (_, inputs, _), hidden, batch = layer.inward.shape, self.hidden.shape[-1], self.x.shape[2]
        tiles = triton.cdiv(hidden, self.columns) + triton.cdiv(inputs, self.columns)
        remember_back_kernel[(tiles, triton.cdiv(batch, self.tile), rows.stop - rows.start)](
            self.gates[depth], layer.inward, layer.back, given.hidden[depth], given.y,
            self.gates[lower], self.memory[lower], given.hidden[lower], given.memory[lower],
            stage, rows.start, self.length, batch,
            inputs, hidden, self.x.shape[-1], depth == 0,
            self.tile, self.columns, self.block(4 * hidden), PRECISION, **self.options,
        )  # fmt: skip

    def block(self, width: int) -> int:
        """Returns how much of a width is multiplied at once."""
        return min(self.deep, max(16, power_of_2(width)))


def power_of_2(number: int) -> int:
    """Returns the least power of two that is no less."""
    return 1 << (number - 1).bit_length()
