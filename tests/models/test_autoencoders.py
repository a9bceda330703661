"""Autoencoders: unlike poses are not reproduced, sparse codes are sparse, denoising corrects, codes are counted."""

import dataclasses
from typing import Any

import pytest
import torch
from torch import Generator, Tensor

from moglow.corpus.window_spec import WindowSpec
from moglow.corpus.windows import Footage, Windows
from moglow.errors import RecipeError
from moglow.models import MODELS
from moglow.models.autoencoder import Autoencoder
from moglow.models.denoising import Denoising
from moglow.models.sparse import SparseKL, SparseL1
from moglow.models.undercomplete import Undercomplete
from moglow.training.spec import TrainingSpec
from moglow.training.trainer import Trainer
from tests.models.test_model_laws import AUTOENCODERS, SMALL, build, windows
from tests.support.tiny import tiny_context, tiny_corpus

D, INNER = 6, 2
NETS: dict[str, Any] = {"reader": "mlp", "hidden": 8, "encoded": 4, "net": 32, "depth": 1}


def flat_poses(seed: int = 1) -> tuple[Tensor, Tensor, Tensor]:
    """Returns poses (64, 4, D) in a plane, contexts without information, and the projection onto the plane."""
    generator = Generator().manual_seed(seed)
    basis = torch.linalg.qr(torch.randn(D, INNER, generator=Generator().manual_seed(0)))[0]
    return torch.randn(64, 4, INNER, generator=generator) @ basis.T, torch.zeros(64, 4, 3), basis @ basis.T


def trained(model: Autoencoder, steps: int = 200) -> Autoencoder:
    pose, context, _ = flat_poses()
    generator = Generator().manual_seed(2)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(steps):
        optimizer.zero_grad()
        torch.autograd.backward(model.loss(pose, context, generator=generator)[0])
        optimizer.step()
    return model.requires_grad_(False)


def test_a_narrow_code_keeps_the_plane_of_the_poses_and_drops_the_rest() -> None:
    model = trained(Undercomplete(Undercomplete.Config(**NETS, code=INNER / D), D, 3))
    pose, context, onto = flat_poses(seed=3)
    off = torch.randn(pose.shape, generator=Generator().manual_seed(4)) @ (torch.eye(D) - onto)
    good, bad = model.score(pose, context)[0], model.score(pose + off, context)[0]
    assert good.mean() < 0.05 * pose.square().mean()
    torch.testing.assert_close(bad.mean(), off.square().mean(), rtol=0.3, atol=0)


def test_denoising_moves_poses_towards_the_clean_ones() -> None:
    model = trained(Denoising(Denoising.Config(**NETS, noise=1.0, blanked=0.1), D, 3))
    assert isinstance(model, Denoising)
    pose, context, _ = flat_poses(seed=3)
    spoilt = pose + 0.5 * torch.randn(pose.shape, generator=Generator().manual_seed(4))
    mended, _ = model.denoise(spoilt, context)
    assert (mended - pose).square().mean() < 0.6 * (spoilt - pose).square().mean()


def codes(model: Autoencoder) -> Tensor:
    pose, context, _ = flat_poses(seed=3)
    return model.activated(model.encoder(pose, model.reader(context[..., :0], context, None)[0])[0])


def test_an_l1_penalty_leaves_few_numbers_that_are_not_zero() -> None:
    shares = [
        (codes(trained(SparseL1(SparseL1.Config(**NETS, sparsity=weight), D, 3))) > 0).float().mean().item()
        for weight in (0.0, 0.1)
    ]
    assert shares[1] < 0.5 * shares[0]


def test_a_kl_penalty_holds_every_number_near_its_rate() -> None:
    model = trained(SparseKL(SparseKL.Config(**NETS, rate=0.1, sparsity=1.0), D, 3))
    torch.testing.assert_close(codes(model).mean((0, 1)), torch.full((2 * D,), 0.1), rtol=0, atol=0.05)


@pytest.mark.parametrize("name", sorted(AUTOENCODERS))
def test_sampled_codes_have_the_mean_and_covariance_of_training_codes(name: str) -> None:
    model = build(name)
    assert isinstance(model, Autoencoder)
    pose, context = windows()
    code = model.encoder(pose, model.reader(context[..., :0], context, None)[0])[0].detach()
    for _ in range(1200):
        model._update_statistics(code)
    seen = code.flatten(0, 1)
    torch.testing.assert_close(model.code_mean, seen.mean(dim=0), rtol=0, atol=1e-3)
    torch.testing.assert_close(model.code_covariance, seen.T.cov(correction=0), rtol=0, atol=1e-3)
    sampled: list[Tensor] = []
    model.decoder.register_forward_pre_hook(lambda _, inputs: sampled.append(inputs[0]))
    noise = model.sample_noise(8_000, generator=Generator().manual_seed(5)).double()
    model.step(context[:1, 0].expand(8_000, -1), None, noise)
    away = noise @ torch.linalg.cholesky(model.code_covariance + 1e-9 * torch.eye(model.code_dim)).T
    torch.testing.assert_close(
        sampled[0].mean(dim=0), model.activated(model.code_mean + away).mean(dim=0), rtol=0, atol=0.05
    )


def test_the_average_of_the_weights_has_the_codes_of_its_training() -> None:
    spec = TrainingSpec(steps=5, batch=4, windows=WindowSpec(length=10))
    footage = Footage(tiny_corpus(), tiny_context())
    of_training = Windows(footage, spec.windows, split="train", batch=spec.batch, seed=1)
    context = tiny_context()
    model = Undercomplete(Undercomplete.Config(**NETS), context.pose_dim, context.size)
    trainer = Trainer(model, of_training, spec)
    list(trainer.run())
    assert isinstance(trainer.average, Undercomplete)
    assert trainer.average.code_mean.abs().max() > 0
    torch.testing.assert_close(trainer.average.code_mean, model.code_mean, rtol=0, atol=0)


CHANGES: dict[str, Any] = {
    "reader": "gru", "hidden": 9, "layers": 2, "encoded": 7, "net": 9, "depth": 1, "noise": 1.0, "blanked": 0.5,
    "rate": 0.3, "sparsity": 0.5,
}  # fmt: skip
FIELDS = [
    (name, field.name)
    for name in sorted(AUTOENCODERS)
    for field in dataclasses.fields(MODELS[name].PRESETS["toy"])
]


@pytest.mark.parametrize(("name", "field"), FIELDS)
def test_each_field_of_the_config_matters(name: str, field: str) -> None:
    changes = {**CHANGES, "code": 0.4 if name == "undercomplete" else 3.0}
    assert changes[field] != SMALL[name].get(field)
    losses = []
    for model in (build(name), build(name, **{field: changes[field]})):
        (objective,) = model.objectives()
        losses.append(objective.loss(*windows(), generator=Generator().manual_seed(3))[0].item())
    assert losses[0] != losses[1]


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("undercomplete", {"code": 1.0}), ("undercomplete", {"code": 0.0}), ("overcomplete", {"code": 1.0}),
        ("denoising", {"noise": -1.0}), ("denoising", {"blanked": 1.0}), ("sparse_l1", {"sparsity": -1.0}),
        ("sparse_kl", {"rate": 0.0}), ("sparse_kl", {"sparsity": -1.0}),
    ],
)  # fmt: skip
def test_wrong_settings_are_refused(name: str, wrong: dict[str, float]) -> None:
    with pytest.raises(RecipeError, match=f"{next(iter(wrong))}.*(raise|lower|give)"):
        dataclasses.replace(MODELS[name].PRESETS["toy"], **wrong)
