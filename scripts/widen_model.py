"""Makes a wider net that computes the same motion as a trained one, to train it further.

    python scripts/widen_model.py runs/narrow wide.safetensors --hidden 256 --encoder 160
    moglow train … --from wide.safetensors --set model.hidden=256 --set 'model.encoder=[160, 160]'

The new units read what an old unit reads, with noise, and nothing reads them yet (compare Chen et al., *Net2Net*, ICLR
2016, arXiv 1511.05641).
"""

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from moglow.checkpoint import Checkpoint

Floats = NDArray[np.floating]

NOISE = 0.5
"""Deviation of the noise on what new units read, relative to that of all weights of the layer."""
GATES = 4
"""Number of parts of the rows of an LSTM's weights, each as long as the layer is wide."""


def widened(checkpoint: Checkpoint, *, hidden: int, encoder: int, seed: int = 1) -> Checkpoint:
    """Returns a MoGlow with one recurrent layer, ``hidden`` units wide, and encoder layers of ``encoder`` units."""
    config = dict(checkpoint.config)
    if checkpoint.model != "moglow" or config["conditioner"] != "lstm" or config["layers"] != 1:
        raise SystemExit("the model: expected a moglow with one LSTM layer; give another checkpoint")
    before, depth = config["hidden"], len(config["encoder"])
    if hidden < before or not depth or encoder < max(config["encoder"]):
        raise SystemExit(f"the widths: expected at least {before} and {config['encoder']}; give wider ones")
    random, encoded = np.random.default_rng(seed), config["encoder"][-1]

    def more_rows(array: Floats, rows: int) -> Floats:
        """Returns an array with further rows, which are rows that it has, with noise."""
        copies = array[random.integers(len(array), size=rows - len(array))]
        noise = NOISE * array.std() * random.standard_normal(copies.shape)
        return np.concatenate([array, copies + noise]).astype(array.dtype)

    def more_gates(array: Floats) -> Floats:
        return np.concatenate([more_rows(part, hidden) for part in np.split(array, GATES)])

    def more_columns(array: Floats, columns: int) -> Floats:
        return np.pad(array, ((0, 0), (0, columns - array.shape[1])))

    def more_first(array: Floats) -> Floats:
        return more_rows(array, encoder)

    def more_later(array: Floats) -> Floats:
        return more_rows(more_columns(array, encoder), encoder)

    changes: dict[str, Callable[[Floats], Floats]] = {
        "recurrent.weight_ih_l0": lambda array: more_gates(
            more_columns(array, array.shape[1] - encoded + encoder)
        ),
        "recurrent.weight_hh_l0": lambda array: more_gates(more_columns(array, hidden)),
        "recurrent.bias_ih_l0": more_gates,
        "recurrent.bias_hh_l0": more_gates,
        "head.weight": lambda array: more_columns(array, hidden),
    }
    for layer in range(depth):  # dense layers and activations take turns
        changes[f"encoder.{2 * layer}.weight"] = more_first if layer == 0 else more_later
        changes[f"encoder.{2 * layer}.bias"] = more_first
    weights = {}
    for name, array in checkpoint.weights.items():
        change = next((change for end, change in changes.items() if name.endswith(end)), None)
        weights[name] = change(array) if change else array
    return replace(
        checkpoint, weights=weights, config={**config, "hidden": hidden, "encoder": [encoder] * depth}
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, help="a run or a checkpoint")
    parser.add_argument("output", type=Path)
    parser.add_argument("--hidden", type=int, required=True, help="width of the recurrent layers")
    parser.add_argument("--encoder", type=int, required=True, help="width of the encoder's layers")
    arguments = parser.parse_args()
    found = widened(Checkpoint.read(arguments.run), hidden=arguments.hidden, encoder=arguments.encoder)
    found.write(arguments.output)
    print(
        f"{arguments.output}: {sum(array.size for array in found.weights.values()) / 1e6:.2f} million parameters"
    )


if __name__ == "__main__":
    main()
