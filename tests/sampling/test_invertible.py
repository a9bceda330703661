"""MoGlow's density direction in numpy: it undoes sampling, and its adjoints are derivatives."""

from typing import Any

import numpy as np
import pytest
import torch

from moglow.models.moglow import MoGlow
from moglow.sampling.fast.invertible import InvertibleMoGlow

D, C, ROWS = 7, 11, 3
CONFIGS = [
    MoGlow.Config(steps=3, hidden=6, layers=1, encoder=(5, 4), scale="bounded", latent="student"),
    MoGlow.Config(steps=2, hidden=5, layers=2, encoder=(), scale="paper", latent="normal"),
]


def made(config: MoGlow.Config) -> tuple[MoGlow, InvertibleMoGlow]:
    torch.manual_seed(0)
    model = MoGlow(config, D, C).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape))
    weights = {name: value.detach().numpy() for name, value in model.state_dict().items()}
    return model, InvertibleMoGlow(vars(config), weights)


def given(model: InvertibleMoGlow, rows: int = ROWS) -> tuple[Any, Any, Any]:
    random = np.random.default_rng(1)
    context, latent = (random.normal(size=(rows, size)).astype(np.float32) for size in (C, D))
    shape = (model.cells, rows, model.hidden)
    memory = tuple(0.3 * random.normal(size=shape).astype(np.float32) for _ in range(2))
    return context, memory, latent


@pytest.mark.parametrize("config", CONFIGS)
def test_inverting_undoes_sampling(config: MoGlow.Config) -> None:
    _, model = made(config)
    context, memory, latent = given(model)
    target, nats, after = model.from_latent(context, memory, latent.copy())
    again, nats_again, after_again = model.invert(context, memory, target)
    np.testing.assert_allclose(again, latent, atol=1e-4)
    np.testing.assert_allclose(nats_again, nats, atol=1e-3)
    for one, other in zip(after, after_again, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.parametrize("config", CONFIGS)
def test_the_density_is_that_of_the_model_in_torch(config: MoGlow.Config) -> None:
    slow, model = made(config)
    random = np.random.default_rng(2)
    context, poses = (random.normal(size=(4, ROWS, size)).astype(np.float32) for size in (C, D))
    with torch.no_grad():
        wanted, _ = slow.log_prob(torch.tensor(poses).transpose(0, 1), torch.tensor(context).transpose(0, 1))
    memory = model.initial_state(ROWS)
    for t in range(4):
        _, nats, memory = model.invert(context[t], memory, poses[t])
        np.testing.assert_allclose(nats, wanted[:, t], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("changed", ["latent", "context", "h", "c"])
def test_adjoints_are_derivatives(config: MoGlow.Config, changed: str) -> None:
    """Of two linear functions of a frame and the memory after it, against central differences."""
    _, model = made(config)
    context, memory, latent = given(model, rows=1)
    inputs = {"latent": latent, "context": context, "h": memory[0], "c": memory[1]}
    target, *_ = model.from_latent(context, memory, latent.copy())
    *_, tape = model.taped(context, memory, target)
    random = np.random.default_rng(3)
    of_target = random.normal(size=(2, D)).astype(np.float32)
    shape = (model.cells, 2, model.hidden)
    of_memory = random.normal(size=shape).astype(np.float32), random.normal(size=shape).astype(np.float32)

    def functions(values: dict[str, Any]) -> Any:
        x, _, after = model.from_latent(
            values["context"], (values["h"], values["c"]), values["latent"].copy()
        )
        sums = of_target.astype(float) @ x[0]
        for slope, part in zip(of_memory, after, strict=True):
            sums = sums + np.einsum("krh,kh->r", slope.astype(float), part[:, 0].astype(float))
        return sums

    d_latent, d_context, (d_h, d_c) = model.back(tape, of_target.copy(), of_memory)
    adjoints = {"latent": d_latent, "context": d_context, "h": d_h, "c": d_c}
    way = random.normal(size=inputs[changed].shape).astype(np.float32)
    step = 1e-2
    ahead, behind = (functions({**inputs, changed: inputs[changed] + sign * step * way}) for sign in (1, -1))
    slope = adjoints[changed]
    along = np.einsum("krh,kh->r", slope, way[:, 0]) if changed in ("h", "c") else slope @ way[0]
    np.testing.assert_allclose(along, (ahead - behind) / (2 * step), rtol=1e-2, atol=2e-3)


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("far", [-1e6, 1e6])
@pytest.mark.filterwarnings("error")
def test_far_out_inputs_overflow_nothing(config: MoGlow.Config, far: float) -> None:
    """Neither the sigmoids of the scale and of the encoder nor their slopes raise a warning; all stays finite."""
    _, model = made(config)
    context, memory, latent = given(model, rows=1)
    assert np.isfinite(model.from_latent(context * np.float32(far), memory, latent.copy())[0]).all()
    for head, *_ in (rest for _, rest in model._steps):
        head *= far  # a signal of about this size
    latent, nats, after, tape = model.taped(context * np.float32(far), memory, latent)
    slopes = model.back(tape, np.ones((1, D), np.float32), (after[0] * 0, after[1] * 0))
    assert all(np.isfinite(each).all() for each in (latent, nats, *after, *slopes[:2], *slopes[2]))
