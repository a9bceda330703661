"""A curriculum in which the model's own samples replace part of the history in training windows."""

from dataclasses import dataclass, replace

import torch
from torch import Generator

from moglow.corpus.context import Context
from moglow.corpus.window import Window
from moglow.flows.bijection import State
from moglow.models.model import MotionModel
from moglow.training.rollouts import roll_out


@dataclass(frozen=True)
class FreeRunning:
    """Settings of the curriculum, in which some batches contain samples in their history; [training.free_running].

    The target is still the true next pose, so the model learns to return from the errors of its own samples. Stretches
    should be short: after a second a sample may differ from the recording without being an error.
    """

    share: float = 0.0  # of the batches, after the ramp; 0 turns it off
    frames: int = 8  # of a window's history that are sampled
    start: int = 1000  # step before which the model's samples are not good enough
    ramp: int = 1000  # steps in which the share grows to its full value

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
        """Returns the window with a stretch of its history sampled from the model, at random with `share_at(step)`.

        All processes make the same choice, since they sample noise for the global batch of `size`; `rows` are those
        of this process.
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
        noise = model.sample_noise(size, frames, generator=generator)[rows]
        history = window.history.clone()
        controls = window.controls[:, begin : begin + past + frames + context.spec.lookahead]
        first = window.history[:, begin : begin + past]
        poses, _ = roll_out(model, context, first, controls, window.style[:, begin], noise, state)
        history[:, begin + past : begin + past + frames] = poses
        return replace(window, history=history)
