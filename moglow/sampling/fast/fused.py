"""MoGlow's fast sampler in few kernels (`fused_kernels`, `fused_cells`), for a GPU with Triton.

A frame of torch is some seven hundred launches, each of them longer than its work. Here it is two large products, all
that does not hang on the flow's own variables, and for each flow step one kernel a layer and one for the rest.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from math import lgamma, log, pi
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from moglow.checkpoint import Checkpoint
from moglow.compute.cuda_graphs import Function, graphed
from moglow.sampling.fast.arithmetic import Arithmetic
from moglow.sampling.fast.folded import Floats, Folded, FoldedStep
from moglow.sampling.fast.numpy_moglow import NUMPY_MODELS, State
from moglow.sampling.fast.torch_arithmetic import TorchArithmetic
from moglow.sampling.fast.torch_steps import DeviceMoGlow, TorchSteps

SMALLEST = 16
"""Least number of rows and columns of a matrix instruction."""
EXACT = "tf32x3"
"""The product of float32: three products of rounded numbers, as exact as one of float32 and several times faster."""


@dataclass(frozen=True)
class Tiles:
    """The work of one program of a kernel: constants that determine the speed, and the order of sums."""

    rows: int  # of a batch; 1 does without matrix instructions
    columns: int  # outputs of a product
    units: int  # of a layer of cells
    inputs: int  # summed at a time
    warps: int  # of 32 threads
    stages: int  # loads under way


TILES = {
    "row": Tiles(rows=1, columns=8, units=4, inputs=512, warps=2, stages=1),
    "small": Tiles(rows=16, columns=64, units=16, inputs=128, warps=4, stages=3),
    "tile": Tiles(rows=64, columns=128, units=32, inputs=64, warps=4, stages=3),
}
"""The quickest of those tried on an H100 for one motion, some and many; with each, a motion is the same to the last bit
whatever else is in the batch."""
SAMPLING = "tile"
"""The tiles of `Sampler`, the same for one motion or a thousand, so that results are equal."""


def tiles_for(batch: int) -> str:
    """Returns the name of the `TILES` that are fastest for a batch.

    >>> [tiles_for(batch) for batch in (1, 64, 1024)]
    ['row', 'small', 'tile']
    """
    return "row" if batch <= 4 else "small" if batch <= 256 else "tile"


Matrix: TypeAlias = Tensor
"""A weight ``(outputs, inputs)`` whose rows end in zeros, up to a whole number of 16."""


@dataclass(frozen=True, eq=False)
class FusedStep:
    """A flow step: the weights on the inputs of its cells, and what `couple` takes."""

    cells: tuple[tuple[Matrix, int, Tensor], ...]  # weight, inputs, bias
    head: Matrix
    coupling: tuple[
        Tensor, ...
    ]  # the head's bias, the affine map of the half that stays and of the other, its shift

    @property
    def widths(self) -> dict[str, int]:
        """The padded widths of both halves and of the whole."""
        _, upper, lower, _ = self.coupling
        return {"KEPT": upper.shape[1], "MOVED": lower.shape[1], "DIM": len(upper)}


class FusedMoGlow:
    """The model of `NumpyMoGlow` as a `StepModel` whose batches consist of whole tiles."""

    def __init__(
        self,
        config: Mapping[str, Any],
        weights: Mapping[str, Floats],
        arithmetic: TorchArithmetic,
        *,
        tiles: str = SAMPLING,
    ) -> None:
        from moglow.sampling.fast import fused_cells, fused_kernels

        self._kernels: Any = fused_kernels
        self._cells: Any = fused_cells
        self._arithmetic, self._tiles = arithmetic, TILES[tiles]
        folded = Folded.of(config, weights)
        self.pose_dim, self._kept, self._hidden = folded.pose_dim, folded.pose_dim // 2, folded.hidden
        self._degrees, self._scale_floor = folded.degrees, folded.scale_floor
        self._constant = _latent_constant(folded) + folded.log_det
        number, hidden = arithmetic.array, folded.hidden
        self._encoder = [
            (self._matrix(weight.T), len(weight), number(bias)) for weight, bias in folded.encoder
        ]
        given = folded.given.T.reshape(len(folded.steps), 4 * hidden, -1)
        self._given = self._matrix(np.concatenate([_by_unit(each) for each in given])), given.shape[-1]
        biases = folded.given_bias.reshape(len(folded.steps), 4 * hidden)
        self._given_bias = number(np.concatenate([_by_unit(each) for each in biases]))
        recurrent = [_by_unit(weight[-hidden:].T) for step in folded.steps for weight, _ in step.cells]
        self._recurrent = torch.stack([self._matrix(each) for each in recurrent])
        self._steps = [
            FusedStep(
                tuple(
                    (self._inputs_of(weight, depth), len(weight) - hidden, number(_by_unit(bias)))
                    for depth, (weight, bias) in enumerate(step.cells)
                ),
                *self._coupling(step),
            )
            for step in folded.steps
        ]

    @property
    def rows(self) -> tuple[int, int]:
        """The batch size: a multiple of the first number, at most the second."""
        return self._tiles.rows, max(1024, self._tiles.rows)

    @property
    def noise_dim(self) -> int:
        return self.pose_dim + self._degrees

    def array(self, values: Any) -> Tensor:
        return self._arithmetic.array(values)

    def numpy(self, values: Tensor) -> Floats:
        return self._arithmetic.numpy(values)

    def recorded(self, frame: Function) -> Function:
        return graphed(frame, self._arithmetic.device)

    def initial_state(self, batch: int = 1) -> State:
        zero = torch.zeros(len(self._recurrent), batch, self._hidden, device=self._arithmetic.device)
        return zero, zero

    def step(
        self, context: Any, state: State, noise: Any, *, temperature: float = 1.0
    ) -> tuple[Tensor, Tensor, State]:
        """Returns the next pose ``(B, D)``, its log-density ``(B,)`` and the state after it, as `NumpyMoGlow.step`."""
        kernels, cells, tiles = self._kernels, self._cells, self._tiles
        seen, noise = (self.array(each).contiguous() for each in (context, noise))
        h, c = (each.contiguous() for each in state)
        batch, dim, hidden = len(seen), self.pose_dim, self._hidden
        after_h, after_c = torch.empty_like(h), torch.empty_like(c)
        x, spare = seen.new_empty(batch, dim), seen.new_empty(batch, dim)
        nats = seen.new_empty(batch, dtype=torch.float64)
        few = min(tiles.rows, SMALLEST)  # there is too little to do for one row to fill a program with many
        few_rows, blocks = (-(-batch // few),), -(-hidden // tiles.units)
        parts, earlier = (seen.new_empty(blocks, batch, len(self._steps[0].head)) for _ in range(2))
        kernels.begin[few_rows](
            noise, x, nats, batch, dim, temperature, self._constant,
            ROWS=few, DIM=_power(dim), DEGREES=self._degrees, PADDED_DEGREES=_power(self._degrees),
        )  # fmt: skip
        for weight, inputs, bias in self._encoder:
            seen = self._products(seen[None], weight[None], inputs, bias, silu=True)[0]
        known = self._products(seen[None], self._given[0][None], self._given[1], self._given_bias)[0]
        remembered = self._products(h, self._recurrent, hidden)
        by_rows = (blocks, -(-batch // tiles.rows))
        for k in range(len(self._steps) - 1, -1, -1):
            step, layers = self._steps[k], len(self._steps[k].cells)
            before = self._steps[
                (k + 1) % len(self._steps)
            ]  # the variables before the last step in the order are not needed
            signal, inputs_row = x, dim
            for depth, (weight, inputs, bias) in enumerate(step.cells):
                at, first = k * layers + depth, depth == 0 and tiles.rows == 1 and k < len(self._steps) - 1
                given, given_row = (bias, 0) if depth else (known[:, k * 4 * hidden :], known.stride(0))
                cells.cell[by_rows](
                    signal, weight, given, remembered[at], c[at], after_h[at], after_c[at],
                    step.head, parts, earlier, *before.coupling, spare, nats,
                    batch, inputs, weight.shape[-1], hidden, step.head.shape[-1], inputs_row, given_row,
                    dim, self._kept, self._scale_floor,
                    ROWS=tiles.rows, UNITS=tiles.units, INPUTS=self._inputs(weight), PRECISION=EXACT,
                    **before.widths, BLOCKS=blocks, FIRST=first, LAST=depth == layers - 1,
                    num_warps=tiles.warps, num_stages=tiles.stages,
                )  # fmt: skip
                if first:
                    x, spare = spare, x
                signal, inputs_row = after_h[at], hidden
            parts, earlier = earlier, parts
            if tiles.rows > 1 or k == 0:
                head_bias, *affine = step.coupling
                cells.couple[few_rows](
                    earlier, head_bias, x, *affine, spare, nats, batch, dim, self._kept, self._scale_floor,
                    ROWS=few, **step.widths, BLOCKS=blocks, num_warps=8,
                )  # fmt: skip
                x, spare = spare, x
        return x, nats, (after_h, after_c)

    def _products(
        self, x: Tensor, weight: Tensor, inputs: int, bias: Tensor | None = None, *, silu: bool = False
    ) -> Tensor:
        """Returns the products ``(G, B, outputs)`` of each x ``(G, B, inputs)`` with its weight."""
        tiles, (groups, outputs, padded) = self._tiles, weight.shape
        out = x.new_empty(groups, x.shape[1], outputs)
        grid = (-(-outputs // tiles.columns), -(-x.shape[1] // tiles.rows), groups)
        self._kernels.products[grid](
            x, weight, weight if bias is None else bias, out, x.shape[1], inputs, outputs, padded,
            ROWS=tiles.rows, COLUMNS=tiles.columns, INPUTS=self._inputs(weight), PRECISION=EXACT,
            BIAS=bias is not None, SILU=silu, num_warps=tiles.warps, num_stages=tiles.stages,
        )  # fmt: skip
        return out

    def _inputs(self, weight: Tensor) -> int:
        """Returns the number of inputs of a matrix that are summed at a time; fewer for wider numbers."""
        most = (
            self._tiles.inputs if self._tiles.rows == 1 else self._tiles.inputs * 2 // weight.element_size()
        )
        return min(most, _power(weight.shape[-1]))

    def _matrix(self, rows: Floats, precision: torch.dtype | None = None, *, least: int = 0) -> Matrix:
        padding = max(least - rows.shape[1], -rows.shape[1] % SMALLEST)
        tensor: Tensor = self._arithmetic.array(np.pad(rows, ((0, 0), (0, padding))))
        return tensor.to(precision or self._arithmetic.precision).contiguous()

    def _inputs_of(self, weight: Floats, depth: int) -> Matrix:
        """Returns a cell's weight on its inputs without the memory; the first of single rows takes all variables."""
        whole = _power(self.pose_dim) if depth == 0 and self._tiles.rows == 1 else 0
        return self._matrix(_by_unit(weight[: -self._hidden].T), least=whole)

    def _coupling(self, step: FoldedStep) -> tuple[Matrix, tuple[Tensor, ...]]:
        """Head, and its bias with the parts of the affine map, in float32, padded to powers of two.

        Of the head, rows come in pairs: a channel's shift, and what its scale is made of.
        """
        number, kept, moved = self._arithmetic.array, self._kept, self.pose_dim - self._kept
        missing, taller = _power(moved) - moved, _power(self.pose_dim) - self.pose_dim
        head, bias, unmix = step.head.T, step.head_bias, step.unmix.T
        pairs = np.pad(np.stack([head[:moved], head[moved:]], 1), ((0, missing), (0, 0), (0, 0)))
        biases = np.pad(np.stack([bias[:moved], bias[moved:]], 1), ((0, missing), (0, 0)))
        upper, lower = (
            number(np.pad(part, ((0, taller), (0, _power(part.shape[1]) - part.shape[1])))).contiguous()
            for part in (unmix[:, :kept], unmix[:, kept:])
        )
        rows = self._matrix(pairs.reshape(-1, head.shape[1]), torch.float32)
        return rows, (number(biases.reshape(-1)), upper, lower, number(step.shift))


def moglow_on(
    config: Mapping[str, Any],
    weights: Mapping[str, Floats],
    arithmetic: TorchArithmetic,
    *,
    tiles: str = SAMPLING,
) -> FusedMoGlow | DeviceMoGlow:
    """Returns MoGlow's sampler on a device: the one of few kernels on a GPU with Triton, else the one of torch."""
    if arithmetic.device.type == "cuda" and find_spec("triton"):
        return FusedMoGlow(config, weights, arithmetic, tiles=tiles)
    return DeviceMoGlow(config, weights, arithmetic)


def steps_on(
    device: str, checkpoint: Checkpoint, arithmetic: Arithmetic | None = None
) -> FusedMoGlow | DeviceMoGlow | TorchSteps:
    """Returns the steps of a checkpoint on a torch device, fastest where the model has a sampler of its own."""
    made = NUMPY_MODELS.get(checkpoint.model)
    if made is None or not made.covers(checkpoint.config):
        return TorchSteps(checkpoint.to_torch(device), device)
    chosen = arithmetic if isinstance(arithmetic, TorchArithmetic) else TorchArithmetic(device)
    return moglow_on(checkpoint.config, checkpoint.weights, chosen)


def _latent_constant(folded: Folded) -> float:
    """Returns the constant summand of the latent's log-density, see `moglow.flows.bases`."""
    dim, degrees = folded.pose_dim, folded.degrees
    if not degrees:
        return -0.5 * dim * log(2 * pi)
    return lgamma(0.5 * (degrees + dim)) - lgamma(degrees / 2) - dim / 2 * log(degrees * pi)


def _by_unit(gates: Floats) -> Floats:
    """Returns rows reordered from gates (i f o g) to units, so that the four rows of a unit are adjacent.

    >>> _by_unit(np.arange(8))
    array([0, 2, 4, 6, 1, 3, 5, 7])
    """
    rows = gates.reshape(4, len(gates) // 4, *gates.shape[1:]).swapaxes(0, 1)
    return np.ascontiguousarray(rows.reshape(gates.shape))


def _power(size: int) -> int:
    """Returns the least power of two that is not below a size and `SMALLEST`."""
    return max(SMALLEST, 1 << (size - 1).bit_length())
