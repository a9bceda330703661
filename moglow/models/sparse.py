"""An autoencoder with a large code of which each number is seldom large. Stands on `overcomplete`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from moglow.errors import RecipeError
from moglow.models.model import MotionModel
from moglow.models.overcomplete import Overcomplete


class SparseKL(Overcomplete):
    """x̂ = D(z), z = E(x) between 0 and 1, and β Σₖ KL(ρ ‖ ρ̂ₖ) made small besides the error: no number is often large.

    ρ̂ₖ is the mean of number k over a batch. KL(ρ ‖ ρ̂) = ρ log ρ/ρ̂ + (1 − ρ) log (1 − ρ)/(1 − ρ̂): numbers
    are coins that
    should come up at rate ρ, so all take part and each seldom (Ng, *Sparse autoencoder*, lecture notes CS294A, 2011).

    Good for codes of switches: each number is on or off, and says of a pose that something is so or not.
    """

    @dataclass(frozen=True)
    class Config(Overcomplete.Config):
        """What an autoencoder with a KL penalty is built from."""

        rate: float = 0.05  # ρ
        sparsity: float = 1e-2  # β; larger holds the rates closer to ρ

        def __post_init__(self) -> None:
            super().__post_init__()
            if not 0 < self.rate < 1 or self.sparsity < 0:
                raise RecipeError(
                    f"rate {self.rate}, sparsity {self.sparsity}: give a rate between 0 and 1, and at least 0"
                )

    PRESETS: ClassVar[Mapping[str, MotionModel.Config]] = {
        "compact": Config(),
        "toy": Config(hidden=64, encoded=64, net=64),
    }

    config: Config

    def activated(self, raw: Tensor) -> Tensor:
        return raw.sigmoid()

    def penalty(self, code: Tensor) -> Tensor:
        wanted = self.config.rate
        found = code.flatten(0, -2).mean(dim=0).clamp(1e-6, 1 - 1e-6)
        seldom = wanted * (wanted / found).log() + (1 - wanted) * ((1 - wanted) / (1 - found)).log()
        return self.config.sparsity * seldom.sum()


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
