"""An autoencoder whose code is larger than the pose, so that it can copy its input."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from moglow.errors import RecipeError
from moglow.models.autoencoder import Autoencoder
from moglow.models.model import MotionModel


class Overcomplete(Autoencoder):
    """x̂ = D(E(x)) with a code larger than x, so that it can learn x̂ = x, whose error does not depend on the pose.

    The textbook warning (Goodfellow, Bengio and Courville, *Deep learning*, 2016, 14.1) as a model to measure: its
    score is useful only so far as the nets copy poses unlike the training data less well.

    Good for a comparison: the denoising and the sparse autoencoders are this one with something that prevents copying.

    >>> Overcomplete(Overcomplete.PRESETS["toy"], pose_dim=60, context_dim=6).code_dim
    120
    """

    @dataclass(frozen=True)
    class Config(Autoencoder.Config):
        """The settings of an overcomplete autoencoder."""

        code: float = 2.0  # size of the code as a multiple of the pose's

        def __post_init__(self) -> None:
            super().__post_init__()
            if self.code <= 1:
                raise RecipeError(
                    f"code is {self.code} times the pose's size, expected more than 1; raise it"
                )

    PRESETS: ClassVar[Mapping[str, MotionModel.Config]] = {
        "compact": Config(),
        "toy": Config(hidden=64, encoded=64, net=64),
    }
