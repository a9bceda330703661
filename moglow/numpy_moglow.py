"""MoGlow's sampling direction in numpy alone: no torch, so it starts at once and runs inside Blender too. Floor 9.

The readable one is `moglow.models.moglow`; tests hold the two together. What makes this one fast at batch 1, where
reading the weights is the cost (each is read once a frame):

* ActNorm and the invertible matrix are both affine, so their inverses are one matrix and one shift a step;
* the context's share of the first layers of all steps is one product, done before the flow starts;
* each LSTM layer is one product of [input, memory] and one tanh: σ(x) = (tanh(x / 2) + 1) / 2, with the halves folded
  into the weights.

The likelihood of what is drawn comes in passing: the scales are known on the way, the rest of log|det| is a constant.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import lgamma, log, pi
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.floating[Any]]
STUDENT_DEGREES = 50
"""Of the Student-t latent, as in `moglow.flows.bases`."""

State: TypeAlias = tuple[tuple[Floats, Floats], ...]
"""For each step and layer the pair (h, c), each ``(B, hidden)``."""


@dataclass(frozen=True)
class _Layer:
    """One LSTM layer: ``weight`` ``(inputs + hidden, 4 · hidden)``, gates in the order i, f, o, g."""

    weight: Floats
    bias: Floats | float

    def __call__(self, x: Floats, h: Floats, c: Floats, given: Floats | float = 0.0) -> tuple[Floats, Floats]:
        gates = np.concatenate([x, h], axis=-1) @ self.weight
        gates += self.bias
        gates += given
        np.tanh(gates, out=gates)
        width = c.shape[-1]
        sigmoids = gates[..., : 3 * width]
        sigmoids *= 0.5
        sigmoids += 0.5
        c = sigmoids[..., width : 2 * width] * c + sigmoids[..., :width] * gates[..., 3 * width :]
        return sigmoids[..., 2 * width :] * np.tanh(c), c


@dataclass(frozen=True)
class _Step:
    """One flow step, inverted: layers and head of its net, then the folded affine map."""

    layers: tuple[_Layer, ...]
    head: Floats
    head_bias: Floats
    unmix: Floats
    shift: Floats


class NumpyMoGlow:
    """Draws poses from the weights of a MoGlow with an LSTM conditioner: ``step(context, state, noise)``."""

    def __init__(
        self, config: Mapping[str, Any], weights: Mapping[str, Floats], *, dtype: Any = np.float32
    ) -> None:
        self._scale_floor = {"paper": 1e-6, "bounded": 1.0 - 1.0 / (1.0 + np.exp(-2.0))}[config["scale"]]
        self._degrees = STUDENT_DEGREES if config["latent"] == "student" else 0
        self._encoder = [
            (
                weights[f"encoder.{2 * i}.weight"].T.astype(dtype),
                weights[f"encoder.{2 * i}.bias"].astype(dtype),
            )
            for i in range(len(config["encoder"]))
        ]
        self.pose_dim = len(weights["flow.step00.actnorm.bias"])
        self._kept = self.pose_dim // 2
        self._hidden: int = config["hidden"]
        self._steps, given, given_bias = [], [], []
        self._log_det = 0.0  # of the affine maps of all steps
        bias: Floats | float
        for k in range(config["steps"]):
            part = {
                name.removeprefix(f"flow.step{k:02d}."): w
                for name, w in weights.items()
                if f"step{k:02d}." in name
            }
            layers = []
            for depth in range(config["layers"]):
                w_in, w_hh, bias = _gates(part, depth)
                if depth == 0:
                    given.append(w_in[:, self._kept :])
                    given_bias.append(bias)
                    w_in, bias = w_in[:, : self._kept], 0.0
                layers.append(
                    _Layer(
                        np.concatenate([w_in, w_hh], axis=1).T.astype(dtype, order="C"), _cast(bias, dtype)
                    )
                )
            unmix, shift, log_det = _unmix(part)
            self._log_det += log_det
            self._steps.append(
                _Step(
                    tuple(layers),
                    part["coupling.conditioner.head.weight"].T.astype(dtype, order="C"),
                    part["coupling.conditioner.head.bias"].astype(dtype),
                    unmix.astype(dtype),
                    shift.astype(dtype),
                )
            )
        self._given = np.concatenate(given).T.astype(dtype, order="C")  # (C, K · 4 · hidden)
        self._given_bias = np.concatenate(given_bias).astype(dtype)
        self._dtype = dtype

    @staticmethod
    def covers(config: Mapping[str, Any]) -> bool:
        """Whether this sampler knows the conditioner of a configuration."""
        return bool(config["conditioner"] == "lstm")

    @property
    def noise_dim(self) -> int:
        """How many standard normals one frame takes."""
        return self.pose_dim + self._degrees

    def folded(self) -> dict[str, Floats]:
        """All that `step` multiplies by, a row for each output, and adds: for samplers elsewhere.

        Each ``….weight`` is one of the model's, each ``….matrix`` was folded of several.
        """
        arrays = {"given.weight": self._given.T, "given.bias": self._given_bias}
        for i, (weight, bias) in enumerate(self._encoder):
            arrays |= {f"encoder{i}.weight": weight.T, f"encoder{i}.bias": bias}
        for k, step in enumerate(self._steps):
            for depth, layer in enumerate(step.layers):
                bias = np.broadcast_to(np.asarray(layer.bias, self._dtype), layer.weight.shape[1:])
                arrays |= {f"step{k}.layer{depth}.weight": layer.weight.T, f"step{k}.layer{depth}.bias": bias}
            arrays |= {f"step{k}.head.weight": step.head.T, f"step{k}.head.bias": step.head_bias}
            arrays |= {f"step{k}.unmix.matrix": step.unmix.T, f"step{k}.unmix.bias": -step.shift}
        return arrays

    @property
    def facts(self) -> dict[str, float]:
        """The numbers that `step` needs beside its `folded` arrays."""
        return {
            "pose_dim": self.pose_dim,
            "kept": self._kept,
            "hidden": self._hidden,
            "encoders": len(self._encoder),
            "steps": len(self._steps),
            "layers": len(self._steps[0].layers),
            "degrees": self._degrees,
            "scale_floor": float(self._scale_floor),
        }

    def initial_state(self, *lead: int) -> State:
        """All memory zero, for contexts ``(*lead, C)``; without a lead for one row."""
        zero = np.zeros((*(lead or (1,)), self._hidden), self._dtype)
        return ((zero, zero),) * sum(len(step.layers) for step in self._steps)

    def step(
        self, context: Floats, state: State, noise: Floats, *, temperature: float = 1.0
    ) -> tuple[Floats, Floats, State]:
        """The next pose ``(B, D)`` for a context ``(B, C)`` and noise ``(B, noise_dim)``, and the state after it.

        Between them its log-density ``(B,)`` in nats, that of temperature 1 whatever it was drawn at.
        """
        encoded = context.astype(self._dtype, copy=False)
        for weight, bias in self._encoder:
            encoded = encoded @ weight + bias
            encoded = encoded / (1 + np.exp(-encoded))  # SiLU
        given = encoded @ self._given
        given += self._given_bias
        x = noise[..., : self.pose_dim] * self._dtype(temperature)
        if self._degrees:
            chi_square = np.square(noise[..., self.pose_dim :]).sum(-1, keepdims=True)
            x = x * np.sqrt(self._degrees / chi_square)
        log_prob = self._latent_log_prob(x) + self._log_det
        after: list[tuple[Floats, Floats]] = []
        scales: list[Floats] = []
        width, deep = 4 * self._hidden, len(self._steps[0].layers)
        for k in range(len(self._steps) - 1, -1, -1):
            step = self._steps[k]
            said, share = x[..., : self._kept], given[..., k * width : (k + 1) * width]
            memories = []
            for layer, (h, c) in zip(step.layers, state[k * deep : (k + 1) * deep], strict=True):
                said, c = layer(said, h, c, share)
                memories.append((said, c))
                share = 0.0
            after[:0] = memories
            said = said @ step.head
            said += step.head_bias
            moved = self.pose_dim - self._kept
            scale = 1 / (1 + np.exp(-2 - said[..., moved:])) + self._dtype(self._scale_floor)
            scales.append(scale)
            y = np.concatenate(
                [x[..., : self._kept], x[..., self._kept :] / scale - said[..., :moved]], axis=-1
            )
            x = y @ step.unmix
            x -= step.shift
        log_prob += np.log(np.concatenate(scales, axis=-1)).sum(-1, dtype=np.float64)
        return x, log_prob, tuple(after)

    def _latent_log_prob(self, z: Floats) -> Floats:
        """The log-density ``(B,)`` of `moglow.flows.bases`, in double: it is a sum of many terms."""
        dim, degrees = self.pose_dim, self._degrees
        square = np.square(z).sum(-1, dtype=np.float64)
        if not degrees:
            return np.asarray(-0.5 * (square + dim * log(2 * pi)))
        both = 0.5 * (degrees + dim)
        at_zero = lgamma(both) - lgamma(degrees / 2) - dim / 2 * log(degrees * pi)
        return np.asarray(at_zero - both * np.log1p(square / degrees))


def _gates(part: Mapping[str, Floats], depth: int) -> tuple[Floats, Floats, Floats]:
    """Input and recurrent weights and bias of a layer: gates reordered to i, f, o, g, the sigmoids' rows halved."""
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    w_in, w_hh, b_in, b_hh = (
        np.asarray(part[f"coupling.conditioner.recurrent.{name}_l{depth}"], np.float64) for name in names
    )
    width = w_hh.shape[1]
    order = np.concatenate(
        [np.arange(2 * width), np.arange(3 * width, 4 * width), np.arange(2 * width, 3 * width)]
    )
    half = np.where(np.arange(4 * width) < 3 * width, 0.5, 1.0)
    return w_in[order] * half[:, None], w_hh[order] * half[:, None], (b_in + b_hh)[order] * half


def _unmix(part: Mapping[str, Floats]) -> tuple[Floats, Floats, float]:
    """The matrix and shift that undo the invertible linear map and ActNorm, for rows: x = y @ matrix − shift.

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


def _cast(value: Floats | float, dtype: Any) -> Floats | float:
    return value if isinstance(value, float) else value.astype(dtype)
