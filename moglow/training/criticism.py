"""Training by critics: the model learns to deceive nets that tell its own motion from recordings.

Likelihood compares a model with recordings one frame at a time, after recorded poses. Errors that only show when the
model continues its own motion, such as sliding feet, have no effect on it. Here the model also moves along the paths of
its windows, and along drawn ones, from window to window, and gets the gradient of critics that see forty frames of it
at once: of the whole body, and of parts of it. They compare the sampled windows with the recorded ones of the same
paths, or of similar paths, by the relativistic loss with two gradient penalties of Huang et al. (*The GAN is dead; long
live the GAN!*, NeurIPS 2024, arXiv 2501.05441). A critic has as much weight as it tells apart windows that are new to
it, since the gradient of one that guesses is noise. A pose that asks for more than the length of a leg has a loss of
its own: the leg that is decoded is straight, and has no gradient.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Generator, Tensor, distributed, nn
from torch.nn.functional import softplus

from moglow.corpus.window import Window
from moglow.corpus.windows import Windows
from moglow.errors import RecipeError
from moglow.flows.bijection import State
from moglow.models.model import MotionModel
from moglow.sampling.posture_drift import HELD, SECONDS
from moglow.training.critic import SHORTEST, Critic, CriticSpec, SeenMotion
from moglow.training.drawn_paths import DrawnPaths
from moglow.training.named_tensors import below, optimizer_tensors, restore_optimizer
from moglow.training.own_motion import OwnMotion, must_roll_out

FARTHEST = 30.0
"""Largest standardised pose of a motion that goes on."""
SLOW, FAST = 0.98, 0.9
"""Decay of the running means of the ratio of both gradients, and of the critics' insight."""


@dataclass
class Going:
    """The motions that go on in the next window: one for each row of a batch, then those along drawn paths."""

    history: Tensor  # (B + N, K, D), their last poses
    hidden: Tensor  # (layers, K, B + N, H)
    cells: Tensor
    lent: Tensor  # (B + N,), 1 where a motion has the label of the default performer
    alive: Tensor  # (B + N,), 0 where the next window begins a new motion
    paths: Tensor  # (N,), the numbers of the drawn paths
    at: Tensor  # (N,), the frames of the drawn paths


@dataclass
class KeptWindows:
    """The windows of the last steps, on which the critics are trained."""

    recorded: Tensor  # (N, channels, n)
    sampled: Tensor  # (N, channels, n)
    judged: Tensor  # (N,), 0 where there is no pair yet, or one that is not compared

    @classmethod
    def empty(cls, rows: int, channels: int, frames: int, like: Tensor) -> "KeptWindows":
        recorded, sampled = like.new_zeros(2, rows, channels, frames)
        return cls(recorded, sampled, like.new_zeros(rows))

    def put(self, number: int, *parts: Tensor) -> None:
        """Puts the windows of a step in the place of the oldest ones."""
        rows = len(parts[0])
        first = number * rows % len(self.judged)
        for kept, part in zip((self.recorded, self.sampled, self.judged), parts, strict=True):
            kept[first : first + rows] = part.detach().nan_to_num()


@dataclass(frozen=True)
class CriticScene:
    """What is compared in a step: recorded windows, and the starts of the model's motions along similar paths."""

    start: Going
    real: Window
    controls: Tensor  # (B + N, K + T + L, 3), of the model's motions
    labels: Tensor  # (B + N, T, P + S), of the model's motions
    shown: Tensor  # (B + N, T, P + S), the labels that the critic sees
    judged: Tensor  # (B + N,), 0 where a motion only begins


class Criticism:
    """The critics of a training with what they need from step to step; `add` adds their gradient to the model's."""

    def __init__(self, model: MotionModel, windows: Windows, spec: CriticSpec, *, seed: int) -> None:
        place = "[training.critic]"
        self.model, self.windows, self.spec = must_roll_out(model, place), windows, spec
        self.context = windows.footage.context
        if distributed.is_initialized():
            raise RecipeError(f"{place} needs a single process; start the training without torchrun")
        if windows.spec.length < SHORTEST:
            raise RecipeError(
                f"{place} needs windows of at least {SHORTEST} frames, training.windows.length is {windows.spec.length}"
            )
        first = windows.recorded(0)
        self.seen = SeenMotion(self.context, [windows.recorded(number) for number in range(0, 8 * 37, 37)])
        self.critics = nn.ModuleList(
            Critic(len(part), spec.hidden, generator=Generator().manual_seed(seed + number))
            for number, part in enumerate(self.seen.parts)
        ).to(windows.footage.device)
        self.optimizer = torch.optim.Adam(self.critics.parameters(), spec.rate, betas=(0.5, 0.99))
        for parameter in self.critics.parameters():
            self.optimizer.state[parameter] = {
                "step": torch.zeros(()),
                "exp_avg": torch.zeros_like(parameter),
                "exp_avg_sq": torch.zeros_like(parameter),
            }
        length, apart = windows.spec.length, windows.spec.apart
        self.drawn = (
            DrawnPaths(windows.footage, length, spec.drawn, seed=seed, apart=apart, styled=spec.styled)
            if spec.drawn
            else None
        )
        rows = len(first) + spec.drawn
        empty = first.poses.new_zeros(rows, self.context.spec.history, self.context.pose_dim)
        hidden, cells = OwnMotion(self.model, self.context).memory(None, empty)
        lent, alive = first.poses.new_zeros(2, rows)
        paths, at = torch.zeros(2, spec.drawn, dtype=torch.int64)
        self.going = Going(empty, hidden, cells, lent, alive, paths, at)
        self.ratio = first.poses.new_zeros(())  # of the norms of both gradients; 0 before the first step
        # Of each critic: 0 if it guesses, 1 if it is always right.
        self.insight = first.poses.new_zeros(len(self.critics))
        self.kept = KeptWindows.empty(
            spec.kept * rows, self.seen.channels, self.seen.frames(windows.spec.length), first.poses
        )

    def add(self, step: int, before: State, parameters: tuple[nn.Parameter, ...]) -> float | None:
        """Adds the critics' gradient to those of the parameters; returns their loss, or None if they saw nothing.

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
        scene = self._with_drawn(self._scene(window, motion, before, generator), generator)
        start, past = scene.start, self.context.spec.history
        noise = self.model.sample_noise(len(start.lent), length, generator=generator)
        latent = self.spec.temperature * self.model.latent.from_noise(noise)
        sampled, memory = motion.roll_out(
            start.history, scene.controls, scene.labels, latent, (start.hidden, start.cells)
        )
        sound = torch.isfinite(sampled).all(-1).all(-1) & (sampled.abs().amax((1, 2)) < FARTHEST)
        real = self.seen(scene.real.poses, scene.real, scene.shown, start.lent)
        moved = torch.cat([start.history, sampled], 1)
        moved = moved + self._postures(scene.labels[:, 0], moved.shape[1], generator)
        own = self.seen(moved, replace(scene.real, controls=scene.controls), scene.shown, start.lent)
        judged = scene.judged * sound.float()
        self._watch(real, own, judged)
        self.kept.put(step - self.spec.start, real, own, judged)
        loss = self._learn(generator)
        if step >= self.spec.start + self.spec.alone:
            lost = self._lost(real, own, judged) + (self.seen.overreach(sampled) * judged).mean()
            self._deceive(motion, lost, parameters)
        self.going = replace(
            start,
            history=torch.where(
                sound[:, None, None], sampled[:, -past:], scene.real.poses[:, -past:]
            ).detach(),
            hidden=memory[0].detach().nan_to_num(),
            cells=memory[1].detach().nan_to_num(),
            alive=sound.float(),
        )
        return loss

    def _postures(self, labels: Tensor, frames: int, generator: Generator) -> Tensor:
        """Returns how far motions (B, frames, D) with labels (B, P + S) are moved.

        The distances differ as those of `PostureDrift` before its limit, and change at a constant rate in a window.
        """
        context = self.context
        axes = torch.as_tensor(context.posture_axes)
        own = torch.einsum("bs,srd->brd", labels[:, len(context.performers) :], axes)
        held, slope = torch.randn(2, len(labels), axes.shape[1], generator=generator, device=generator.device)
        seconds = (torch.arange(frames, device=generator.device) - frames / 2) / context.fps
        rate = (1 - HELD) ** 0.5 / SECONDS  # deviation of the change in a second
        moved: Tensor = (held[:, None] + rate * seconds[:, None] * slope[:, None]) @ own
        return moved

    def _scene(self, window: Window, motion: OwnMotion, before: State, generator: Generator) -> CriticScene:
        """Returns the windows of a step, in which the motions of the windows before go on."""
        past, going, rows = self.context.spec.history, self.going, len(window)
        dice, lots = torch.rand(2, rows, generator=generator, device=generator.device)
        on = (window.fresh == 0) & (dice < self.spec.going_on) & (going.alive[:rows] > 0)
        hidden, cells = (each.detach() for each in motion.memory(before, window.poses))
        lent = torch.where(on, going.lent[:rows], (lots < self.spec.lent).float())
        labels = self.windows.footage.lent(window.style, lent[:, None, None] > 0)
        posed = ~on & (torch.rand(rows, generator=generator, device=generator.device) < self.spec.posed)
        posture = torch.as_tensor(self.context.posture(labels[:, 0]))[:, None]
        begun = torch.where(posed[:, None, None], posture, window.poses[:, :past])
        hidden, cells = (each * ~posed[:, None] for each in (hidden, cells))
        start = replace(
            going,
            history=torch.where(on[:, None, None], going.history[:rows], begun),
            hidden=torch.where(on[:, None], going.hidden[..., :rows, :], hidden),
            cells=torch.where(on[:, None], going.cells[..., :rows, :], cells),
            lent=lent,
        )
        return CriticScene(start, window, window.controls, labels, labels, (~posed).float())

    def _with_drawn(self, scene: CriticScene, generator: Generator) -> CriticScene:
        """Returns a scene with the motions along drawn paths after its own rows.

        Those with the default labels, which the critic does not see, are compared with recordings of any style with
        similar controls, the others with recordings of their style. A motion begins in the posture of its label.
        """
        count, going, context = self.spec.drawn, self.going, self.context
        if not self.drawn:
            return scene
        rows = len(scene.start.lent)
        drawn = self.drawn.next(going.paths, going.at, generator)
        posture = torch.as_tensor(context.posture(drawn.labels))[:, None]
        new = (drawn.begins > 0) | (going.alive[rows:] == 0)
        length = scene.real.shown.shape[1]
        labels, shown = (each[:, None].expand(-1, length, -1) for each in (drawn.labels, drawn.shown))
        one = torch.ones(count, device=generator.device)
        history = torch.where(
            new[:, None, None], posture.expand_as(going.history[rows:]), going.history[rows:]
        )
        hidden, cells = (each[..., rows:, :] * ~new[:, None] for each in (going.hidden, going.cells))
        start = Going(
            torch.cat([scene.start.history, history]),
            torch.cat([scene.start.hidden, hidden], -2),
            torch.cat([scene.start.cells, cells], -2),
            torch.cat([scene.start.lent, one]),
            one,
            drawn.numbers,
            drawn.at,
        )
        real = scene.real.joined(drawn.like)
        return CriticScene(
            start,
            real,
            torch.cat([scene.controls, drawn.controls]),
            torch.cat([scene.labels, labels]),
            torch.cat([scene.shown, shown]),
            torch.cat([scene.judged, (~new).float()]),
        )

    def _verdicts(self, real: Tensor, own: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Yields what each critic says of recorded and of sampled windows."""
        for critic, channels in zip(self.critics, self.seen.parts, strict=True):
            yield critic(real[:, channels]), critic(own[:, channels])

    @torch.no_grad()
    def _watch(self, real: Tensor, own: Tensor, judged: Tensor) -> None:
        """Updates the insight of the critics by windows that they have not seen."""
        both = judged[:, None] * judged
        for number, (for_real, for_own) in enumerate(self._verdicts(real, own)):
            right = ((for_real[:, None] > for_own) * both).sum() / both.sum().clamp_min(1)
            self.insight[number] += (1 - FAST) * (2 * right - 1 - self.insight[number])

    def _learn(self, generator: Generator) -> float:
        """Makes the steps of the critics; returns the mean of their last losses."""
        self.critics.requires_grad_(True)
        usable = self.kept.judged.nonzero()[:, 0]
        loss = self.ratio.new_zeros(())
        for _ in range(self.spec.times if len(usable) else 0):
            lots = torch.randint(
                len(usable), (self.spec.batch,), generator=generator, device=generator.device
            )
            shown = [each[usable[lots]] for each in (self.kept.recorded, self.kept.sampled)]
            for each in shown:
                noise = torch.randn(each.shape, generator=generator, device=generator.device)
                each.add_(noise, alpha=self.spec.noise)
            loss, penalty = self.ratio.new_zeros(2)
            for critic, channels in zip(self.critics, self.seen.parts, strict=True):
                parts = [each[:, channels].requires_grad_() for each in shown]
                for_real, for_own = (critic(part) for part in parts)
                loss = loss + softplus(for_own - for_real).mean()
                slopes = torch.autograd.grad([for_real.sum(), for_own.sum()], parts, create_graph=True)
                penalty = penalty + torch.cat(slopes).square().sum() / self.spec.batch
            self.optimizer.zero_grad()
            torch.autograd.backward(loss + 0.5 * self.spec.penalty * penalty)
            self.optimizer.step()
        return float(loss.detach()) / len(self.critics)

    def _lost(self, real: Tensor, own: Tensor, judged: Tensor) -> Tensor:
        """Returns the model's loss: how well the critics tell its windows from recorded ones."""
        self.critics.requires_grad_(False)
        lost = self.ratio.new_zeros(())
        trust = self.insight.clamp_min(0).sqrt()
        for (for_real, for_own), share in zip(self._verdicts(real.detach(), own), trust, strict=True):
            lost = lost + share * (softplus(for_real - for_own) * judged).mean()
        return lost

    def _deceive(self, motion: OwnMotion, loss: Tensor, parameters: tuple[nn.Parameter, ...]) -> None:
        """Adds the gradient of a loss of the model's motion to those of its parameters."""
        torch.autograd.backward(loss)
        gradients = [each.nan_to_num() for each in motion.products.gradients(parameters)]
        given = [parameter.grad for parameter in parameters if parameter.grad is not None]
        ratio = nn.utils.get_total_norm(given) / (nn.utils.get_total_norm(gradients) + 1e-9)
        if self.ratio > 0:
            self.ratio = SLOW * self.ratio + (1 - SLOW) * torch.minimum(ratio, 3 * self.ratio)
        else:
            self.ratio = ratio
        insight = self.insight.clamp_min(0).mean()
        scale = self.spec.weight * insight * torch.minimum(self.ratio, 2 * ratio)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            if parameter.grad is None:
                parameter.grad = scale * gradient
            else:
                parameter.grad += scale * gradient

    def state(self) -> dict[str, Tensor]:
        """Returns all that later steps depend on."""
        parts = {
            "nets": self.critics.state_dict(),
            "optimizer": optimizer_tensors(self.optimizer),
            "going": vars(self.going),
            "kept": vars(self.kept),
        }
        named = {f"{part}.{name}": each for part, tensors in parts.items() for name, each in tensors.items()}
        return {**named, "ratio": self.ratio, "insight": self.insight}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Restores the result of `state`."""
        self.critics.load_state_dict(below("nets.", tensors))
        restore_optimizer(self.optimizer, below("optimizer.", tensors))
        self.going = Going(**below("going.", tensors))
        self.kept = KeptWindows(**below("kept.", tensors))
        self.ratio = tensors["ratio"]
        self.insight = tensors["insight"]
