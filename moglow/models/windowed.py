"""A flow of whole windows, taken frame by frame: frames wait to be scored, others to be drawn. Stands on `flow`."""

from abc import abstractmethod
from typing import NamedTuple, cast

import torch
from torch import Generator, Tensor

from moglow.flows.bijection import State
from moglow.models.flow import FlowModel


class Ending(NamedTuple):
    """Windows that may end in some frames, W of each row; as many as end in any row, so not all need be whole."""

    poses: Tensor  # (B, W, n D)
    encoded: Tensor  # (B, W, E), what the flow sees: of the first frame
    whole: Tensor  # (B, W) bool
    last: Tensor  # (B, W), at which of the frames it ends


class WindowedFlow(FlowModel):
    """log p(x₁ … xₙ | e(c₁)) = log p(z) + log|det ∂z/∂x|: n frames at once, given the context of the first.

    To the flow a window is one frame of n D channels. A target is the residual to the pose before it, so from poses to
    targets is a triangular map of constant determinant, and the density of n targets is one of n poses.

    The first window begins at the first frame, the next after its end; `log_prob` pays for all n frames at the last,
    when they are known. Where scoring turns to drawing, or back, a window begins. It is drawn at its first frame, from
    the numbers of that frame; those of the others go unused, since it could not have waited for them.
    """

    @property
    @abstractmethod
    def stride(self) -> int: ...

    @torch.no_grad()
    def initialize(self, pose: Tensor, context: Tensor) -> None:
        found, _ = self.ending(pose, context, None)
        self.flow.initialize(found.poses[found.whole][None], found.encoded[found.whole][None])

    def loss(
        self, pose: Tensor, context: Tensor, state: State = None, *, generator: Generator
    ) -> tuple[Tensor, State]:
        """Returns the mean negative log-likelihood in nats per frame of whole windows, and the state after the last."""
        found, state = self.ending(pose, context, state)
        frames = self.stride * found.whole.sum()
        return -self.paid(found).sum() / frames.clamp(min=1), state

    def log_prob(self, pose: Tensor, context: Tensor, state: State = None) -> tuple[Tensor, State]:
        found, state = self.ending(pose, context, state)
        return pose.new_zeros(pose.shape[:-1]).scatter_add(1, found.last, self.paid(found)), state

    def paid(self, found: Ending) -> Tensor:
        """Returns log p (B, W) of whole windows, 0 for the others."""
        return torch.where(found.whole, self.density(found.poses, found.encoded), 0.0)

    def density(self, poses: Tensor, encoded: Tensor) -> Tensor:
        """Returns log p (B, W) of windows (B, W, n D)."""
        z, ladj, _ = self.flow(poses, encoded)
        log_prob: Tensor = self.latent.log_prob(z) + ladj
        return log_prob

    def ending(self, pose: Tensor, context: Tensor, state: State) -> tuple[Ending, State]:
        """Returns the windows that may end in frames (B, T, D), and the state after the last."""
        size, frames = self.stride, pose.shape[1]
        read, waiting, _ = thirds(state)
        encoded, read = self.encode(context, read)
        if waiting is None:
            none = [each.new_zeros(size - 1, len(each), each.shape[-1]) for each in (pose, encoded)]
            waiting = (pose.new_zeros(len(pose), 1), *none)
        count, *before = cast(tuple[Tensor, ...], waiting)
        poses, known = (
            torch.cat([earlier.transpose(0, 1), now], dim=1)
            for earlier, now in zip(before, (pose, encoded), strict=True)
        )  # (B, n − 1 + T, …): as many as can wait, of which `count` do, and the new ones
        # A window that begins at place k of these ends at place k + n − 1, which is frame k of the new ones.
        first = size - 1 - count.long() + size * torch.arange(-(-frames // size), device=pose.device)
        rows, within = (
            torch.arange(len(pose), device=pose.device)[:, None],
            torch.arange(size, device=pose.device),
        )
        whole = first < frames
        first = first.clamp(max=frames - 1)
        found = Ending(
            poses[rows[..., None], first[..., None] + within].flatten(2), known[rows, first], whole, first
        )
        left = ((count + frames) % size, *(each[:, frames:].transpose(0, 1) for each in (poses, known)))
        return found, (read, left, None)

    def step(
        self, context: Tensor, state: State, noise: Tensor, *, temperature: float = 1.0
    ) -> tuple[Tensor, State]:
        pose, _, state = self.draw(context, state, noise, temperature=temperature)
        return pose, state

    def draw(
        self, context: Tensor, state: State, noise: Tensor, *, temperature: float = 1.0
    ) -> tuple[Tensor, Tensor, State]:
        read, _, drawn = thirds(state)
        encoded, read = self.encode(context[:, None], read)
        z = temperature * self.latent.from_noise(noise)
        window, _ = self.flow.inverse(z[:, None], encoded)  # (B, 1, n D)
        coming = window.view(len(window), self.stride, -1).transpose(0, 1)  # (n, B, D), the next one first
        share = self.density(window, encoded) / self.stride  # (B, 1)
        left = torch.zeros_like(share)
        if drawn is not None:
            left, earlier, its_share = cast(tuple[Tensor, ...], drawn)
            coming, share = torch.where(left > 0, earlier, coming), torch.where(left > 0, its_share, share)
        left = torch.where(left > 0, left, self.stride) - 1
        return coming[0], share[:, 0], (read, None, (left, coming.roll(-1, 0), share))


def thirds(state: State) -> tuple[State, State, State]:
    """Returns the reader's memory, the frames that wait to be scored and those drawn already; all None at the start.

    Each is (…, B, width), and zeros say the same as None, as memories do.
    """
    read, waiting, drawn = state if isinstance(state, tuple) else (None, None, None)
    return read, waiting, drawn
