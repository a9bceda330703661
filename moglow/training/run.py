"""A training run in a folder: log, best and last checkpoint, and the state for resuming."""

import json
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from moglow.checkpoint import BEST, Checkpoint, read_parts
from moglow.compute.distributed import Place
from moglow.corpus.context import Context, ContextSpec
from moglow.corpus.corpus import Corpus
from moglow.corpus.window_spec import fitting
from moglow.corpus.windows import Footage, Windows
from moglow.errors import CheckpointError, RecipeError, TrainingError
from moglow.files.tables import from_table, suggestion, to_table
from moglow.files.tensors import write_tensors
from moglow.models import MODELS
from moglow.models.model import MotionModel
from moglow.recipe import Recipe
from moglow.scoring.likelihood import likelihood
from moglow.scoring.spread import spread
from moglow.scoring.style_evidence import StyleAccuracy
from moglow.training.folder import LAST, LOG, STATE, begin, keep_lines, log_line, refuse_used
from moglow.training.rollouts import Rollouts
from moglow.training.spec import TrainingSpec
from moglow.training.start import Start
from moglow.training.trainer import Diverged, StepReport, Trainer
from moglow.training.validation import CHOICES, Validation, health

FORMAT, VERSION = "moglow-training", "1"


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
        """Returns the plan with a checkpoint's model and context; of its own context only the default labels stay.

        They replace those of the checkpoint where the recipe names any.
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
        if own.usual or own.sideways or own.performer:
            context = replace(context, usual=own.usual, sideways=own.sideways, performer=own.performer)
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
    if name not in MODELS:
        raise RecipeError(f"{place} no model is called {name!r}; {suggestion(str(name), MODELS)}")
    model = MODELS[name]
    if preset is not None and preset not in model.PRESETS:
        raise RecipeError(
            f"{place} {name} has no preset {preset!r}; {suggestion(str(preset), model.PRESETS)}"
        )
    start = to_table(model.PRESETS[preset]) if preset else {}
    return name, from_table(model.Config, {**start, **table}, place)


class TrainingRun:
    """Trains by a plan in a folder: iterate over `events`, then call `save`.

    Of several processes only the first writes; all validate, so that they stop at the same step.
    """

    def __init__(
        self,
        folder: Path,
        plan: TrainingPlan,
        corpus: Corpus,
        *,
        seed: int,
        resume: bool = False,
        start: Start | None = None,
        place: Place = Place(),  # noqa: B008  (frozen)
    ) -> None:
        """Prepares a run; one with a `start` begins with its weights and keeps its context."""
        self.folder, self.corpus, self.place = folder, corpus, place
        start, self.origin = self._start(start) if resume else (start, start.about if start else None)
        self.start, self.plan = start, plan.starting_from(start.checkpoint) if start else plan
        arrays, table = self._read_state() if resume else ({}, {})
        self.seed = int(table.get("seed", seed))
        self.seconds = float(table.get("seconds", 0.0))
        self.validations = [from_table(Validation, row, "validation") for row in table.get("validations", [])]
        if start:
            self.context = start.context(self.plan.context, corpus)
        else:
            self.context = Context.of_corpus(plan.context, corpus)
        footage, spec = Footage(corpus, self.context, place.device), plan.training
        windows = Windows(
            footage,
            spec.windows,
            split="train",
            batch=spec.batch,
            seed=self.seed,
            rank=place.rank,
            ranks=place.ranks,
        )
        generator = torch.Generator().manual_seed(self.seed)
        self.config = self.plan.config.fitted(styles=len(self.context.styles))
        made = MODELS[self.plan.model]
        model = made(self.config, self.context.pose_dim, self.context.size, generator=generator)
        if start and not resume:
            start.load(model, self.context)
        self.trainer = Trainer(model.to(place.device), windows, spec, trained=start is not None)
        if resume:
            self.trainer.restore(arrays, table)
        held_out = "val" if corpus.split("val") else "train"
        clean = fitting(spec.windows.clean(), corpus, self.context, held_out)
        self.clean = Windows(footage, clean, split=held_out, batch=spec.batch, seed=self.seed)
        self.clean.must_hold(model.stride)
        self.rollouts = Rollouts(footage, self.context, spec.rollouts, seed=self.seed)
        self._saved: int | None = self.trainer.step if resume else None
        if not resume:
            refuse_used(self.folder)
            if self._writes:
                begin(self.folder)

    @property
    def health(self) -> str:
        return health(self.validations)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Warnings about settings of the recipe."""
        stride, ahead = self.trainer.model.stride, self.plan.context.lookahead
        if stride <= ahead + 1:
            return ()
        return (
            f"the model samples {stride} frames at once with a lookahead of {ahead}: it reacts to the control up to "
            f"{stride - 1 - ahead} frames late; set context.lookahead={stride - 1}",
        )

    def nats(self, loss: float) -> float:
        """Returns a likelihood loss of targets as one of standardised poses."""
        return loss + self.context.log_scale

    def events(self) -> Iterator[StepReport | Validation]:
        """Trains; yields a report after each step, and a validation after every `validate_every` steps."""
        spec = self.plan.training
        try:
            for report in self.trainer.run():
                self.seconds += report.seconds
                self._log(
                    step=report.step, loss=dict(report.losses), gradient=report.gradient, rate=report.rate
                )
                yield report
                if report.step % spec.validate_every == 0 or report.step == spec.steps:
                    yield self._validate()
                    self.save()
                    if self._out_of_patience():
                        return
        except Diverged:
            self.save()
            raise

    def _validate(self) -> Validation:
        start, model = time.perf_counter(), self.trainer.average.eval()
        found = likelihood(model, self.clean, self.context)
        if math.isnan(found.standardized) and self.plan.training.choose == "likelihood":
            raise TrainingError(
                f"a {self.plan.model} has no likelihood to choose checkpoints by; set training.choose=rollouts"
            )
        figures, real = self.rollouts.figures(model), self.rollouts.real
        styles = StyleAccuracy.of_held_out(model, self.clean.footage.context, self.corpus)
        validation = Validation(self.trainer.step, found, figures, real, spread(model, self.clean), styles)
        self.trainer.model.train()
        self.validations.append(validation)
        self._log(validation=to_table(validation), health=self.health, seconds=time.perf_counter() - start)
        if self.best is validation and self._writes:
            self.checkpoint(validation).write(self.folder / BEST)
        return validation

    @property
    def best(self) -> Validation:
        """The validation of the best checkpoint."""
        return min(self.validations, key=CHOICES[self.plan.training.choose])

    def _out_of_patience(self) -> bool:
        patience = self.plan.training.patience
        behind = len(self.validations) - 1 - self.validations.index(self.best)
        return patience is not None and behind >= patience

    def checkpoint(self, validation: Validation | None = None) -> Checkpoint:
        """Returns a checkpoint of the current averaged model."""
        weights = {name: tensor.cpu().numpy() for name, tensor in self.trainer.average.state_dict().items()}
        train = sum(len(stretch) for stretch in self.corpus.split("train") if not stretch.again)
        about = {
            "parameters": sum(parameter.numel() for parameter in self.trainer.model.parameters()),
            "stride": self.trainer.model.stride,
            "steps": self.trainer.step,
            "seconds": round(self.seconds, 1),
            "seed": self.seed,
            "minutes_of_motion": round(train / self.corpus.fps / 60, 2),
            "recipe": self.plan.recipe,
            "validation": to_table(validation or (self.validations[-1] if self.validations else None)),
        }
        control_range, notices = self.corpus.control_range, set(self.corpus.notices)
        if self.start:
            about["from"] = self.origin
            control_range = self.start.checkpoint.control_range.joined(control_range)
            notices |= set(self.start.checkpoint.notices)
        return Checkpoint(
            model=self.plan.model,
            config=to_table(self.config),
            weights=weights,
            context=self.context,
            control_range=control_range,
            notices=tuple(sorted(notices)),
            about=about,
        )

    def save(self) -> None:
        """Writes the last checkpoint and the state for resuming, unless those of this step are already written."""
        if self._saved == self.trainer.step:
            return
        arrays, table = self.trainer.state()
        self._saved = self.trainer.step
        if not self._writes:
            return
        table |= {
            "seconds": self.seconds,
            "validations": to_table(self.validations),
            "plan": self.plan.identity(self.corpus),
            "from": self.origin,
        }
        metadata = {"format": FORMAT, "version": VERSION, "training": json.dumps(table)}
        write_tensors(self.folder / STATE, arrays, metadata)
        self.checkpoint().write(self.folder / LAST)

    def _start(self, start: Start | None) -> tuple[Start | None, Mapping[str, Any] | None]:
        """Returns the start of the run in the folder and its figures; the last checkpoint keeps all that it needs."""
        found = [self.folder / name for name in (LAST, BEST) if (self.folder / name).exists()]
        if not found:  # of a run that was killed in its first save
            return None, None
        last = Checkpoint.read(found[0])
        figures = last.about.get("from")
        if start and (figures is None or figures["weights"] != start.digest):
            begun = figures["checkpoint"] if figures else "random weights"
            raise CheckpointError(
                f"{self.folder}: was begun from {begun}, not from these weights of {start.name}; leave out --from, or "
                "start a new run"
            )
        return (Start(last, figures["checkpoint"]), figures) if figures else (None, None)

    @property
    def _writes(self) -> bool:
        return self.place.rank == 0

    def _read_state(self) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        path = self.folder / STATE
        if not path.exists():
            raise TrainingError(f"{self.folder}: no training state to resume from; start a new run")
        arrays, metadata = read_parts(path, FORMAT, VERSION)
        try:
            table = json.loads(metadata["training"])
            before, now = table["plan"], self.plan.identity(self.corpus)
        except (KeyError, ValueError, TypeError) as error:
            raise CheckpointError(f"{path}: its description is damaged ({error!r})") from error
        for section in now:
            for key in sorted({*before[section], *now[section]}):
                if before[section].get(key) != now[section].get(key):
                    raise CheckpointError(
                        f"{path}: was begun with {section}.{key} = {before[section].get(key)}, now it is "
                        f"{now[section].get(key)}; set it back or start a new run"
                    )
        if table.get("from") and not self.start:
            raise CheckpointError(
                f"{self.folder}: was killed while it saved for the first time; start a new run"
            )
        self._forget_after(int(table["step"]))
        return arrays, table

    def _forget_after(self, step: int) -> None:
        """Removes the rows of steps after the saved one from the log, since they will be repeated."""
        if not self._writes or not (self.folder / LOG).exists():
            return
        kept = []
        for line in (self.folder / LOG).read_text().splitlines():
            try:
                row = json.loads(line)
            except ValueError:
                break  # an incomplete line of a killed process
            if row.get("step", row.get("validation", {}).get("step", 0)) > step:
                break
            kept.append(line)
        keep_lines(self.folder, kept)

    def _log(self, **row: Any) -> None:
        if self._writes:
            log_line(self.folder, row)
