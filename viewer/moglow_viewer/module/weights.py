"""The weights of a model for `moglow.js`: one JSON file that also holds the figure and how it is steered."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from moglow.checkpoint import Checkpoint
from moglow.encodings.feet_first import FeetFirstChart
from moglow.errors import ExportError
from moglow.files.atomic import replacing
from moglow.paths.control_path import SMOOTHING
from moglow.paths.pace import Pace
from moglow.paths.steering import Steering
from moglow_viewer.play.packed_model import pack_model
from moglow_viewer.play.play_page import figure_facts

FORMAT = 1
"""The version of the file; it must equal that in `walker.js`."""


def write_weights(checkpoint: Checkpoint, path: str | Path) -> None:
    """Writes a checkpoint's model for `loadModel`."""
    if Path(path).suffix != ".json":
        raise ExportError(f"{path}: weights for moglow.js end in .json; name the file so")
    text = json.dumps(model_facts(checkpoint), separators=(",", ":"), allow_nan=False)
    with replacing(path) as file:
        file.write(text.encode())


def model_facts(checkpoint: Checkpoint) -> dict[str, Any]:
    """Returns the file's values."""
    model, chart = pack_model(checkpoint), checkpoint.context.encoding.chart
    assert isinstance(chart, FeetFirstChart), "pack_model raises an error for other charts"
    return {
        "moglow": FORMAT,
        "model": model,
        "figure": figure_facts(chart),
        "joints": {
            "names": list(chart.skeleton.names),
            "parents": list(chart.skeleton.parents),
            "bones": chart.body.bones.tolist(),
            "carrier": chart.body.carrier,
        },
        "steering": asdict(Steering(checkpoint.control_range, checkpoint.context.fps)),
        "pace": asdict(Pace()) | {"smoothing": SMOOTHING},
    }
