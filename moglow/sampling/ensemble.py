"""Samples many motions of a model in one batch, for evaluation; on a CPU with the numpy sampler if it has the model.

Each motion is the one that `Sampler.stream` samples for the same path and seed, up to rounding. Matrix products are
computed for the whole batch, which takes a fifth of the time. Only one ending is sampled for each motion.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from moglow.checkpoint import Checkpoint
from moglow.compute.device import find_device
from moglow.corpus.context import Context
from moglow.corpus.windows import on_device
from moglow.models.model import MotionModel
from moglow.motion.clip import Clip
from moglow.paths.control_path import ControlPath
from moglow.sampling.fast.fused import steps_on
from moglow.sampling.fast.native_moglow import native_model
from moglow.sampling.fast.numpy_moglow import NUMPY_MODELS
from moglow.sampling.label_change import Former, LabelChange, Predict, predict_frame, relabelled
from moglow.sampling.posture_drift import PostureDrift
from moglow.sampling.start_and_stop import WARM_UP, setting_off

ROWS = 64
"""Number of motions in a batch on a CPU; larger batches are not faster and waste frames if paths differ in length."""
CHUNK = 300
"""Number of frames for which noise is sampled at once; the result does not depend on it."""
FURTHEST = 1e6
"""Bound of diverging values, in deviations, so that the memory remains finite."""
WILD = 50.0
"""Deviations from the mean pose at which poses are clipped; a motion that reaches them is marked as diverged."""


@dataclass(frozen=True, eq=False)
class Motion:
    """A clip, its poses ``(T, D)`` and controls ``(T, 3)`` in metres and radians, and whether it diverged."""

    clip: Clip
    pose: NDArray[np.float32]
    control: NDArray[np.float32]
    wild: bool = False


@dataclass(frozen=True, eq=False)
class Ensemble:
    """Samples motions of a checkpoint in batches."""

    checkpoint: Checkpoint
    temperature: float
    device: str = "cpu"

    @cached_property
    def model(self) -> MotionModel:
        """The model in torch, for likelihoods."""
        return self.checkpoint.to_torch(find_device(self.device))

    @cached_property
    def _steps(self) -> Any:
        """The steps on a device; None on a CPU, which uses `_step`."""
        return None if self.device == "cpu" else steps_on(find_device(self.device), self.checkpoint)

    @cached_property
    def _frame(self) -> Callable[..., tuple[Any, Any, Any]]:
        """Maps past poses (B, K, D), controls, labels, memory and noise to a pose, the next past and the memory."""
        return self._made()

    @cached_property
    def _changing(self) -> Callable[..., tuple[Any, Any, Any]]:
        """The same with the argument ``former`` of `predict_frame`, for changes of label."""
        return self._made()

    def _made(self) -> Callable[..., tuple[Any, Any, Any]]:
        steps, step = self._steps, self._step
        context = on_device(self.context, find_device(self.device)) if steps else self.context

        def frame(
            poses: Any, controls: Any, label: Any, memory: Any, noise: Any, former: Former | None = None
        ) -> tuple[Any, ...]:
            given = poses, controls, label, memory
            target, _, memory = predict_frame(context, step, given, noise, former)
            pose = context.from_target(target, poses, controls[:, poses.shape[1]])
            pose = context.xp.clip(pose, -FURTHEST, FURTHEST)
            return pose, context.xp.concatenate([poses[:, 1:], pose[:, None]], 1), memory

        return steps.recorded(frame) if steps else frame

    @property
    def context(self) -> Context:
        return self.checkpoint.context

    @cached_property
    def _step(self) -> Predict:
        """Returns the model; likelihoods are not computed in torch."""
        if steps := self._steps:

            def on_a_device(vector: Any, state: Any, noise: Any) -> Any:
                return steps.step(vector, state, noise, temperature=self.temperature)

            return on_a_device
        made = NUMPY_MODELS.get(self.checkpoint.model)
        if made is not None and made.covers(self.checkpoint.config):
            fast = native_model(self.checkpoint) or made(self.checkpoint.config, self.checkpoint.weights)

            def in_numpy(vector: Any, state: Any, noise: Any) -> tuple[Any, Any, Any]:
                state = fast.initial_state(len(vector)) if state is None else state
                return fast.step(vector, state, noise, temperature=self.temperature)

            return in_numpy

        def in_torch(vector: Any, state: Any, noise: Any) -> tuple[Any, Any, Any]:
            with torch.no_grad():
                given = torch.as_tensor(vector.astype(np.float32)), state, torch.as_tensor(noise)
                target, state = self.model.step(*given, temperature=self.temperature)
            return target.numpy(), None, state

        return in_torch

    def motions(
        self,
        paths: Sequence[ControlPath],
        seeds: Sequence[int],
        performers: Sequence[str | None] | None = None,
    ) -> Iterator[tuple[int, Motion]]:
        """Yields the index of a path and its motion, in any order; ``seeds`` contains one seed for each path.

        ``performers`` are the performers of the paths, by default the model's default performer. Unknown styles and
        performers are replaced by the default ones, so that models without them can be compared.
        """
        cast = [None] * len(paths) if performers is None else list(performers)
        longest_first = sorted(range(len(paths)), key=lambda k: -paths[k].duration)
        most = self._steps.rows[1] if self._steps else ROWS
        for first in range(0, len(paths), most):
            group = longest_first[first : first + most]
            parts = [paths[k] for k in group], [seeds[k] for k in group], [cast[k] for k in group]
            yield from zip(group, self._batch(*parts), strict=True)

    def _batch(
        self, paths: Sequence[ControlPath], seeds: Sequence[int], cast: Sequence[str | None]
    ) -> Iterator[Motion]:
        context, fps = self.context, self.context.fps
        paths = [path.resample(fps) for path in paths]
        frames, past = max(map(len, paths)), context.spec.history
        warm, ahead = round(WARM_UP * fps), context.spec.lookahead
        setting = np.pad(setting_off(fps), (past, frames + ahead), mode="edge")
        # The first control is repeated before the path for the warm-up and the history, the last one after it.
        controls = np.stack(
            [
                np.pad(path.velocities(), ((past + warm, frames - len(path) + ahead), (0, 0)), mode="edge")
                for path in paths
            ]
        )
        standardised = context.standardize_control((controls * setting[:, None]).astype(np.float32))
        usual = context.style_or_default(None)
        styles = [[s if s in context.styles else usual for s in context.styles_of(path)] for path in paths]
        known = [who if who in context.performers else None for who in cast]
        labels = np.stack(
            [
                context.style_rows(each, frames, context.performer_of(path, who))
                for each, path, who in zip(styles, paths, known, strict=True)
            ]
        )
        with np.errstate(over="ignore", invalid="ignore"):  # in models that diverge
            poses = np.concatenate([*self._poses(standardised, labels, seeds, warm, frames)], axis=1)
        wild = ~(np.abs(poses) <= WILD)  # or not a number
        poses = np.clip(np.nan_to_num(poses, nan=WILD), -WILD, WILD)
        for row, path in enumerate(paths):
            pose = context.physical_pose(poses[row, : len(path)])
            if drift := PostureDrift.of(context, [(seeds[row], 0)], self.temperature):
                pose = pose + drift.along(labels[row, : len(path)]).astype(pose.dtype)
            control = controls[row, past + warm :][: len(path)].astype(np.float32)
            yield Motion(
                context.encoding.decode(pose, path), pose, control, bool(wild[row, : len(path)].any())
            )

    def _poses(
        self,
        controls: NDArray[np.float32],
        labels: NDArray[np.float32],
        seeds: Sequence[int],
        warm: int,
        frames: int,
    ) -> Iterator[NDArray[np.float32]]:
        """Yields the standardised poses (B, n, D) of the path's frames in chunks, without those of the warm-up."""
        context, past, steps, wanted = self.context, self.context.spec.history, self._steps, len(seeds)
        reach = past + 1 + context.spec.lookahead
        array, numpy = (steps.array, steps.numpy) if steps else (np.asarray, np.asarray)
        if steps:  # as many rows as the device samples at once, filled with the last row
            rows = np.minimum(np.arange(wanted + -wanted % steps.rows[0]), wanted - 1)
            seeds, controls, labels = [seeds[row] for row in rows], controls[rows], labels[rows]
        poses = array(np.repeat(context.posture(labels[:, :1]), past, axis=1))
        controls = array(controls)
        change: LabelChange | None = None
        state = steps.initial_state(len(seeds)) if steps else None
        generators = {part: [np.random.default_rng([seed, 0, part]) for seed in seeds] for part in (0, 1)}
        chunks = [(warm + start, min(CHUNK, frames - start), 1) for start in range(0, frames, CHUNK)]
        for first, count, part in [(0, warm, 0), *chunks]:
            shape = (count, self.model.noise_dim)
            noise = np.stack(
                [each.standard_normal(shape, dtype=np.float32) for each in generators[part]], axis=1
            )
            made = []
            for t, numbers in enumerate(array(noise)):
                frame = max(first + t - warm, 0)
                label, before = labels[:, frame], labels[:, max(frame - 1, 0)]
                state, change = relabelled(context, change, state, before, label)
                given = poses, controls[:, first + t : first + t + reach], array(label)
                if change is None:
                    pose, poses, state = self._frame(*given, state, numbers)
                else:
                    former = change.given(past, array)
                    pose, poses, (state, rest) = self._changing(*given, state, numbers, former)
                    change = change.after(rest)
                if part:  # the warm-up is discarded
                    made.append(pose)
            if part:
                yield np.stack([numpy(pose)[:wanted] for pose in made], axis=1)
