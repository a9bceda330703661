"""The settings of training: the recipe's [training], the schedules of the learning rate and the precisions."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch

from moglow.corpus.window_spec import WindowSpec
from moglow.errors import DeviceError
from moglow.flows.nets import faster_precision, has_bfloat16
from moglow.flows.schedules.diagonal import has_kernels
from moglow.models.model import MotionModel
from moglow.training.critic import CriticSpec
from moglow.training.free_running import FreeRunning
from moglow.training.outliers import OutlierSpec
from moglow.training.rehearsal import RehearsalSpec
from moglow.training.rollouts import RolloutSpec
from moglow.training.validation import CHOICES

SCHEDULES: Mapping[str, Callable[[int, "TrainingSpec"], float]] = {
    "rsqrt": lambda step, spec: math.sqrt(max(spec.warmup, 1) / step),  # ∝ 1/√step, as in the authors' code
    "cosine": lambda step, spec: (1 + math.cos(math.pi * min(step / spec.steps, 1.0))) / 2,
    "constant": lambda step, spec: 1.0,
}


def auto_precision(model: MotionModel, device: torch.device) -> torch.dtype | None:
    """Returns `faster_precision`, or None on a GPU without our kernels, where cuDNN's bfloat16 LSTM is slower."""
    gains = device.type != "cuda" or has_kernels(device)
    return faster_precision(model, device) if gains else None


def bfloat16(model: MotionModel, device: torch.device) -> torch.dtype:
    """Returns bfloat16; raises DeviceError for a device without bfloat16 products."""
    if not has_bfloat16(device):
        raise DeviceError(
            f"training.precision: this {device.type} cannot multiply in bfloat16; set it to float32 or auto"
        )
    return torch.bfloat16


PRECISIONS: Mapping[str, Callable[[MotionModel, torch.device], torch.dtype | None]] = {
    "auto": auto_precision,
    "float32": lambda model, device: None,
    "bfloat16": bfloat16,
}


@dataclass(frozen=True)
class TrainingSpec:
    """The settings of training; the recipe's [training]."""

    steps: int = 80_000  # the authors' later setting
    batch: int = 100  # windows per step, in all processes together
    rate: float = 1e-3  # peak of Adam's learning rate
    rate_floor: float = 1e-4  # lower bound of the learning rate
    warmup: int = 1000  # steps in which the rate grows from zero
    schedule: str = "rsqrt"  # or "cosine", "constant"
    weight_decay: float = 0.0  # decoupled (AdamW)
    clip: float | None = None  # largest norm of a gradient; a Student-t latent also bounds gradients
    average: float = 0.999  # decay of the running average of the weights; 0 turns it off
    precision: str = "auto"  # of the LSTMs: "bfloat16", "float32", or the faster one on this device
    validate_every: int = 500  # steps between validations, after which the run is also saved
    choose: str = "rollouts"  # criterion of the best checkpoint; "likelihood" ranks motion worse
    patience: int | None = None  # validations without a better checkpoint before training stops; None: never
    windows: WindowSpec = field(default_factory=WindowSpec)
    rollouts: RolloutSpec = field(default_factory=RolloutSpec)
    free_running: FreeRunning = field(default_factory=FreeRunning)
    critic: CriticSpec = field(default_factory=CriticSpec)
    outliers: OutlierSpec = field(default_factory=OutlierSpec)
    rehearsal: RehearsalSpec = field(default_factory=RehearsalSpec)

    def __post_init__(self) -> None:
        if self.steps < 1 or self.batch < 1 or self.warmup < 0:
            raise ValueError(
                f"steps {self.steps}, batch {self.batch}, warmup {self.warmup}: give positive numbers"
            )
        if self.steps > 10**9 or self.batch > 10**5:
            raise ValueError(
                f"steps {self.steps}, batch {self.batch}: give at most 1e9 steps and 1e5 windows"
            )
        if self.rate <= 0 or not 0 <= self.average < 1:
            raise ValueError(
                f"rate {self.rate}, average {self.average}: give a rate above 0, an average below 1"
            )
        if self.validate_every < 1 or (self.patience is not None and self.patience < 1):
            raise ValueError("validate_every and patience are at least 1")
        if self.outliers.share and not self.outliers.count(self.batch):
            raise ValueError(
                f"a share of {self.outliers.share} outliers is no window in a batch of {self.batch}; raise one of them"
            )
        for name, choices in (
            ("schedule", SCHEDULES),
            ("precision", PRECISIONS),
            ("choose", CHOICES),
        ):
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} is {getattr(self, name)!r}; choose one of {', '.join(choices)}")

    def rate_at(self, step: int) -> float:
        """Returns the learning rate of a step, the first being 0.

        >>> spec = TrainingSpec(rate=1e-3, warmup=1000, rate_floor=1e-4)
        >>> [spec.rate_at(step) for step in (499, 999, 3999, 10**6)]
        [0.0005, 0.001, 0.0005, 0.0001]
        """
        step += 1
        if step <= self.warmup:
            return self.rate * step / self.warmup
        return max(self.rate * SCHEDULES[self.schedule](step, self), min(self.rate_floor, self.rate))
