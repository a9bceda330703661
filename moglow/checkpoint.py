"""A trained model in one file, with everything that generation needs.

The file is safetensors: the weights as arrays, the rest as JSON in its header. It holds no code, is written
atomically, and refuses what it does not know in one line.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from moglow import __version__
from moglow.corpus.context import Context
from moglow.errors import CheckpointError, FileFormatError, MoglowError
from moglow.files.tables import from_table, suggestion, to_table
from moglow.files.tensors import read_tensors, write_tensors
from moglow.motion.skeleton import Skeleton
from moglow.paths.control_range import ControlRange

if TYPE_CHECKING:
    from moglow.models.model import MotionModel

FORMAT, VERSION = "moglow-checkpoint", "1"
BEST = "best.safetensors"
"""The checkpoint that stands for a run's folder."""


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A model by name and configuration, its weights, what it sees, and what it was trained on."""

    model: str
    config: Mapping[str, Any]
    weights: Mapping[str, NDArray[Any]]
    context: Context
    control_range: ControlRange
    notices: tuple[str, ...] = ()
    about: Mapping[str, Any] = field(default_factory=dict)
    """Figures and origin, for people: steps, likelihood, roll-out score, recipe, minutes of motion."""
    version: str = __version__

    @property
    def skeleton(self) -> Skeleton:
        return self.context.encoding.skeleton

    def write(self, path: str | Path, *, half: bool = False) -> None:
        """Writes the checkpoint, atomically; `half` stores the weights in float16, half the size."""
        arrays, table = self.context.to_parts()
        weights = {
            f"weight.{name}": _halved(array) if half else array for name, array in self.weights.items()
        }
        about = {
            "model": self.model,
            "config": dict(self.config),
            "context": table,
            "control_range": to_table(self.control_range),
            "notices": list(self.notices),
            "about": dict(self.about),
            "moglow": self.version,
        }
        metadata = {"format": FORMAT, "version": VERSION, "checkpoint": json.dumps(about, sort_keys=True)}
        write_tensors(path, weights | {f"context.{name}": array for name, array in arrays.items()}, metadata)

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """Returns the checkpoint of a file, or the best one of a run's folder."""
        path = Path(path)
        if path.is_dir():
            path = path / BEST
        arrays, metadata = read_parts(path, FORMAT, VERSION)
        try:
            about = json.loads(metadata["checkpoint"])
            return cls(
                model=about["model"],
                config=about["config"],
                weights={name: _whole(array) for name, array in _below("weight.", arrays).items()},
                context=Context.from_parts(_below("context.", arrays), about["context"], str(path)),
                control_range=from_table(ControlRange, about["control_range"], f"{path}: control range"),
                notices=tuple(about["notices"]),
                about=about["about"],
                version=about["moglow"],
            )
        except (KeyError, TypeError, ValueError, AttributeError, MoglowError) as error:
            raise CheckpointError(
                f"{path}: its description is damaged ({error!r}); fetch it again"
            ) from error

    def performed_by(self, performer: str | None, *, seed: int = 0) -> Self:
        """Returns the checkpoint with another default performer; "any" is one of all, chosen by the seed."""
        chosen = self.context.cast(performer, seed, 0)
        if chosen is None:
            return self
        spec = replace(self.context.spec, performer=chosen)
        return replace(self, context=replace(self.context, spec=spec))

    def to_torch(self, device: str = "cpu") -> "MotionModel":
        """Returns the model in torch, ready to score and to sample; torch is imported only here."""
        import torch

        from moglow.models import MODELS

        if self.model not in MODELS:
            raise CheckpointError(
                f"the checkpoint's model is {self.model!r}; {suggestion(self.model, MODELS)}"
            )
        cls = MODELS[self.model]
        config = from_table(cls.Config, self.config, f"the checkpoint's {self.model}", CheckpointError)
        model = cls(config, self.context.pose_dim, self.context.size)
        weights = {name: torch.tensor(np.array(array)) for name, array in self.weights.items()}
        try:
            model.load_state_dict(weights)
        except RuntimeError as error:
            reason = " ".join(str(error).split())[:200]
            raise CheckpointError(
                f"the checkpoint's weights do not fit its {self.model}: {reason}"
            ) from error
        return model.to(device).eval().requires_grad_(False)

    def with_figures(self, **figures: Any) -> Self:
        """Returns the checkpoint with more figures to show."""
        return replace(self, about={**self.about, **figures})


def read_parts(path: Path, form: str, version: str) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """Returns arrays and metadata of a file that must be of a certain form and version."""
    try:
        arrays, metadata = read_tensors(path)
    except FileFormatError as error:
        raise CheckpointError(str(error)) from error
    if metadata.get("format") != form:
        raise CheckpointError(
            f"{path}: expected a {form}, found {metadata.get('format', 'another kind of file')}"
        )
    if metadata.get("version") != version:
        raise CheckpointError(
            f"{path}: its version is {metadata.get('version')}, this moglow reads {version}; use the one that wrote it"
        )
    return arrays, metadata


def _below(prefix: str, arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Returns the arrays whose names begin with a prefix, without it."""
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def _halved(array: NDArray[Any]) -> NDArray[Any]:
    return array.astype(np.float16) if array.dtype == np.float32 else array


def _whole(array: NDArray[Any]) -> NDArray[Any]:
    return array.astype(np.float32) if array.dtype == np.float16 else array


REAL_SLIDE = 0.05
"""Metres a second, mean of the lowest toe: motion capture where a checkpoint does not say."""


def real_slide(checkpoint: Checkpoint) -> float:
    """Mean slide (m/s) of the lowest toe in the real motion that the checkpoint was validated on."""
    return float(checkpoint.about.get("validation", {}).get("real", {}).get("slide_mean", REAL_SLIDE))


def real_figures(checkpoint: Checkpoint) -> dict[str, Any]:
    """The same figures of held-out real motion, as far as the checkpoint says them."""
    said = checkpoint.about.get("validation", {})
    real, likelihood = said.get("real", {}), said.get("likelihood", {})
    out: dict[str, Any] = {}
    if real:
        out["foot_slide_m_s"] = {
            "median": round(real["slide_median"], 4),
            "mean": round(real["slide_mean"], 4),
        }
        out["jerk_m_s3"] = round(real["jerk"], 1)
    if likelihood:
        out["log_likelihood_nats"] = {"mean": round(-likelihood["standardized"], 2)}
    return out


def likelihood_terms(checkpoint: Checkpoint) -> str:
    """What a likelihood of this model means."""
    noise = checkpoint.about.get("validation", {}).get("likelihood", {}).get("dequantised")
    density = f", density with dequantisation noise of {noise:g} deviations" if noise is not None else ""
    stride = int(checkpoint.about.get("stride", 1))
    shares = f", in equal shares of {stride} frames scored at once" if stride > 1 else ""
    channels = checkpoint.context.pose_dim
    return f"natural log, {channels} standardised channels a frame{density}, at temperature 1{shares}"
