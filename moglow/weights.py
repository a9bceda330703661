"""The tensors of a MoGlow that its configuration calls for, by name and shape. Needs no torch.

The numpy sampler and Blender read a checkpoint without torch, so its weights are checked without torch, too.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

Expected: TypeAlias = dict[str, tuple[tuple[int, ...], npt.DTypeLike]]

INITIALIZED = "actnorm.initialized"
MOST = 100_000
"""The largest count or width of a configuration."""
MOST_CELLS = 10_000


@dataclass(frozen=True)
class MoGlowChoices:
    """The fields of `moglow.models.moglow.MoGlow.Config`, with its defaults."""

    steps: int = 16
    hidden: int = 512
    layers: int = 2
    conditioner: str = "lstm"
    encoder: tuple[int, ...] = ()
    scale: str = "paper"
    latent: Literal["normal", "student"] = "normal"
    dropout: float = 0.0

    def __post_init__(self) -> None:
        for name in ("steps", "hidden", "layers"):
            if not 1 <= getattr(self, name) <= MOST:
                raise ValueError(f"{name} is {getattr(self, name)}, expected 1 to {MOST}")
        if self.steps * self.layers > MOST_CELLS:
            raise ValueError(f"steps {self.steps} times layers {self.layers} is more than {MOST_CELLS}")
        if not all(1 <= width <= MOST for width in self.encoder):
            raise ValueError(f"encoder is {list(self.encoder)[:5]}, expected widths from 1 to {MOST}")


def moglow_tensors(choices: MoGlowChoices, pose: int, context: int) -> Expected | None:
    """Returns the tensors of a MoGlow of so many channels, or None for a conditioner that only torch has.

    >>> expected = moglow_tensors(MoGlowChoices(steps=1, hidden=4, layers=1), pose=6, context=10)
    >>> expected["flow.step00.coupling.conditioner.recurrent.weight_ih_l0"][0]
    (16, 13)
    """
    if choices.conditioner != "lstm":
        return None
    shapes: dict[str, tuple[int, ...]] = {}
    for k, width in enumerate(choices.encoder):
        shapes |= {f"encoder.{2 * k}.weight": (width, context), f"encoder.{2 * k}.bias": (width,)}
        context = width
    kept, moved, gates = pose // 2, pose - pose // 2, 4 * choices.hidden
    for k in range(choices.steps):
        step = f"flow.step{k:02d}"
        shapes |= {f"{step}.actnorm.{name}": (pose,) for name in ("bias", "log_scale")}
        shapes[f"{step}.{INITIALIZED}"] = ()
        shapes |= {f"{step}.linear.{name}": (pose, pose) for name in ("lower", "upper", "permutation")}
        shapes |= {f"{step}.linear.{name}": (pose,) for name in ("log_scale", "sign")}
        inputs = kept + context
        for layer in range(choices.layers):
            cell = f"{step}.coupling.conditioner.recurrent"
            shapes |= {f"{cell}.weight_ih_l{layer}": (gates, inputs)}
            shapes |= {f"{cell}.weight_hh_l{layer}": (gates, choices.hidden)}
            shapes |= {f"{cell}.bias_{name}_l{layer}": (gates,) for name in ("ih", "hh")}
            inputs = choices.hidden
        head = f"{step}.coupling.conditioner.head"
        shapes |= {f"{head}.weight": (2 * moved, choices.hidden), f"{head}.bias": (2 * moved,)}
    return {
        name: (shape, np.bool_ if name.endswith(INITIALIZED) else np.float32)
        for name, shape in shapes.items()
    }
