"""A trained model in one file, with everything that generation needs.

The file format is safetensors: the weights are arrays, and the rest is JSON in the header. It contains no code and is
written atomically. Unknown content raises an error.
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
from moglow.files.descriptions import parse_json
from moglow.files.tables import from_table, suggestion, to_table
from moglow.files.tensors import check_tensors, is_finite, read_tensors, write_tensors
from moglow.motion.skeleton import Skeleton
from moglow.paths.control_range import ControlRange
from moglow.weights import MoGlowChoices, moglow_tensors

if TYPE_CHECKING:
    from moglow.models.model import MotionModel

FORMAT, VERSION = "moglow-checkpoint", "1"
BEST = "best.safetensors"
"""The file name of the best checkpoint in the folder of a run."""


@dataclass(frozen=True)
class _Table:
    """The JSON form of a checkpoint, without its arrays."""

    model: str
    config: Mapping[str, Any]
    context: Mapping[str, Any]
    control_range: ControlRange
    notices: tuple[str, ...]
    about: Mapping[str, Any]
    moglow: str


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A model with its name, configuration, weights and context, and a description of its training."""

    model: str
    config: Mapping[str, Any]
    weights: Mapping[str, NDArray[Any]]
    context: Context
    control_range: ControlRange
    notices: tuple[str, ...] = ()
    about: Mapping[str, Any] = field(default_factory=dict)
    """Figures and origin: steps, likelihood, roll-out score, recipe, minutes of motion."""
    version: str = __version__

    @property
    def skeleton(self) -> Skeleton:
        return self.context.encoding.skeleton

    def write(self, path: str | Path, *, half: bool = False) -> None:
        """Writes the checkpoint atomically; `half` stores the weights in float16, which halves the size."""
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
        path = found = Path(path)
        if path.is_dir():
            path = path / BEST
        if not path.exists():
            what = "no such file" if found == path else f"no {BEST} in this folder"
            raise CheckpointError(f"{found}: {what}; give a checkpoint, or the folder of a training run")
        arrays, metadata = read_parts(path, FORMAT, VERSION)
        try:
            return cls._from_parts(arrays, parse_json(metadata.get("checkpoint", ""), "checkpoint"))
        except MoglowError as error:
            raise CheckpointError(f"{path}: its description is damaged: {error}; fetch it again") from error

    @classmethod
    def _from_parts(cls, arrays: Mapping[str, NDArray[Any]], about: object) -> Self:
        table = from_table(_Table, about, "checkpoint", CheckpointError)
        for name in arrays:
            if not name.startswith(("weight.", "context.")):
                raise CheckpointError(f"{name[:80]!r} is none of its arrays")
        weights = {name: _whole(array) for name, array in _below("weight.", arrays).items()}
        context = Context.from_parts(_below("context.", arrays), table.context, "checkpoint")
        config = table.config
        if table.model == "moglow":
            choices = from_table(MoGlowChoices, config, "checkpoint config", CheckpointError)
            config = to_table(choices)
            expected = moglow_tensors(choices, context.pose_dim, context.size)
            if expected is not None:
                check_tensors(weights, expected, "weights", CheckpointError)
        elif bad := next((name for name, array in weights.items() if not is_finite(array)), None):
            raise CheckpointError(f"weights: {bad!r} holds a value that is not finite")
        return cls(
            model=table.model,
            config=config,
            weights=weights,
            context=context,
            control_range=table.control_range,
            notices=table.notices,
            about=table.about,
            version=table.moglow,
        )

    def performed_by(self, performer: str | None, *, seed: int = 0) -> Self:
        """Returns the checkpoint whose styles have a given default performer; "any" is one of all, by the seed."""
        chosen = self.context.cast(performer, seed, 0)
        if chosen is None:
            return self
        spec = replace(self.context.spec, performer=chosen, performer_by_style={})
        return replace(self, context=replace(self.context, spec=spec))

    def to_torch(self, device: str = "cpu") -> "MotionModel":
        """Returns the model in torch, for scoring and sampling; torch is imported only here."""
        import torch

        from moglow.models import MODELS

        if self.model not in MODELS:
            raise CheckpointError(
                f"the checkpoint's model is {self.model!r}; {suggestion(self.model, MODELS)}"
            )
        cls, place = MODELS[self.model], f"the checkpoint's {self.model}"
        largest = max((max(array.shape, default=0) for array in self.weights.values()), default=0)
        for name, value in self.config.items():
            for number in value if isinstance(value, list | tuple) else [value]:
                if isinstance(number, int) and number > max(largest, len(self.weights)):
                    raise CheckpointError(
                        f"{place} has {name} = {number}, which is more than its weights hold"
                    )
        try:
            config = from_table(cls.Config, self.config, place, CheckpointError)
            sizes = self.context.pose_dim, self.context.size
            with torch.device("meta"):  # only the shapes, for any numbers in the configuration
                wanted = cls(config, *sizes).state_dict()
            expected = {
                name: (tuple(tensor.shape), torch.empty(0, dtype=tensor.dtype).numpy().dtype)
                for name, tensor in wanted.items()
            }
            check_tensors(self.weights, expected, f"the weights do not fit {place}", CheckpointError)
        except CheckpointError:
            raise
        except (MoglowError, RuntimeError) as error:
            raise CheckpointError(f"{place} cannot be built: {' '.join(str(error).split())[:200]}") from error
        model = cls(config, *sizes)
        model.load_state_dict({name: torch.tensor(np.array(array)) for name, array in self.weights.items()})
        return model.to(device).eval().requires_grad_(False)

    def figure(self, *keys: str) -> float | None:
        """Returns a number of `about` by its keys; None if it is missing or not finite."""
        value: Any = self.about
        for key in keys:
            if value is None:
                return None
            if not isinstance(value, Mapping):
                raise CheckpointError(
                    f"the checkpoint's about {' '.join(keys)}: {key!r} is looked up in {value!r:.40}"
                )
            value = value.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise CheckpointError(
                f"the checkpoint's about {' '.join(keys)} should be a number, it is {value!r:.40}"
            )
        return float(value) if abs(value) < 1e300 else None

    def with_figures(self, **figures: Any) -> Self:
        """Returns the checkpoint with additional entries in `about`."""
        return replace(self, about={**self.about, **figures})


def read_parts(path: Path, form: str, version: str) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """Returns arrays and metadata of a file; raises an error for another form or version."""
    try:
        arrays, metadata = read_tensors(path)
    except FileFormatError as error:
        raise CheckpointError(str(error)) from error
    if metadata.get("format") != form:
        raise CheckpointError(
            f"{path}: expected a {form}, found {metadata.get('format', 'another kind of file')}; choose another file"
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
"""Default for the mean speed of the lowest toe in motion capture in m/s, for checkpoints without this figure."""


def real_slide(checkpoint: Checkpoint) -> float:
    """Returns the mean speed (m/s) of the lowest toe in the real motion with which the checkpoint was validated."""
    found = checkpoint.figure("validation", "real", "slide_mean")
    return REAL_SLIDE if found is None else found


def real_figures(checkpoint: Checkpoint) -> dict[str, Any]:
    """Returns the roll-out figures of held-out real motion that the checkpoint contains."""
    median, mean, jerk = (
        checkpoint.figure("validation", "real", name) for name in ("slide_median", "slide_mean", "jerk")
    )
    nats = checkpoint.figure("validation", "likelihood", "standardized")
    out: dict[str, Any] = {}
    if median is not None and mean is not None:
        out["foot_slide_m_s"] = {"median": round(median, 4), "mean": round(mean, 4)}
    if jerk is not None:
        out["jerk_m_s3"] = round(jerk, 1)
    if nats is not None:
        out["log_likelihood_nats"] = {"mean": round(-nats, 2)}
    return out


def likelihood_terms(checkpoint: Checkpoint) -> str:
    """Returns a description of the terms in the model's likelihood."""
    noise = checkpoint.figure("validation", "likelihood", "dequantised")
    density = f", density with dequantisation noise of {noise:g} deviations" if noise is not None else ""
    stride = int(checkpoint.figure("stride") or 1)
    shares = f", in equal shares of {stride} frames scored at once" if stride > 1 else ""
    channels = checkpoint.context.pose_dim
    return f"natural log, {channels} standardised channels a frame{density}, at temperature 1{shares}"
