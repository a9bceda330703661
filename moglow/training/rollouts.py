"""Roll-outs of a model on held-out and synthetic controls, measured while it trains."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from moglow.compute.cuda_graphs import captured
from moglow.corpus.context import Context
from moglow.corpus.corpus import Corpus
from moglow.corpus.windows import Footage
from moglow.flows.bijection import State
from moglow.measures.metrics import jerk, toe_slide
from moglow.models.model import MotionModel
from moglow.motion.clip import Clip
from moglow.motion.contacts import toe_points
from moglow.paths.control_path import ControlPath

Floats = NDArray[np.float32]


WALK = 1.2  # m/s, a comfortable walk


STOP_AND_GO = 8.0  # seconds from one stop to the next


SYNTHETIC = ("stand", "walk", "circle", "side-step left", "side-step right", "backward", "stop and go")
"""What the synthetic controls ask for, in their order."""


UNSEEN = 0.01  # m/s: nobody sees a slide below; procedural feet slide by none at all


@dataclass(frozen=True)
class RolloutSpec:
    """The motions that checkpoints are judged by; [training.rollouts]."""

    takes: int = 8  # on held-out controls; the synthetic ones come on top
    seconds: float = 10.0  # each; shorter clips' controls are repeated
    temperature: float = 1.0  # of the noise

    def __post_init__(self) -> None:
        if self.takes < 1 or not self.seconds > 0:
            raise ValueError(f"takes {self.takes}, seconds {self.seconds}: give positive numbers")
        if self.takes > 1000 or self.seconds > 3600 or not 0 <= self.temperature <= 2:
            raise ValueError(
                f"takes {self.takes}, seconds {self.seconds}, temperature {self.temperature}: "
                "give at most 1000 takes, 3600 seconds and a temperature from 0 to 2"
            )


@dataclass(frozen=True)
class Figures:
    """What motion looks like: slide of the lowest toe (m/s), jerk (m/s³), mean square of standardised poses."""

    slide_median: float
    slide_mean: float
    jerk: float
    energy: float

    @classmethod
    def of(cls, clips: Sequence[Clip], poses: Sequence[NDArray[np.floating]]) -> "Figures":
        """Returns the means over clips and their standardised poses (T, D)."""
        slides = [toe_slide(toe_points(clip), clip.fps) for clip in clips]
        return cls(
            float(np.mean([slide.median for slide in slides])),
            float(np.mean([slide.mean for slide in slides])),
            float(np.mean([jerk(clip.world()[0], clip.fps) for clip in clips])),
            float(np.mean([np.square(pose).mean() for pose in poses])),
        )

    def distance(self, real: "Figures") -> float:
        """Returns how far motion is from real motion, 0 being as good: sliding less than real costs nothing.

        >>> real = Figures(0.05, 0.07, 100.0, 1.0)
        >>> real.distance(real), round(Figures(0.1, 0.14, 100.0, 0.5).distance(real), 3)
        (0.0, 1.386)
        """
        slide = max(_log_ratio(self.slide_median, real.slide_median, UNSEEN), 0.0)
        slide += max(_log_ratio(self.slide_mean, real.slide_mean, UNSEEN), 0.0)
        return slide / 2 + abs(_log_ratio(self.jerk, real.jerk)) + abs(_log_ratio(self.energy, real.energy))


class Rollouts:
    """Free-running motions with fixed controls and noise, so that the scores of two checkpoints compare."""

    def __init__(self, footage: Footage, context: Context, spec: RolloutSpec, *, seed: int) -> None:
        self.footage, self.context, self.spec, self.seed = footage, context, spec, seed
        corpus, past = footage.corpus, context.spec.history
        frames = max(2, round(spec.seconds * corpus.fps))
        span = past + frames + context.spec.lookahead
        held_out = sorted(corpus.split("val") or corpus.split("train"), key=len, reverse=True)
        held_out = [stretch for stretch in held_out if len(stretch) > past]
        starts, controls, styles = [], [], list[str | None]()
        self.names: list[str] = []
        for take in range(min(spec.takes, len(held_out))):
            stretch = held_out[take]
            features = corpus.features(stretch)
            around = 1 + np.arange(span) % (len(stretch) - 1)
            starts.append(features.pose[1 : past + 1])
            controls.append(features.control[around])
            styles.append(stretch.style or None)
            self.names.append(f"held-out {take + 1}")
        for name, wanted in zip(SYNTHETIC, synthetic_controls(corpus, span), strict=True):
            starts.append(nearest_start(corpus, wanted[0], past))
            controls.append(wanted)
            styles.append(None)  # as most people ask
            self.names.append(name)
        self.starts, self.controls = np.stack(starts), np.stack(controls).astype(np.float32)
        self.styles = np.stack(
            [context.style_vector(context.told(style if context.styles else None)) for style in styles]
        )
        self.frames = frames
        shown = held_out[: spec.takes]
        real = [context.standardize_pose(corpus.features(stretch).pose) for stretch in shown]
        self.real = Figures.of([corpus.clip(stretch) for stretch in shown], real)

    def figures(self, model: MotionModel) -> Figures:
        """Returns what the model's motions look like."""
        return self.figures_over_time(model, 1)[0]

    def figures_over_time(self, model: MotionModel, parts: int) -> list[Figures]:
        """Returns what equal parts of the motions look like, from their beginning to their end."""
        whole = self._drawn(model)
        if whole is None:
            return [Figures(math.inf, math.inf, math.inf, math.inf)] * parts
        clips = [clip for clip, _ in self._motions(whole)]
        ends = np.linspace(0, self.frames, parts + 1).astype(int)
        return [
            Figures.of([clip[start:stop] for clip in clips], list(whole[:, start:stop]))
            for start, stop in pairwise(ends)
        ]

    def motions(self, model: MotionModel) -> list[tuple[Clip, ControlPath]]:
        """Returns the model's motions, named after what was asked of them, and the paths; none if it blew up."""
        whole = self._drawn(model)
        return [] if whole is None else self._motions(whole)

    def _drawn(self, model: MotionModel) -> Floats | None:
        """The poses of the motions, standardised, or None where they blew up."""
        device, on_device = self.footage.device, self.footage.context
        generator = torch.Generator(device).manual_seed(self.seed)
        noise = model.draw_noise(len(self.starts), self.frames, generator=generator)
        history, controls, styles = (
            torch.as_tensor(array, device=device)
            for array in (
                self.context.standardize_pose(self.starts),
                self.context.standardize_control(self.controls),
                self.styles,
            )
        )
        poses, _ = roll_out(
            model, on_device, history, controls, styles, noise, temperature=self.spec.temperature
        )
        sound = torch.isfinite(poses).all() and poses.abs().max() <= 1e3
        return poses.cpu().numpy() if sound else None

    def _motions(self, poses: Floats) -> list[tuple[Clip, ControlPath]]:
        past, corpus = self.context.spec.history, self.footage.corpus
        motions = []
        controls = self.controls[:, past : past + self.frames]
        for name, pose, control in zip(self.names, poses, controls, strict=True):
            path = ControlPath.from_velocities(control.astype(float), corpus.fps)
            clip = corpus.encoding.decode(self.context.physical_pose(pose), path)
            motions.append((replace(clip, name=name), path))
        return motions


def synthetic_controls(corpus: Corpus, frames: int) -> Floats:
    """Returns controls (M, frames, 3) that the corpus holds: stand, walk, circle, side-steps, backward, stop and go.

    The last is the hardest: a model that goes on with what it did, whatever it is told, looks well on all others.
    Nobody runs here: a runner's feet fly, and their speed would hide how those of the others slide.
    """
    reach = corpus.control_range
    walking = min(0.7 * reach.forward, WALK)
    rows = [
        (0.0, 0.0, 0.0),
        (walking, 0.0, 0.0),
        (0.8 * walking, 0.0, 0.25 * reach.turn),
        (0.0, 0.5 * reach.sideways, 0.0),
        (0.0, -0.5 * reach.sideways, 0.0),
        (-0.5 * reach.backward, 0.0, 0.0),
    ]
    steady = np.repeat(np.array(rows, np.float32)[:, None], frames, axis=1)
    wave = -np.cos(2 * np.pi * np.arange(frames) / (STOP_AND_GO * corpus.fps))
    going = np.zeros((1, frames, 3), np.float32)
    going[0, :, 0] = walking * np.clip(0.5 + wave, 0.0, 1.0)
    return np.concatenate([steady, going])


def nearest_start(corpus: Corpus, control: Floats, past: int) -> Floats:
    """Returns the training poses (K, D) that move most like a constant control."""
    best: tuple[float, Floats] | None = None
    for stretch in corpus.split("train"):
        features = corpus.features(stretch)
        if len(stretch) < past:
            continue
        error = np.square(corpus.control_normalizer.normalize(features.control - control)).sum(1)
        means = np.convolve(error, np.full(past, 1 / past), "valid")
        start = int(means.argmin())
        if best is None or means[start] < best[0]:
            best = float(means[start]), features.pose[start : start + past]
    assert best is not None, "windows need longer stretches than a history"
    return best[1]


def _log_ratio(value: float, real: float, least: float = 1e-6) -> float:
    if not math.isfinite(value):
        return math.inf
    return math.log(max(value, least) / max(real, least))


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
