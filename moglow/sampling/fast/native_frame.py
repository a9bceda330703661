"""A frame from past poses to the next pose in one call of the kernel `float32.c`. Needs numpy and a C compiler.

It computes the same bits as `Context.build`, `NativeMoGlow.step` and `Context.from_target`.
"""

import ctypes
from collections.abc import Iterable, Iterator, Sequence
from threading import local
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moglow.corpus.context import Context
from moglow.encodings.chart import PLANTED
from moglow.encodings.encoding import NEAREST, REACHING, TINY
from moglow.sampling.fast.native_moglow import Buffers, NativeMoGlow

Floats = NDArray[np.float32]

LONGEST = 64
"""Largest number of frames of a call, on which their bits do not depend."""


class _Motion(ctypes.Structure):
    _fields_ = (
        *(
            (name, ctypes.c_int64)
            for name in ["history", "controls", "labels", "flags", "legs", "hips_x", "hips_z", "hips", "toes"]
        ),
        *((name, ctypes.c_float) for name in ("far", "nearest", "tiny", "unused")),
        *((name, ctypes.c_void_p) for name in ("mean", "deviation", "weights", "momentum", "scale", "reach")),
    )


class NativeFrame:
    """Computes ``frame(past, controls, noise, labels)`` of a `Sampler` for a context and a model."""

    def __init__(self, context: Context, model: NativeMoGlow, temperature: float, far: float) -> None:
        """Prepares the constants; ``far`` is the bound of standardised poses."""
        self.context, self.model, self.temperature = context, model, temperature
        spec, encoding = context.spec, context.encoding
        self._own = local()  # room for contexts of each thread of Python
        slices = [encoding.slice(group) for group in REACHING]
        reaches = np.square(encoding.chart.reaches) if _has_reach(context) else np.zeros(0)
        momentum = context.momentum if spec.momentum else None
        of_channels = (context.pose_mean, context.pose_deviation, context.weights, momentum, context.scale)
        self._arrays = [
            None if each is None else np.ascontiguousarray(each, np.float32)
            for each in (*of_channels, reaches)
        ]  # the kernel reads them, so they must be kept
        self._motion = _Motion(
            *(spec.history, spec.history + 1 + spec.lookahead, context.labels, spec.flags * spec.history),
            *(_width(context, PLANTED[0]), slices[0].start if _has_reach(context) else -1),
            *(each.start for each in slices[1:]),
            *(far, NEAREST**2, TINY, 0.0),
            *(None if each is None else each.ctypes.data for each in self._arrays),
        )
        self._motion_at = ctypes.byref(self._motion)

    @classmethod
    def covers(cls, context: Context, model: Any) -> bool:
        """Returns whether the kernel computes frames of a model with a context."""
        encoding, legs = context.encoding, _width(context, PLANTED[0])
        planted = [encoding.slice(group) for group in PLANTED]
        return (
            isinstance(model, NativeMoGlow)
            and context.xp is np
            and model.context == context.size
            and model.pose_dim == context.pose_dim
            and planted == [slice(k * legs, (k + 1) * legs) if legs else slice(0, 0) for k in range(3)]
            and (
                not _has_reach(context) or legs == len(encoding.chart.reaches) == _width(context, REACHING[3])
            )
        )

    def __call__(
        self, past: tuple[Floats, Floats, Any], controls: Floats, noise: Floats, labels: Floats
    ) -> tuple[tuple[Floats, Floats, Any], Floats, NDArray[np.float64]]:
        """Returns the past after the frame, its pose ``(B, D)`` in physical units, and its log-density ``(B,)``."""
        past, pose, nats = self.many(past, controls, noise[None], labels)
        return past, pose[0], nats[0]

    def many(
        self, past: tuple[Floats, Floats, Any], controls: Floats, noise: Floats, labels: Floats
    ) -> tuple[tuple[Floats, Floats, Any], Floats, NDArray[np.float64]]:
        """Returns the past after T frames, their poses ``(T, B, D)`` and log-densities ``(T, B)``.

        ``noise`` is ``(T, B, noise_dim)``, and ``controls`` ``(B, T + L, 3)`` are those of the frames and of the L
        after them. The labels are those of all frames.
        """
        (frames, batch), history = noise.shape[:2], past[1].shape[1]
        seen = np.concatenate([past[1], controls], 1)
        poses, noise, labels, h, c = (
            np.ascontiguousarray(each, np.float32) for each in (past[0], noise, labels, *past[2])
        )
        after, between = (
            (*np.empty((2, *h.shape), np.float32), np.empty_like(poses)) if needed else (h, c, poses)
            for needed in (True, frames > 1)
        )
        pose, nats = np.empty((frames, batch, poses.shape[2]), np.float32), np.empty((frames, batch))
        self.model.advance(
            self._motion_at,
            self._room(batch),
            (seen, *self._steps(controls[:, :frames].swapaxes(0, 1)), labels, noise),
            self.temperature,
            [Buffers.of(*each) for each in ((h, c, poses), between, after)],
            (pose, nats),
        )
        *memory, poses = after
        return (poses, seen[:, frames : frames + history], tuple(memory)), pose, nats - self.context.log_scale

    def stretches(
        self,
        past: tuple[Floats, Floats, Any],
        controls: Floats,
        labels: Floats,
        generators: Sequence[np.random.Generator],
        stops: Iterable[int | None] = (),
    ) -> Iterator[tuple[tuple[Floats, Floats, Any], Floats, NDArray[np.float64]]]:
        """Yields what `many` returns for up to `LONGEST` frames at a time, and not across the stops.

        ``controls`` ``(B, T + L, 3)`` are those of all frames and of the L after them. Each row has its own generator
        of noise.
        """
        frames, start = controls.shape[1] - self.context.spec.lookahead, 0
        ends = {frames, *range(LONGEST, frames, LONGEST), *(stop for stop in stops if stop)}
        for stop in sorted(ends):
            shape = stop - start, self.model.noise_dim
            noise = np.stack([each.standard_normal(shape, dtype=np.float32) for each in generators], axis=1)
            seen = controls[:, start : stop + self.context.spec.lookahead]
            past, pose, nats = self.many(past, seen, noise, labels)
            yield past, pose, nats
            start = stop

    def _steps(self, control: Floats) -> tuple[Floats, Floats]:
        """Returns the steps ``(T, B, 3)``, and cosines and sines ``(T, 2, 2, B)`` of the turn and half of it."""
        step = np.ascontiguousarray(self.context.physical_control(control) / self.context.fps, np.float32)
        angles = np.stack([step[..., 2], step[..., 2] / 2], 1)
        return step, np.stack([np.cos(angles), np.sin(angles)], 1)

    def _room(self, batch: int) -> Floats:
        room: Floats | None = getattr(self._own, "room", None)
        if room is None or len(room) < batch:
            room = self._own.room = np.empty((batch, self.context.size), np.float32)
        return room


def _width(context: Context, group: str) -> int:
    channels = context.encoding.slice(group)
    width: int = channels.stop - channels.start
    return width


def _has_reach(context: Context) -> bool:
    """Returns whether toes are drawn towards the hips where a leg is too short."""
    return all(group in context.encoding.slices for group in REACHING)
