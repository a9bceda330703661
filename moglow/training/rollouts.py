"""Roll-outs of a model in training on held-out and synthetic controls, and their figures."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from moglow.compute.cuda_graphs import graphed
from moglow.corpus.context import Context
from moglow.corpus.corpus import Corpus
from moglow.corpus.windows import Footage
from moglow.flows.bijection import State
from moglow.measures.metrics import jerk, toe_slide
from moglow.models.model import MotionModel
from moglow.motion.clip import Clip
from moglow.motion.contacts import toe_points
from moglow.paths.control_path import ControlPath
from moglow.paths.synthetic import validation_velocities

Floats = NDArray[np.float32]


UNSEEN = 0.01  # m/s, lower bound of foot slide in ratios: a smaller one is invisible, and procedural feet have none


@dataclass(frozen=True)
class RolloutSpec:
    """The roll-outs of a validation; [training.rollouts]."""

    takes: int = 8  # on held-out controls, besides those on synthetic ones
    seconds: float = 10.0  # each; the controls of shorter clips are repeated
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
class RolloutFigures:
    """Figures of motion: slide of the lowest toe (m/s), jerk (m/s³), mean square of standardised poses."""

    slide_median: float
    slide_mean: float
    jerk: float
    energy: float

    @classmethod
    def of(cls, clips: Sequence[Clip], poses: Sequence[NDArray[np.floating]]) -> "RolloutFigures":
        """Returns the means over clips and their standardised poses (T, D)."""
        slides = [toe_slide(toe_points(clip), clip.fps) for clip in clips]
        return cls(
            float(np.mean([slide.median for slide in slides])),
            float(np.mean([slide.mean for slide in slides])),
            float(np.mean([jerk(clip.world_positions, clip.fps) for clip in clips])),
            float(np.mean([np.square(pose).mean() for pose in poses])),
        )

    def distance(self, real: "RolloutFigures") -> float:
        """Returns the distance from the figures of real motion, 0 for equal ones; less slide than real motion costs 0.

        >>> real = RolloutFigures(0.05, 0.07, 100.0, 1.0)
        >>> real.distance(real), round(RolloutFigures(0.1, 0.14, 100.0, 0.5).distance(real), 3)
        (0.0, 1.386)
        """
        slide = max(_log_ratio(self.slide_median, real.slide_median, UNSEEN), 0.0)
        slide += max(_log_ratio(self.slide_mean, real.slide_mean, UNSEEN), 0.0)
        return slide / 2 + abs(_log_ratio(self.jerk, real.jerk)) + abs(_log_ratio(self.energy, real.energy))


class Rollouts:
    """Roll-outs with fixed controls and noise, so that the scores of two checkpoints can be compared."""

    def __init__(self, footage: Footage, context: Context, spec: RolloutSpec, *, seed: int) -> None:
        self.footage, self.context, self.spec, self.seed = footage, context, spec, seed
        corpus, past = footage.corpus, context.spec.history
        frames = max(2, round(spec.seconds * corpus.fps))
        span = past + frames + context.spec.lookahead
        held_out = sorted(corpus.split("val") or corpus.split("train"), key=len, reverse=True)
        held_out = [stretch for stretch in held_out if len(stretch) > past]
        starts, controls, labels = [], [], []
        self.names: list[str] = []
        for take in range(min(spec.takes, len(held_out))):
            stretch = held_out[take]
            features = corpus.features(stretch)
            around = 1 + np.arange(span) % (len(stretch) - 1)
            starts.append(features.pose[1 : past + 1])
            controls.append(features.control[around])
            style = stretch.style or None if context.styles else None
            performer = stretch.performer or None if context.performers else None
            labels.append(context.style_vector(context.style_or_default(style), performer))
            self.names.append(f"held-out {take + 1}")
        self.held_out = len(starts)
        for name, control in validation_velocities(corpus.control_range, corpus.fps, frames=span).items():
            starts.append(nearest_start(corpus, control[0], past))
            controls.append(control)
            labels.append(context.label_vector(None))  # the default labels
            self.names.append(name)
        self.starts, self.controls = np.stack(starts), np.stack(controls).astype(np.float32)
        self.styles = np.stack(labels)
        self.frames = frames
        compared = held_out[: spec.takes]
        real = [context.standardize_pose(corpus.features(stretch).pose) for stretch in compared]
        self.real = RolloutFigures.of([corpus.clip(stretch) for stretch in compared], real)

    def figures(self, model: MotionModel) -> RolloutFigures:
        """Returns the figures of the model's motions."""
        return self.figures_over_time(model, 1)[0]

    def figures_over_time(self, model: MotionModel, parts: int) -> list[RolloutFigures]:
        """Returns the figures of equal parts of the motions, in order of time."""
        whole = self._sampled(model)
        if whole is None:
            return [RolloutFigures(math.inf, math.inf, math.inf, math.inf)] * parts
        clips = [clip for clip, _ in self._motions(whole)]
        ends = np.linspace(0, self.frames, parts + 1).astype(int)
        return [
            RolloutFigures.of([clip[start:stop] for clip in clips], list(whole[:, start:stop]))
            for start, stop in pairwise(ends)
        ]

    def motions(self, model: MotionModel) -> list[tuple[Clip, ControlPath]]:
        """Returns the model's motions, named after their controls, and the paths; none if the poses diverged."""
        whole = self._sampled(model)
        return [] if whole is None else self._motions(whole)

    def _sampled(self, model: MotionModel) -> Floats | None:
        """Returns the standardised poses of the motions, or None if they diverged."""
        device, on_device = self.footage.device, self.footage.context
        generator = torch.Generator(device).manual_seed(self.seed)
        noise = model.sample_noise(len(self.starts), self.frames, generator=generator)
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
        bounded = torch.isfinite(poses).all() and poses.abs().max() <= 1e3
        return poses.cpu().numpy() if bounded else None

    def _motions(self, poses: Floats) -> list[tuple[Clip, ControlPath]]:
        past, corpus = self.context.spec.history, self.footage.corpus
        motions = []
        controls = self.controls[:, past : past + self.frames]
        for name, pose, control in zip(self.names, poses, controls, strict=True):
            path = ControlPath.from_velocities(control.astype(float), corpus.fps)
            clip = corpus.encoding.decode(self.context.physical_pose(pose), path)
            motions.append((replace(clip, name=name), path))
        return motions


def nearest_start(corpus: Corpus, control: Floats, past: int) -> Floats:
    """Returns the training poses (K, D) whose control is nearest to a constant one."""
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
    assert best is not None, "a corpus with windows has a stretch longer than a history"
    return best[1]


def _log_ratio(value: float, real: float, least: float = 1e-6) -> float:
    if not math.isfinite(value):
        return math.inf
    return math.log(max(value, least) / max(real, least))


LONG = 32
"""Number of frames from which a CUDA graph is faster; recording it takes as long as about ten frames."""


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
    """Returns sampled standardised poses (B, n, D) after a history (B, K, D), and the model's state after them.

    `controls` (B, K + n + L, 3) begin with those of the history; `noise` is (B, n, noise_dim).
    """
    past, reach = context.spec.history, context.spec.history + 1 + context.spec.lookahead

    def frame(history: Tensor, controls: Tensor, noise: Tensor, state: State) -> tuple[Tensor, State]:
        """Returns the history (B, K, D) and the state after one more frame."""
        vector = context.build(history, controls, style)
        target, state = model.step(vector, state, noise, temperature=temperature)
        pose = context.from_target(target, history, controls[:, past])
        return torch.cat([history[:, 1:], pose[:, None]], 1), state

    step, poses = graphed(frame, history.device) if noise.shape[1] >= LONG else frame, []
    for t in range(noise.shape[1]):
        history, state = step(history, controls[:, t : t + reach], noise[:, t], state)
        poses.append(history[:, -1])
    return torch.stack(poses, 1), state
