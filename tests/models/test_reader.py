"""Laws of `moglow.models.reader`: the scale that is asked for is that of the Gaussian and of all that follows it."""

from dataclasses import replace

import pytest
import torch
from torch import Generator, nn

from moglow.flows.scales import SCALES
from moglow.models import MODELS
from moglow.models.glow import Glow
from moglow.models.model import MotionModel
from moglow.models.reader import ReadingFlow
from tests.models.test_model_laws import build

READING = [name for name, model in MODELS.items() if issubclass(model, ReadingFlow)]
WIDEST = {"bounded": 1.1193, "symmetric": 7.3891}
"""By how much a channel is squeezed at most where all that a net says is large."""


def shouting(name: str, scale: str) -> MotionModel:
    """Returns a model whose Gaussian is as narrow as it can be in each channel."""
    small = build(name)
    model = type(small)(replace(small.config, scale=scale), 5, 3, generator=Generator().manual_seed(1))
    assert isinstance(model, ReadingFlow)
    nn.init.constant_(model.flow.get_submodule("gaussian.conditioner.head").bias, 100.0)
    return model


@pytest.mark.parametrize("name", READING)
@pytest.mark.parametrize("scale", WIDEST)
def test_a_gaussian_is_as_narrow_as_its_scale_lets_it(name: str, scale: str) -> None:
    gaussian = shouting(name, scale).get_submodule("flow.gaussian")
    encoded = torch.zeros(1, 1, gaussian.get_submodule("conditioner.body.0").in_features)
    _, ladj, _ = gaussian(torch.zeros(1, 1, 5), encoded)
    assert ladj.exp().item() == pytest.approx(WIDEST[scale] ** 5, rel=1e-3)


@pytest.mark.parametrize("name", ["glow", "realnvp"])
def test_presets_for_walking_cannot_widen(name: str) -> None:
    config = MODELS[name].PRESETS["compact"]
    assert isinstance(config, Glow.Config | ReadingFlow.Config)
    assert SCALES[config.scale](torch.tensor(1e3)) < WIDEST["bounded"] + 1e-4


def test_glow_draws_four_frames_at_once() -> None:
    assert Glow(Glow.PRESETS["compact"], pose_dim=4, context_dim=6).stride == 4
