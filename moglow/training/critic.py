"""Nets that tell sampled from recorded windows of motion, and what they see of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import leaky_relu, normalize

from moglow.anatomy.anatomy import part_of
from moglow.corpus.context import Context
from moglow.corpus.window import Window
from moglow.encodings.encoding import carried_places
from moglow.errors import RecipeError
from moglow.training.body_points import BodyPoints

EVERY = 2
"""Number of frames from one that the critics see to the next."""
FULL = 1.0
"""Stretch of a leg, from hip to ankle in lengths of the leg, beyond which a pose asks for too much."""
BENT, NEAR = 0.95, 0.02
"""Usual stretch of a leg, and the distance from `FULL` within which critics see it best."""
LIMIT = 10.0
"""Largest standardised number that a critic sees."""
SHORTEST = 12
"""Number of frames that the convolutions need."""
PARTS = (
    ("thigh", "shin", "foot", "toe"),
    ("forearm", "hand"),
    ("clavicle", "upper_arm", "spine", "chest", "neck", "head"),
)
"""Parts of the body, by the roles of their joints on either side; a critic sees each of them alone."""


@dataclass(frozen=True)
class CriticSpec:
    """The settings of the critics; [training.critic]."""

    weight: float = 0.0  # of their gradient, relative to the norm of the likelihood's; 0 turns them off
    start: int = 0  # step before which there are none; a model that cannot walk yet learns nothing from them
    temperature: float = 0.7  # of the model's motion, as in generation
    going_on: float = 0.9  # probability that a motion goes on in the next window
    lent: float = 0.1  # share of the motions that have the label of the default performer
    posed: float = 0.0  # share of the new motions that begin in the posture of their label, as in generation
    drawn: int = 0  # further motions along drawn paths, with the default labels
    styled: float = 0.0  # share of the drawn paths in a random style, compared with recordings in that style
    alone: int = 120  # steps in which the critics learn alone
    times: int = 4  # steps of the critics for each one of the model
    rate: float = 2e-3  # learning rate of the critics
    hidden: int = 32  # width of their convolutions
    noise: float = 0.05  # deviation of the noise on what they see, which is standardised
    penalty: float = 0.5  # weight of their gradient penalties
    batch: int = 64  # windows of each kind in a step of the critics
    kept: int = 10  # steps of the model whose windows they are trained on

    def __post_init__(self) -> None:
        if self.weight < 0 or self.rate <= 0 or self.penalty < 0 or self.temperature < 0:
            raise ValueError(
                f"weight {self.weight}, rate {self.rate}, penalty {self.penalty}, temperature {self.temperature}: "
                "give numbers of at least 0, and a rate above 0"
            )
        for name in ("going_on", "lent", "posed", "styled"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)}: a share lies between 0 and 1")
        if min(self.hidden, self.times, self.batch, self.kept) < 1 or (
            min(self.start, self.drawn, self.alone, self.noise) < 0
        ):
            raise ValueError(
                f"hidden {self.hidden}, times {self.times}, batch {self.batch}, kept {self.kept}, start {self.start}, "
                f"drawn {self.drawn}, alone {self.alone}, noise {self.noise}: "
                "give at least 1 of the first four, and none below 0"
            )


class Critic(nn.Module):
    """Two convolutions over time, their means and maxima, and a linear layer."""

    def __init__(self, channels: int, hidden: int, *, generator: Generator) -> None:
        super().__init__()
        self.first, self.second = nn.Conv1d(channels, hidden, 3), nn.Conv1d(hidden, hidden, 3)
        self.head = nn.Linear(2 * hidden, 1)
        for layer in (self.first, self.second, self.head):
            nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu", generator=generator)
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def forward(self, seen: Tensor) -> Tensor:
        """Returns a number (B,) for windows (B, channels, n), larger for what looks recorded."""
        found = leaky_relu(self.second(leaky_relu(self.first(seen), 0.1)), 0.1)
        result: Tensor = self.head(torch.cat([found.mean(-1), found.amax(-1)], 1))[:, 0]
        return result


class SeenMotion:
    """What the critics see of windows, of every second frame.

    It is the places of the joints about the hips and their velocities, in the figure's frame; for each leg how far it
    is stretched, and once more where it is nearly straight; the place of the hips and the heading relative to the path;
    and the labels. Of motions with a lent label they see neither the performer nor the mean places of the joints above
    the legs, which are not those of the recording. They do not see the control, by which they would know recordings by
    heart.
    """

    def __init__(self, context: Context, windows: Sequence[Window]) -> None:
        """Takes recorded windows, whose means and deviations standardise the numbers."""
        self.context = context
        device, skeleton = windows[0].poses.device, context.encoding.skeleton
        points = BodyPoints.of(
            context.encoding,
            lambda array: torch.as_tensor(np.array(array), dtype=torch.float32, device=device),
        )
        sides = [
            (f"left_{part}", f"right_{part}")
            for part in ("thigh", "upper_arm")
            if {f"left_{part}", f"right_{part}"} <= skeleton.anatomy.roles.keys()
        ]
        if points is None or not sides:
            raise RecipeError(
                '[training.critic] needs features.encoding = "feet_first", and a left and a right leg that begin at '
                "the hips; set training.critic.weight to 0"
            )
        self.points = points
        place = {joint: number for number, joint in enumerate(points.joints)}
        roles = {role: place[joint] for role, joint in skeleton.anatomy.roles.items() if joint in place}
        self.hips = place[points.hips]
        self.across = [(roles[left], roles[right]) for left, right in sides]
        numbers, stretched = 6 * len(place), 2 * len(skeleton.anatomy.legs)
        body, legs = range(numbers), range(numbers, numbers + stretched)
        path = range(legs.stop, legs.stop + 3)
        self.channels = path.stop + context.labels
        joints = [sorted(joint for role, joint in roles.items() if part_of(role) in names) for names in PARTS]
        parts = [[6 * joint + k for joint in part for k in range(6)] for part in joints]
        parts[0] += legs
        every: list[Sequence[int]] = [(*body, *legs, *path), range(self.channels), *filter(None, parts)]
        self.parts = [torch.tensor(each, device=device) for each in every]
        upper = [joint for joint in range(len(place)) if joint not in joints[0]]
        self.upper = torch.tensor(upper, device=device)
        numbered = [self._numbers(each.poses, each) for each in windows]
        frames = torch.cat([found[0].flatten(0, 1) for found in numbered])
        off = torch.cat([found[2].flatten(0, 1) for found in numbered])
        self.mean, self.deviation = frames.mean(0), frames.std(0) + 1e-3
        self.path_mean, self.path_deviation = off.mean(0), off.std(0) + 1e-3

    def frames(self, length: int) -> int:
        """Returns the number of frames that are seen of a window."""
        return length // EVERY

    def __call__(self, poses: Tensor, window: Window, labels: Tensor, lent: Tensor) -> Tensor:
        """Returns the numbers (B, channels, n) of poses (B, K + T, D)."""
        seen, stretch, path = self._numbers(poses, window)
        seen, lent = (seen - self.mean) / self.deviation, lent[:, None, None]
        upper = seen[..., self.upper, :]
        place = upper[..., :3] - lent[..., None] * upper[..., :3].mean(1, keepdim=True)
        seen = seen.index_copy(2, self.upper, torch.cat([place, upper[..., 3:]], -1)).flatten(2)
        bent = [(BENT - stretch) / (1 - BENT), 2 * ((1 - stretch) / NEAR).tanh()]
        who, style = labels[:, : seen.shape[1]].tensor_split((len(self.context.performers),), -1)
        off = (path - self.path_mean) / self.path_deviation
        body = torch.cat([seen, *bent, off], -1).clamp(-LIMIT, LIMIT)
        return torch.cat([body, who * (1 - lent), style], -1).transpose(1, 2)

    def overreach(self, poses: Tensor) -> Tensor:
        """Returns by how much poses (B, T, D) ask for more than the length of a leg, in hundredths, on average (B,)."""
        stretch = self.points.stretch(self.context.physical_pose(poses))
        return (100 * (stretch - FULL)).clamp_min(0).mean((1, 2))

    def _numbers(self, poses: Tensor, window: Window) -> tuple[Tensor, Tensor, Tensor]:
        """Returns what is seen of every second frame.

        That is places and velocities (B, n, J, 6), the stretch of legs (B, n, L), and the hips' place (x, z) on the
        path with the sine of the figure's heading relative to it (B, n, 3).
        """
        frames, past, fps = window.shown.shape[1], self.context.spec.history, self.context.fps
        controls = self.context.physical_control(window.controls[:, past : past + frames])
        points, stretch = self.points(self.context.physical_pose(poses[:, -frames - 1 :]))
        x, y, z = points[:, :-1].unbind(-1)
        x, z = carried_places(x, z, controls / fps, torch)
        velocity = (points[:, 1:] - torch.stack([x, y, z], -1)) * fps
        count = self.frames(frames)
        velocity = 0.5 * (velocity[:, :-1:EVERY] + velocity[:, 1::EVERY])[:, :count]
        points, stretch = points[:, 1:-1:EVERY][:, :count], stretch[:, 1:-1:EVERY][:, :count]
        sides = [points[..., left, :] - points[..., right, :] for left, right in self.across]
        across = torch.stack([normalize(side, dim=-1) for side in sides]).sum(0)
        x, z = normalize(across[..., [0, 2]], dim=-1).unbind(-1)  # to the left of the figure, which faces +Z
        zero, one = torch.zeros_like(x), torch.ones_like(x)
        turn = torch.stack([x, zero, z, zero, one, zero, -z, zero, x], -1).reshape(*x.shape, 1, 3, 3)
        hips = points[..., self.hips, :] * points.new_tensor([1.0, 0.0, 1.0])
        both = torch.stack([points - hips[..., None, :], velocity], -2)  # (B, n, J, 2, 3)
        path = torch.stack([*hips[..., [0, 2]].unbind(-1), z], -1)
        return (both @ turn.mT).flatten(-2), stretch, path
