"""Model cards: the rows that `moglow info` shows."""

from pathlib import Path
from typing import Any

import torch

from moglow.checkpoint import Checkpoint
from moglow.corpus.context_spec import ContextSpec
from moglow.corpus.corpus import Corpus
from moglow.errors import RecipeError
from moglow.files.tables import suggestion, to_table
from moglow.models import MODELS
from moglow.models.model import MotionModel
from moglow.paths.control_range import ControlRange
from moglow.recipe import read_recipe
from moglow.training.plan import TrainingPlan

Card = dict[str, Any]


def list_models() -> list[Card]:
    """Returns a card per model: its summary and presets.

    >>> [card["model"] for card in list_models()][0]
    'moglow'
    """
    return [
        {
            "model": name,
            "is": (model.__doc__ or "").strip().splitlines()[0],
            "presets": ", ".join(model.PRESETS),
        }
        for name, model in MODELS.items()
    ]


def preset_card(model: str, preset: str, *, pose: int, control: int) -> Card:
    """Returns the card of a preset with the paper's context.

    >>> preset_card("moglow", "paper", pose=63, control=3)["parameters"]
    73859056
    """
    if model not in MODELS:
        raise RecipeError(f"no model is called {model!r}; {suggestion(model, MODELS)}")
    presets = MODELS[model].PRESETS
    if preset not in presets:
        raise RecipeError(f"{model} has no preset {preset!r}; {suggestion(preset, presets)}")
    spec = ContextSpec()
    context = spec.history * pose + (spec.history + 1) * control
    return {"preset": preset, **architecture(model, presets[preset], pose, context)}


def recipe_card(path: Path, corpus: Path | None, *, pose: int, control: int) -> Card:
    """Returns the card of a recipe's model; without a corpus the number of pose channels is assumed."""
    plan = TrainingPlan.of(read_recipe(path))
    found = Corpus.open(corpus) if corpus else None
    pose, spec = len(found.encoding) if found else pose, plan.context
    styles = len(found.styles) if found and spec.styles else 0
    performers = len(found.performers) if found and spec.performers else 0
    context = spec.history * (pose + spec.flags) + (spec.history + 1 + spec.lookahead) * control
    context += performers + styles
    training = to_table(plan.training)
    card = {"recipe": str(path), **architecture(plan.model, plan.config.fitted(styles=styles), pose, context)}
    if not found:
        card["note"] = f"pose channels assumed to be {pose}; give the corpus or the number of pose channels"
    return card | {"context": to_table(spec), "training": training}


def checkpoint_card(path: Path) -> Card:
    """Returns the card of a trained model."""
    checkpoint = Checkpoint.read(path)
    context, about = checkpoint.context, dict(checkpoint.about)
    card = {
        "checkpoint": str(path),
        "model": checkpoint.model,
        "config": dict(checkpoint.config),
        **sizes(int(checkpoint.figure("parameters") or 0), context.pose_dim, context.size),
        "moglow": checkpoint.version,
        "skeleton": f"{len(checkpoint.skeleton)} joints, {checkpoint.skeleton.names[0]} first",
        "encoding": context.encoding.spec.encoding,
        "fps": context.fps,
        "styles": ", ".join(context.styles) or "none",
        "performers": ", ".join(context.performers) or "none",
        "controls seen": _range(checkpoint.control_range),
    }
    for key in ("recipe", "parameters"):
        about.pop(key, None)
    return card | about | {"notices": list(checkpoint.notices)}


def architecture(name: str, config: MotionModel.Config, pose: int, context: int) -> Card:
    """Returns the rows on a model's architecture, without allocating its weights."""
    with torch.device("meta"):
        model = MODELS[name](config, pose, context)
    count = sum(parameter.numel() for parameter in model.parameters())
    return {"model": name, "config": to_table(config), **sizes(count, pose, context)}


def sizes(parameters: int, pose: int, context: int) -> Card:
    """Returns the rows on a model's size."""
    return {
        "parameters": parameters,
        "MB in float32": round(4e-6 * parameters, 1),
        "MB in float16": round(2e-6 * parameters, 1),
        "pose channels": pose,
        "context channels": context,
    }


def _range(reach: ControlRange) -> str:
    return (
        f"{reach.forward:.2f} m/s forward, {reach.backward:.2f} backward, {reach.sideways:.2f} sideways, "
        f"{reach.turn:.2f} rad/s"
    )
