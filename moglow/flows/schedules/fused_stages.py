"""The stages of the diagonal schedule on a GPU: L + 1 launches a stage each way. Stands on `stage_kernels`."""

from dataclasses import dataclass

import torch
import triton
from torch import Tensor

from moglow.flows.schedules.stage_kernels import (
    couple_back_kernel,
    couple_kernel,
    remember_back_kernel,
    remember_kernel,
)
from moglow.flows.schedules.stages import Gradients, Stages, Weights

PRECISION = "tf32x3"
"""Of products of float32: three products of ten bits each, as exact as float32 to a digit, on the tensor cores."""

ROWS = 16
"""Rows of a tile in the couplings, whose products are small."""


@dataclass(frozen=True)
class Tile:
    """How much one program of a recurrent layer does."""

    rows: int  # of the batch
    units: int  # of the layer, each with four gates
    deep: int  # how much of a product's inner dimension is loaded at once
    warps: int
    loads: int  # under way while it multiplies


def tiles_for(batch: int, hidden: int, precision: torch.dtype) -> tuple[Tile, Tile]:
    """Returns the tiles on the way forward and back: of those tried on an H100, the quickest without spilt registers.

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
    """The same stages, each a few kernels."""

    def __init__(
        self, frames: Tensor, share: Tensor, start: tuple[Tensor, Tensor], weights: Weights, floor: float
    ) -> None:
        super().__init__(frames, share, start, weights, floor)
        self.forth, self.back = tiles_for(frames.shape[1], self.hidden.shape[-1], share.dtype)
        self.deep = 64 if share.dtype == torch.float32 else 128
        self.part = max(16, power_of_2(self.opening.shape[-1]))

    def remember(self, stage: int, depth: int) -> None:
        layer, rows, below, tile = self.weights.layers[depth], self.rows(stage), self.below(depth), self.forth
        (_, inputs, _), hidden, batch = layer.inward.shape, self.hidden.shape[-1], self.x.shape[2]
        grid = (triton.cdiv(hidden, tile.units), triton.cdiv(batch, tile.rows), rows.stop - rows.start)
        remember_kernel[grid](
            below, self.hidden[depth], self.memory[depth], self.gates[depth], layer.inward, layer.back, layer.bias,
            stage, rows.start, self.length, batch,
            below.stride(0), below.stride(1), below.stride(2), inputs, hidden, depth == 0,
            tile.rows, tile.units, block(inputs, tile.deep), block(hidden, tile.deep), PRECISION,
            num_warps=tile.warps, num_stages=tile.loads,
        )  # fmt: skip

    def couple(self, stage: int) -> None:
        weights, rows, (_, length, batch, moved) = self.weights, self.rows(stage), self.opening.shape
        hidden = self.hidden.shape[-1]
        couple_kernel[(triton.cdiv(batch, ROWS), rows.stop - rows.start)](
            self.hidden[-1], self.x, self.y, self.opening, weights.head, weights.head_bias, weights.mix, weights.shift,
            self.floor, stage, rows.start, self.steps, length, batch,
            hidden, self.kept, moved, ROWS, block(hidden, self.deep), self.part, 2 * self.part, PRECISION,
        )  # fmt: skip

    def couple_back(self, stage: int, given: Gradients) -> None:
        weights, rows, (_, length, batch, moved) = self.weights, self.rows(stage), self.opening.shape
        hidden = self.hidden.shape[-1]
        units = block(hidden, self.deep)
        grid = (triton.cdiv(hidden, units), triton.cdiv(batch, ROWS), rows.stop - rows.start)
        couple_back_kernel[grid](
            self.x, self.opening, weights.head, weights.mix, self.gates[-1], self.memory[-1],
            given.z, given.gain, given.y, given.said, given.hidden[-1], given.memory[-1],
            self.floor, stage, rows.start, self.steps, length, batch,
            hidden, self.kept, moved, ROWS, units, self.part, 2 * self.part, PRECISION, num_warps=8,
        )  # fmt: skip

    def remember_back(self, stage: int, depth: int, given: Gradients) -> None:
        layer, rows, lower, tile = self.weights.layers[depth], self.rows(stage), max(depth - 1, 0), self.back
        (_, inputs, _), hidden, batch = layer.inward.shape, self.hidden.shape[-1], self.x.shape[2]
        tiles = triton.cdiv(hidden, tile.units) + triton.cdiv(inputs, tile.units)
        remember_back_kernel[(tiles, triton.cdiv(batch, tile.rows), rows.stop - rows.start)](
            self.gates[depth], layer.inward, layer.back, given.hidden[depth], given.y,
            self.gates[lower], self.memory[lower], given.hidden[lower], given.memory[lower],
            stage, rows.start, self.length, batch,
            inputs, hidden, self.x.shape[-1], depth == 0,
            tile.rows, tile.units, block(4 * hidden, tile.deep), PRECISION,
            num_warps=tile.warps, num_stages=tile.loads,
        )  # fmt: skip


def block(width: int, most: int) -> int:
    """Returns how much of a width is done at once."""
    return min(most, max(16, power_of_2(width)))


def power_of_2(number: int) -> int:
    """Returns the least power of two that is no less."""
    return 1 << (number - 1).bit_length()
