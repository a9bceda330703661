"""One frame of a model in a change of label: the mean of two predictions for the same latent. Needs numpy alone.

`moglow.sampling.label_change` describes the change. The mean of two invertible functions has no inverse in closed form,
so the latent of a pose is found by Newton's method, with Broyden's update of the derivatives.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from moglow.sampling.fast.folded import Floats
from moglow.sampling.fast.invertible import InvertibleMoGlow, Tape
from moglow.sampling.fast.numpy_moglow import State

Slopes: TypeAlias = tuple[Floats, Floats]
"""Derivatives with respect to the memories h and c, each ``(cells, R, hidden)``."""
STEPS, NEAR = 20, 1e-4
"""Largest number of steps, and the tolerance of a target in its standardised units."""
SHARES, SHRINKS = (1.0, 0.5, 0.25, 0.1), 0.8
"""The step lengths that are tried, and the ratio of the squared errors below which a step is accepted at once."""


@dataclass(frozen=True, eq=False)
class MixtureTape:
    """The tapes of a frame with the new and with the former label, and the share of the new one."""

    tape: Tape
    former: Tape
    share: np.float32
    begins: bool
    """Whether the change begins in this frame: the memory of the former label is then that of the frame before."""

    def back(
        self, model: InvertibleMoGlow, target: Floats, memory: Slopes, former: Slopes
    ) -> tuple[Floats, Floats, Slopes, Slopes]:
        """Returns the derivatives with respect to latent, context and both memories before the frame.

        Given are those with respect to the target ``(R, D)`` and to both memories after the frame. The new label is
        predicted with hidden poses, so that only the context of the former label depends on poses.
        """
        new, _, memory = model.back(self.tape, self.share * target, memory)
        old, context, former = model.back(self.former, (1 - self.share) * target, former)
        if self.begins:
            nothing = np.zeros_like(memory[0]), np.zeros_like(memory[1])
            memory, former = former, nothing
        return new + old, context, memory, former


@dataclass(frozen=True, eq=False)
class Mixture:
    """The model of a frame: contexts ``(B, C)`` and memories of the new and the former label, and shares ``(B, 1)``."""

    model: InvertibleMoGlow
    contexts: tuple[Floats, Floats]
    memories: tuple[State, State]
    share: Floats

    def sampled(self, latents: Floats) -> tuple[Floats, Floats, tuple[State, State]]:
        """Returns the targets ``(B, D)`` of latents ``(B, D)``, the log-densities ``(B,)`` for the new label, and both
        memories."""
        (new, nats, memory), (old, _, former) = self._both(latents)
        return np.asarray(old + self.share * (new - old)), nats, (memory, former)

    def invert(self, target: Floats) -> Floats:
        """Returns the latents ``(B, D)`` of targets ``(B, D)``."""
        return np.concatenate([self._row(row)._solved(target[row : row + 1]) for row in range(len(target))])

    def taped(self, latent: Floats, *, begins: bool) -> tuple[MixtureTape, tuple[State, State]]:
        """Returns the tapes of the latent ``(1, D)`` of one motion, and both memories after it."""
        tapes, memories = [], []
        for (target, _, _), context, memory in zip(
            self._both(latent), self.contexts, self.memories, strict=True
        ):
            *_, after, tape = self.model.taped(context, memory, target)
            tapes.append(tape)
            memories.append(after)
        return MixtureTape(tapes[0], tapes[1], self.share[0, 0], begins), (memories[0], memories[1])

    def _both(self, latents: Floats) -> list[tuple[Floats, Floats, State]]:
        return [
            self.model.from_latent(context, memory, latents.copy())
            for context, memory in zip(self.contexts, self.memories, strict=True)
        ]

    def _row(self, row: int) -> "Mixture":
        one = slice(row, row + 1)
        (new, old), (memory, former) = self.contexts, self.memories
        parts = tuple(part[:, one] for part in memory), tuple(part[:, one] for part in former)
        return Mixture(self.model, (new[one], old[one]), parts, self.share[one])

    def _solved(self, target: Floats) -> Floats:
        """Returns the latent ``(1, D)`` of the target ``(1, D)`` of one motion."""
        nearer = int(self.share[0, 0] < 0.5)
        latent, _, _ = self.model.invert(self.contexts[nearer], self.memories[nearer], target)
        missed, slopes, fresh = target - self.sampled(latent)[0], self._slopes(latent), True
        for _ in range(STEPS):
            error = np.square(missed).sum()
            if np.abs(missed).max() < NEAR:
                break
            way = np.linalg.solve(slopes, missed[0]).astype(np.float32)
            for share in SHARES:
                left = target - self.sampled(latent + share * way)[0]
                if np.square(left).sum() < SHRINKS * error:
                    break
            if np.square(left).sum() >= error:
                if fresh:
                    break
                slopes, fresh = self._slopes(latent), True
                continue
            moved = share * way
            slopes = slopes + np.outer(missed[0] - left[0] - slopes @ moved, moved) / (moved @ moved)
            latent, missed, fresh = latent + moved, left, False
        return latent

    def _slopes(self, latent: Floats) -> Floats:
        """Returns the derivatives ``(D, D)`` of the target with respect to the latent."""
        tape, _ = self.taped(latent, begins=False)
        count = latent.shape[-1]
        nothing = np.zeros((self.model.cells, count, self.model.hidden), np.float32)
        slopes, *_ = tape.back(
            self.model, np.eye(count, dtype=np.float32), (nothing, nothing), (nothing, nothing)
        )
        return np.asarray(slopes, float)
