"""The latents: densities that integrate to one, samples that follow them, one stream of noise per seed."""

import numpy as np
import pytest
import scipy.stats
import torch
from torch import Generator

from moglow.flows.bases import LATENTS, Latent, StandardNormal, StudentT


@pytest.fixture(params=LATENTS)
def latent(request: pytest.FixtureRequest) -> Latent:
    return LATENTS[request.param](2)


def test_the_density_integrates_to_one(latent: Latent) -> None:
    axis = torch.linspace(-12, 12, 601, dtype=torch.float64)
    grid = torch.cartesian_prod(axis, axis)
    mass = latent.log_prob(grid).exp().sum() * (axis[1] - axis[0]).square()
    torch.testing.assert_close(mass, torch.tensor(1.0, dtype=torch.float64), rtol=0, atol=1e-6)


def test_samples_follow_the_density(latent: Latent) -> None:
    """Compares |z|² with the density's mass inside circles, by Kolmogorov and Smirnov."""
    noise = torch.randn(4000, latent.noise_dim, generator=Generator().manual_seed(1))
    squares = latent.from_noise(noise).square().sum(-1).double()
    radius = torch.linspace(0, 30, 30001, dtype=torch.float64)
    at_radius = torch.stack([radius, torch.zeros_like(radius)], dim=-1)
    inside = torch.cumsum(latent.log_prob(at_radius).exp() * 2 * torch.pi * radius, 0) * (
        radius[1] - radius[0]
    )
    result = scipy.stats.kstest(
        squares.sqrt().numpy(), lambda r: np.interp(r, radius.numpy(), np.minimum(inside.numpy(), 1.0))
    )
    assert result.pvalue > 0.01


def test_the_students_density_is_scipys() -> None:
    z = np.random.default_rng(2).normal(size=(20, 7)) * 3
    expected = scipy.stats.multivariate_t(loc=np.zeros(7), shape=np.eye(7), df=50).logpdf(z)
    np.testing.assert_allclose(StudentT(7).log_prob(torch.from_numpy(z)).numpy(), expected, rtol=1e-12)


def test_the_students_pull_on_an_outlier_is_bounded() -> None:
    z = torch.tensor([1e4, 0.0], requires_grad=True)
    (pull,) = torch.autograd.grad(StudentT(2).log_prob(z), z)
    (normal_pull,) = torch.autograd.grad(StandardNormal(2).log_prob(z), z)
    assert pull.norm() < 0.1 and normal_pull.norm() > 1e3
