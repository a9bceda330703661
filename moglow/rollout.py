"""A model running free: it sees what it made itself. For curricula and for choosing checkpoints; in torch, batched.

The sampler for users is another one, in numpy; this one serves training, where the model lives on the device.
"""

from dataclasses import dataclass, replace

import torch
from torch import Generator, Tensor

from moglow.captured import captured
from moglow.context import Context
from moglow.flows.bijection import State
from moglow.models.model import MotionModel
from moglow.windows import Window

LONG = 32
"""Frames from which it pays to record one as a CUDA graph, which takes as long as some ten without."""


@torch.no_grad()
def roll_out(
    model: MotionModel,
    context: Context,
    history: Tensor,
    controls: Tensor,
    style: Tensor,
    noise: Tensor,
    state: State = None,
    *,
    temperature: float = 1.0,
) -> tuple[Tensor, State]:
    """Returns the standardised poses (B, n, D) that follow a history (B, K, D), and the model's state after them.

    `controls` (B, K + n + L, 3) begin with those of the history; `noise` (B, n, noise_dim) says which of all
    possible motions it becomes.
    """
    past, reach = context.spec.history, context.spec.history + 1 + context.spec.lookahead

    def frame(history: Tensor, controls: Tensor, noise: Tensor, state: State) -> tuple[Tensor, State]:
        """The history (B, K, D) and the state after one more frame."""
        vector = context.build(history, controls, style)
        target, state = model.step(vector, state, noise, temperature=temperature)
        pose = context.from_target(target, history[:, -1], controls[:, past])
        return torch.cat([history[:, 1:], pose[:, None]], 1), state

    draw, poses = captured(frame, history.device) if noise.shape[1] >= LONG else frame, []
    for t in range(noise.shape[1]):
        history, state = draw(history, controls[:, t : t + reach], noise[:, t], state)
        poses.append(history[:, -1])
    return torch.stack(poses, 1), state


@dataclass(frozen=True)
class FreeRunning:
    """A curriculum: in some batches a stretch of the history is the model's own; [training.free_running].

    The target stays the true next pose, so the model learns to come back from where its own samples lead. Short
    stretches only: after a second a sample may rightly be somewhere else than the recording.
    """

    share: float = 0.0  # of the batches, once the ramp is over; 0 turns it off
    frames: int = 8  # of a window's history that the model makes itself
    start: int = 1000  # step before which the model's samples teach nothing
    ramp: int = 1000  # steps in which the share grows to its full size

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1 or self.frames < 1:
            raise ValueError(
                f"share {self.share}, frames {self.frames}: give a share from 0 to 1, at least 1 frame"
            )

    def share_at(self, step: int) -> float:
        """Returns the share of batches at a step.

        >>> FreeRunning(share=0.5, start=100, ramp=100).share_at(150)
        0.25
        """
        if step < self.start:
            return 0.0
        return self.share * (1.0 if step >= self.start + self.ramp else (step - self.start) / self.ramp)

    @torch.no_grad()
    def applied(
        self,
        window: Window,
        model: MotionModel,
        context: Context,
        state: State,
        *,
        step: int,
        size: int,
        rows: slice,
        generator: Generator,
    ) -> Window:
        """Returns the window with a stretch of its history made by the model, or as it is if the dice say so.

        The dice are the same in all processes: noise is drawn for the global batch of `size`, `rows` are ours.
        """
        device, length = generator.device, window.shown.shape[1]
        dice, place = torch.rand(2, generator=generator, device=device).tolist()
        if dice >= self.share_at(step):
            return window
        frames, past = min(self.frames, length), context.spec.history
        begin = int(place * (length - frames + 1))
        if begin:
            vectors, targets = window.context(context)[:, :begin], window.target(context)[:, :begin]
            _, state = model.log_prob(targets, vectors, state)
        noise = model.draw_noise(size, frames, generator=generator)[rows]
        history = window.history.clone()
        controls = window.controls[:, begin : begin + past + frames + context.spec.lookahead]
        first = window.history[:, begin : begin + past]
        poses, _ = roll_out(model, context, first, controls, window.style, noise, state)
        history[:, begin + past : begin + past + frames] = poses
        return replace(window, history=history)
