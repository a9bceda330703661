"""An autoencoder with a large code of which few numbers are not zero. Stands on `overcomplete`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from moglow.errors import RecipeError
from moglow.models.model import MotionModel
from moglow.models.overcomplete import Overcomplete


class SparseL1(Overcomplete):
    """x̂ = D(z), z = E(x) rectified, and λ Σₖ |zₖ| ‖wₖ‖ made small besides the error: few of many numbers tell a pose.

    wₖ are the weights by which the decoder reads zₖ. After Ranzato, Poultney, Chopra and LeCun, *Efficient learning of
    sparse representations with an energy-based model*, NIPS 2006. The norms are a departure: without them codes shrink
    and weights grow, and nothing is sparse but the figure.

    Good for codes to look at: few numbers stand for a pose, and what each of them adds can be drawn.
    """

    @dataclass(frozen=True)
    class Config(Overcomplete.Config):
        """What an autoencoder with an L1 penalty is built from."""

        sparsity: float = 1e-3  # λ; larger leaves fewer numbers that are not zero

        def __post_init__(self) -> None:
            super().__post_init__()
            if self.sparsity < 0:
                raise RecipeError(f"sparsity is {self.sparsity}, expected at least 0; raise it")

    PRESETS: ClassVar[Mapping[str, MotionModel.Config]] = {
        "compact": Config(),
        "toy": Config(hidden=64, encoded=64, net=64),
    }

    config: Config

    def activated(self, raw: Tensor) -> Tensor:
        return raw.relu()

    def penalty(self, code: Tensor) -> Tensor:
        reading = self.decoder.body.get_parameter("0.weight")[:, : self.code_dim]
        cost: Tensor = (code * reading.norm(dim=0)).sum(dim=-1).mean()
        return self.config.sparsity * cost
