"""A MoGlow's frames by the compiled kernel `float32.c`, for any number of rows at once. Needs numpy and a C compiler.

A row has the same bits whatever is beside it, on every processor with a kernel: each sum has a fixed order or is one of
integers, and exponentials are the kernel's own. `NumpyMoGlow` computes the same up to rounding: where a model has an
encoder, its cells are multiplied as short integers, with an error of less than 1e-3 standard deviations of a pose.
"""

import contextlib
import ctypes
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from math import lgamma, log, pi
from pathlib import Path
from threading import local
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moglow.checkpoint import Checkpoint
from moglow.compute.copies import processors
from moglow.errors import DeviceError
from moglow.files.compiled import NATIVE, load_library
from moglow.sampling.fast.folded import Floats, Folded, Shelf
from moglow.sampling.fast.numpy_moglow import NUMPY_MODELS, State

SOURCE = Path(__file__).with_name("float32.c")
BLOCK = 64  # outputs of a block of weights, as in float32.c
SINGLE, HALF, SHORT = range(3)
"""The kinds of weights, as in float32.c."""
EACH = 32
"""Rows for which another thread is started, as SOME in float32.c."""
TOGETHER = 64
"""Smallest limit of the rows of a batch; larger batches are not faster, unless there are more threads."""


class _Dense(ctypes.Structure):
    _fields_ = (
        ("weight", ctypes.c_void_p),
        ("bias", ctypes.c_void_p),
        ("scale", ctypes.c_void_p),
        ("inputs", ctypes.c_int64),
        ("outputs", ctypes.c_int64),
        ("kind", ctypes.c_int64),
    )


class _Model(ctypes.Structure):
    _fields_ = (
        *(
            (name, ctypes.c_int64)
            for name in [
                "context",
                "given",
                "pose",
                "kept",
                "hidden",
                "steps",
                "layers",
                "encoders",
                "degrees",
            ]
        ),
        *((name, ctypes.c_double) for name in ("log_det", "log_at_zero")),
        *((name, ctypes.c_float) for name in ("scale_floor", "unused")),
        *((name, ctypes.POINTER(_Dense)) for name in ("encoder", "cells", "heads", "unmix")),
    )


class Buffers(ctypes.Structure):
    """Where the memories h and c and the past poses of a batch are."""

    _fields_ = tuple((name, ctypes.c_void_p) for name in ("h", "c", "poses"))

    @classmethod
    def of(cls, *arrays: Floats) -> "Buffers":
        assert all(each.flags.c_contiguous for each in arrays)
        return cls(*(each.ctypes.data for each in arrays))


class NativeMoGlow:
    """Samples poses from the weights of a MoGlow with an LSTM conditioner: ``step(context, state, noise)``."""

    def __init__(
        self, config: Mapping[str, Any], weights: Mapping[str, Floats], *, threads: int | None = None
    ) -> None:
        """Prepares the weights; raises `DeviceError` if there is no kernel for this machine.

        ``threads`` is by default the number of processors. It changes no bit.
        """
        self._library, self._shelf = load_kernel(), Shelf()
        self.threads = threads or processors()
        self.rows = 1, max(TOGETHER, EACH * self.threads)
        folded = Folded.of(config, weights)
        self.pose_dim, self._hidden, self._degrees = folded.pose_dim, folded.hidden, folded.degrees
        self._layers = len(folded.steps[0].cells)
        self.cells = len(folded.steps) * self._layers
        kept, widths = folded.pose_dim // 2, [len(w) for w, _ in folded.encoder]
        self.context = widths[0] if widths else len(folded.given)
        self._arrays: list[NDArray[Any]] = []  # the kernel reads them, so they must be kept
        cells, columns = [], 4 * folded.hidden
        for k, step in enumerate(folded.steps):
            for depth, (weight, bias) in enumerate(step.cells):
                if depth == 0:
                    own = slice(k * columns, (k + 1) * columns)
                    weight = np.concatenate([folded.given[:, own], weight])
                    bias = folded.given_bias[own]
                gates = _gates(weight, bias, folded.hidden)
                # Raw poses in the context would be rounded; an encoder's outputs can be.
                cells.append(self._whole(*gates) if folded.encoder else self._dense(*gates))
        self._model = _Model(
            *(self.context, len(folded.given), folded.pose_dim, kept, folded.hidden, len(folded.steps)),
            *(self._layers, len(folded.encoder), folded.degrees),
            *(folded.log_det, _log_at_zero(folded.pose_dim, folded.degrees), folded.scale_floor, 0.0),
            _array([self._dense(w, b) for w, b in folded.encoder]),
            _array(cells),
            _array([self._dense(step.head, step.head_bias) for step in folded.steps]),
            _array([self._dense(step.unmix, -step.shift) for step in folded.steps]),
        )
        self._model_at = ctypes.byref(self._model)
        self._own = local()  # Python's threads may step at the same time

    @property
    def noise_dim(self) -> int:
        """Returns the number of standard normals of a frame."""
        return self.pose_dim + self._degrees

    @property
    def weight_bytes(self) -> int:
        """Returns the bytes of all weights and biases, which each frame reads."""
        return sum(each.nbytes for each in self._arrays)

    def array(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        return values

    def numpy(self, values: NDArray[Any]) -> NDArray[Any]:
        return values

    def recorded(self, frame: Callable[..., Any]) -> Callable[..., Any]:
        return frame

    def initial_state(self, batch: int = 1) -> State:
        """Returns the memories h and c ``(cells, B, hidden)``, all zero."""
        zero = np.zeros((self.cells, batch, self._hidden), np.float32)
        return zero, zero

    def step(
        self, context: Floats, state: State, noise: Floats, *, temperature: float = 1.0
    ) -> tuple[Floats, Floats, State]:
        """Returns the next target ``(B, D)``, its log-density ``(B,)`` in nats, and the state after it.

        ``context`` is ``(B, C)`` and ``noise`` ``(B, noise_dim)``; the density is that at temperature 1.
        """
        batch = len(context)
        context, noise, h, c = (np.ascontiguousarray(each, np.float32) for each in (context, noise, *state))
        shape = (self.cells, batch, self._hidden)
        if context.shape != (batch, self.context) or noise.shape != (batch, self.noise_dim):
            raise ValueError(f"context {context.shape} or noise {noise.shape} does not fit the model")
        if h.shape != shape or c.shape != shape:
            raise ValueError(f"state {h.shape}, {c.shape}; expected {shape}")
        after = np.empty((2, *shape), np.float32)
        target, nats = np.empty((batch, self.pose_dim), np.float32), np.empty(batch)
        self._library.frame(
            *(self._model_at, batch, self.threads, self._space().ctypes.data),
            *(context.ctypes.data, noise.ctypes.data, temperature, h.ctypes.data, c.ctypes.data),
            *(after.ctypes.data, after.ctypes.data + after.nbytes // 2, target.ctypes.data, nats.ctypes.data),
        )
        after_h, after_c = after
        return target, nats, (after_h, after_c)

    def advance(
        self,
        motion: Any,
        room: Floats,
        given: Sequence[Floats],
        temperature: float,
        places: Sequence["Buffers"],
        made: Sequence[NDArray[Any]],
    ) -> None:
        """Computes frames with their contexts, for `moglow.sampling.fast.native_frame`; all arrays are contiguous.

        Args:
            motion: the constants of the context.
            room: for contexts ``(B, C)``.
            given: controls, steps ``(T, B, 3)`` and their waves, labels and noise.
            temperature: as in `step`.
            places: the poses and memories before the first frame, of every other frame, and after the last one.
            made: where to write the poses ``(T, B, D)`` and their densities.
        """
        for each in (room, *given, *made):
            assert each.flags.c_contiguous
        frames, batch = given[1].shape[:2]
        self._library.advance(
            *(self._model_at, motion, batch, frames, self.threads, self._space().ctypes.data),
            *(each.ctypes.data for each in (room, *given)),
            temperature,
            *places,
            *(each.ctypes.data for each in made),
        )

    def _space(self) -> NDArray[np.float32]:
        """Returns the room for intermediate values of this thread of Python."""
        space: NDArray[np.float32] | None = getattr(self._own, "space", None)
        floats = self.threads * self._library.space_of(self._model_at)
        if space is None or len(space) < floats:
            space = self._own.space = np.zeros(floats, np.float32)
        return space

    def _dense(self, weight: Floats, bias: Floats) -> _Dense:
        """Returns a weight ``(inputs, outputs)`` and its bias in the kernel's order."""
        inputs, outputs = weight.shape
        padded = np.pad(weight, ((0, 0), (0, -outputs % BLOCK)))
        with np.errstate(over="ignore"):
            half = padded.astype(np.float16)
        exact = bool((half == padded).all())
        blocks = (half if exact else padded).reshape(inputs, -1, BLOCK).swapaxes(0, 1)
        kept = self._shelf.keep(blocks), self._shelf.keep(np.pad(bias, (0, -outputs % BLOCK)))
        self._arrays += kept
        return _Dense(*(each.ctypes.data for each in kept), None, inputs, outputs, HALF if exact else SINGLE)

    def _whole(self, weight: Floats, bias: Floats) -> _Dense:
        """Returns a weight ``(inputs, outputs)`` as short integers with a scale for each output, and its bias."""
        inputs, outputs = weight.shape
        blocks = self._shelf.take((outputs // BLOCK, -(-inputs // 2), BLOCK, 2), np.int16)
        scale, bias = self._shelf.take((outputs,), np.float32), self._shelf.keep(bias)
        weight = np.ascontiguousarray(weight, np.float32)
        self._library.shorten(weight.ctypes.data, inputs, outputs, blocks.ctypes.data, scale.ctypes.data)
        kept = blocks, bias, scale
        self._arrays += kept
        return _Dense(*(each.ctypes.data for each in kept), inputs, outputs, SHORT)


def native_model(checkpoint: Checkpoint) -> NativeMoGlow | None:
    """Returns the sampler of a checkpoint's model, or None if the kernel cannot be made or does not cover the model."""
    model = NUMPY_MODELS.get(checkpoint.model)
    if model is None or not model.covers(checkpoint.config):
        return None
    with contextlib.suppress(DeviceError):
        return NativeMoGlow(checkpoint.config, checkpoint.weights)
    return None


@cache
def load_kernel(processor: str = NATIVE) -> ctypes.CDLL:
    """Returns the kernel, compiled on first use, for this processor or, in tests, for one with fewer instructions."""
    library = load_library(
        SOURCE,
        (processor, "-ffp-contract=off", "-fno-math-errno", "-pthread"),
        needs=" and AVX2, or 64-bit ARM",
    )
    pointer = ctypes.c_void_p
    number = ctypes.c_int64
    library.frame.argtypes = [pointer, number, number, *[pointer] * 3, ctypes.c_float, *[pointer] * 6]
    library.frame.restype = None
    arrays, places = [pointer] * 7, [Buffers] * 3
    library.advance.argtypes = [
        *[pointer] * 2,
        *[number] * 3,
        *arrays,
        ctypes.c_float,
        *places,
        *[pointer] * 2,
    ]
    library.advance.restype = None
    library.shorten.argtypes = [pointer, number, number, pointer, pointer]
    library.shorten.restype = None
    library.space_of.argtypes = [pointer]
    library.space_of.restype = number
    library.activations.argtypes = [pointer, number, *[pointer] * 4]
    library.activations.restype = None
    return library


def _gates(weight: Floats, bias: Floats, hidden: int) -> tuple[Floats, Floats]:
    """Returns a cell's weight and bias with each gate rounded up to whole blocks, and its own sigmoids, not halved."""
    more = -hidden % BLOCK
    whole = np.array([2, 2, 2, 1], np.float32)[:, None]  # exact: a power of two
    weight = weight.reshape(len(weight), 4, hidden) * whole
    bias = bias.reshape(4, hidden) * whole
    weight = np.pad(weight, ((0, 0), (0, 0), (0, more))).reshape(len(weight), -1)
    return weight, np.pad(bias, ((0, 0), (0, more))).reshape(-1)


def _log_at_zero(dim: int, degrees: int) -> float:
    """Returns the log-density of the latent at zero, as in `moglow.flows.bases`."""
    if not degrees:
        return -0.5 * dim * log(2 * pi)
    return lgamma(0.5 * (degrees + dim)) - lgamma(degrees / 2) - dim / 2 * log(degrees * pi)


def _array(parts: Sequence[_Dense]) -> Any:
    return (_Dense * max(len(parts), 1))(*parts)
