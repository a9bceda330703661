"""A net that tells sampled from recorded windows of motion, and what it sees of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import leaky_relu

from moglow.corpus.context import Context
from moglow.corpus.window import Window
from moglow.encodings.feet_first import GROUPS
from moglow.training.leg_points import LegPoints

SEEN_BEFORE = 3
"""Number of frames before a window from which its velocities, accelerations and their changes are computed."""
LIMIT = 12.0
"""Largest standardised number that the critic sees."""


@dataclass(frozen=True)
class CriticSpec:
    """The settings of the critic; [training.critic]."""

    weight: float = 0.0  # of its gradient, relative to the norm of the likelihood's; 0 turns it off
    start: int = 0  # step before which there is none; a model that cannot walk yet learns nothing from it
    temperature: float = 0.65  # of the model's motion, as in generation
    going_on: float = 0.9  # probability that a motion goes on in the next window
    lent: float = 0.2  # share of the motions that have the label of the default performer
    drawn: int = 0  # further motions along drawn paths, with the default labels
    alone: int = 80  # steps in which the critic learns alone
    times: int = 3  # steps of the critic for each one of the model
    rate: float = 5e-4  # learning rate of the critic
    hidden: int = 64  # width of its convolutions
    noise: float = 0.05  # deviation of the noise on what it sees, which is standardised
    dropout: float = 0.1  # share of the channels of its convolutions that are dropped
    penalty: float = 0.3  # weight of its gradient penalties

    def __post_init__(self) -> None:
        if self.weight < 0 or self.rate <= 0 or self.penalty < 0 or self.temperature < 0:
            raise ValueError(
                f"weight {self.weight}, rate {self.rate}, penalty {self.penalty}, temperature {self.temperature}: "
                "give numbers of at least 0, and a rate above 0"
            )
        if not (0 <= self.going_on <= 1 and 0 <= self.lent <= 1 and 0 <= self.dropout < 1):
            raise ValueError(
                f"going_on {self.going_on}, lent {self.lent}, dropout {self.dropout}: a share lies between 0 and 1"
            )
        if min(self.hidden, self.times) < 1 or min(self.start, self.drawn, self.alone, self.noise) < 0:
            raise ValueError(
                f"hidden {self.hidden}, times {self.times}, start {self.start}, drawn {self.drawn}, "
                f"alone {self.alone}, noise {self.noise}: give at least 1 of the first two, and none below 0"
            )


class Critic(nn.Module):
    """Four convolutions over time, means and maxima of two of them, and a linear layer."""

    def __init__(self, channels: int, hidden: int, *, generator: Generator) -> None:
        super().__init__()
        inputs, widths, strides = (channels, hidden, hidden, hidden), (3, 3, 5, 5), (1, 1, 2, 1)
        self.layers = nn.ModuleList(
            nn.Conv1d(each, hidden, width, stride)
            for each, width, stride in zip(inputs, widths, strides, strict=True)
        )
        self.head = nn.Linear(4 * hidden, 1)
        for parameter in self.parameters():
            fan_in = max(1, parameter[0].numel()) if parameter.dim() > 1 else 4 * hidden
            nn.init.uniform_(parameter, -(fan_in**-0.5), fan_in**-0.5, generator=generator)

    def forward(self, seen: Tensor, dropout: float = 0.0, generator: Generator | None = None) -> Tensor:
        """Returns a number (B,) for windows (B, channels, n), larger for what looks recorded."""
        found = []
        for layer in self.layers:
            seen = leaky_relu(layer(seen), 0.2)
            if dropout:
                kept = torch.rand(*seen.shape[:2], 1, generator=generator, device=seen.device) >= dropout
                seen = seen * (kept / (1 - dropout))
            found.append(seen)
        pooled = [part for each in (found[1], found[3]) for part in (each.mean(-1), each.amax(-1))]
        result: Tensor = self.head(torch.cat(pooled, 1))[:, 0]
        return result


class SeenMotion:
    """What the critic sees of windows: numbers of each frame.

    They are poses with their velocities, accelerations and the changes of these, knees and ankles with their
    velocities, and the labels. Of motions with a lent label it sees neither the performer nor the mean posture, which
    are not those of the recording. It does not see the control, by which it would know recordings by heart.
    """

    def __init__(self, context: Context, windows: Sequence[Window]) -> None:
        """Takes recorded windows, whose means and deviations standardise the numbers."""
        self.context = context
        device = windows[0].poses.device
        self.points = LegPoints.of(
            context.encoding,
            lambda array: torch.as_tensor(array, dtype=torch.float32, device=device),
        )
        self.feet = max(
            (
                context.encoding.slices[group].stop
                for _, group, _ in GROUPS
                if group in context.encoding.slices
            ),
            default=0,
        )
        frames = torch.cat([self._numbers(*self._parts(each.poses, each)).flatten(0, 1) for each in windows])
        self.mean, self.deviation = frames.mean(0), frames.std(0) + 1e-4
        self.channels = len(self.mean) + context.labels

    def __call__(self, poses: Tensor, window: Window, labels: Tensor, lent: Tensor) -> Tensor:
        """Returns the numbers (B, channels, n) of poses (B, 3 + n, D), the first three before the window."""
        poses, controls = self._parts(poses, window)
        seen = ((self._numbers(poses, controls) - self.mean) / self.deviation).clamp(-LIMIT, LIMIT)
        lent = lent[:, None, None]
        feet, body, rest = seen.tensor_split((self.feet, self.context.pose_dim), -1)
        body = body - lent * body.mean(1, keepdim=True)
        who, style = labels.tensor_split((len(self.context.performers),), -1)
        parts = [feet, body, rest, who * (1 - lent), style]
        return torch.cat(parts, -1).transpose(1, 2)

    def _parts(self, poses: Tensor, window: Window) -> tuple[Tensor, Tensor]:
        """Returns the poses and controls of the frames of a window and of the three before."""
        frames, past = window.shown.shape[1] + SEEN_BEFORE, self.context.spec.history
        return poses[:, -frames:], window.controls[:, past - SEEN_BEFORE :][:, :frames]

    def _numbers(self, poses: Tensor, controls: Tensor) -> Tensor:
        found = changes(poses, controls, self.context)
        if self.points is None:
            return found
        points = self.points(self.context.physical_pose(poses)).flatten(-2)
        return torch.cat([found, points[:, 3:], points.diff(dim=1)[:, 2:]], -1)


def changes(poses: Tensor, controls: Tensor, context: Context) -> Tensor:
    """Returns poses (B, n, D) with their velocities, accelerations and the changes of these, (B, n, 4 D).

    The first three of `poses` (B, 3 + n, D) come before; velocities are those against poses that are carried along the
    path, so that a planted foot has none.
    """
    velocity = poses[:, 1:] - context.carried(poses[:, :-1], controls[:, 1:])
    acceleration = velocity.diff(dim=1)
    return torch.cat([poses[:, 3:], velocity[:, 2:], acceleration[:, 1:], acceleration.diff(dim=1)], -1)


SHORTEST = 17
"""Number of frames that the critic's convolutions need."""
