"""From a model and a path to motion, frame by frame. Floor 10; numpy alone, so that it starts at once.

A `Sampler` holds what does not change; a `Past` is all that a frame needs to know of the frames before it, a value
that ``step`` takes and returns. Streaming, batches of takes and a game loop are the same few lines around ``step``.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import repeat
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from moglow.checkpoint import Checkpoint
from moglow.clip import Clip
from moglow.context import Context
from moglow.control import ControlPath
from moglow.numpy_moglow import NumpyMoGlow
from moglow.rotations import Array

NUMPY_MODELS: Mapping[str, type[NumpyMoGlow]] = {"moglow": NumpyMoGlow}
"""Models with a sampler of their own in numpy; the others sample through torch."""

WARM_UP = 2.0
"""Seconds walked on the path's first velocity before frame 0, so that motion starts in stride and not from a mean."""


class StepModel(Protocol):
    """What the sampler asks of a model: the numpy one, or a torch one seen through arrays."""

    def initial_state(self, batch: int = 1) -> Any: ...

    @property
    def noise_dim(self) -> int: ...

    def step(
        self, context: NDArray[Any], state: Any, noise: NDArray[Any], *, temperature: float = 1.0
    ) -> tuple[NDArray[Any], NDArray[Any], Any]:
        """The target ``(B, D)``, its log-density ``(B,)`` in nats, that of temperature 1, and the state after it."""
        ...


@dataclass(frozen=True)
class Past:
    """The last K poses ``(B, K, D)`` and controls ``(B, K, 3)``, standardised, and the model's memory."""

    poses: NDArray[Any]
    controls: NDArray[Any]
    memory: Any


@dataclass(frozen=True)
class Sampler:
    """Draws poses from a model: ``past, pose = sampler.step(past, controls, noise)``."""

    context: Context
    model: StepModel
    temperature: float = 1.0

    @property
    def fps(self) -> float:
        return self.context.fps

    @classmethod
    def of(cls, checkpoint: Checkpoint, *, temperature: float = 1.0) -> Self:
        """The sampler of a checkpoint: in numpy where the model has such a sampler, else through torch."""
        made = NUMPY_MODELS.get(checkpoint.model)
        if made is None or not made.covers(checkpoint.config):
            from moglow.torch_steps import TorchSteps

            return cls(checkpoint.context, TorchSteps(checkpoint.to_torch()), temperature)
        return cls(checkpoint.context, made(checkpoint.config, checkpoint.weights), temperature)

    def step(
        self, past: Past, controls: NDArray[Any], noise: NDArray[Any], style: NDArray[Any]
    ) -> tuple[Past, NDArray[Any], NDArray[Any]]:
        """The past after one more frame, that frame's pose ``(B, D)`` in metres and radians, and its likelihood.

        The likelihood ``(B,)`` is in nats, of the pose in standardised coordinates, by the model as it is: at a lower
        temperature motion is drawn from where this is high.

        ``controls`` ``(B, 1 + L, 3)`` are the step to this frame and, for a model that looks ahead, the L after it,
        standardised; ``noise`` ``(B, noise_dim)`` decides which of the possible poses is taken, ``style`` ``(B, S)``
        is a label or zeros.
        """
        seen = np.concatenate([past.controls, controls], axis=1)
        vector = self.context.build(past.poses, seen, style)
        target, nats, memory = self.model.step(vector, past.memory, noise, temperature=self.temperature)
        pose = self.context.from_target(target, past.poses[:, -1], controls[:, 0])
        poses = np.concatenate([past.poses[:, 1:], pose[:, None]], axis=1)
        after = Past(poses, seen[:, 1 : 1 + past.controls.shape[1]], memory)
        return after, self.context.physical_pose(pose), nats - self.context.log_scale

    def start(self, controls: NDArray[Any], style: NDArray[Any], generator: np.random.Generator) -> Past:
        """The past of a figure that has been following the first of these controls ``(1 + L, 3)`` for a while."""
        spec, frames = self.context.spec, round(WARM_UP * self.fps)
        held = np.repeat(controls[None, :1], max(spec.history, frames + 1), axis=1)
        past = Past(
            np.zeros((1, spec.history, self.context.pose_dim), np.float32),
            held[:, : spec.history],
            self.model.initial_state(),
        )
        noise = self._noise(frames, generator)
        # The last frames look ahead to the real controls, so that the first step comes as no surprise.
        coming = np.concatenate([held[:, :frames], controls[None]], axis=1)
        for t in range(frames):
            past, *_ = self.step(past, coming[:, t : t + 1 + spec.lookahead], noise[t], style)
        return past

    def stream(
        self,
        velocities: Iterable[Array],
        *,
        seed: int = 0,
        take: int = 0,
        styles: Iterable[str | None] = repeat(None),
    ) -> Iterator[NDArray[Any]]:
        """Poses ``(D,)`` for velocities ``(3,)`` as they come: forward and sideways in m/s, turn in rad/s.

        One pose for each velocity; a model with a lookahead of L answers L frames late and holds the last velocity at
        the end. The same seed and take give the same motion, whatever else is drawn and however it is chunked.
        """
        warm, live = (np.random.default_rng([seed, take, part]) for part in (0, 1))
        coming: deque[tuple[NDArray[Any], NDArray[Any]]] = deque()
        past: Past | None = None
        for control, style in self._padded(velocities, styles):
            coming.append((control, style))
            if len(coming) <= self.context.spec.lookahead:
                continue
            controls, label = np.stack([control for control, _ in coming]), coming[0][1]
            past = self.start(controls, label, warm) if past is None else past
            past, pose, _ = self.step(past, controls[None], self._noise(1, live)[0], label)
            yield pose[0]
            coming.popleft()

    def _noise(self, frames: int, generator: np.random.Generator) -> NDArray[Any]:
        """Standard normals ``(frames, 1, noise_dim)``, the same stream frame by frame or all at once."""
        return generator.standard_normal((frames, 1, self.model.noise_dim), dtype=np.float32)

    def _padded(
        self, velocities: Iterable[Array], styles: Iterable[str | None]
    ) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
        """Standardised controls and style vectors, the last ones repeated for the lookahead."""
        last = None
        for velocity, style in zip(velocities, styles, strict=False):
            control = self.context.standardize_control(np.asarray(velocity, np.float32))
            last = control, self.context.style_vector(style)[None]
            yield last
        yield from repeat(last, self.context.spec.lookahead) if last else ()

    def generate(self, path: ControlPath, *, seed: int = 0, take: int = 0, name: str = "") -> Clip:
        """A clip of the whole path, at the model's rate."""
        path = path.resample(self.fps)
        poses = list(self.stream(path.velocities(), seed=seed, take=take, styles=path.styles or repeat(None)))
        return self.context.encoding.decode(np.stack(poses), path, name)
