"""The tensors that a MoGlow's configuration implies without torch are those that torch builds."""

from dataclasses import asdict, fields, replace

import pytest
import torch

from moglow.checkpoint import Checkpoint
from moglow.errors import CheckpointError
from moglow.flows.bases import LATENTS
from moglow.models.moglow import MoGlow
from moglow.sampling.generate import PRETRAINED
from moglow.weights import MoGlowChoices, moglow_tensors


def test_the_choices_are_those_of_the_model() -> None:
    ours, theirs = (
        {field.name: field.default for field in fields(cls)} for cls in (MoGlowChoices, MoGlow.Config)
    )
    assert ours == theirs
    for latent in LATENTS:
        MoGlowChoices(**{"latent": latent})  # type: ignore[arg-type]


@pytest.mark.parametrize("pose", [6, 7])
@pytest.mark.parametrize("name", MoGlow.PRESETS)
def test_the_tensors_are_those_of_the_model(name: str, pose: int) -> None:
    config = MoGlow.PRESETS[name]
    assert isinstance(config, MoGlow.Config)
    with torch.device("meta"):
        built = MoGlow(config, pose, 10).state_dict()
    expected = moglow_tensors(MoGlowChoices(**asdict(config)), pose, 10)
    assert expected is not None
    assert {name: shape for name, (shape, _) in expected.items()} == {
        n: tuple(t.shape) for n, t in built.items()
    }
    for name, (_, dtype) in expected.items():
        assert torch.empty(0, dtype=built[name].dtype).numpy().dtype == dtype


def test_a_figure_of_a_checkpoint_is_a_number_or_absent() -> None:
    model = Checkpoint.read(PRETRAINED)
    assert model.figure("validation", "real", "jerk") == pytest.approx(139.2172, abs=1e-3)
    assert replace(model, about={"validation": None}).figure("validation", "real", "jerk") is None
    assert replace(model, about={"steps": float("nan")}).figure("steps") is None
    for about in (
        {"validation": [1]},
        {"validation": {"real": "x"}},
        {"validation": {"real": {"jerk": "x"}}},
    ):
        with pytest.raises(CheckpointError, match="validation real jerk"):
            replace(model, about=about).figure("validation", "real", "jerk")
