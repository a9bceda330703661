"""MoGlow's sampling direction in numpy alone, which loads quickly and runs inside Blender.

The readable one is `moglow.models.moglow`; tests hold the two together. At batch 1 the time of a frame is that of
reading the weights once (`moglow.sampling.fast.folded`). What they are kept in and how they are multiplied is
an `Arithmetic`:
numpy's own, short integers with a small compiled kernel (`moglow.sampling.fast.int16`), or torch for batches
(`moglow.sampling.fast.torch_steps`); `moglow.sampling.fast.arithmetic` has them by name.

The sample's likelihood is computed on the way: the scales are known on the way, the rest of log|det| is a constant.
"""

from collections.abc import Callable, Mapping
from math import lgamma, log, pi
from typing import Any, TypeAlias

import numpy as np

from moglow.sampling.fast.arithmetic import Arithmetic, NumpyArithmetic
from moglow.sampling.fast.folded import SCALE_FLOORS, Floats, Folded

State: TypeAlias = tuple[Any, Any]
"""The memories h and c of all cells, each ``(cells, B, hidden)``: flow step by flow step, in them layer by layer."""


class NumpyMoGlow:
    """Samples poses from the weights of a MoGlow with an LSTM conditioner: ``step(context, state, noise)``."""

    def __init__(
        self,
        config: Mapping[str, Any],
        weights: Mapping[str, Floats],
        arithmetic: Arithmetic | None = None,
    ) -> None:
        self._arithmetic = number = arithmetic or NumpyArithmetic()
        folded = Folded.of(config, weights)
        self.pose_dim, self._kept, self._hidden = folded.pose_dim, folded.pose_dim // 2, folded.hidden
        self._degrees, self._scale_floor, self._log_det = folded.degrees, folded.scale_floor, folded.log_det
        self._encoder = [(number.matrix(w), number.array(b)) for w, b in folded.encoder]
        self._given = number.matrix(folded.given), number.array(folded.given_bias)
        # The flow's own variables and maps are never rounded: their errors would add up from step to step.
        self._steps = [
            (
                [(number.matrix(weight), number.array(bias)) for weight, bias in step.cells],
                tuple(number.array(each) for each in (step.head, step.head_bias, step.unmix, step.shift)),
            )
            for step in folded.steps
        ]

    @staticmethod
    def covers(config: Mapping[str, Any]) -> bool:
        """Returns whether this sampler supports the conditioner and the scale of a configuration."""
        return bool(config["conditioner"] == "lstm" and config["scale"] in SCALE_FLOORS)

    @property
    def noise_dim(self) -> int:
        """The number of standard normals of one frame."""
        return self.pose_dim + self._degrees

    def array(self, values: Floats) -> Any:
        """Returns numbers in the form that `step` takes."""
        return self._arithmetic.array(values)

    def numpy(self, values: Any) -> Floats:
        """Returns a result of `step` as a numpy array."""
        return self._arithmetic.numpy(values)

    def recorded(self, frame: Callable[..., Any]) -> Callable[..., Any]:
        """Returns a pure function of arrays in a form that is faster for many calls; here the function itself."""
        return frame

    def initial_state(self, *lead: int) -> State:
        """Returns a memory of zeros for contexts ``(*lead, C)``; without a lead for one row."""
        cells = sum(len(cells) for cells, _ in self._steps)
        zero = self.array(np.zeros((cells, *(lead or (1,)), self._hidden), np.float32))
        return zero, zero

    def step(
        self, context: Any, state: State, noise: Any, *, temperature: float = 1.0
    ) -> tuple[Any, Any, State]:
        """Returns the next pose ``(B, D)`` for a context ``(B, C)`` and noise ``(B, noise_dim)``, and the state after.

        Exponentials that overflow have the right limits here, and `Sampler` bounds the pose.
        Between them its log-density ``(B,)`` in nats, that of temperature 1 whatever temperature was used.
        """
        return self.from_latent(context, state, self.latent(noise, temperature))

    def from_latent(self, context: Any, state: State, latent: Any) -> tuple[Any, Any, State]:
        """Returns the same for a latent ``(B, D)``, which is overwritten."""
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            return self._sampled_from(context, state, latent)

    def _sampled_from(self, context: Any, state: State, latent: Any) -> tuple[Any, Any, State]:
        number, xp = self._arithmetic, self._arithmetic.xp
        given = number.array(context)
        for weight, bias in self._encoder:
            given = number.product(given, weight)
            given += bias
            given = given / (1 + exp_minus(xp, given))  # SiLU
        given = number.product(given, self._given[0])
        given += self._given[1]
        x = latent
        log_prob = self.latent_log_prob(x) + self._log_det
        h, c = state
        after_h, after_c = xp.empty_like(h), xp.empty_like(c)
        kept, moved, width = self._kept, self.pose_dim - self._kept, 4 * self._hidden
        scales = []
        for k in range(len(self._steps) - 1, -1, -1):
            cells, (head, head_bias, unmix, shift) = self._steps[k]
            signal = x[..., :kept]
            for depth, (weight, bias) in enumerate(cells):
                cell = k * len(cells) + depth
                gates = number.product(xp.concatenate([signal, h[cell]], -1), weight)
                gates += bias if depth else given[..., k * width : (k + 1) * width]
                signal = _remember(xp, gates, c[cell], after_h[cell], after_c[cell])
            signal = signal @ head
            signal += head_bias
            scale = 1 / (1 + exp_minus(xp, signal[..., moved:] + 2))
            scale += self._scale_floor
            scales.append(scale)
            x[..., kept:] /= scale
            x[..., kept:] -= signal[..., :moved]
            x = x @ unmix
            x -= shift
        log_prob += xp.log(xp.concatenate(scales, -1)).sum(-1, dtype=xp.float64)
        return x, log_prob, (after_h, after_c)

    def latent(self, noise: Any, temperature: float) -> Any:
        """Returns the latent ``(B, D)`` of the noise, as in `moglow.flows.bases`, in a new array."""
        noise = self._arithmetic.array(noise)
        x = noise[..., : self.pose_dim] * temperature
        if self._degrees:
            chi_square = self._arithmetic.xp.square(noise[..., self.pose_dim :]).sum(-1)[..., None]
            x *= self._arithmetic.xp.sqrt(self._degrees / chi_square)
        return x

    def latent_log_prob(self, z: Any) -> Any:
        """Returns the log-density ``(B,)`` of `moglow.flows.bases`, in double precision, since it sums many terms."""
        dim, degrees, xp = self.pose_dim, self._degrees, self._arithmetic.xp
        square = xp.square(z).sum(-1, dtype=xp.float64)
        if not degrees:
            return -0.5 * (square + dim * log(2 * pi))
        both = 0.5 * (degrees + dim)
        at_zero = lgamma(both) - lgamma(degrees / 2) - dim / 2 * log(degrees * pi)
        return at_zero - both * xp.log1p(square / degrees)


def exp_minus(xp: Any, x: Any) -> Any:
    """Returns exp(−x) of single-precision values; below −88, where it would overflow, that of −88.

    >>> np.log(exp_minus(np, np.float32([-1000, 0, 3]))).tolist()
    [88.0, 0.0, -3.0]
    """
    return xp.exp((-x).clip(None, 88))


def _remember(xp: Any, gates: Any, before: Any, h: Any, c: Any) -> Any:
    """Writes a cell's memory after a frame into h and c, from its gates and the c before; returns h."""
    xp.tanh(gates, out=gates)
    width = c.shape[-1]
    sigmoids = gates[..., : 3 * width]
    sigmoids *= 0.5
    sigmoids += 0.5
    enter, keep, show = (sigmoids[..., i * width : (i + 1) * width] for i in range(3))
    xp.multiply(keep, before, out=c)
    enter *= gates[..., 3 * width :]
    c += enter
    xp.tanh(c, out=h)
    h *= show
    return h


NUMPY_MODELS: Mapping[str, type[NumpyMoGlow]] = {"moglow": NumpyMoGlow}
"""Models with a sampler of their own; the others sample through torch."""
