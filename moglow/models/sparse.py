"""Autoencoders with a large, sparse code, by a KL or an L1 penalty."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from moglow.errors import RecipeError
from moglow.models.model import MotionModel
from moglow.models.overcomplete import Overcomplete


class SparseKL(Overcomplete):
    """x̂ = D(z), z = E(x) between 0 and 1, with the penalty β Σₖ KL(ρ ‖ ρ̂ₖ), so that each number is seldom large.

    ρ̂ₖ is the mean of number k over a batch. KL(ρ ‖ ρ̂) = ρ log ρ/ρ̂ + (1 − ρ) log (1 − ρ)/(1 − ρ̂) holds each number's
    mean near the rate ρ, so that all numbers are used, each by few poses (Ng, *Sparse autoencoder*, lecture notes
    CS294A, 2011).

    Good for nearly binary codes: each number states whether a pose has a property.
    """

    @dataclass(frozen=True)
    class Config(Overcomplete.Config):
        """The settings of an autoencoder with a KL penalty."""

        rate: float = 0.05  # ρ
        sparsity: float = 1e-2  # β; a larger one holds the means closer to ρ

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
        rate = self.config.rate
        mean = code.flatten(0, -2).mean(dim=0).clamp(1e-6, 1 - 1e-6)
        divergence = rate * (rate / mean).log() + (1 - rate) * ((1 - rate) / (1 - mean)).log()
        return self.config.sparsity * divergence.sum()


class SparseL1(Overcomplete):
    """x̂ = D(z), z = E(x) rectified, with the penalty λ Σₖ |zₖ| ‖wₖ‖, so that few numbers of z are not zero.

    wₖ are the decoder's weights on zₖ. After Ranzato, Poultney, Chopra and LeCun, *Efficient learning of sparse
    representations with an energy-based model*, NIPS 2006. The norms are a departure: without them codes shrink and
    weights grow, which lowers the penalty without making the code sparse.

    Good for interpretable codes: few numbers describe a pose, and the contribution of each can be drawn.
    """

    @dataclass(frozen=True)
    class Config(Overcomplete.Config):
        """The settings of an autoencoder with an L1 penalty."""

        sparsity: float = 1e-3  # λ; a larger one leaves fewer numbers that are not zero

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
