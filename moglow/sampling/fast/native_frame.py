"""A frame from past poses to the next pose in one call of the kernel `float32.c`. Needs numpy and a C compiler.

It computes the same bits as `Context.build`, `NativeMoGlow.step` and `Context.from_target`.
"""

import ctypes
from threading import local
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moglow.corpus.context import Context
from moglow.encodings.chart import PLANTED
from moglow.encodings.encoding import NEAREST, REACHING, TINY
from moglow.sampling.fast.native_moglow import NativeMoGlow

Floats = NDArray[np.float32]


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
        before, memory = past[1], past[2]
        batch, history = before.shape[:2]
        seen = np.concatenate([before, controls], 1)
        poses, noise, labels, h, c = (
            np.ascontiguousarray(each, np.float32) for each in (past[0], noise, labels, *memory)
        )
        steps, room = self._steps(controls[:, 0]), self._room(batch)
        after, pose = np.empty_like(poses), np.empty((batch, poses.shape[2]), np.float32)
        memory = np.empty((2, *h.shape), np.float32)
        nats = np.empty(batch)
        self.model.advance(
            self._motion_at,
            room,
            (poses, seen, steps, labels, noise),
            self.temperature,
            (h, c, *memory, after, pose, nats),
        )
        return (after, seen[:, 1 : 1 + history], tuple(memory)), pose, nats - self.context.log_scale

    def _steps(self, control: Floats) -> Floats:
        """Returns ``(B, 5)``: cosine and sine of the turn, the shift in x and in z, the turn; as `Encoding.carry`."""
        step = self.context.physical_control(control) / self.context.fps
        forward, sideways, turn = step[:, 0], step[:, 1], step[:, 2]
        half = turn / 2
        cosine, sine = np.cos(half), np.sin(half)
        steps = np.empty((len(step), 5), np.float32)
        steps[:, 0], steps[:, 1] = np.cos(turn), np.sin(turn)
        steps[:, 2] = cosine * sideways - sine * forward
        steps[:, 3] = sine * sideways + cosine * forward
        steps[:, 4] = turn
        return steps

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
