"""Training by a critic: the model learns to deceive a net that tells its own motion from recordings.

Likelihood compares a model with recordings one frame at a time, after recorded poses. Errors that only show when the
model continues its own motion, such as sliding feet, have no effect on it. Here the model also moves along the paths of
its windows, from window to window, and gets the gradient of a critic that sees forty frames of it at once. The critic
compares the sampled with the recorded window of the same path, by the relativistic loss with two gradient penalties of
Huang et al. (*The GAN is dead; long live the GAN!*, NeurIPS 2024, arXiv 2501.05441).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor, distributed, nn
from torch.nn.functional import softplus

from moglow.corpus.window import Window
from moglow.corpus.windows import Windows
from moglow.errors import RecipeError
from moglow.flows.bijection import State
from moglow.models.model import MotionModel
from moglow.training.critic import SEEN_BEFORE, SHORTEST, Critic, CriticSpec, SeenMotion
from moglow.training.own_motion import OwnMotion, must_roll_out

FARTHEST = 30.0
"""Largest standardised pose of a motion that goes on."""
SLOW = 0.98
"""Decay of the running mean of the ratio of both gradients."""


@dataclass
class Going:
    """The motions that go on in the next window, one for each row."""

    history: Tensor  # (B, K, D), their last poses
    hidden: Tensor  # (layers, K, B, H)
    cells: Tensor
    lent: Tensor  # (B,), 1 where a motion has the label of the default performer
    alive: Tensor  # (B,), 0 where the next window begins a new motion


class Criticism:
    """The critic of a training with what it needs from step to step; `add` adds its gradient to the model's."""

    def __init__(self, model: MotionModel, windows: Windows, spec: CriticSpec, *, seed: int) -> None:
        place = "[training.critic]"
        self.model, self.windows, self.spec = must_roll_out(model, place), windows, spec
        self.context = windows.footage.context
        if distributed.is_initialized():
            raise RecipeError(f"{place} needs a single process; start the training without torchrun")
        if self.context.spec.history < SEEN_BEFORE:
            raise RecipeError(
                f"{place} needs at least {SEEN_BEFORE} past poses, context.history is {self.context.spec.history}"
            )
        if windows.spec.length < SHORTEST:
            raise RecipeError(
                f"{place} needs windows of at least {SHORTEST} frames, training.windows.length is {windows.spec.length}"
            )
        device = windows.footage.device
        first = windows.recorded(0)
        self.seen = SeenMotion(self.context, [windows.recorded(number) for number in range(0, 8 * 37, 37)])
        self.critic = Critic(self.seen.channels, spec.hidden, generator=Generator().manual_seed(seed)).to(
            device
        )
        self.optimizer = torch.optim.Adam(self.critic.parameters(), spec.rate, betas=(0.0, 0.99))
        for parameter in self.critic.parameters():
            self.optimizer.state[parameter] = {
                "step": torch.zeros(()),
                "exp_avg": torch.zeros_like(parameter),
                "exp_avg_sq": torch.zeros_like(parameter),
            }
        memory = OwnMotion(self.model, self.context).memory(None, first.poses)
        self.going = Going(
            torch.zeros_like(first.poses[:, : self.context.spec.history]),
            *memory,
            *first.poses.new_zeros(2, len(first)),
        )
        self.ratio = first.poses.new_zeros(())  # of the norms of both gradients; 0 before the first step

    def add(self, step: int, before: State, parameters: tuple[nn.Parameter, ...]) -> float | None:
        """Adds the critic's gradient to those of the parameters; returns its loss, or None if it saw nothing.

        `before` is the state of the model before the windows of the step.
        """
        if step < self.spec.start:
            return None
        window = self.windows.recorded(step)
        length = window.shown.shape[1]
        if length != self.windows.spec.length:
            return None
        generator = self.windows.generator(step, 3)
        motion = OwnMotion(self.model, self.context)
        start, labels = self._start(window, motion, before, generator)
        noise = self.model.sample_noise(len(window), length, generator=generator)
        latent = self.spec.temperature * self.model.latent.from_noise(noise)
        memory = start.hidden, start.cells
        sampled, memory = motion.roll_out(start.history, window.controls, labels, latent, memory)
        past = self.context.spec.history
        real, own = (
            self.seen(torch.cat([first[:, -SEEN_BEFORE:], poses], 1), window, labels, start.lent)
            for first, poses in (
                (window.poses[:, :past], window.poses[:, past:]),
                (start.history, sampled),
            )
        )
        sound = torch.isfinite(sampled).all(-1).all(-1) & (sampled.abs().amax((1, 2)) < FARTHEST)
        loss = self._learn(real, own.detach(), sound.float())
        self._deceive(motion, real, own, sound.float(), parameters)
        self.going = Going(
            torch.where(sound[:, None, None], sampled[:, -past:], window.poses[:, -past:]).detach(),
            memory[0].detach().nan_to_num(),
            memory[1].detach().nan_to_num(),
            start.lent,
            sound.float(),
        )
        return loss

    def _start(
        self, window: Window, motion: OwnMotion, before: State, generator: Generator
    ) -> tuple[Going, Tensor]:
        """Returns the motions at the start of a window, and their labels (B, T, P + S)."""
        past, going = self.context.spec.history, self.going
        dice, lots = torch.rand(2, len(window), generator=generator, device=generator.device)
        on = (window.fresh == 0) & (dice < self.spec.going_on) & (going.alive > 0)
        hidden, cells = motion.memory(before, window.poses)
        lent = torch.where(on, going.lent, (lots < self.spec.lent).float())
        labels = window.style
        if self.windows.footage.default_performer is not None:
            performers = len(self.context.performers)
            who = torch.where(
                lent[:, None, None] > 0, self.windows.footage.default_performer, labels[..., :performers]
            )
            labels = torch.cat([who, labels[..., performers:]], -1)
        begun = Going(
            torch.where(on[:, None, None], going.history, window.poses[:, :past]),
            torch.where(on[:, None], going.hidden, hidden.detach()),
            torch.where(on[:, None], going.cells, cells.detach()),
            lent,
            on.float(),
        )
        return begun, labels

    def _learn(self, real: Tensor, own: Tensor, sound: Tensor) -> float:
        """Makes a step of the critic; returns its loss."""
        self.critic.requires_grad_(True)
        real, own = (part.detach().requires_grad_() for part in (real, own))
        for_real, for_own = self.critic(real), self.critic(own)
        loss = (softplus(for_own - for_real) * sound).mean()
        slopes = [
            torch.autograd.grad(odds.sum(), seen, create_graph=True)[0].square().sum((1, 2))
            for odds, seen in ((for_real, real), (for_own, own))
        ]
        penalty = 0.5 * self.spec.penalty * (sum(slopes) * sound).mean()
        self.optimizer.zero_grad()
        torch.autograd.backward(loss + penalty)
        self.optimizer.step()
        return float(loss.detach())

    def _deceive(
        self,
        motion: OwnMotion,
        real: Tensor,
        own: Tensor,
        sound: Tensor,
        parameters: tuple[nn.Parameter, ...],
    ) -> None:
        """Adds the gradient of the model's loss to those of its parameters."""
        self.critic.requires_grad_(False)
        loss = (softplus(self.critic(real.detach()) - self.critic(own)) * sound).mean()
        torch.autograd.backward(loss)
        gradients = [each.nan_to_num() for each in motion.products.gradients(parameters)]
        size = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
        given = [parameter.grad for parameter in parameters if parameter.grad is not None]
        ratio = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(given))) / (size + 1e-9)
        if self.ratio > 0:
            self.ratio = SLOW * self.ratio + (1 - SLOW) * torch.minimum(ratio, 3 * self.ratio)
        else:
            self.ratio = ratio
        scale = self.spec.weight * torch.minimum(self.ratio, 2 * ratio)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            if parameter.grad is None:
                parameter.grad = scale * gradient
            else:
                parameter.grad += scale * gradient

    def state(self) -> dict[str, Tensor]:
        """Returns all that later steps depend on."""
        tensors = {f"net.{name}": tensor for name, tensor in self.critic.state_dict().items()}
        for index, entries in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{key}": value for key, value in entries.items()}
        return (
            tensors
            | {f"going.{name}": tensor for name, tensor in vars(self.going).items()}
            | {"ratio": self.ratio}
        )

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Restores the result of `state`."""
        self.critic.load_state_dict(
            {name.removeprefix("net."): each for name, each in tensors.items() if name.startswith("net.")}
        )
        table: dict[str, Any] = self.optimizer.state_dict()
        for index, entries in table["state"].items():
            table["state"][index] = {key: tensors[f"optimizer.{index}.{key}"] for key in entries}
        self.optimizer.load_state_dict(table)
        self.going = Going(**{name: tensors[f"going.{name}"] for name in vars(self.going)})
        self.ratio = tensors["ratio"]
