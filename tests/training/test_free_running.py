"""Free running: frame by frame equal to the sequence, and a curriculum with the model's own samples."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Generator, Tensor

from moglow.corpus.window import Window
from moglow.corpus.window_spec import WindowSpec
from moglow.corpus.windows import Footage, Windows
from moglow.models.moglow import MoGlow
from moglow.training.free_running import FreeRunning
from moglow.training.rollouts import roll_out
from tests.support.tiny import tiny_context, tiny_corpus

PLAIN = WindowSpec(length=12, dequantise=0.0, pose_dropout=0.0, style_dropout=0.0)
ALWAYS = FreeRunning(share=1.0, frames=5, start=0, ramp=0)
CLOSE = 2e-3  # float32 through an inverse flow, fed back twelve times
K = 3


@pytest.fixture(scope="module")
def windows() -> Windows:
    return Windows(Footage(tiny_corpus(), tiny_context()), PLAIN, split="train", batch=4, seed=1)


@pytest.fixture(scope="module")
def model(windows: Windows) -> MoGlow:
    context = tiny_context()
    config = MoGlow.Config(steps=2, hidden=8, encoder=(8,), scale="bounded")
    made = MoGlow(config, context.pose_dim, context.size, generator=Generator().manual_seed(1))
    window = windows.batch(0)
    made.initialize(window.target(windows.footage.context), window.context(windows.footage.context))
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=Generator().manual_seed(2)))
    return made


def applied(windows: Windows, model: MoGlow, window: Window, **changes: Any) -> Window:
    arguments: dict[str, Any] = {"step": 0, "size": 4, "rows": slice(None)} | changes
    generator = windows.generator(0, 1)
    return ALWAYS.applied(window, model, windows.footage.context, None, **arguments, generator=generator)


def test_the_noise_of_a_recording_gives_the_recording_back(windows: Windows, model: MoGlow) -> None:
    context, window = windows.footage.context, windows.batch(0)
    with torch.no_grad():
        encoded = model.encoder(window.context(context))
        noise: Tensor = model.flow(window.target(context), encoded)[0]
    poses, _ = roll_out(model, context, window.poses[:, :K], window.controls, window.style[:, 0], noise)
    torch.testing.assert_close(poses, window.poses[:, K:], atol=CLOSE, rtol=0)
    other, _ = roll_out(
        model, context, window.poses[:, :K], window.controls, window.style[:, 0], noise, temperature=0.5
    )
    assert (other - window.poses[:, K:]).abs().max() > 0.01


def test_a_curriculum_replaces_a_stretch_of_the_history_and_nothing_else(
    windows: Windows, model: MoGlow
) -> None:
    window = windows.batch(0)
    after = applied(windows, model, window)
    changed = (after.history != window.history).any(-1)  # (B, K + T)
    assert not changed[:, :K].any()
    assert (changed.sum(1) == ALWAYS.frames).all()
    assert torch.equal(after.poses, window.poses)
    context = windows.footage.context
    assert not torch.equal(after.target(context), window.target(context))


def test_each_process_makes_its_rows_of_the_global_curriculum(windows: Windows, model: MoGlow) -> None:
    window = windows.batch(0)
    whole = applied(windows, model, window)
    rows = slice(2, 4)
    half = replace(window, **{name: getattr(window, name)[rows] for name in Window.__dataclass_fields__})
    part = applied(windows, model, half, rows=rows)
    torch.testing.assert_close(part.history, whole.history[rows])


def test_the_share_grows_and_is_kept(windows: Windows, model: MoGlow) -> None:
    spec = FreeRunning(share=0.5, start=10, ramp=10)
    assert [spec.share_at(step) for step in (0, 10, 15, 20, 99)] == [0.0, 0.0, 0.25, 0.5, 0.5]
    window = windows.batch(0)
    context = windows.footage.context
    changed = [
        spec.applied(
            window, model, context, None, step=99, size=4, rows=slice(None), generator=windows.generator(n, 1)
        )
        is not window
        for n in range(60)
    ]
    assert 18 < sum(changed) < 42
    for wrong in ({"share": 2.0}, {"frames": 0}):
        with pytest.raises(ValueError):
            FreeRunning(**wrong)
