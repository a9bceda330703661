"""MoGlow's density direction in numpy, and the gradient of a sampled frame, by which pins are fitted.

`NumpyMoGlow` turns a latent into a frame. Here a frame is turned back into its latent, exactly, which gives its
likelihood after any past; and what that pass computed is kept on a `Tape`, from which an adjoint goes from the frame
back to its latent, its context and the memory before it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from moglow.sampling.fast.folded import Floats, Folded
from moglow.sampling.fast.numpy_moglow import NumpyMoGlow, State, exp_minus


@dataclass(frozen=True, eq=False)
class Cell:
    """One recurrent cell's frame: its gates i, f, o, g ``(4, hidden)``, and its memory before and after."""

    gates: Floats
    before: Floats
    shown: Floats  # tanh of the memory after


@dataclass(frozen=True, eq=False)
class Tape:
    """What one frame of one row computed: the encoder's inputs, and for each flow step its cells, scale and values."""

    encoder: tuple[Floats, ...]
    steps: tuple[tuple[tuple[Cell, ...], Floats, Floats], ...]


class InvertibleMoGlow(NumpyMoGlow):
    """A `NumpyMoGlow` that also inverts: ``invert(context, state, target)``, and back-propagates: ``back(tape, …)``."""

    def __init__(self, config: Mapping[str, Any], weights: Mapping[str, Floats]) -> None:
        super().__init__(config, weights)
        folded = Folded.of(config, weights)
        self._mixes = [np.linalg.inv(step.unmix.astype(float)).astype(np.float32) for step in folded.steps]
        self._given_back = np.ascontiguousarray(folded.given.T)
        self._encoder_back = [np.ascontiguousarray(weight.T) for weight, _ in folded.encoder]
        self._steps_back = [
            (
                [np.ascontiguousarray(weight.T) for weight, _ in step.cells],
                np.ascontiguousarray(step.head.T),
                np.ascontiguousarray(step.unmix.T),
            )
            for step in folded.steps
        ]

    @property
    def cells(self) -> int:
        """Recurrent cells in all flow steps."""
        return sum(len(cells) for cells, _ in self._steps)

    @property
    def hidden(self) -> int:
        """Width of a cell's memory."""
        return self._hidden

    def invert(self, context: Floats, state: State, target: Floats) -> tuple[Floats, Floats, State]:
        """Returns the latent ``(B, D)`` of a target, its log-density ``(B,)`` in nats, and the state after it."""
        latent, nats, state, _ = self._inverted(context, state, target, taped=False)
        return latent, nats, state

    def taped(self, context: Floats, state: State, target: Floats) -> tuple[Floats, Floats, State, Tape]:
        """Returns the same for one row, with its tape."""
        latent, nats, state, tape = self._inverted(context, state, target, taped=True)
        assert tape is not None
        return latent, nats, state, tape

    def _inverted(
        self, context: Floats, state: State, target: Floats, *, taped: bool
    ) -> tuple[Floats, Floats, State, Tape | None]:
        given, inputs = np.asarray(context, np.float32), []
        for weight, bias in self._encoder:
            given = given @ weight + bias
            inputs.append(given[0])
            given = given * (0.5 + 0.5 * np.tanh(0.5 * given))  # SiLU; exp would overflow
        given = given @ self._given[0] + self._given[1]
        h, c = state
        after_h, after_c = np.empty_like(h), np.empty_like(c)
        kept, moved, width = self._kept, self.pose_dim - self._kept, self._hidden
        x, log_prob, steps = np.asarray(target, np.float32), self._log_det, []
        for k, (cells, (head, head_bias, _, shift)) in enumerate(self._steps):
            x = (x + shift) @ self._mixes[k]
            signal, tapes = x[..., :kept], []
            for depth, (weight, bias) in enumerate(cells):
                cell = k * len(cells) + depth
                gates = np.concatenate([signal, h[cell]], -1) @ weight
                gates += bias if depth else given[..., 4 * k * width : 4 * (k + 1) * width]
                np.tanh(gates, out=gates)
                gates[..., : 3 * width] *= 0.5
                gates[..., : 3 * width] += 0.5
                enter, keep, show, new = (gates[..., i * width : (i + 1) * width] for i in range(4))
                after_c[cell] = keep * c[cell] + enter * new
                shown = np.tanh(after_c[cell])
                signal = after_h[cell] = show * shown
                if taped:
                    tapes.append(Cell(gates[0].reshape(4, width), c[cell][0], shown[0]))
            signal = signal @ head + head_bias
            scale = 1 / (1 + exp_minus(np, signal[..., moved:] + 2)) + self._scale_floor
            x[..., kept:] += signal[..., :moved]
            if taped:
                steps.append((tuple(tapes), scale[0], x[0, kept:].copy()))
            x[..., kept:] *= scale
            log_prob = log_prob + np.log(scale).sum(-1, dtype=float)
        log_prob = log_prob + self.latent_log_prob(x)
        tape = Tape(tuple(inputs), tuple(steps)) if taped else None
        return x, log_prob, (after_h, after_c), tape

    def back(
        self, tape: Tape, target: Floats, memory: tuple[Floats, Floats]
    ) -> tuple[Floats, Floats, tuple[Floats, Floats]]:
        """Returns adjoints of a frame's latent ``(R, D)``, context ``(R, C)`` and memory before it, of R rows at once.

        Given are those of its target ``(R, D)`` and of the memory h and c ``(cells, R, hidden)`` after it.
        """
        kept, width = self._kept, self._hidden
        d_h, d_c = memory
        before_h, before_c = np.empty_like(d_h), np.empty_like(d_c)
        d_x = target
        d_given = np.empty((len(target), 4 * width * len(tape.steps)), np.float32)
        for k, (cells, scale, shifted) in enumerate(tape.steps):
            weights, head, unmix = self._steps_back[k]
            d_x = d_x @ unmix
            d_moved = d_x[:, kept:]
            curve = scale - self._scale_floor  # the sigmoid in the scale
            d_signal = np.concatenate([-d_moved, d_moved * (-shifted / scale * curve * (1 - curve))], -1)
            d_shown = d_signal @ head
            for depth in range(len(cells) - 1, -1, -1):
                place = k * len(cells) + depth
                d_gates, before_c[place] = _forgotten(cells[depth], d_shown + d_h[place], d_c[place])
                if depth == 0:
                    d_given[:, 4 * k * width : 4 * (k + 1) * width] = d_gates
                d_inputs = d_gates @ weights[depth]
                inputs = d_inputs.shape[1] - width
                d_shown, before_h[place] = d_inputs[:, :inputs], d_inputs[:, inputs:]
            d_x[:, :kept] += d_shown
            d_moved /= scale
        d_context = d_given @ self._given_back
        for value, weight in zip(reversed(tape.encoder), reversed(self._encoder_back), strict=True):
            gate = 1 / (1 + exp_minus(np, value))
            d_context = (d_context * (gate * (1 + value * (1 - gate)))) @ weight
        return d_x, d_context, (before_h, before_c)


def _forgotten(cell: Cell, d_h: Floats, d_c: Floats) -> tuple[Floats, Floats]:
    """Returns adjoints of a cell's products ``(R, 4 · hidden)`` and of its memory before, from those after."""
    enter, keep, show, new = cell.gates
    d_c = d_c + d_h * (show * (1 - cell.shown**2))
    width = len(enter)
    d_gates = np.empty((len(d_h), 4 * width), np.float32)
    # Of (tanh(x) + 1) / 2, the slope is 2 s (1 - s).
    np.multiply(d_c, new * (2 * enter * (1 - enter)), out=d_gates[:, :width])
    np.multiply(d_c, cell.before * (2 * keep * (1 - keep)), out=d_gates[:, width : 2 * width])
    np.multiply(d_h, cell.shown * (2 * show * (1 - show)), out=d_gates[:, 2 * width : 3 * width])
    np.multiply(d_c, enter * (1 - new**2), out=d_gates[:, 3 * width :])
    return d_gates, d_c * keep
