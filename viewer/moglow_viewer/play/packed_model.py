"""A checkpoint packed for a page: arrays in one block of bytes, the rest as JSON, for `model.js` and `body.js`.

Weights are stored in float16, as in the shipped checkpoint, products of several weights, biases and statistics in
float32, and the body's constants in float64. The page's results differ from `moglow.sampling.sampler` only by rounding.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moglow.checkpoint import Checkpoint
from moglow.corpus.context import ARRAYS
from moglow.encodings.encoding import NEAREST, TINY, Encoding
from moglow.encodings.feet_first import FeetFirstChart
from moglow.encodings.reduction import Reduction
from moglow.errors import CheckpointError
from moglow.sampling.fast.folded import Folded
from moglow.sampling.fast.numpy_moglow import NUMPY_MODELS
from moglow.sampling.label_change import change_length, hidden_length
from moglow.sampling.start_and_stop import STANDING_WARM_UP
from moglow_viewer.pages.single_page import pack_bytes

REACH = {"x": "hips_x", "z": "hips_z", "hips": "hips_height", "toes": "toe_height"}
"""The groups by which a page keeps toes within reach, by their names there."""


def pack_model(checkpoint: Checkpoint) -> dict[str, Any]:
    """Returns the model as JSON values: its facts, the name, type and size of each array, and the bytes of all."""
    context, chart = checkpoint.context, checkpoint.context.encoding.chart
    made = NUMPY_MODELS.get(checkpoint.model)
    if made is None or not made.covers(checkpoint.config):
        raise CheckpointError(
            f"a page needs a moglow with LSTM conditioners, found a {checkpoint.model} with "
            f"{checkpoint.config.get('conditioner', 'others')}; train one, or use the shipped model"
        )
    if not isinstance(chart, FeetFirstChart):
        raise CheckpointError(
            f"a page needs the encoding 'feet_first', this checkpoint has {chart.kind!r}; train one with feet_first"
        )
    flow = Folded.of(checkpoint.config, checkpoint.weights)
    arrays = _flow_arrays(flow) | {name: np.asarray(getattr(context, name), "<f4") for name in ARRAYS}
    arrays |= _body_arrays(chart.constants() | _restoring(context.encoding.reduction))
    named = ("", *context.styles)
    return {
        "flow": flow.facts,
        "fps": context.fps,
        "warm_up": STANDING_WARM_UP,
        "history": context.spec.history,
        "lookahead": context.spec.lookahead,
        "flags": context.spec.flags,
        "change_length": change_length(context.fps),
        "hidden_length": hidden_length(context.fps),
        "styles": list(context.styles),
        "labels": {style: context.label_vector(style).tolist() for style in named},
        "labels_aside": {style: context.label_vector(style, aside=True).tolist() for style in named},
        "planted": len(chart.legs.soles),
        "reach": reach_facts(context.encoding),
        "arrays": [[name, array.dtype.str[1:], array.size] for name, array in arrays.items()],
        "data": pack_bytes(np.frombuffer(b"".join(array.tobytes() for array in arrays.values()), "u1")),
    }


def reach_facts(encoding: Encoding) -> dict[str, Any] | None:
    """Returns what `Encoding.carry` needs to keep toes within reach: legs' lengths, places of hips and heights."""
    starts = {name: encoding.slices[group].start for name, group in REACH.items() if group in encoding.slices}
    if len(starts) < len(REACH):
        return None
    return {"lengths": encoding.chart.reaches.tolist(), "nearest": NEAREST, "tiny": TINY, **starts}


def _flow_arrays(flow: Folded) -> dict[str, NDArray[Any]]:
    folded = flow.arrays().items()
    return {name: array.astype("<f2" if name.endswith(".weight") else "<f4") for name, array in folded}


def _body_arrays(constants: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    return {
        name: array.astype("<i4" if array.dtype.kind in "iu" else "<f8") for name, array in constants.items()
    }


def _restoring(reduction: Reduction) -> dict[str, NDArray[Any]]:
    """Returns the constants that restore all numbers of the chart from the model's channels."""
    curves = reduction.curves
    return {
        "kept": reduction.kept,
        "restoring": reduction.matrix.T,  # (F, D + M): a row for each value
        "constant": reduction.constant,
        "curve_causes": curves.causes,
        "lowest": curves.lowest,
        "highest": curves.highest,
        "coefficients": curves.coefficients,
    }
