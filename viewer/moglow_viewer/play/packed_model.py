"""A checkpoint as numbers for a page: arrays in one block of bytes, the rest as JSON. `model.js`, `body.js` read it.

Weights travel as halves, which is what a shipped checkpoint holds anyway; what was folded from several of them, biases
and statistics as singles; the body's constants as doubles. The page differs from `moglow.sampling.sampler` by
rounding alone.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moglow.checkpoint import Checkpoint
from moglow.corpus.context import ARRAYS
from moglow.encodings.feet_first import FeetFirstChart
from moglow.encodings.reduction import Reduction
from moglow.errors import CheckpointError
from moglow.sampling.fast.folded import Folded
from moglow.sampling.fast.numpy_moglow import NUMPY_MODELS
from moglow_viewer.pages.single_page import pack_bytes


def pack_model(checkpoint: Checkpoint) -> dict[str, Any]:
    """The model, ready for JSON: its facts, a name, kind and length for each array, and the bytes of all of them."""
    context, chart = checkpoint.context, checkpoint.context.encoding.chart
    made = NUMPY_MODELS.get(checkpoint.model)
    if made is None or not made.covers(checkpoint.config):
        raise CheckpointError(
            f"a page draws from a moglow with LSTM conditioners, this is a {checkpoint.model} with "
            f"{checkpoint.config.get('conditioner', 'others')}; train one, or leave out --checkpoint"
        )
    if not isinstance(chart, FeetFirstChart):
        raise CheckpointError(
            f"a page decodes the encoding 'feet_first', this checkpoint has {chart.kind!r}; train one with feet_first"
        )
    flow = Folded.of(checkpoint.config, checkpoint.weights)
    arrays = _flow_arrays(flow) | {name: np.asarray(getattr(context, name), "<f4") for name in ARRAYS}
    arrays |= _body_arrays(chart.constants() | _restoring(context.encoding.reduction))
    return {
        "flow": flow.facts,
        "fps": context.fps,
        "history": context.spec.history,
        "lookahead": context.spec.lookahead,
        "flags": context.spec.flags,
        "performers": [name == context.spec.performer for name in context.performers],
        "styles": list(context.styles),
        "usual": context.spec.usual,
        "planted": len(chart.legs.soles),
        "arrays": [[name, array.dtype.str[1:], array.size] for name, array in arrays.items()],
        "data": pack_bytes(np.frombuffer(b"".join(array.tobytes() for array in arrays.values()), "u1")),
    }


def _flow_arrays(flow: Folded) -> dict[str, NDArray[Any]]:
    folded = flow.arrays().items()
    return {name: array.astype("<f2" if name.endswith(".weight") else "<f4") for name, array in folded}


def _body_arrays(constants: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    return {
        name: array.astype("<i4" if array.dtype.kind in "iu" else "<f8") for name, array in constants.items()
    }


def _restoring(reduction: Reduction) -> dict[str, NDArray[Any]]:
    """What leads from the channels that a model has to all of the chart's."""
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
