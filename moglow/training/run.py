"""A training run in a folder: log, best and last checkpoint, and the state for resuming."""

import math
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from moglow.checkpoint import BEST, Checkpoint
from moglow.compute.distributed import Place
from moglow.corpus.context import Context
from moglow.corpus.corpus import Corpus
from moglow.corpus.window_spec import fitting
from moglow.corpus.windows import Footage, Windows
from moglow.errors import CheckpointError, RecipeError, TrainingError
from moglow.files.tables import to_table
from moglow.maths.rotations import Array
from moglow.models import MODELS
from moglow.scoring.likelihood import likelihood
from moglow.scoring.spread import spread
from moglow.scoring.style_evidence import StyleAccuracy
from moglow.training.folder import LAST, STATE, begin, forget_after, log_line, refuse_used
from moglow.training.plan import TrainingPlan
from moglow.training.rehearsal import joined
from moglow.training.rollouts import Rollouts
from moglow.training.start import Start
from moglow.training.state import RunState, read_state, write_state
from moglow.training.trainer import Diverged, StepReport, Trainer
from moglow.training.validation import CHOICES, Validation, health

MOST_PARAMETERS = 2_000_000_000
REHEARSAL = "rehearsal.corpus"
"""The corpus of motion for rehearsal, which is kept for resuming."""


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
        """Prepares a run; with a `start`, it begins with the weights of that checkpoint and keeps its context."""
        self.folder, self.corpus, self.place = folder, corpus, place
        start, self.origin = self._start(start) if resume else (start, start.about if start else None)
        self.start, self.plan = start, plan.starting_from(start.checkpoint) if start else plan
        arrays, state = self._state() if resume else ({}, RunState(0, seed, 0.0, (), {}))
        self.seed, self.seconds, self.validations = state.seed, state.seconds, list(state.validations)
        if start:
            self.context = start.context(self.plan.context, corpus)
        else:
            self.context = Context.of_corpus(plan.context, corpus)
        rehearsed = self._rehearsed(resume)
        learnt = joined(corpus, rehearsed, plan.training.rehearsal.share) if rehearsed else corpus
        footage, spec = Footage(corpus, self.context, place.device), plan.training
        windows = Windows(
            Footage(learnt, self.context, place.device) if rehearsed else footage, spec.windows,
            split="train", batch=spec.batch, seed=self.seed, rank=place.rank, ranks=place.ranks,
        )  # fmt: skip
        generator = torch.Generator().manual_seed(self.seed)
        self.config = self.plan.config.fitted(styles=len(self.context.styles))
        self._must_fit()
        made = MODELS[self.plan.model]
        model = made(self.config, self.context.pose_dim, self.context.size, generator=generator)
        if start and not resume:
            start.load(model, self.context)
        self.trainer = Trainer(model.to(place.device), windows, spec, trained=start is not None)
        if resume:
            self.trainer.restore(arrays, state.step, str(self.folder / STATE))
            if self._writes:
                forget_after(self.folder, state.step)
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
                if rehearsed:
                    rehearsed.write(self.folder / REHEARSAL)

    def _must_fit(self) -> None:
        """Raises an error for a model with too many weights, before they are allocated."""
        with torch.device("meta"):
            model = MODELS[self.plan.model](self.config, self.context.pose_dim, self.context.size)
        count = sum(parameter.numel() for parameter in model.parameters())
        if count > MOST_PARAMETERS:
            raise RecipeError(
                f"[model] has {count:.2g} parameters, {4e-9 * count:.3g} GB for each of its copies; "
                f"make it smaller, at most {MOST_PARAMETERS:.2g}"
            )

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
        """Converts a likelihood loss of targets to a loss of standardised poses."""
        return loss + self.context.log_scale

    def events(self) -> Iterator[StepReport | Validation]:
        """Trains; yields a report after each step, and a validation after every `validate_every` steps."""
        spec = self.plan.training
        try:
            for report in self.trainer.run():
                self.seconds += report.seconds
                critic = {} if report.critic is None else {"critic": report.critic}
                self._log(
                    step=report.step,
                    loss=dict(report.losses),
                    gradient=report.gradient,
                    rate=report.rate,
                    **critic,
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
            "origin": self.origin,
        }
        write_state(self.folder, arrays, table)
        self.checkpoint().write(self.folder / LAST)

    def _start(self, start: Start | None) -> tuple[Start | None, Mapping[str, Any] | None]:
        """Returns the start of the run in the folder, and its figures, from the last checkpoint."""
        found = [self.folder / name for name in (LAST, BEST) if (self.folder / name).exists()]
        if not found:  # the run was killed in its first save
            return None, None
        last = Checkpoint.read(found[0])
        figures = last.about.get("from")
        if start and (figures is None or figures["weights"] != start.digest):
            begun = figures["checkpoint"] if figures else "random weights"
            raise CheckpointError(
                f"{self.folder}: was begun from {begun}, not from these weights of {start.name}; resume without a "
                "start, or start a new run"
            )
        return (Start(last, figures["checkpoint"]), figures) if figures else (None, None)

    def _rehearsed(self, resume: bool) -> Corpus | None:
        """Returns the motion for rehearsal; None without rehearsal."""
        spec, path = self.plan.training.rehearsal, self.folder / REHEARSAL
        if not spec.minutes:
            return None
        if not self.start:
            raise TrainingError(
                "[training.rehearsal] a run from random weights has nothing to rehearse; start from a checkpoint",
                setting="from",
            )
        return Corpus.open(path) if resume else self.start.rehearsal(self.corpus, spec, seed=self.seed)

    @property
    def _writes(self) -> bool:
        return self.place.rank == 0

    def _state(self) -> tuple[Mapping[str, Array], RunState]:
        """Returns the state to resume from, with its arrays; raises an error if it belongs to another run."""
        arrays, state = read_state(self.folder)
        state.must_belong_to(self.plan.identity(self.corpus), self.folder / STATE)
        if state.origin and not self.start:
            raise CheckpointError(
                f"{self.folder}: was killed while it saved for the first time; start a new run"
            )
        return arrays, state

    def _log(self, **row: Any) -> None:
        if self._writes:
            log_line(self.folder, row)
