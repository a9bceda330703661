"""An autoencoder whose code is smaller than the pose."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from moglow.errors import RecipeError
from moglow.models.autoencoder import Autoencoder
from moglow.models.model import MotionModel


class Undercomplete(Autoencoder):
    """x̂ = D(E(x)) with a code smaller than x, which keeps only what poses have in common.

    Linear nets would find the principal components (Hinton and Salakhutdinov, 2006).

    Good for scoring poses at little cost: unusual poses are reconstructed badly.

    >>> Undercomplete(Undercomplete.PRESETS["toy"], pose_dim=60, context_dim=6).code_dim
    15
    """

    @dataclass(frozen=True)
    class Config(Autoencoder.Config):
        """The settings of an undercomplete autoencoder."""

        def __post_init__(self) -> None:
            super().__post_init__()
            if self.code >= 1:
                raise RecipeError(
                    f"code is {self.code} times the pose's size, expected less than 1; lower it"
                )

    PRESETS: ClassVar[Mapping[str, MotionModel.Config]] = {
        "compact": Config(),
        "toy": Config(hidden=64, encoded=64, net=64),
    }
