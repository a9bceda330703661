"""A flow of whole windows behind the frame-by-frame interface: it buffers frames to score and sampled frames."""

from abc import abstractmethod
from typing import NamedTuple, cast

import torch
from torch import Generator, Tensor

from moglow.flows.bijection import State
from moglow.models.flow import FlowModel


class EndingWindows(NamedTuple):
    """Windows that end within given frames: W per row, the most in any row, so that some may be incomplete."""

    poses: Tensor  # (B, W, n D)
    encoded: Tensor  # (B, W, E), of the first frame
    whole: Tensor  # (B, W) bool, whether the window is complete
    last: Tensor  # (B, W), index of the frame at which it ends


class WindowedFlow(FlowModel):
    """log p(x₁ … xₙ | e(c₁)) = log p(z) + log|det ∂z/∂x|: n frames at once, given the context of the first.

    A window is one frame of n D channels to the flow. A target is the residual to the previous pose, so targets are a
    triangular map of the poses with constant determinant, and the density of n targets is a density of n poses.

    The first window begins at the first frame, the next after its end. `log_prob` returns the log-density of a window
    at its last frame and 0 at the others. A switch from scoring to sampling, or back, begins a new window. A window is
    sampled at its first frame, from the noise of that frame; the noise of the other frames is not used.
    """

    @property
    @abstractmethod
    def stride(self) -> int: ...

    @torch.no_grad()
    def initialize(self, pose: Tensor, context: Tensor) -> None:
        windows, _ = self.ending(pose, context, None)
        self.flow.initialize(windows.poses[windows.whole][None], windows.encoded[windows.whole][None])

    def loss(
        self, pose: Tensor, context: Tensor, state: State = None, *, generator: Generator
    ) -> tuple[Tensor, State]:
        """Returns the mean negative log-likelihood in nats per frame of whole windows, and the state after the last."""
        windows, state = self.ending(pose, context, state)
        frames = self.stride * windows.whole.sum()
        return -self.log_densities(windows).sum() / frames.clamp(min=1), state

    def log_prob(self, pose: Tensor, context: Tensor, state: State = None) -> tuple[Tensor, State]:
        windows, state = self.ending(pose, context, state)
        zeros = pose.new_zeros(pose.shape[:-1])
        return zeros.scatter_add(1, windows.last, self.log_densities(windows)), state

    def log_densities(self, windows: EndingWindows) -> Tensor:
        """Returns log p (B, W) of whole windows, 0 for the others."""
        return torch.where(windows.whole, self.log_density(windows.poses, windows.encoded), 0.0)

    def log_density(self, poses: Tensor, encoded: Tensor) -> Tensor:
        """Returns log p (B, W) of windows (B, W, n D)."""
        z, ladj, _ = self.flow(poses, encoded)
        log_prob: Tensor = self.latent.log_prob(z) + ladj
        return log_prob

    def ending(self, pose: Tensor, context: Tensor, state: State) -> tuple[EndingWindows, State]:
        """Returns the windows that end within frames (B, T, D), and the state after the last."""
        size, frames = self.stride, pose.shape[1]
        read, buffered, _ = thirds(state)
        encoded, read = self.encode(context, read)
        if buffered is None:
            none = [each.new_zeros(size - 1, len(each), each.shape[-1]) for each in (pose, encoded)]
            buffered = (pose.new_zeros(len(pose), 1), *none)
        count, *before = cast(tuple[Tensor, ...], buffered)
        poses, encodings = (
            torch.cat([earlier.transpose(0, 1), now], dim=1)
            for earlier, now in zip(before, (pose, encoded), strict=True)
        )  # (B, n − 1 + T, …): the buffer, whose last `count` entries are in use, and the new frames
        # A window that begins at index k of these ends at index k + n − 1, which is frame k of the new ones.
        first = size - 1 - count.long() + size * torch.arange(-(-frames // size), device=pose.device)
        rows, within = (
            torch.arange(len(pose), device=pose.device)[:, None],
            torch.arange(size, device=pose.device),
        )
        whole = first < frames
        first = first.clamp(max=frames - 1)
        windows = EndingWindows(
            poses[rows[..., None], first[..., None] + within].flatten(2), encodings[rows, first], whole, first
        )
        left = ((count + frames) % size, *(each[:, frames:].transpose(0, 1) for each in (poses, encodings)))
        return windows, (read, left, None)

    def step(
        self, context: Tensor, state: State, noise: Tensor, *, temperature: float = 1.0
    ) -> tuple[Tensor, State]:
        pose, _, state = self.sample(context, state, noise, temperature=temperature)
        return pose, state

    def sample(
        self, context: Tensor, state: State, noise: Tensor, *, temperature: float = 1.0
    ) -> tuple[Tensor, Tensor, State]:
        read, _, sampled = thirds(state)
        encoded, read = self.encode(context[:, None], read)
        z = temperature * self.latent.from_noise(noise)
        window, _ = self.flow.inverse(z[:, None], encoded)  # (B, 1, n D)
        coming = window.view(len(window), self.stride, -1).transpose(0, 1)  # (n, B, D), the next one first
        share = self.log_density(window, encoded) / self.stride  # (B, 1)
        left = torch.zeros_like(share)
        if sampled is not None:
            left, earlier, earlier_share = cast(tuple[Tensor, ...], sampled)
            coming, share = (
                torch.where(left > 0, earlier, coming),
                torch.where(left > 0, earlier_share, share),
            )
        left = torch.where(left > 0, left, self.stride) - 1
        return coming[0], share[:, 0], (read, None, (left, coming.roll(-1, 0), share))


def thirds(state: State) -> tuple[State, State, State]:
    """Returns the reader's state, the frames to be scored and the frames already sampled; all None at the start.

    Each is (…, B, width). Zeros are equivalent to None, as in every state.
    """
    read, buffered, sampled = state if isinstance(state, tuple) else (None, None, None)
    return read, buffered, sampled
