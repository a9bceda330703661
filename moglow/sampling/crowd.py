"""A crowd whose figures are stepped together, with controls that may change in every frame. Needs numpy alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from moglow.checkpoint import Checkpoint
from moglow.errors import ControlError
from moglow.maths.rotations import Array
from moglow.motion.skeleton import Skeleton
from moglow.sampling.generate import PRETRAINED, TEMPERATURE
from moglow.sampling.label_change import relabelled
from moglow.sampling.sampler import AHEAD, Past, Sampler

MOST_FIGURES = 100_000


@dataclass(frozen=True, eq=False)
class CrowdState:
    """The state of N figures between two frames: a value, from which a crowd can go on more than once."""

    places: Array
    """Places and headings ``(N, 3)`` of the figures on the ground: x, z in metres, and radians."""
    pasts: tuple[Past, ...]
    """One for each group of figures that are computed together; none before the first frame."""
    coming: tuple[NDArray[np.float32], ...]
    """Velocities ``(N, 3)`` that the figures see ahead, in m/s and rad/s; the next frame's first."""
    labels: NDArray[np.float32]
    former: NDArray[np.float32]
    """The labels of the last frame ``(N, P + S)``; those of the next one are `labels`."""
    noise: NDArray[np.float32]
    frame: int
    streams: tuple[Mapping[str, Any], ...]
    """The states of the random generators after the noise."""


@dataclass(frozen=True, eq=False)
class CrowdFrame:
    """One frame of N figures: local positions ``(N, J, 3)`` in metres and rotations ``(N, J, 4)``, w first."""

    skeleton: Skeleton
    positions: Array
    rotations: Array
    places: Array
    """Where the figures' paths are, ``(N, 3)``: x, z and heading."""

    def world(self) -> tuple[Array, Array]:
        """Returns the world positions ``(N, J, 3)`` and rotations ``(N, J, 4)`` of the joints."""
        return self.skeleton.forward_kinematics(self.positions, self.rotations)


@dataclass(frozen=True, eq=False)
class Crowd:
    """N figures that are stepped together, each with its own seed and performer.

    A figure moves as it does alone, to the bit, whatever is beside it. A model with a lookahead of L frames follows a
    changed velocity L frames later. Feet are not locked, since that needs the frames that follow.

    >>> crowd = Crowd.of(3, seed=1)
    >>> state = crowd.start(np.array([[0.0, 0, 0], [1, 0, 0], [2, 0, 0]]))
    >>> for _ in range(5):
    ...     state, frame = crowd.step(state, np.array([1.2, 0.0, 0.3]))
    >>> frame.positions.shape, state.places.shape
    ((3, 21, 3), (3, 3))
    """

    sampler: Sampler
    seeds: tuple[int, ...]
    performers: tuple[str | None, ...]

    @classmethod
    def of(
        cls,
        figures: int,
        *,
        checkpoint: Checkpoint | str | Path | None = None,
        seed: int = 0,
        performer: str | None = None,
        temperature: float = TEMPERATURE,
    ) -> Self:
        """Returns a crowd.

        Args:
            figures: their number.
            checkpoint: a trained model or its file; by default the model inside the package.
            seed: figure k has the seed ``seed + k``.
            performer: a performer of the model, by default its default one; ``"any"`` selects one for each figure.
            temperature: 0 is the calmest, 1 is as varied as the data.
        """
        if not 1 <= figures <= MOST_FIGURES:
            raise ControlError(f"crowd: {figures} figures; give 1 to {MOST_FIGURES}")
        model = (
            checkpoint if isinstance(checkpoint, Checkpoint) else Checkpoint.read(checkpoint or PRETRAINED)
        )
        sampler = Sampler.of(model, temperature=temperature, device="cpu")
        if sampler.device != "numpy":
            raise ControlError(f"crowd: the model {model.model!r} has no numpy sampler, which a crowd needs")
        seeds = tuple(range(seed, seed + figures))
        cast = tuple(model.context.cast(performer, each, 0) for each in seeds)
        return cls(sampler, seeds, cast)

    def __len__(self) -> int:
        return len(self.seeds)

    @property
    def fps(self) -> float:
        """Returns the number of frames of a second."""
        return self.sampler.fps

    def start(
        self,
        places: ArrayLike = (0.0, 0.0, 0.0),
        velocities: ArrayLike = (0.0, 0.0, 0.0),
        styles: str | Sequence[str | None] | None = None,
    ) -> CrowdState:
        """Returns the state of figures that already move at ``velocities``.

        ``places`` ``(N, 3)`` are x, z and heading in metres and radians, ``velocities`` ``(N, 3)`` forward, sideways
        and turn in m/s and rad/s; one row is that of all figures. ``styles`` is a style of the model or one for each
        figure, by default the model's default style.
        """
        context = self.sampler.context
        coming = (self._rows(velocities, "velocities").astype(np.float32),) * context.spec.lookahead
        streams = tuple(
            np.random.default_rng([each, 0, 1]).bit_generator.state for each in self.seeds
        )  # those of the noise of `Sampler`
        shape = (AHEAD, len(self), self.sampler.model.noise_dim)
        noise, at, labels = np.empty(shape, np.float32), self._rows(places, "places"), self._labels(styles)
        return CrowdState(at, (), coming, labels, labels, noise, 0, streams)

    def restyled(self, state: CrowdState, styles: str | Sequence[str | None] | None) -> CrowdState:
        """Returns the state with other styles from the next frame on; the figures take them up within a second."""
        return replace(state, labels=self._labels(styles))

    def step(self, state: CrowdState, velocities: ArrayLike) -> tuple[CrowdState, CrowdFrame]:
        """Returns the state after one more frame, and the frame; ``velocities``, as in `start`, shall be taken up."""
        sampler, context = self.sampler, self.sampler.context
        state = self._supplied(state)
        labels, places = state.labels, state.places
        coming = (*state.coming, self._rows(velocities, "velocities").astype(np.float32))
        controls = context.standardize_control(np.stack(coming, axis=1))
        most = sampler.model.rows[1]
        groups = [slice(start, start + most) for start in range(0, len(self), most)]
        if state.pasts:
            pasts, places = state.pasts, _moved(places, coming[0], self.fps)
        else:
            warm = [np.random.default_rng([seed, 0, 0]) for seed in self.seeds]
            pasts = tuple(sampler.start(controls[rows], labels[rows], warm[rows]) for rows in groups)
        noise, after, poses = state.noise[state.frame % AHEAD], [], []
        for rows, past in zip(groups, pasts, strict=True):
            memory, change = relabelled(context, past.change, past.memory, state.former[rows], labels[rows])
            past = replace(past, memory=memory, change=change)
            past, pose, _ = sampler.step(past, controls[rows], noise[rows], labels[rows])
            after.append(past)
            poses.append(pose)
        pose = np.concatenate(poses)
        positions, rotations = context.encoding.decode_frames(pose, places[:, :2], places[:, 2])
        following = replace(
            state,
            places=places,
            pasts=tuple(after),
            coming=coming[1:],
            former=labels,
            frame=state.frame + 1,
        )
        return following, CrowdFrame(context.encoding.skeleton, positions, rotations, places)

    def _supplied(self, state: CrowdState) -> CrowdState:
        """Returns the state with noise for the next frame."""
        if state.frame % AHEAD:
            return state
        generators = [np.random.default_rng() for _ in self.seeds]
        for each, stream in zip(generators, state.streams, strict=True):
            each.bit_generator.state = stream
        shape = state.noise.shape[0], state.noise.shape[2]
        noise = np.stack([each.standard_normal(shape, dtype=np.float32) for each in generators], axis=1)
        return replace(state, noise=noise, streams=tuple(each.bit_generator.state for each in generators))

    def _labels(self, styles: str | Sequence[str | None] | None) -> NDArray[np.float32]:
        context = self.sampler.context
        each = [styles] * len(self) if styles is None or isinstance(styles, str) else list(styles)
        if len(each) != len(self):
            raise ControlError(f"crowd: {len(each)} styles for {len(self)} figures; give one for each")
        rows = [
            context.style_rows([context.style_or_default(style)], 1, performer)[0]
            for style, performer in zip(each, self.performers, strict=True)
        ]
        return np.stack(rows).astype(np.float32)

    def _rows(self, values: ArrayLike, name: str) -> Array:
        rows = np.asarray(values, float)
        if rows.shape not in ((3,), (len(self), 3)) or not np.isfinite(rows).all():
            raise ControlError(
                f"crowd: {name} of shape {rows.shape}; give three finite numbers for all, or ({len(self)}, 3)"
            )
        return np.array(np.broadcast_to(rows, (len(self), 3)))


def _moved(places: Array, velocities: NDArray[np.float32], fps: float) -> Array:
    """Returns places and headings ``(N, 3)`` after a step, which is expressed in the heading half-way."""
    forward, sideways, turn = velocities.astype(float).T / fps
    middle = places[:, 2] + turn / 2
    sine, cosine = np.sin(middle), np.cos(middle)
    x, z = forward * sine + sideways * cosine, forward * cosine - sideways * sine
    moved: Array = places + np.stack([x, z, turn], axis=1)
    return moved
