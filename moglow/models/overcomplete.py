"""An autoencoder whose code is larger than the pose; nothing keeps it from copying. Stands on `autoencoder`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from moglow.errors import RecipeError
from moglow.models.autoencoder import Autoencoder
from moglow.models.model import MotionModel


class Overcomplete(Autoencoder):
    """x̂ = D(E(x)) through more numbers than x has: free to learn x̂ = x, which tells nothing strange from usual.

    The warning of every textbook (Goodfellow, Bengio and Courville, *Deep learning*, 2016, 14.1), here to be measured:
    what is left of it as a judge is that nets copy worst where no pose has been.

    Good for a comparison: the denoising and the sparse ones are this one with something that keeps it from copying.

    >>> Overcomplete(Overcomplete.PRESETS["toy"], pose_dim=60, context_dim=6).code_dim
    120
    """

    @dataclass(frozen=True)
    class Config(Autoencoder.Config):
        """What an overcomplete autoencoder is built from."""

        code: float = 2.0  # size of the code, in sizes of the pose

        def __post_init__(self) -> None:
            super().__post_init__()
            if self.code <= 1:
                raise RecipeError(f"code is {self.code} sizes of the pose, expected more than 1; raise it")

    PRESETS: ClassVar[Mapping[str, MotionModel.Config]] = {
        "compact": Config(),
        "toy": Config(hidden=64, encoded=64, net=64),
    }
