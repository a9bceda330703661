"""An autoencoder that is shown spoilt poses and gives back sound ones. Stands on `overcomplete`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Generator, Tensor

from moglow.errors import RecipeError
from moglow.flows.bijection import State
from moglow.models.model import MotionModel
from moglow.models.overcomplete import Overcomplete


class Denoising(Overcomplete):
    """x̂ = D(E(x̃)), x̃ = x with noise on it and channels blanked: to undo that, it must know how channels go together.

    Vincent, Larochelle, Lajoie, Bengio and Manzagol, *Stacked denoising autoencoders*, JMLR 11, 2010. How strong the
    noise is, is drawn for each frame, so that it learns to leave alone what is sound as well as to mend what is not.
    `denoise` gives back what a spoilt pose may have been.

    Good for mending poses that are spoilt here and there, and for judging them on the way.
    """

    @dataclass(frozen=True)
    class Config(Overcomplete.Config):
        """What a denoising autoencoder is built from."""

        noise: float = 2.0  # deviations of the strongest noise; each frame draws its own from 0 to this
        blanked: float = 0.2  # share of the channels that are set to their mean

        def __post_init__(self) -> None:
            super().__post_init__()
            if self.noise < 0 or not 0 <= self.blanked < 1:
                raise RecipeError(
                    f"noise {self.noise}, blanked {self.blanked}: give at least 0, and a share below 1"
                )

    PRESETS: ClassVar[Mapping[str, MotionModel.Config]] = {
        "compact": Config(),
        "toy": Config(hidden=64, encoded=64, net=64),
    }

    config: Config

    def seen(self, pose: Tensor, generator: Generator) -> Tensor:
        """Returns poses (B, T, D) with noise, and some channels blanked."""

        def like_pose(draw: Tensor) -> Tensor:
            return draw.to(pose)

        device = generator.device
        strength = like_pose(torch.rand(*pose.shape[:-1], 1, generator=generator, device=device))
        noise = like_pose(torch.randn(pose.shape, generator=generator, device=device))
        kept = like_pose(torch.rand(pose.shape, generator=generator, device=device)) >= self.config.blanked
        return (pose + self.config.noise * strength * noise) * kept

    def denoise(self, pose: Tensor, context: Tensor, state: State = None) -> tuple[Tensor, State]:
        """Returns what spoilt poses may have been (B, T, D), and the state after the last frame."""
        return self.reconstruct(pose, context, state)
