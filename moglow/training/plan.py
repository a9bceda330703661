"""The model and the training settings of a recipe, checked before any work is done."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from moglow.checkpoint import Checkpoint
from moglow.corpus.context_spec import ContextSpec
from moglow.corpus.corpus import Corpus
from moglow.errors import CheckpointError, RecipeError
from moglow.files.tables import from_table, suggestion, to_table
from moglow.models import MODELS
from moglow.models.model import MotionModel
from moglow.recipe import Recipe
from moglow.training.spec import TrainingSpec


@dataclass(frozen=True)
class TrainingPlan:
    """The model and training settings of a recipe, checked before any work is done."""

    model: str
    config: MotionModel.Config
    context: ContextSpec
    training: TrainingSpec
    recipe: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, recipe: Recipe) -> "TrainingPlan":
        model, config = chosen_model(recipe)
        context, training = recipe.section("context", ContextSpec), recipe.section("training", TrainingSpec)
        return cls(model, config, context, training, to_table(recipe.tables))

    def starting_from(self, checkpoint: Checkpoint) -> "TrainingPlan":
        """Returns the plan with the model and the context of a checkpoint.

        Default labels of the recipe replace those of the checkpoint.
        """
        model = MODELS.get(checkpoint.model)
        if model is None:
            raise CheckpointError(
                f"the checkpoint's model is {checkpoint.model!r}; {suggestion(checkpoint.model, MODELS)}"
            )
        config = from_table(model.Config, checkpoint.config, "the checkpoint's model", CheckpointError)
        spec, own = checkpoint.context.spec, self.context
        context = replace(
            spec, styles=spec.styles or own.styles, performers=spec.performers or own.performers
        )
        context = replace(
            context,
            usual=own.usual or spec.usual,
            sideways=own.sideways or spec.sideways,
            performer=own.performer or spec.performer,
            performer_by_style={**spec.performer_by_style, **own.performer_by_style},
        )
        tables = {"model": {"name": checkpoint.model, **to_table(config)}, "context": to_table(context)}
        return replace(
            self, model=checkpoint.model, config=config, context=context, recipe={**self.recipe, **tables}
        )

    def identity(self, corpus: Corpus) -> dict[str, Any]:
        """Returns the settings that a resumed run must not change; others, such as the number of steps, may change."""
        return {
            "model": {"name": self.model, **to_table(self.config)},
            "context": to_table(self.context),
            "corpus": {"frames": len(corpus.pose), "channels": len(corpus.encoding), "fps": corpus.fps},
        }


def chosen_model(recipe: Recipe) -> tuple[str, MotionModel.Config]:
    """Returns the name and the configuration of [model]: `name`, `preset`, and keys that change the preset."""
    table = dict(recipe.tables.get("model", {}))
    name, preset = table.pop("name", "moglow"), table.pop("preset", None)
    place = f"{recipe.place}: [model]"
    if not isinstance(name, str) or name not in MODELS:
        raise RecipeError(f"{place} no model is called {name!r}; {suggestion(str(name), MODELS)}")
    model = MODELS[name]
    if preset is not None and (not isinstance(preset, str) or preset not in model.PRESETS):
        raise RecipeError(
            f"{place} {name} has no preset {preset!r}; {suggestion(str(preset), model.PRESETS)}"
        )
    start = to_table(model.PRESETS[preset]) if preset else {}
    config = from_table(model.Config, {**start, **table}, place)
    try:
        config.must_be_bounded()
    except ValueError as error:
        raise RecipeError(f"{place} {error}") from error
    return name, config
