"""The defaults of `moglow train` without a recipe: the compact model or a start from a checkpoint, and the steps."""

import copy
from collections.abc import Mapping
from typing import Any

from moglow.checkpoint import Checkpoint

COMPACT: Mapping[str, Mapping[str, Any]] = {
    "context": {
        "history": 10,
        "lookahead": 12,  # 0.4 s at 30 frames a second: a walk begins before the hips move
        "flags": True,
        # The target of a planted foot is zero.
        "carry": {"toe_x": 1.0, "toe_z": 1.0, "foot_yaw": 1.0, "toe_height": 0.7, "others": 0.9},
    },
    "model": {"name": "moglow", "preset": "compact"},
    "training": {
        "batch": 32,
        "rate": 2e-3,
        "warmup": 100,
        "schedule": "cosine",
        "average": 0.998,
        "validate_every": 1000,
        "windows": {
            "length": 40,
            "short": 20,
            "order": "consecutive",
            "pose_dropout": 0.6,
            "dropout_windows": 0.5,
            "dropout_shared": True,
            # More noise on planted toes would cause foot slide.
            "history_noise": {
                "toe_x": 0.003, "toe_z": 0.003, "foot_yaw": 0.003, "toe_height": 0.03, "others": 0.01,
            },
            "dequantise": 5e-4,
            "style_dropout": 0.4,
            "performer_dropout": 0.2,
        },
        "rollouts": {"seconds": 20.0, "temperature": 0.7},
    },
}  # fmt: skip
"""The sections of the recipe of the shipped model."""


TUNED: Mapping[str, Any] = {
    "rate": 1e-3,
    "rate_floor": 1e-5,
    "warmup": 50,
    "average": 0.99,  # of some hundred steps; it includes the initial weights
    "validate_every": 1000,
    "steps": 2000,
    "choose": "likelihood",  # roll-outs are as good at the start, for the old styles
    "rehearsal": {"minutes": 8.0, "borrowed": 0.2},
}
"""The changes in [training] for a start from a checkpoint."""

STYLE_DROPOUT = 0.1
"""Share of windows without a style for a start from a checkpoint, whose model can already generate any style."""


def compact() -> dict[str, dict[str, Any]]:
    """Returns the sections of a recipe for a compact model."""
    return copy.deepcopy({name: dict(table) for name, table in COMPACT.items()})


def tuned(checkpoint: Checkpoint) -> dict[str, dict[str, Any]]:
    """Returns the sections of a recipe for a start from a checkpoint, with its windows, few steps and a low rate."""
    training = compact()["training"]
    recipe = checkpoint.about.get("recipe", {}).get("training", {})
    if "windows" in recipe:
        training["windows"] = copy.deepcopy(dict(recipe["windows"]))
    training["windows"]["style_dropout"] = STYLE_DROPOUT
    return {"training": {**training, **copy.deepcopy(dict(TUNED))}}


def steps_for(minutes: float) -> int:
    """Returns the number of steps for an amount of motion: 700 passes over it, within limits.

    >>> [steps_for(minutes) for minutes in (3, 10, 120)]
    [4000, 5000, 14000]
    """
    return round(min(max(500 * minutes, 4000), 14_000))
