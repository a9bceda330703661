"""Base distributions of the flows.

A latent sample is a function of standard normals, so that numpy, torch and a GPU can share one stream of random
numbers: `noise_dim` is the number of normals per sample and `from_noise` the function.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping

import torch
from torch import Tensor


class Latent(ABC):
    """A distribution of vectors (…, D) that is easy to sample and to evaluate."""

    def __init__(self, dim: int) -> None:
        self.dim = dim

    @property
    @abstractmethod
    def noise_dim(self) -> int:
        """Number of standard normals that one sample needs."""

    @abstractmethod
    def log_prob(self, z: Tensor) -> Tensor:
        """Returns the log-density in nats, (…)."""

    @abstractmethod
    def from_noise(self, noise: Tensor) -> Tensor:
        """Returns the sample z (…, D) made from noise (…, noise_dim)."""


class StandardNormal(Latent):
    """N(0, I). The noise, D standard normals, is the sample.

    >>> round(StandardNormal(1).log_prob(torch.zeros(1)).item(), 4)  # −½ log 2π
    -0.9189
    """

    @property
    def noise_dim(self) -> int:
        return self.dim

    def log_prob(self, z: Tensor) -> Tensor:
        return -0.5 * (z.square().sum(dim=-1) + self.dim * math.log(2 * math.pi))

    def from_noise(self, noise: Tensor) -> Tensor:
        return noise


class StudentT(Latent):
    """The multivariate Student-t with ν degrees of freedom and unit scale (*Studentising flows*, 2020).

    Its score is bounded, so an outlier cannot destabilise training. Its noise is D normals n and ν further ones,
    whose squares sum to χ²: z = n · √(ν / χ²). ν is therefore an integer.

    >>> round(StudentT(1, degrees=50).log_prob(torch.zeros(1)).item(), 4)
    -0.9239
    """

    def __init__(self, dim: int, *, degrees: int = 50) -> None:
        super().__init__(dim)
        self.degrees = degrees

    @property
    def noise_dim(self) -> int:
        return self.dim + self.degrees

    def log_prob(self, z: Tensor) -> Tensor:
        both = 0.5 * (self.degrees + self.dim)
        at_zero = (
            math.lgamma(both)
            - math.lgamma(self.degrees / 2)
            - self.dim / 2 * math.log(self.degrees * math.pi)
        )
        return at_zero - both * torch.log1p(z.square().sum(dim=-1) / self.degrees)

    def from_noise(self, noise: Tensor) -> Tensor:
        normals, others = noise.tensor_split((self.dim,), dim=-1)
        return normals * (self.degrees / others.square().sum(dim=-1, keepdim=True)).sqrt()


LATENTS: Mapping[str, type[Latent]] = {"normal": StandardNormal, "student": StudentT}
