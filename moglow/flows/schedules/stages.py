"""The stages of the diagonal schedule, forward and back, over tables of all cells. Used by `diagonal`.

A table holds something of every cell, [k, t], step k of the flow at frame t; a stage works on one diagonal of it, the
cells with k + t = stage, of which none needs another. Each gradient of a weight waits in a table until all cells have
theirs, and is then one product over all frames. This is the readable form; `stage_kernels` does the same on a GPU.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Layer:
    """A recurrent layer in all K steps: gates = below @ inward + hidden @ back + bias.

    The gates of a unit are neighbours, in torch's order: i, f, g, o.
    """

    inward: Tensor  # (K, I, 4 H)
    back: Tensor  # (K, H, 4 H)
    bias: Tensor  # (K, 4 H)


@dataclass(frozen=True)
class Weights:
    """What all K steps multiply with; ActNorm and the matrix are one affine map of rows, x @ mix + shift."""

    mix: Tensor  # (K, D, D)
    shift: Tensor  # (K, D)
    known: Tensor  # (K, C, 4 H), the context's way into the first layer; C a whole number of eights
    head: Tensor  # (K, H, 2 M)
    head_bias: Tensor  # (K, 2 M)
    layers: tuple[Layer, ...]


class Stages:
    """The tables of a pass, and what one stage does to them."""

    def __init__(
        self, frames: Tensor, share: Tensor, start: tuple[Tensor, Tensor], weights: Weights, floor: float
    ) -> None:
        """Takes frames (T, B, D), what the context gives to the first layer's gates (K, T, B, 4 H), hidden state and
        memory (L, K, B, H) before the first frame, and what a scale is at least: it is σ(a + 2) + floor.

        The recurrent products are computed in the precision of `share`.
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
        """Returns the steps at work in a stage."""
        return slice(max(0, stage + 1 - self.length), min(self.steps, stage + 1))

    def following(self, stage: int) -> slice:
        """Returns the steps after those at work: they are at work on the same frames in the next stage."""
        rows = self.rows(stage)
        return slice(rows.start + 1, min(rows.stop + 1, self.steps))

    def forward(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Returns z (T, B, D), log-determinants without those of the mixing (T, B), hidden state and memory after."""
        for stage in self.diagonals:
            for depth in range(len(self.gates)):
                self.remember(stage, depth)
            self.couple(stage)
        gain = (self.opening + self.floor).log().sum(dim=(0, -1))
        return self.x[-1], gain, self.hidden[:, :, -1].to(self.x.dtype), self.memory[:, :, -1]

    def remember(self, stage: int, depth: int) -> None:
        """Makes gates, memory and hidden state of a layer; the gates take the place of the context's share."""
        layer, rows = self.weights.layers[depth], self.rows(stage)
        gates, past = diagonal_of(self.gates[depth], stage), diagonal_of(self.hidden[depth, :, :-1], stage)
        below = diagonal_of(self.below(depth), stage).to(gates.dtype)
        known = gates if depth == 0 else layer.bias[rows, None].to(gates.dtype)
        made = torch.baddbmm(known, below, layer.inward[rows])
        made = torch.baddbmm(made, past, layer.back[rows])
        enter, keep, new, leave = apart(made.to(self.x.dtype))
        enter, keep, new, leave = enter.sigmoid(), keep.sigmoid(), new.tanh(), leave.sigmoid()
        memory = keep * diagonal_of(self.memory[depth, :, :-1], stage) + enter * new
        diagonal_of(self.memory[depth, :, 1:], stage).copy_(memory)
        diagonal_of(self.hidden[depth, :, 1:], stage).copy_(leave * torch.tanh(memory))
        gates.copy_(together(enter, keep, new, leave))

    def couple(self, stage: int) -> None:
        """Moves one part of the channels by what the net says of the other, and mixes them for the next step."""
        weights, rows, (kept, moved) = self.weights, self.rows(stage), self.parts(diagonal_of(self.y, stage))
        said = diagonal_of(self.hidden[-1, :, 1:], stage).to(kept.dtype)
        shift, a = torch.baddbmm(weights.head_bias[rows, None], said, weights.head[rows]).chunk(2, dim=-1)
        opening = torch.sigmoid(a + 2.0)
        diagonal_of(self.opening, stage).copy_(opening)
        x = torch.cat([kept, (moved + shift) * (opening + self.floor)], dim=-1)
        diagonal_of(self.x[1:], stage).copy_(x)
        following = self.following(stage)
        if count := following.stop - following.start:
            mixed = torch.baddbmm(weights.shift[following, None], x[:count], weights.mix[following])
            diagonal_of(self.y[1:], stage).copy_(mixed)

    def backward(self, d_z: Tensor, d_gain: Tensor, d_after: tuple[Tensor, Tensor]) -> "Gradients":
        """Turns the gates into their gradients, and returns these and the others."""
        given = Gradients.of(self, d_z, d_gain, d_after)
        for stage in reversed(self.diagonals):
            self.couple_back(stage, given)
            for depth in reversed(range(len(self.gates))):
                self.remember_back(stage, depth, given)
        torch.bmm(given.y[:1].flatten(1, 2), self.weights.mix[:1].mT, out=given.x.flatten(0, 1)[None])
        return given

    def couple_back(self, stage: int, given: "Gradients") -> None:
        """Goes back through the mixing of the next step, the coupling, its head and the last layer's gates."""
        weights, rows = self.weights, self.rows(stage)
        following = self.following(stage)
        parts = []
        if following.stop > following.start:
            parts.append(diagonal_of(given.y[1:], stage) @ weights.mix[following].mT)
        if rows.stop == self.steps:
            parts.append(given.z[stage - self.steps + 1][None])
        d_kept, d_moved = self.parts(torch.cat(parts))
        opening = diagonal_of(self.opening, stage)
        scale = opening + self.floor
        shifted = self.parts(diagonal_of(self.x[1:], stage))[1] / scale
        d_gain = given.gain[stage + 1 - rows.stop : stage + 1 - rows.start].flip(0)
        d_scale = d_moved * shifted + d_gain[..., None] / scale
        d_shift = d_moved * scale
        d_said = torch.cat([d_shift, d_scale * opening * (1 - opening)], dim=-1)
        diagonal_of(given.said, stage).copy_(d_said)
        diagonal_of(given.y, stage).copy_(torch.cat([d_kept, d_shift], dim=-1))
        self.gate_back(stage, len(self.gates) - 1, d_said @ weights.head[rows].mT, given)

    def gate_back(self, stage: int, depth: int, d_hidden: Tensor, given: "Gradients") -> None:
        """Turns a layer's gates into the gradients of what they were before their non-linearities."""
        rows, gates = self.rows(stage), diagonal_of(self.gates[depth], stage)
        enter, keep, new, leave = apart(gates.to(self.x.dtype))
        seen = torch.tanh(diagonal_of(self.memory[depth, :, 1:], stage))
        d_hidden = d_hidden + given.hidden[depth, rows]
        d_memory = given.memory[depth, rows] + d_hidden * leave * (1 - seen.square())
        given.memory[depth, rows] = d_memory * keep
        d_keep = d_memory * diagonal_of(self.memory[depth, :, :-1], stage)
        before = together(
            d_memory * new * enter * (1 - enter),
            d_keep * keep * (1 - keep),
            d_memory * enter * (1 - new.square()),
            d_hidden * seen * leave * (1 - leave),
        )
        gates.copy_(before)

    def remember_back(self, stage: int, depth: int, given: "Gradients") -> None:
        """Hands a layer's gradients to its past and to what is below it."""
        layer, rows = self.weights.layers[depth], self.rows(stage)
        gates = diagonal_of(self.gates[depth], stage)
        given.hidden[depth, rows] = (gates @ layer.back[rows].mT).to(self.x.dtype)
        below = (gates @ layer.inward[rows].mT).to(self.x.dtype)
        if depth:
            self.gate_back(stage, depth - 1, below, given)
        else:
            self.parts(diagonal_of(given.y, stage))[0].add_(below)

    def parts(self, channels: Tensor) -> tuple[Tensor, Tensor]:
        """Returns what the coupling keeps and what it moves."""
        kept, moved = channels.tensor_split((self.kept,), dim=-1)
        return kept, moved

    def below(self, depth: int) -> Tensor:
        """Returns the table of what a layer sees beside its past, (K, T, B, I)."""
        return self.hidden[depth - 1, :, 1:] if depth else self.parts(self.y)[0]


@dataclass(frozen=True)
class Gradients:
    """What comes back: into a pass from outside, on the way, and out of it."""

    z: Tensor  # (T, B, D)
    gain: Tensor  # (T, B)
    hidden: Tensor  # (L, K, B, H), of each step's next frame; in the end of what was before the first
    memory: Tensor
    said: Tensor  # (K, T, B, 2 M), of what the heads say
    y: Tensor  # (K, T, B, D), of the mixed channels
    x: Tensor  # (T, B, D), of the frames

    @classmethod
    def of(cls, stages: Stages, z: Tensor, gain: Tensor, after: tuple[Tensor, Tensor]) -> "Gradients":
        """Makes room for what will come back."""
        hidden, memory = (part.contiguous().clone() for part in after)
        said = stages.opening.new_empty(*stages.opening.shape[:-1], 2 * stages.opening.shape[-1])
        y, x = torch.empty_like(stages.y), torch.empty_like(stages.x[0])
        return cls(z.contiguous(), gain.contiguous(), hidden, memory, said, y, x)


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
    """Returns gates (…, 4 H), those of a unit neighbours, by their units: (…, H, 4)."""
    return gates.reshape(*gates.shape[:-1], -1, 4)


def apart(gates: Tensor) -> tuple[Tensor, ...]:
    """Returns the four kinds of gates (…, H) of gates (…, 4 H) in which those of a unit are neighbours.

    >>> apart(torch.arange(8))[1]
    tensor([1, 5])
    """
    return by_unit(gates).unbind(-1)


def together(*gates: Tensor) -> Tensor:
    """Returns what `apart` takes apart."""
    return torch.stack(gates, dim=-1).flatten(-2)
