"""The stages of the diagonal schedule on a GPU: L + 1 kernel launches per stage and direction."""

from dataclasses import dataclass

import torch
import triton
from torch import Tensor

from moglow.flows.schedules.stage_kernels import (
    coupling_backward_kernel,
    coupling_kernel,
    layer_backward_kernel,
    layer_kernel,
)
from moglow.flows.schedules.stages import Gradients, Stages, Weights

PRECISION = "tf32x3"
"""Precision of float32 products: three TF32 products on the tensor cores, within a digit of float32."""

ROWS = 16
"""Rows of a tile in the coupling kernels, whose products are small."""


@dataclass(frozen=True)
class Tile:
    """The part of a recurrent layer that one program computes."""

    rows: int  # of the batch
    units: int  # of the layer, each with four gates
    deep: int  # part of a product's inner dimension that is loaded at once
    warps: int
    loads: int  # that are in flight during a product


def tiles_for(batch: int, hidden: int, precision: torch.dtype) -> tuple[Tile, Tile]:
    """Returns the tiles of the forward and backward pass: the fastest on an H100 among those without register spills.

    >>> tiles_for(100, 512, torch.bfloat16)[0].rows, tiles_for(32, 128, torch.bfloat16)[0].rows
    (128, 32)
    """
    most = max(16, power_of_2(batch))
    if precision == torch.float32:
        tile = Tile(rows=min(64, most), units=16, deep=32, warps=4, loads=3)
        return tile, tile
    if hidden < 256:
        tile = Tile(rows=min(32, most), units=16, deep=64, warps=4, loads=3)
        return tile, tile
    return Tile(min(128, most), 32, 64, warps=8, loads=3), Tile(min(64, most), 64, 64, warps=8, loads=3)


class FusedStages(Stages):
    """The same stages, each as a few kernels."""

    def __init__(
        self, frames: Tensor, share: Tensor, start: tuple[Tensor, Tensor], weights: Weights, floor: float
    ) -> None:
        super().__init__(frames, share, start, weights, floor)
        self.tile, self.tile_backward = tiles_for(frames.shape[1], self.hidden.shape[-1], share.dtype)
        self.deep = 64 if share.dtype == torch.float32 else 128
        self.part = max(16, power_of_2(self.opening.shape[-1]))

    def run_layer(self, stage: int, depth: int) -> None:
        layer, rows, below, tile = self.weights.layers[depth], self.rows(stage), self.below(depth), self.tile
        (_, inputs, _), hidden, batch = layer.inward.shape, self.hidden.shape[-1], self.x.shape[2]
        grid = (triton.cdiv(hidden, tile.units), triton.cdiv(batch, tile.rows), rows.stop - rows.start)
        layer_kernel[grid](
            below, self.hidden[depth], self.memory[depth], self.gates[depth], layer.inward, layer.back, layer.bias,
            stage, rows.start, self.length, batch,
            below.stride(0), below.stride(1), below.stride(2), inputs, hidden, depth == 0,
            tile.rows, tile.units, block(inputs, tile.deep), block(hidden, tile.deep), PRECISION,
            num_warps=tile.warps, num_stages=tile.loads,
        )  # fmt: skip

    def run_coupling(self, stage: int) -> None:
        weights, rows, (_, length, batch, moved) = self.weights, self.rows(stage), self.opening.shape
        hidden = self.hidden.shape[-1]
        coupling_kernel[(triton.cdiv(batch, ROWS), rows.stop - rows.start)](
            self.hidden[-1], self.x, self.y, self.opening, weights.head, weights.head_bias, weights.mix, weights.shift,
            self.floor, stage, rows.start, self.steps, length, batch,
            hidden, self.kept, moved, ROWS, block(hidden, self.deep), self.part, 2 * self.part, PRECISION,
        )  # fmt: skip

    def coupling_backward(self, stage: int, gradients: Gradients) -> None:
        weights, rows, (_, length, batch, moved) = self.weights, self.rows(stage), self.opening.shape
        hidden = self.hidden.shape[-1]
        units = block(hidden, self.deep)
        grid = (triton.cdiv(hidden, units), triton.cdiv(batch, ROWS), rows.stop - rows.start)
        coupling_backward_kernel[grid](
            self.x, self.opening, weights.head, weights.mix, self.gates[-1], self.memory[-1],
            gradients.z, gradients.gain, gradients.y, gradients.outputs, gradients.hidden[-1], gradients.memory[-1],
            self.floor, stage, rows.start, self.steps, length, batch,
            hidden, self.kept, moved, ROWS, units, self.part, 2 * self.part, PRECISION, num_warps=8,
        )  # fmt: skip

    def layer_backward(self, stage: int, depth: int, gradients: Gradients) -> None:
        layer, rows, tile = self.weights.layers[depth], self.rows(stage), self.tile_backward
        lower = max(depth - 1, 0)
        (_, inputs, _), hidden, batch = layer.inward.shape, self.hidden.shape[-1], self.x.shape[2]
        tiles = triton.cdiv(hidden, tile.units) + triton.cdiv(inputs, tile.units)
        layer_backward_kernel[(tiles, triton.cdiv(batch, tile.rows), rows.stop - rows.start)](
            self.gates[depth], layer.inward, layer.back, gradients.hidden[depth], gradients.y,
            self.gates[lower], self.memory[lower], gradients.hidden[lower], gradients.memory[lower],
            stage, rows.start, self.length, batch,
            inputs, hidden, self.x.shape[-1], depth == 0,
            tile.rows, tile.units, block(4 * hidden, tile.deep), PRECISION,
            num_warps=tile.warps, num_stages=tile.loads,
        )  # fmt: skip


def block(width: int, most: int) -> int:
    """Returns the part of a width that is processed at once."""
    return min(most, max(16, power_of_2(width)))


def power_of_2(number: int) -> int:
    """Returns the smallest power of two that is not less than a number."""
    return 1 << (number - 1).bit_length()
