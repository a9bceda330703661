"""The diagonal schedule: a flow of LSTM couplings in K + T stages instead of K · T. Stands on `glow`, `deferred`.

Cell (k, t), step k of the flow at frame t, waits for (k − 1, t), which gives it its input, and for (k, t − 1), which
gives it its memory. So all cells with k + t = s can be done at once, as one batched product over k:

    t = 0  1  2  3
 k = 0   0  1  2  3      frames stand on a conveyor belt: at each stage every frame on it passes one step,
 k = 1   1  2  3  4      a new frame gets on at step 0 and a finished one gets off after step K − 1
 k = 2   2  3  4  5

The numbers are the stages. `plain` is the readable reference; the two agree up to rounding, gradients too.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

import torch
from torch import Tensor

from moglow.errors import RecipeError
from moglow.flows.bijection import Chain, State
from moglow.flows.deferred import Gates
from moglow.flows.glow import GlowStep
from moglow.flows.nets import LSTM


def lstm_cell(gates: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the hidden state and the memory after a frame, from gates (…, 4 H) in torch's order: i, f, g, o."""
    enter, keep, new, leave = gates.chunk(4, dim=-1)
    memory = torch.sigmoid(keep) * memory + torch.sigmoid(enter) * torch.tanh(new)
    return torch.sigmoid(leave) * torch.tanh(memory), memory


@dataclass
class Carried:
    """What each flow step carries from frame to frame, (K, …): of steps yet to start, at work, and done."""

    waiting: Tensor
    active: Tensor
    done: list[Tensor] = field(default_factory=list)

    @classmethod
    def of(cls, start: Tensor) -> "Carried":
        """Returns what is carried before the first stage, when every step waits."""
        return cls(waiting=start, active=start[:0])

    def advance(self, before: range, now: range) -> None:
        """Takes up the steps that start at this stage and lays down those that ended at the stage before."""
        ended = now.start - before.start
        self.done.append(self.active[:ended])
        self.active = torch.cat([self.active[ended:], self.waiting[before.stop : now.stop]])

    def all(self) -> Tensor:
        """Returns what all steps carry in the end."""
        return torch.cat([*self.done, self.active])


def recurrent_layers(nets: Sequence[LSTM], context: Tensor) -> list[Gates]:
    """Returns the gates of each layer in all steps; the context (T, B, C) enters the first."""

    def layer(depth: int, known: Tensor) -> Gates:
        w_in, w_back, b_in, b_back = (
            torch.stack([getattr(net.recurrent, f"{name}_l{depth}") for net in nets])
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        w_below, w_known = w_in.tensor_split((w_in.shape[-1] - known.shape[-1],), dim=-1)
        weight = torch.cat([w_below, w_back], dim=-1).mT
        precision = nets[0].precision or weight.dtype
        return Gates(weight, b_in + b_back, known, w_known.mT, precision=precision)

    nothing = context[..., :0]
    return [layer(depth, nothing if depth else context) for depth in range(nets[0].recurrent.num_layers)]


def carried_from(state: State, nets: Sequence[LSTM], x: Tensor) -> tuple[list[Carried], list[Carried]]:
    """Returns hidden state and memory of each layer, (K, B, H), from the state of a chain of Glow steps."""
    net = nets[0].recurrent
    zeros = x.new_zeros(net.num_layers, len(x), net.hidden_size)
    after = cast(tuple[tuple[State, State, State], ...], state or ((None, None, None),) * len(nets))
    pairs = [cast(tuple[Tensor, Tensor], coupling or (zeros, zeros)) for _, _, coupling in after]
    hidden, memory = (torch.stack(part, dim=1) for part in zip(*pairs, strict=True))  # (L, K, B, H)
    return [Carried.of(part) for part in hidden], [Carried.of(part) for part in memory]


def diagonal(flow: Chain, x: Tensor, context: Tensor, state: State = None) -> tuple[Tensor, Tensor, State]:
    """Returns what flow(x, context, state) returns, for a chain of Glow steps with LSTM nets of one size."""
    steps = [link for link in flow.links if isinstance(link, GlowStep)]
    nets = [step.coupling.conditioner for step in steps if isinstance(step.coupling.conditioner, LSTM)]
    if len(nets) < len(flow.links):
        raise RecipeError(
            "schedule diagonal: expected Glow steps with LSTM nets, found others; use the plain schedule"
        )
    scale_of, half = steps[0].coupling.scale, steps[0].coupling.kept

    # ActNorm and the matrix are one affine map of rows, x @ mix + shift; their log-determinants are constants.
    mix = torch.stack([step.actnorm.log_scale.exp()[:, None] * step.linear.weight().T for step in steps])
    shift = torch.stack([step.actnorm.bias for step in steps])[:, None] @ mix
    constant = torch.stack(
        [step.actnorm.log_scale.sum() + step.linear.log_scale.sum() for step in steps]
    ).sum()
    head = torch.stack([net.head.weight for net in nets]).mT
    head_bias = torch.stack([net.head.bias for net in nets])[:, None]

    frames = x.transpose(0, 1)  # (T, B, D)
    layers = recurrent_layers(nets, context.transpose(0, 1).contiguous())
    hidden, memory = carried_from(state, nets, x)
    belt, gain = (
        frames[:0],
        frames[:0, :, 0],
    )  # the frames at work and their log-determinants so far, newest first
    finished: list[tuple[Tensor, Tensor]] = []
    before = range(0)
    for stage in range(len(frames) + len(steps) - 1):
        now = range(max(0, stage + 1 - len(frames)), min(len(steps), stage + 1))
        rows = slice(now.start, now.stop)
        arriving = frames[stage : stage + 1]
        belt = torch.baddbmm(shift[rows], torch.cat([arriving, belt]), mix[rows])
        kept, moved = belt.tensor_split((half,), dim=-1)
        said = kept
        for gates, h, c in zip(layers, hidden, memory, strict=True):
            h.advance(before, now)
            c.advance(before, now)
            h.active, c.active = lstm_cell(gates.at(stage, said, h.active), c.active)
            said = h.active
        t, a = torch.baddbmm(head_bias[rows], said, head[rows]).chunk(2, dim=-1)
        scale = scale_of(a)
        belt = torch.cat([kept, (moved + t) * scale], dim=-1)
        gain = torch.cat([torch.zeros_like(arriving[..., 0]), gain]) + scale.log().sum(dim=-1)
        staying = len(steps) - 1 - now.start  # all but the one that has passed the last step
        finished.append((belt[staying:], gain[staying:]))
        belt, gain, before = belt[:staying], gain[:staying], now

    z, ladj = (torch.cat(part).transpose(0, 1) for part in zip(*finished, strict=True))
    pairs = zip(*(torch.stack([c.all() for c in part], dim=1) for part in (hidden, memory)), strict=True)
    return z, ladj + constant, tuple((None, None, pair) for pair in pairs)
