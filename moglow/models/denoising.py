"""An autoencoder that is trained to reconstruct poses from corrupted ones."""

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
    """x̂ = D(E(x̃)), x̃ = x with noise added and channels blanked, so that D(E(·)) learns how channels depend on others.

    Vincent, Larochelle, Lajoie, Bengio and Manzagol, *Stacked denoising autoencoders*, JMLR 11, 2010. The strength of
    the noise is sampled per frame, so that the model learns to keep good poses as well as to mend corrupted ones.
    `denoise` estimates the original of a corrupted pose.

    Good for mending poses that are corrupted in a few channels, and for scoring them at the same time.
    """

    @dataclass(frozen=True)
    class Config(Overcomplete.Config):
        """The settings of a denoising autoencoder."""

        noise: float = 2.0  # deviation of the strongest noise; each frame samples its own from 0 to this
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

    def corrupted(self, pose: Tensor, generator: Generator) -> Tensor:
        """Returns poses (B, T, D) with noise, and some channels blanked."""

        def like_pose(sample: Tensor) -> Tensor:
            return sample.to(pose)

        device = generator.device
        strength = like_pose(torch.rand(*pose.shape[:-1], 1, generator=generator, device=device))
        noise = like_pose(torch.randn(pose.shape, generator=generator, device=device))
        kept = like_pose(torch.rand(pose.shape, generator=generator, device=device)) >= self.config.blanked
        return (pose + self.config.noise * strength * noise) * kept

    def denoise(self, pose: Tensor, context: Tensor, state: State = None) -> tuple[Tensor, State]:
        """Returns estimates of the originals of corrupted poses (B, T, D), and the state after the last frame."""
        return self.reconstruct(pose, context, state)
