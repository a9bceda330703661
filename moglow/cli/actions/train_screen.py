"""The terminal output of `moglow train`, and its handling of Ctrl-C."""

import math
import signal
import time
from collections import deque
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Protocol, Self

from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

from moglow.cli.actions.train_sheets import Sheets
from moglow.cli.terminal import make_console, make_progress, say
from moglow.errors import TrainingError
from moglow.scoring.likelihood import Likelihood
from moglow.training.run import TrainingRun
from moglow.training.trainer import StepReport
from moglow.training.validation import Validation

RECENT = 50  # number of steps over which loss and speed are averaged


class Scalars(Protocol):
    """The interface of a TensorBoard writer."""

    def add_scalar(self, tag: str, scalar_value: float, global_step: int) -> Any: ...

    def add_image(self, tag: str, img_tensor: Any, global_step: int, *, dataformats: str) -> Any: ...

    def close(self) -> None: ...


class Screen:
    """Shows a progress bar and a line for each validation, and handles the signals that stop a run."""

    def __init__(self, run: TrainingRun, *, tensorboard: bool = False, sheets: bool = False) -> None:
        self.run, self.first = run, run.place.rank == 0
        self.sheets = Sheets(run) if sheets and self.first else None
        self.console = make_console(stderr=True)
        self.scalars = _scalars(run.folder) if tensorboard and self.first else None
        self.recent: deque[StepReport] = deque(maxlen=RECENT)
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        self.progress = make_progress(*columns, console=self.console, disable=not self.first)
        self.task = self.progress.add_task("train", total=run.plan.training.steps, completed=run.trainer.step)
        self.handlers: dict[int, Any] = {}
        self.interrupted = False

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM):
            self.handlers[number] = signal.signal(number, self._stop)
        self.progress.start()
        for warning in self.run.warnings if self.first else ():
            self.progress.console.print(f"warning: {warning}", highlight=False, soft_wrap=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.progress.stop()
        for number, handler in self.handlers.items():
            signal.signal(number, handler)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        """Stops the run after the current step; a second signal ends it immediately."""
        self.interrupted = True
        self.run.trainer.stop()
        signal.signal(number, self.handlers[number])

    def show(self, event: StepReport | Validation) -> None:
        """Shows a step or a validation."""
        if isinstance(event, StepReport):
            self._step(event)
        else:
            self._validation(event)

    def _step(self, report: StepReport) -> None:
        self.recent.append(report)
        seconds = sum(step.seconds for step in self.recent)
        loss = sum(sum(step.losses.values()) for step in self.recent) / len(self.recent)
        speed = sum(step.frames for step in self.recent) / max(seconds, 1e-9)
        text, loss = self._loss_text(report, loss)
        self.progress.update(self.task, completed=report.step, description=f"{text}  {speed:,.0f} frames/s")
        self._scalar(
            report.step, loss=loss, gradient=report.gradient, rate=report.rate, frames_per_second=speed
        )

    def _loss_text(self, report: StepReport, loss: float) -> tuple[str, float]:
        """Returns the loss as text and number; a likelihood is converted to nats per frame of standardised poses."""
        if set(report.losses) != {"nll"}:
            return f"{', '.join(report.losses)} {loss:8.4f}", loss
        nats = self.run.nats(loss)
        return f"{nats:8.2f} nats/frame  {nats / self.run.context.pose_dim:6.3f}/dim", nats

    def _validation(self, found: Validation) -> None:
        like, figures, real = found.likelihood, found.figures, found.real
        best = "  ← best" if self.run.best is found else ""
        styles = f"styles right {found.styles.right}/{found.styles.clips}, " if found.styles else ""
        if self.first:
            self.progress.console.print(
                f"step {found.step}: {_in_words(like)}; roll-outs slide "
                f"{100 * figures.slide_median:.1f}/{100 * figures.slide_mean:.1f} cm/s "
                f"(real {100 * real.slide_median:.1f}/{100 * real.slide_mean:.1f}), jerk "
                f"{figures.jerk / real.jerk:.2f} ×, energy {figures.energy / real.energy:.2f} ×, "
                f"spread {found.spread:.2f}, {styles}score {found.rollout_score:.3f}{best}",
                highlight=False,
                soft_wrap=True,
            )
            self.progress.console.print(f"  {self.run.health}", highlight=False)
        self._scalar(
            found.step,
            held_out=like.standardized,
            slide=figures.slide_mean,
            jerk=figures.jerk,
            energy=figures.energy,
            score=found.rollout_score,
        )
        if self.sheets:
            self._sheet(self.sheets, found.step)

    def _sheet(self, sheets: Sheets, step: int) -> None:
        sheet = sheets.draw(step)
        if sheet is None:
            self.progress.console.print("  no sheet: the roll-outs blew up", highlight=False)
        elif self.scalars:
            self.scalars.add_image("roll-outs", sheet, step, dataformats="HWC")

    def _scalar(self, step: int, **values: float) -> None:
        if self.scalars:
            for name, value in values.items():
                self.scalars.add_scalar(name, value, step)

    def close(self) -> None:
        """Prints how the run ended."""
        if self.scalars:
            self.scalars.close()
        if not self.first:
            return
        run, step = self.run, self.run.trainer.step
        if self.interrupted:
            say(f"stopped at step {step}, saved; go on with --resume")
        best = f"best at step {run.best.step}; " if run.validations else ""
        took = time.strftime("%H:%M:%S", time.gmtime(run.seconds))
        say(f"{run.folder}: {step} steps in {took}; {best}{run.health}")


def _in_words(like: Likelihood) -> str:
    if math.isnan(like.standardized):
        return "no likelihood"
    return (
        f"held-out {like.standardized:.2f} nats/frame ({like.per_channel:.3f}/dim, "
        f"{like.physical:.1f} physical, dequantised {like.dequantised:g} σ)"
    )


def _scalars(folder: Path) -> Scalars:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise TrainingError("--tensorboard needs the tensorboard package: pip install tensorboard") from error
    writer: Scalars = SummaryWriter(folder)
    return writer
