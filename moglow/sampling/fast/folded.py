"""A MoGlow's weights, folded once so that a frame costs one reading of them. Needs numpy alone.

* ActNorm and the invertible matrix are both affine, so their inverses are one matrix and one shift a step;
* the context's share of the first layers of all steps is one product, done before the flow starts;
* each LSTM layer is one product of [input, memory] and one tanh: σ(x) = (tanh(x / 2) + 1) / 2, with the halves folded
  into the weights.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.floating[Any]]

STUDENT_DEGREES = 50
"""Of the Student-t latent, as in `moglow.flows.bases`."""

SCALE_FLOORS = {"paper": 1e-6, "bounded": 1.0 - 1.0 / (1.0 + np.exp(-2.0))}
"""The summand of each scale beside σ(a + 2), as in `moglow.flows.scales`."""


@dataclass(frozen=True, eq=False)
class FoldedStep:
    """One flow step, inverted: the cells and the head of its net, then the folded affine map x = y @ unmix − shift.

    A cell is its weight ``(inputs + hidden, 4 · hidden)`` and bias, gates in the order i, f, o, g; the first cell's
    bias is in `Folded.given_bias`.
    """

    cells: tuple[tuple[Floats, Floats], ...]
    head: Floats
    head_bias: Floats
    unmix: Floats
    shift: Floats


@dataclass(frozen=True, eq=False)
class Folded:
    """All weights of a sampled frame, in float32; steps in the flow's order, sampled from the last to the first."""

    encoder: tuple[tuple[Floats, Floats], ...]
    given: Floats  # (C, K · 4 · hidden)
    given_bias: Floats
    steps: tuple[FoldedStep, ...]
    log_det: float  # of the affine maps of all steps
    pose_dim: int
    hidden: int
    degrees: int  # of the Student-t latent; 0 for a normal one
    scale_floor: float

    @classmethod
    def of(cls, config: Mapping[str, Any], weights: Mapping[str, Floats]) -> Self:
        """Folds the weights of a MoGlow with an LSTM conditioner, by their names in a checkpoint."""
        kept = len(weights["flow.step00.actnorm.bias"]) // 2
        steps, given, given_bias, log_dets = [], [], [], []
        for k in range(config["steps"]):
            prefix = f"flow.step{k:02d}."
            part = {name.removeprefix(prefix): w for name, w in weights.items() if name.startswith(prefix)}
            gates = [_gates(part, depth) for depth in range(config["layers"])]
            first, recurrent, bias = gates[0]
            given.append(first[:, kept:])
            given_bias.append(bias)
            gates[0] = first[:, :kept], recurrent, np.zeros_like(bias)
            cells = tuple((_columns(np.concatenate([w, u], axis=1)), _float32(bias)) for w, u, bias in gates)
            head = part["coupling.conditioner.head.weight"], part["coupling.conditioner.head.bias"]
            unmix, shift, log_det = _unmix(part)
            log_dets.append(log_det)
            steps.append(
                FoldedStep(cells, _columns(head[0]), _float32(head[1]), _float32(unmix), _float32(shift))
            )
        return cls(
            encoder=tuple(
                (_columns(weights[f"encoder.{2 * i}.weight"]), _float32(weights[f"encoder.{2 * i}.bias"]))
                for i in range(len(config["encoder"]))
            ),
            given=_columns(np.concatenate(given)),
            given_bias=_float32(np.concatenate(given_bias)),
            steps=tuple(steps),
            log_det=sum(log_dets),
            pose_dim=len(weights["flow.step00.actnorm.bias"]),
            hidden=config["hidden"],
            degrees=STUDENT_DEGREES if config["latent"] == "student" else 0,
            scale_floor=float(SCALE_FLOORS[config["scale"]]),
        )

    def arrays(self) -> dict[str, Floats]:
        """Returns the matrices, with a row for each output, and the biases, for samplers in other programs.

        Each ``….weight`` is one of the model's, each ``….matrix`` was folded of several.
        """
        arrays = {"given.weight": self.given.T, "given.bias": self.given_bias}
        for i, (weight, bias) in enumerate(self.encoder):
            arrays |= {f"encoder{i}.weight": weight.T, f"encoder{i}.bias": bias}
        for k, step in enumerate(self.steps):
            for depth, (weight, bias) in enumerate(step.cells):
                arrays |= {f"step{k}.layer{depth}.weight": weight.T, f"step{k}.layer{depth}.bias": bias}
            arrays |= {f"step{k}.head.weight": step.head.T, f"step{k}.head.bias": step.head_bias}
            arrays |= {f"step{k}.unmix.matrix": step.unmix.T, f"step{k}.unmix.bias": -step.shift}
        return arrays

    @property
    def facts(self) -> dict[str, float]:
        """The numbers that a sampler needs beside the arrays."""
        return {
            "pose_dim": self.pose_dim,
            "kept": self.pose_dim // 2,
            "hidden": self.hidden,
            "encoders": len(self.encoder),
            "steps": len(self.steps),
            "layers": len(self.steps[0].cells),
            "degrees": self.degrees,
            "scale_floor": self.scale_floor,
        }

    @property
    def matrices(self) -> tuple[Floats, ...]:
        """The large matrices, whose reading takes most of the time of a frame at batch 1."""
        cells = tuple(weight for step in self.steps for weight, _ in step.cells)
        return (*(weight for weight, _ in self.encoder), self.given, *cells)


class Shelf:
    """Memory for many arrays side by side in few large blocks, which the system keeps in large pages.

    What is read from end to end for every frame is read a tenth faster so, and each array begins with a line of the
    processor's cache.

    >>> shelf = Shelf()
    >>> shelf.keep(np.arange(3)), shelf.keep(np.float32([[0.5]]))
    (array([0, 1, 2]), array([[0.5]], dtype=float32))
    """

    LINE, BLOCK = 64, 2**26  # bytes; memory that is not written to is not taken

    def __init__(self) -> None:
        self._free = np.empty(0, np.uint8)

    def keep(self, array: NDArray[Any]) -> NDArray[Any]:
        """Returns a copy of the array in the blocks."""
        place = self.take(array.shape, array.dtype)
        place[...] = array
        return place

    def take(self, shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
        """Returns an array in the blocks, to be filled."""
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        if len(self._free) < size + self.LINE:
            self._free = np.empty(max(self.BLOCK, size + self.LINE), np.uint8)
        begin = -self._free.ctypes.data % self.LINE
        place: NDArray[Any] = self._free[begin : begin + size].view(dtype).reshape(shape)
        self._free = self._free[begin + size :]
        return place


def _gates(part: Mapping[str, Floats], depth: int) -> tuple[Floats, Floats, Floats]:
    """Returns the weights and bias of a layer, with gates reordered to i, f, o, g and the sigmoids' rows halved."""
    w_in, w_hh, b_in, b_hh = (
        part[f"coupling.conditioner.recurrent.{name}_l{depth}"]
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    i, f, g, o = np.arange(len(w_hh)).reshape(4, -1)
    order = np.concatenate([i, f, o, g])
    half = np.repeat(np.array([0.5, 0.5, 0.5, 1.0], np.float32), len(i))  # exact: a power of two
    return w_in[order] * half[:, None], w_hh[order] * half[:, None], (b_in + b_hh)[order] * half


def _unmix(part: Mapping[str, Floats]) -> tuple[Floats, Floats, float]:
    """Returns the matrix and shift that invert the linear map and ActNorm, for rows: x = y @ matrix − shift.

    The number is the log|det| of the two maps themselves.
    """
    lower, upper, log_scale, permutation, sign, bias, log_norm = (
        np.asarray(part[name], np.float64)
        for name in (
            *("linear.lower", "linear.upper", "linear.log_scale", "linear.permutation", "linear.sign"),
            *("actnorm.bias", "actnorm.log_scale"),
        )
    )
    unit_lower = np.tril(lower, -1) + np.eye(len(sign))
    weight = permutation @ unit_lower @ (np.triu(upper, 1) + np.diag(sign * np.exp(log_scale)))
    log_det = float(log_scale.sum() + log_norm.sum())
    return np.linalg.inv(weight).T * np.exp(-log_norm), bias, log_det


def _columns(rows: Floats) -> Floats:
    """Returns a dense layer's transposed weight, by which rows are multiplied, as a contiguous array."""
    return rows.T.astype(np.float32, order="C")


def _float32(array: Floats) -> Floats:
    return np.ascontiguousarray(array, np.float32)
