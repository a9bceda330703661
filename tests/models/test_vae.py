"""The VAE's bound: above the ELBO, below the density, and consistent with samples."""

import math

import torch
from torch import Generator, Tensor

from moglow.models.vae import VAE

D, C = 3, 2


def vae(draws: int) -> VAE:
    """Returns a VAE that has moved away from its start, so that q is not the true posterior."""
    config = VAE.Config(hidden=6, encoded=4, code=2, net=6, depth=1, draws=draws)
    model = VAE(config, D, C, generator=Generator().manual_seed(1)).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=Generator().manual_seed(2)))
    model.points = torch.randn(draws, 2, dtype=torch.float64, generator=Generator().manual_seed(3))
    return model


def density(model: VAE, pose: Tensor, context: Tensor) -> Tensor:
    """Returns log p(x | c) of single frames (B,) by adding up over a fine grid of codes."""
    axis = torch.linspace(-7, 7, 281, dtype=torch.float64)
    code = torch.cartesian_prod(axis, axis)
    prior = -0.5 * code.square().sum(dim=-1) - math.log(2 * math.pi) + 2 * math.log(float(axis[1] - axis[0]))
    encoded, _ = model.reader(context[..., :0], context, None)
    every = [
        model.log_likelihood(x.expand(len(code), -1), code, e[0].expand(len(code), -1))
        for x, e in zip(pose[:, 0], encoded, strict=True)
    ]
    return torch.stack([(each + prior).logsumexp(dim=0) for each in every])


@torch.no_grad()
def test_the_bound_rises_with_its_samples_up_to_the_density() -> None:
    generator = Generator().manual_seed(4)
    pose, context = (torch.randn(40, 1, width, dtype=torch.float64, generator=generator) for width in (D, C))
    true = density(vae(1), pose, context).mean()
    bounds = [vae(draws).log_prob(pose, context)[0].mean() for draws in (1, 20, 4000)]
    losses = [vae(1).loss(pose, context, generator=generator)[0] for _ in range(200)]
    elbo = -torch.stack(losses).mean()
    assert elbo < bounds[1] < bounds[2] + 0.01 and bounds[0] < bounds[1]
    torch.testing.assert_close(bounds[2], true, rtol=0, atol=0.03)


@torch.no_grad()
def test_samples_have_the_stated_density() -> None:
    """Counts samples in small balls around some of them."""
    model, context, shown, radius = vae(1), torch.ones(4000, C, dtype=torch.float64), 100, 0.5
    noise = model.sample_noise(4000, generator=Generator().manual_seed(5)).double()
    poses, _ = model.step(context, None, noise)
    expected = density(model, poses[:shown, None], context[:shown, None]).exp().mean()
    near = (torch.cdist(poses[:shown], poses) < radius).double().sum(dim=-1) - 1  # not the sample itself
    found = near.mean() / 4000 / (4 / 3 * math.pi * radius**3)
    torch.testing.assert_close(found, expected, rtol=0.1, atol=0)
