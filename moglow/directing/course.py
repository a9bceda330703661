"""The conditions of a motion in each frame, and a flow that samples, scores and differentiates it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from moglow.checkpoint import Checkpoint
from moglow.corpus.context import Context
from moglow.directing.mixture import Mixture, MixtureTape
from moglow.errors import CheckpointError
from moglow.sampling.fast.folded import Floats
from moglow.sampling.fast.invertible import InvertibleMoGlow, Tape
from moglow.sampling.fast.native_moglow import NativeMoGlow, native_model
from moglow.sampling.fast.numpy_moglow import NUMPY_MODELS, State
from moglow.sampling.label_change import LabelChange, predict_frame, relabelled


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
    change: LabelChange | None = None
    """The changes of label that are not over yet."""

    def __len__(self) -> int:
        return len(self.poses)

    def followed(self, pose: Floats, memory: Any) -> Self:
        """Returns the state after a frame with poses ``(B, D)``; ``memory`` is as returned by `predict_frame`."""
        poses, change = np.concatenate([self.poses[:, 1:], pose[:, None]], 1), self.change
        if change is None:
            return replace(self, poses=poses, memory=memory)
        memory, former = memory
        return replace(self, poses=poses, memory=memory, change=change.after(former))

    def rows(self, rows: Sequence[int] | Floats) -> Self:
        """Returns the state of the motions with these indices, which may be repeated."""
        memory, change = tuple(part[:, rows] for part in self.memory), self.change
        return replace(
            self,
            poses=self.poses[rows],
            memory=memory,
            change=change and change.rows(np.asarray(rows, np.int64)),
        )


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
        seen, labels, control = self._conditions(course, frame, len(poses))
        return self.context.build(poses, seen, labels), control

    def _conditions(
        self, course: Course, frame: int, count: int, coming: NDArray[np.int64] | None = None
    ) -> tuple[Floats, Floats, Floats]:
        """Returns the controls ``(B, K + 1 + L, 3)`` around a frame, its labels ``(B, P + S)`` and control ``(3,)``.

        ``coming`` ``(B, 1 + L)`` are the frames from this one on whose controls each motion sees; see `foresight`.
        """
        history = self.context.spec.history
        seen = course.controls[frame : frame + history + 1 + self.context.spec.lookahead]
        rows = np.broadcast_to(seen, (count, *seen.shape))
        if coming is not None:
            at = np.minimum(frame + history + coming, len(course.controls) - 1)
            rows = np.concatenate([rows[:, :history], course.controls[at]], axis=1)
        return rows, np.tile(course.labels[frame], (count, 1)), seen[history]

    def begun(self, course: Course, frame: int, moment: Moment) -> Moment:
        """Returns the state in which a frame is predicted: with a change of label, if one begins there."""
        if not frame or (course.labels[frame] == course.labels[frame - 1]).all():
            return moment
        former, labels = (np.tile(course.labels[each], (len(moment), 1)) for each in (frame - 1, frame))
        memory, change = relabelled(self.context, moment.change, moment.memory, former, labels)
        return replace(moment, memory=memory, change=change)

    def mixture(self, course: Course, frame: int, moment: Moment) -> Mixture:
        """Returns the model of a frame in a change of label, given the state in which it is predicted."""
        seen, labels, _ = self._conditions(course, frame, len(moment))
        change, history = moment.change, self.context.spec.history
        assert change is not None, "without a change there is one label"
        former, memory, share, shown = change.given(history, np.asarray)
        contexts = (
            self.context.build(moment.poses, seen, labels, shown),
            self.context.build(moment.poses, seen, former),
        )
        return Mixture(self.model, contexts, (moment.memory, memory), share)

    def roll(
        self,
        course: Course,
        frame: int,
        moment: Moment,
        latents: Floats,
        coming: NDArray[np.int64] | None = None,
    ) -> tuple[Floats, Floats, list[Moment]]:
        """Returns the poses ``(n, B, D)`` of latents ``(n, B, D)`` from a frame on, their log-densities ``(n, B)`` in
        nats, and the states before each frame and after the last.

        ``coming`` ``(B, 1 + L)`` are the frames whose controls each motion sees, by default the present and L more.
        """
        context, moments = self.context, [moment]
        poses, nats = np.empty_like(latents), np.empty(latents.shape[:2])
        for t, latent in enumerate(latents):
            moment = self.begun(course, frame + t, moment)
            seen, labels, control = self._conditions(course, frame + t, len(moment), coming)
            former = moment.change.given(context.spec.history, np.asarray) if moment.change else None
            given = moment.poses, seen, labels, moment.memory
            target, nats[t], memory = predict_frame(context, self.sampled, given, latent, former)
            poses[t] = context.from_target(target, moment.poses, control)
            moment = moment.followed(poses[t], memory)
            moments.append(moment)
        return poses, nats - context.log_scale, moments

    def score(
        self, course: Course, frame: int, moment: Moment, poses: Floats
    ) -> tuple[Floats, Floats, list[Moment]]:
        """Returns the latents ``(n, B, D)`` of poses ``(n, B, D)``, their log-densities ``(n, B)``, and the states."""
        context, moments = self.context, [moment]
        latents, nats = np.empty_like(poses), np.empty(poses.shape[:2])
        for t, pose in enumerate(poses):
            moment = self.begun(course, frame + t, moment)
            vector, control = self.sees(course, frame + t, moment.poses)
            target = context.to_target(pose, moment.poses, control)
            if moment.change is None:
                latents[t], nats[t], memory = self.model.invert(vector, moment.memory, target)
            else:
                mixture = self.mixture(course, frame + t, moment)
                latents[t] = mixture.invert(target)
                _, nats[t], memory = mixture.sampled(latents[t])
            moment = moment.followed(pose, memory)
            moments.append(moment)
        return latents, nats - context.log_scale, moments

    def known(self, course: Course, frame: int, moment: Moment, pose: Floats) -> tuple[Floats, Moment]:
        """Returns the log-densities ``(B,)`` of poses ``(B, D)`` with the label of a frame, and the state after it."""
        context, moment = self.context, self.begun(course, frame, moment)
        poses = moment.poses
        vector, control = self.sees(course, frame, poses)
        target = context.to_target(pose, poses, control)
        if moment.change is None:
            _, nats, memory = self.model.invert(vector, moment.memory, target)
            return nats - context.log_scale, moment.followed(pose, memory)
        mixture = self.mixture(course, frame, moment)
        (_, nats, memory), (_, _, former) = (
            self.model.invert(each, kept, target)
            for each, kept in zip(mixture.contexts, mixture.memories, strict=True)
        )
        return nats - context.log_scale, moment.followed(pose, (memory, former))

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

    def tapes(
        self, course: Course, frame: int, moment: Moment, poses: Floats, latents: Floats
    ) -> list[Tape | MixtureTape]:
        """Returns the tapes of the poses ``(n, D)`` of one motion and their latents ``(n, D)``."""
        context, tapes = self.context, list[Tape | MixtureTape]()
        for t, pose in enumerate(poses):
            moment = self.begun(course, frame + t, moment)
            if moment.change is None:
                vector, control = self.sees(course, frame + t, moment.poses)
                target = context.to_target(pose, moment.poses, control)
                _, _, memory, tape = self.model.taped(vector, moment.memory, target)
                tapes.append(tape)
            else:
                begins = not moment.change.frames.any()
                mixed, memory = self.mixture(course, frame + t, moment).taped(latents[t][None], begins=begins)
                tapes.append(mixed)
            moment = moment.followed(pose[None], memory)
        return tapes

    def jacobian(
        self,
        course: Course,
        frame: int,
        tapes: Sequence[Tape | MixtureTape],
        rows: Floats,
        first: int = 0,
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
        memory = former = nothing, nothing
        for t in range(frames - 1, first - 1, -1):
            slope, tape = poses[history + t], tapes[t]
            control = course.controls[frame + t + history]
            poses[history + t - 1] += self._carried_back(weights * slope, control)
            if context.spec.momentum:
                poses[history + t - 1] += context.momentum * slope
                poses[history + t - 2] -= context.momentum * slope
            if isinstance(tape, MixtureTape):
                out[t], vector, memory, former = tape.back(self.model, slope * scale, memory, former)
            else:
                out[t], vector, memory = self.model.back(tape, slope * scale, memory)
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
