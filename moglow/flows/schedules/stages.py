"""The stages of the diagonal schedule, forward and backward, over tables of all cells.

A table has an entry [k, t] for each cell, step k of the flow at frame t. A stage computes one diagonal of it, the cells
with k + t = stage, which do not depend on each other. The gradients of the gates are stored in tables, so that each
gradient of a weight is one product over all frames at the end. `stage_kernels` computes the same on a GPU.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Layer:
    """A recurrent layer in all K steps: gates = below @ inward + hidden @ back + bias.

    The gates of a unit are adjacent, in torch's order: i, f, g, o.
    """

    inward: Tensor  # (K, I, 4 H)
    back: Tensor  # (K, H, 4 H)
    bias: Tensor  # (K, 4 H)


@dataclass(frozen=True)
class Weights:
    """The weights of all K steps; ActNorm and the matrix are one affine map of rows, x @ mix + shift."""

    mix: Tensor  # (K, D, D)
    shift: Tensor  # (K, D)
    from_context: Tensor  # (K, C, 4 H), from the context to the first layer; C is a multiple of eight
    head: Tensor  # (K, H, 2 M)
    head_bias: Tensor  # (K, 2 M)
    layers: tuple[Layer, ...]


class Stages:
    """The tables of one pass, and the operations of one stage on them."""

    def __init__(
        self, frames: Tensor, share: Tensor, start: tuple[Tensor, Tensor], weights: Weights, floor: float
    ) -> None:
        """Takes frames (T, B, D) and the context's contribution `share` (K, T, B, 4 H) to the first layer's gates.

        `start` is the hidden state and memory (L, K, B, H) before the first frame, `floor` that of the scale
        σ(a + 2) + floor. The recurrent products are computed in the precision of `share`.
        """
        (length, batch, channels), (steps, _, _, gates) = frames.shape, share.shape
        depth = len(weights.layers)
        self.weights, self.floor, self.steps, self.length = weights, floor, steps, length
        self.kept = channels - weights.head.shape[-1] // 2
        self.x = frames.new_empty(steps + 1, length, batch, channels)  # into each step; the last is z
        self.y = frames.new_empty(steps, length, batch, channels)  # mixed, into each coupling
        self.opening = frames.new_empty(steps, length, batch, channels - self.kept)  # σ(a + 2)
        self.gates = [share, *(torch.empty_like(share) for _ in range(depth - 1))]
        # Before the first frame, and after each.
        self.hidden = share.new_empty(depth, steps, length + 1, batch, gates // 4)
        self.memory = frames.new_empty(self.hidden.shape)
        self.hidden[:, :, 0], self.memory[:, :, 0] = start
        self.x[0] = frames
        torch.baddbmm(
            weights.shift[:1, None], frames.flatten(0, 1)[None], weights.mix[:1], out=self.y[:1].flatten(1, 2)
        )

    @property
    def diagonals(self) -> range:
        return range(self.length + self.steps - 1)

    def rows(self, stage: int) -> slice:
        """Returns the steps with a cell in a stage."""
        return slice(max(0, stage + 1 - self.length), min(self.steps, stage + 1))

    def following(self, stage: int) -> slice:
        """Returns the steps after those of a stage; the next stage computes them for the same frames."""
        rows = self.rows(stage)
        return slice(rows.start + 1, min(rows.stop + 1, self.steps))

    def forward(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Returns z (T, B, D), log-determinants without the mixing (T, B), and the final hidden state and memory."""
        for stage in self.diagonals:
            for depth in range(len(self.gates)):
                self.run_layer(stage, depth)
            self.run_coupling(stage)
        gain = (self.opening + self.floor).log().sum(dim=(0, -1))
        return self.x[-1], gain, self.hidden[:, :, -1].to(self.x.dtype), self.memory[:, :, -1]

    def run_layer(self, stage: int, depth: int) -> None:
        """Computes gates, memory and hidden state of a layer; the gates overwrite the context's contribution."""
        layer, rows = self.weights.layers[depth], self.rows(stage)
        gates, past = diagonal_of(self.gates[depth], stage), diagonal_of(self.hidden[depth, :, :-1], stage)
        below = diagonal_of(self.below(depth), stage).to(gates.dtype)
        start = gates if depth == 0 else layer.bias[rows, None].to(gates.dtype)
        total = torch.baddbmm(start, below, layer.inward[rows])
        total = torch.baddbmm(total, past, layer.back[rows])
        enter, keep, new, leave = split_gates(total.to(self.x.dtype))
        enter, keep, new, leave = enter.sigmoid(), keep.sigmoid(), new.tanh(), leave.sigmoid()
        memory = keep * diagonal_of(self.memory[depth, :, :-1], stage) + enter * new
        diagonal_of(self.memory[depth, :, 1:], stage).copy_(memory)
        diagonal_of(self.hidden[depth, :, 1:], stage).copy_(leave * torch.tanh(memory))
        gates.copy_(join_gates(enter, keep, new, leave))

    def run_coupling(self, stage: int) -> None:
        """Applies head and coupling to one part of the channels, and mixes all channels for the next step."""
        weights, rows, (kept, moved) = self.weights, self.rows(stage), self.parts(diagonal_of(self.y, stage))
        hidden = diagonal_of(self.hidden[-1, :, 1:], stage).to(kept.dtype)
        shift, a = torch.baddbmm(weights.head_bias[rows, None], hidden, weights.head[rows]).chunk(2, dim=-1)
        opening = torch.sigmoid(a + 2.0)
        diagonal_of(self.opening, stage).copy_(opening)
        x = torch.cat([kept, (moved + shift) * (opening + self.floor)], dim=-1)
        diagonal_of(self.x[1:], stage).copy_(x)
        following = self.following(stage)
        if count := following.stop - following.start:
            mixed = torch.baddbmm(weights.shift[following, None], x[:count], weights.mix[following])
            diagonal_of(self.y[1:], stage).copy_(mixed)

    def backward(self, d_z: Tensor, d_gain: Tensor, d_after: tuple[Tensor, Tensor]) -> "Gradients":
        """Overwrites the gates with their gradients, and returns the other gradients."""
        gradients = Gradients.of(self, d_z, d_gain, d_after)
        for stage in reversed(self.diagonals):
            self.coupling_backward(stage, gradients)
            for depth in reversed(range(len(self.gates))):
                self.layer_backward(stage, depth, gradients)
        torch.bmm(gradients.y[:1].flatten(1, 2), self.weights.mix[:1].mT, out=gradients.x.flatten(0, 1)[None])
        return gradients

    def coupling_backward(self, stage: int, gradients: "Gradients") -> None:
        """Computes the gradients of the next step's mixing, the coupling, its head and the last layer's gates."""
        weights, rows = self.weights, self.rows(stage)
        following = self.following(stage)
        parts = []
        if following.stop > following.start:
            parts.append(diagonal_of(gradients.y[1:], stage) @ weights.mix[following].mT)
        if rows.stop == self.steps:
            parts.append(gradients.z[stage - self.steps + 1][None])
        d_kept, d_moved = self.parts(torch.cat(parts))
        opening = diagonal_of(self.opening, stage)
        scale = opening + self.floor
        shifted = self.parts(diagonal_of(self.x[1:], stage))[1] / scale
        d_gain = gradients.gain[stage + 1 - rows.stop : stage + 1 - rows.start].flip(0)
        d_scale = d_moved * shifted + d_gain[..., None] / scale
        d_shift = d_moved * scale
        d_outputs = torch.cat([d_shift, d_scale * opening * (1 - opening)], dim=-1)
        diagonal_of(gradients.outputs, stage).copy_(d_outputs)
        diagonal_of(gradients.y, stage).copy_(torch.cat([d_kept, d_shift], dim=-1))
        self.gates_backward(stage, len(self.gates) - 1, d_outputs @ weights.head[rows].mT, gradients)

    def gates_backward(self, stage: int, depth: int, d_hidden: Tensor, gradients: "Gradients") -> None:
        """Overwrites a layer's gates with the gradients before their activation functions."""
        rows, gates = self.rows(stage), diagonal_of(self.gates[depth], stage)
        enter, keep, new, leave = split_gates(gates.to(self.x.dtype))
        bounded = torch.tanh(diagonal_of(self.memory[depth, :, 1:], stage))
        d_hidden = d_hidden + gradients.hidden[depth, rows]
        d_memory = gradients.memory[depth, rows] + d_hidden * leave * (1 - bounded.square())
        gradients.memory[depth, rows] = d_memory * keep
        d_keep = d_memory * diagonal_of(self.memory[depth, :, :-1], stage)
        before = join_gates(
            d_memory * new * enter * (1 - enter),
            d_keep * keep * (1 - keep),
            d_memory * enter * (1 - new.square()),
            d_hidden * bounded * leave * (1 - leave),
        )
        gates.copy_(before)

    def layer_backward(self, stage: int, depth: int, gradients: "Gradients") -> None:
        """Passes a layer's gradients on to its previous frame and to the layer below."""
        layer, rows = self.weights.layers[depth], self.rows(stage)
        gates = diagonal_of(self.gates[depth], stage)
        gradients.hidden[depth, rows] = (gates @ layer.back[rows].mT).to(self.x.dtype)
        below = (gates @ layer.inward[rows].mT).to(self.x.dtype)
        if depth:
            self.gates_backward(stage, depth - 1, below, gradients)
        else:
            self.parts(diagonal_of(gradients.y, stage))[0].add_(below)

    def parts(self, channels: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the channels that the coupling keeps and those that it changes."""
        kept, moved = channels.tensor_split((self.kept,), dim=-1)
        return kept, moved

    def below(self, depth: int) -> Tensor:
        """Returns the table of a layer's inputs other than its hidden state, (K, T, B, I)."""
        return self.hidden[depth - 1, :, 1:] if depth else self.parts(self.y)[0]


@dataclass(frozen=True)
class Gradients:
    """The gradients of a backward pass: of its results, its intermediate tables and its inputs."""

    z: Tensor  # (T, B, D)
    gain: Tensor  # (T, B)
    hidden: (
        Tensor  # (L, K, B, H), of the state after each step's current frame; at the end, of the initial state
    )
    memory: Tensor
    outputs: Tensor  # (K, T, B, 2 M), of the heads' outputs
    y: Tensor  # (K, T, B, D), of the mixed channels
    x: Tensor  # (T, B, D), of the frames

    @classmethod
    def of(cls, stages: Stages, z: Tensor, gain: Tensor, after: tuple[Tensor, Tensor]) -> "Gradients":
        """Returns the gradients of the results, with uninitialised tables for the others."""
        hidden, memory = (part.contiguous().clone() for part in after)
        outputs = stages.opening.new_empty(*stages.opening.shape[:-1], 2 * stages.opening.shape[-1])
        y, x = torch.empty_like(stages.y), torch.empty_like(stages.x[0])
        return cls(z.contiguous(), gain.contiguous(), hidden, memory, outputs, y, x)


def diagonal_of(table: Tensor, diagonal: int) -> Tensor:
    """Returns a view of the entries [k, t] of a table (K, T, …) with k + t = diagonal, in the order of k.

    >>> table = torch.arange(6).view(3, 2)
    >>> diagonal_of(table, 0), diagonal_of(table, 1), diagonal_of(table, 3)
    (tensor([0]), tensor([1, 2]), tensor([5]))
    """
    steps, frames, *rest = table.shape
    along_k, along_t, *strides = table.stride()
    first, last = max(0, diagonal - frames + 1), min(steps - 1, diagonal)
    offset = table.storage_offset() + first * along_k + (diagonal - first) * along_t
    return table.as_strided((last - first + 1, *rest), (along_k - along_t, *strides), offset)


def by_unit(gates: Tensor) -> Tensor:
    """Returns gates (…, 4 H), those of a unit adjacent, grouped by unit: (…, H, 4)."""
    return gates.reshape(*gates.shape[:-1], -1, 4)


def split_gates(gates: Tensor) -> tuple[Tensor, ...]:
    """Returns the four kinds of gates, each (…, H), of gates (…, 4 H) in which those of a unit are adjacent.

    >>> split_gates(torch.arange(8))[1]
    tensor([1, 5])
    """
    return by_unit(gates).unbind(-1)


def join_gates(*gates: Tensor) -> Tensor:
    """Returns the inverse of `split_gates`."""
    return torch.stack(gates, dim=-1).flatten(-2)
