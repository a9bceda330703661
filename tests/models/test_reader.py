"""`moglow.models.reader`: the requested scale is that of the Gaussian and of everything after it."""

import pytest
import torch
from torch import nn

from moglow.flows.scales import SCALES
from moglow.models import MODELS
from moglow.models.glow import Glow
from moglow.models.reader import ReadingFlow
from tests.models.test_model_laws import D, build, windows

READING = [name for name, model in MODELS.items() if issubclass(model, ReadingFlow)]
WIDEST = {"bounded": 1.1193, "symmetric": 7.3891}
"""By how much a channel is squeezed at most where all that a net says is large."""


@pytest.mark.parametrize("name", READING)
@pytest.mark.parametrize("scale", WIDEST)
def test_a_gaussian_is_as_narrow_as_its_scale_lets_it(name: str, scale: str) -> None:
    model = build(name, scale=scale)
    assert isinstance(model, ReadingFlow)
    nn.init.constant_(model.get_parameter("flow.gaussian.conditioner.head.bias"), 100.0)
    pose, context = windows()
    encoded, _ = model.encode(context[..., : model.context_dim - getattr(model.config, "styles", 0)])
    _, ladj, _ = model.get_submodule("flow.gaussian")(pose, encoded)
    torch.testing.assert_close(ladj.exp(), torch.full_like(ladj, WIDEST[scale] ** D), rtol=1e-3, atol=0)


@pytest.mark.parametrize("name", ["glow", "realnvp"])
def test_presets_for_walking_cannot_widen(name: str) -> None:
    config = MODELS[name].PRESETS["compact"]
    assert isinstance(config, Glow.Config | ReadingFlow.Config)
    assert SCALES[config.scale](torch.tensor(1e3)) < WIDEST["bounded"] + 1e-4


def test_glow_samples_four_frames_at_once() -> None:
    config = Glow.PRESETS["compact"]
    assert isinstance(config, Glow.Config) and config.window == 4
