"""The conditions of a motion in each frame, and a flow that samples, scores and differentiates it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from moglow.checkpoint import Checkpoint
from moglow.corpus.context import Context
from moglow.errors import CheckpointError
from moglow.sampling.fast.folded import Floats
from moglow.sampling.fast.invertible import InvertibleMoGlow, Tape
from moglow.sampling.fast.native_moglow import NativeMoGlow, native_model
from moglow.sampling.fast.numpy_moglow import NUMPY_MODELS, State


@dataclass(frozen=True, eq=False)
class Course:
    """Standardised ``controls`` ``(K + N + L, 3)`` and style ``labels`` ``(N, P + S)`` of N frames.

    The context of frame t contains the controls from K before it to L after it: ``controls[t : t + K + 1 + L]``.
    """

    controls: Floats
    labels: Floats

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class Moment:
    """The state of B motions between two frames: their last K ``poses`` ``(B, K, D)``, standardised, and the memory."""

    poses: Floats
    memory: State

    def __len__(self) -> int:
        return len(self.poses)

    def rows(self, rows: Sequence[int] | Floats) -> Self:
        """Returns the state of the motions with these indices, which may be repeated."""
        return replace(self, poses=self.poses[rows], memory=tuple(part[:, rows] for part in self.memory))


@dataclass(frozen=True, eq=False)
class Flow:
    """The flow of a checkpoint in both directions, for batches of motions with the same course."""

    context: Context
    model: InvertibleMoGlow
    native: NativeMoGlow | None = None
    """The compiled kernel that samples, if there is one for this machine; else `model` samples."""

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> Self:
        made = NUMPY_MODELS.get(checkpoint.model)
        if made is None or not made.covers(checkpoint.config):
            raise CheckpointError(
                f"the checkpoint's model is {checkpoint.model!r}; pins need a moglow with an LSTM"
            )
        invertible = InvertibleMoGlow(checkpoint.config, checkpoint.weights)
        return cls(checkpoint.context, invertible, native_model(checkpoint))

    def sampled(self, vector: Floats, memory: State, latents: Floats) -> tuple[Floats, Floats, State]:
        """Returns the targets ``(B, D)`` of latents ``(B, D)``, their log-densities ``(B,)``, and the memory."""
        if self.native is None:
            return self.model.from_latent(vector, memory, latents.copy())
        unscaled = np.ones((len(latents), self.native.noise_dim - latents.shape[-1]), np.float32)
        return self.native.step(vector, memory, np.concatenate([latents, unscaled], axis=-1))

    def sees(self, course: Course, frame: int, poses: Floats) -> tuple[Floats, Floats]:
        """Returns the contexts ``(B, C)`` of a frame after the last K poses ``(B, K, D)``, and its control ``(3,)``."""
        history = self.context.spec.history
        seen = course.controls[frame : frame + history + 1 + self.context.spec.lookahead]
        lead = (len(poses), 1)
        vector = self.context.build(
            poses, np.broadcast_to(seen, (*lead[:1], *seen.shape)), np.tile(course.labels[frame], lead)
        )
        return vector, seen[history]

    def roll(
        self, course: Course, frame: int, moment: Moment, latents: Floats
    ) -> tuple[Floats, Floats, list[Moment]]:
        """Returns the poses ``(n, B, D)`` of latents ``(n, B, D)`` from a frame on, their log-densities ``(n, B)`` in
        nats, and the states before each frame and after the last."""
        context, moments = self.context, [moment]
        poses, nats = np.empty_like(latents), np.empty(latents.shape[:2])
        for t, latent in enumerate(latents):
            vector, control = self.sees(course, frame + t, moment.poses)
            target, nats[t], memory = self.sampled(vector, moment.memory, latent)
            poses[t] = context.from_target(target, moment.poses, control)
            moment = Moment(np.concatenate([moment.poses[:, 1:], poses[t][:, None]], 1), memory)
            moments.append(moment)
        return poses, nats - context.log_scale, moments

    def score(
        self, course: Course, frame: int, moment: Moment, poses: Floats
    ) -> tuple[Floats, Floats, list[Moment]]:
        """Returns the latents ``(n, B, D)`` of poses ``(n, B, D)``, their log-densities ``(n, B)``, and the states."""
        context, moments = self.context, [moment]
        latents, nats = np.empty_like(poses), np.empty(poses.shape[:2])
        for t, pose in enumerate(poses):
            vector, control = self.sees(course, frame + t, moment.poses)
            target = context.to_target(pose, moment.poses, control)
            latents[t], nats[t], memory = self.model.invert(vector, moment.memory, target)
            moment = Moment(np.concatenate([moment.poses[:, 1:], pose[:, None]], 1), memory)
            moments.append(moment)
        return latents, nats - context.log_scale, moments

    def slide(self, course: Course, frame: int, moment: Moment, poses: Floats) -> Floats:
        """Returns the speed ``(n, B)`` in m/s of the lower toe in poses ``(n, B, D)``; 0 if poses contain no toes."""
        context, encoding = self.context, self.context.encoding
        x, z, height = (encoding.slice(group) for group in ("toe_x", "toe_z", "toe_height"))
        if x.stop == x.start or height.stop == height.start:
            return np.zeros(poses.shape[:2], np.float32)
        history = context.spec.history
        controls = course.controls[frame + history : frame + history + len(poses), None]
        before = np.concatenate([moment.poses[None, :, -1], poses[:-1]])
        moved = (poses - context.carried(before, controls)) * context.pose_deviation
        lowest = np.argmin(context.physical_pose(poses)[..., height], axis=-1)[..., None]
        speeds = np.hypot(moved[..., x], moved[..., z]) * context.fps
        return np.asarray(np.take_along_axis(speeds, lowest, axis=-1)[..., 0])

    def tapes(self, course: Course, frame: int, moment: Moment, poses: Floats) -> list[Tape]:
        """Returns the tapes of the poses ``(n, D)`` of one motion."""
        context, tapes = self.context, []
        for t, pose in enumerate(poses):
            vector, control = self.sees(course, frame + t, moment.poses)
            target = context.to_target(pose, moment.poses, control)
            _, _, memory, tape = self.model.taped(vector, moment.memory, target)
            tapes.append(tape)
            moment = Moment(np.concatenate([moment.poses[:, 1:], pose[None, None]], 1), memory)
        return tapes

    def jacobian(
        self, course: Course, frame: int, tapes: Sequence[Tape], rows: Floats, first: int = 0
    ) -> Floats:
        """Returns the derivatives ``(n, R, D)`` of R functions of the poses with respect to the latents.

        ``rows`` ``(n, R, D)`` are the derivatives of the functions with respect to the poses. Those with respect to
        latents before the frame ``first`` are not computed, and zero.
        """
        context, (frames, count, dim) = self.context, rows.shape
        history, scale, weights = context.spec.history, context.scale, context.weights
        poses = np.concatenate([np.zeros((history, count, dim), np.float32), rows])
        out = np.zeros((frames, count, dim), np.float32)
        nothing = np.zeros((self.model.cells, count, self.model.hidden), np.float32)
        memory = nothing, nothing
        for t in range(frames - 1, first - 1, -1):
            slope = poses[history + t]
            control = course.controls[frame + t + history]
            poses[history + t - 1] += self._carried_back(weights * slope, control)
            if context.spec.momentum:
                poses[history + t - 1] += context.momentum * slope
                poses[history + t - 2] -= context.momentum * slope
            out[t], vector, memory = self.model.back(tapes[t], slope * scale, memory)
            shown = vector[:, : history * dim].reshape(count, history, dim)
            poses[t : t + history] += shown.swapaxes(0, 1)
        return out

    def _carried_back(self, slope: Floats, control: Floats) -> Floats:
        """Returns the adjoint of `Context.carried`: derivatives ``(R, D)`` with respect to the pose that is carried."""
        context, encoding = self.context, self.context.encoding
        turn = float(context.physical_control(control)[2]) / context.fps
        out = slope / context.pose_deviation
        x, z = encoding.slice("toe_x"), encoding.slice("toe_z")
        new_x, new_z = out[..., x].copy(), out[..., z].copy()
        out[..., x] = np.cos(turn) * new_x + np.sin(turn) * new_z
        out[..., z] = np.cos(turn) * new_z - np.sin(turn) * new_x
        return np.asarray(out * context.pose_deviation)
