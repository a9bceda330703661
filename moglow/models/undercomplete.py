"""An autoencoder whose code is smaller than the pose. Stands on `autoencoder`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from moglow.errors import RecipeError
from moglow.models.autoencoder import Autoencoder
from moglow.models.model import MotionModel


class Undercomplete(Autoencoder):
    """x̂ = D(E(x)) through fewer numbers than x has: only what poses have in common comes through.

    Linear nets would find the principal components (Hinton and Salakhutdinov, 2006).

    Good for judging poses at little cost: what does not come back through few numbers is strange.

    >>> Undercomplete(Undercomplete.PRESETS["toy"], pose_dim=60, context_dim=6).code_dim
    15
    """

    @dataclass(frozen=True)
    class Config(Autoencoder.Config):
        """What an undercomplete autoencoder is built from."""

        def __post_init__(self) -> None:
            super().__post_init__()
            if self.code >= 1:
                raise RecipeError(f"code is {self.code} sizes of the pose, expected less than 1; lower it")

    PRESETS: ClassVar[Mapping[str, MotionModel.Config]] = {
        "compact": Config(),
        "toy": Config(hidden=64, encoded=64, net=64),
    }
