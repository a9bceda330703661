"""Training with the LSTMs in bfloat16: close to float32, only where it pays, and nowhere but in the step itself."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Generator, Tensor

from moglow.corpus.window_spec import WindowSpec
from moglow.corpus.windows import Footage, Windows
from moglow.errors import DeviceError
from moglow.flows.nets import BFLOAT16_PAYS_FROM, faster_precision, has_fast_bfloat16, recurrent_products_in
from moglow.flows.schedules.schedules import SCHEDULES
from moglow.models.moglow import MoGlow
from moglow.training.spec import PRECISIONS, TrainingSpec
from moglow.training.trainer import Trainer
from tests.support.tiny import tiny_context, tiny_corpus, tiny_recipe
from tests.training.test_resume import halves

CPU = torch.device("cpu")
LOSS, COSINE = 1e-3, 0.9999  # how far a loss may be away, as a share; how alike two gradients point
fast = pytest.mark.skipif(not has_fast_bfloat16(CPU), reason="needs a CPU that multiplies in bfloat16")


def learned(hidden: int) -> tuple[MoGlow, Trainer]:
    """Returns a model after some steps in float32, when its nets no longer say zero, and its trainer."""
    spec = TrainingSpec(
        batch=8, rate=3e-3, warmup=5, precision="float32", windows=WindowSpec(length=20, pose_dropout=0.5)
    )
    footage = Footage(tiny_corpus(), tiny_context())
    windows = Windows(footage, spec.windows, split="train", batch=8, seed=1)
    context = tiny_context()
    config = MoGlow.Config(steps=4, hidden=hidden, encoder=(32,), scale="bounded", latent="student")
    model = MoGlow(config, context.pose_dim, context.size, generator=Generator().manual_seed(1))
    trainer = Trainer(model, windows, spec)
    list(trainer.run(15))
    return model, trainer


@fast
@pytest.mark.parametrize("unrolled", [False, True], ids=["the library's", "unrolled"])
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_loss_and_gradient_are_those_of_float32(
    schedule: str, unrolled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("moglow.flows.nets.UNROLLED_FROM", 1 if unrolled else 10**9)
    model, trainer = learned(BFLOAT16_PAYS_FROM)
    context = trainer.windows.footage.context
    window = trainer.windows.batch(0)

    def found(precision: torch.dtype | None) -> tuple[Tensor, Tensor]:
        model.zero_grad()
        with recurrent_products_in(precision, model):
            loss, _ = model.loss(
                window.target(context), window.context(context), generator=Generator().manual_seed(1)
            )
            torch.autograd.backward(loss)
        assert loss.dtype is torch.float32
        gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
        return loss.detach(), torch.cat([gradient.double().flatten() for gradient in gradients])

    exact, direction = found(None)
    model.schedule = schedule
    rounded, rounded_direction = found(torch.bfloat16)
    assert not torch.equal(rounded_direction, direction)
    assert abs(rounded - exact) <= LOSS * abs(exact)
    assert torch.cosine_similarity(direction, rounded_direction, dim=0) >= COSINE


@fast
def test_only_the_step_is_in_bfloat16() -> None:
    model, trainer = learned(8)
    trainer.precision = torch.bfloat16
    during: list[Any] = []
    nets = [step.coupling.conditioner for step in model.flow.children()]  # type: ignore[union-attr]
    model.flow.register_forward_pre_hook(lambda *_: during.append([net.precision for net in nets]))  # type: ignore[union-attr]
    list(trainer.run(trainer.step + 1))
    assert during == [[torch.bfloat16] * 4]
    assert [net.precision for net in nets] == [None] * 4  # type: ignore[union-attr]


def test_an_interrupted_step_leaves_float32_behind() -> None:
    model, _ = learned(8)
    with pytest.raises(KeyboardInterrupt), recurrent_products_in(torch.bfloat16, model):
        raise KeyboardInterrupt
    assert all(getattr(module, "precision", None) is None for module in model.modules())


@fast
@pytest.mark.parametrize("unrolled_from", [1, 512])
def test_a_resumed_run_in_bfloat16_is_one_that_never_stopped(
    unrolled_from: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("moglow.flows.nets.UNROLLED_FROM", unrolled_from)
    halves(tmp_path, 10, validate_every=10, precision="bfloat16")


def test_auto_takes_bfloat16_where_it_pays(monkeypatch: pytest.MonkeyPatch) -> None:
    def chosen(device: torch.device = CPU, **config: Any) -> torch.dtype | None:
        return faster_precision(MoGlow(MoGlow.Config(steps=1, layers=1, **config), 4, 3), device)

    monkeypatch.setattr("moglow.flows.nets.has_fast_bfloat16", lambda device: True)
    assert chosen(hidden=BFLOAT16_PAYS_FROM) is torch.bfloat16
    assert chosen(hidden=BFLOAT16_PAYS_FROM - 1) is None
    assert chosen(hidden=256, conditioner="gru") is chosen(hidden=256, conditioner="mlp") is None
    assert chosen(torch.device("cuda"), hidden=256) is torch.bfloat16
    monkeypatch.setattr("moglow.flows.nets.has_fast_bfloat16", lambda device: False)
    assert chosen(hidden=256) is None


def test_a_device_without_bfloat16_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moglow.training.spec.has_bfloat16", lambda device: False)
    with pytest.raises(DeviceError, match="cannot multiply in bfloat16"):
        PRECISIONS["bfloat16"](MoGlow(MoGlow.Config(steps=1, layers=1), 4, 3), CPU)


def test_a_recipe_selects_the_precision() -> None:
    from moglow.training.plan import TrainingPlan

    recipe = tiny_recipe().overridden(["training.precision=bfloat16"])
    assert TrainingPlan.of(recipe).training.precision == "bfloat16"
