"""The state for resuming a training run, as a file in its folder."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moglow.checkpoint import read_parts
from moglow.errors import CheckpointError, TrainingError
from moglow.files.descriptions import parse_json
from moglow.files.tables import from_table
from moglow.files.tensors import write_tensors
from moglow.maths.rotations import Array
from moglow.training.folder import STATE
from moglow.training.validation import Validation

FORMAT, VERSION = "moglow-training", "1"


@dataclass(frozen=True)
class RunState:
    """The state for resuming a run, without its arrays."""

    step: int
    seed: int
    seconds: float
    validations: tuple[Validation, ...]
    plan: Mapping[str, Mapping[str, Any]]
    origin: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        if self.step < 0 or not 0 <= self.seed < 2**64 or not 0 <= self.seconds < math.inf:
            raise ValueError(
                f"step {self.step}, seed {self.seed}, seconds {self.seconds}: expected none below 0"
            )

    def must_belong_to(self, plan: Mapping[str, Mapping[str, Any]], path: Path) -> None:
        """Raises `CheckpointError`, with the ``path`` of the state, if a run was begun with other settings."""
        for section in plan:
            before = self.plan.get(section, {})
            for key in sorted({*before, *plan[section]}):
                if before.get(key) != plan[section].get(key):
                    raise CheckpointError(
                        f"{path}: was begun with {section}.{key} = {before.get(key)}, now it is "
                        f"{plan[section].get(key)}; set it back or start a new run"
                    )


def read_state(folder: Path) -> tuple[Mapping[str, Array], RunState]:
    """Returns the state of the run in a folder, with the arrays of its trainer."""
    path = folder / STATE
    if not path.exists():
        raise TrainingError(f"{folder}: no training state to resume from; start a new run")
    arrays, metadata = read_parts(path, FORMAT, VERSION)
    table = parse_json(metadata.get("training", ""), str(path), CheckpointError)
    return arrays, from_table(RunState, table, f"{path}: its description", CheckpointError, finite=False)


def write_state(folder: Path, arrays: Mapping[str, Array], table: Mapping[str, Any]) -> None:
    """Writes the state of a run into its folder."""
    metadata = {"format": FORMAT, "version": VERSION, "training": json.dumps(table)}
    write_tensors(folder / STATE, arrays, metadata)
