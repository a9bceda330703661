"""One take from Python: `generate`, with the defaults of `moglow generate`."""

from pathlib import Path

from moglow.checkpoint import Checkpoint, real_figures
from moglow.paths.control_path import ControlPath
from moglow.paths.csv_files import read_path
from moglow.sampling.generate import PRETRAINED, TEMPERATURE, Take, styled, within_range
from moglow.sampling.generate import generate as generate_takes


def pretrained() -> Checkpoint:
    """Returns the model inside the package."""
    return Checkpoint.read(PRETRAINED)


def generate(
    control: str | Path | ControlPath = "figure8",
    *,
    seed: int = 0,
    checkpoint: Checkpoint | str | Path | None = None,
    style: str | None = None,
    temperature: float = TEMPERATURE,
    foot_lock: bool = True,
    fit: bool = False,
) -> Take:
    """Returns motion that follows a path: the motion that `moglow generate` writes with the same options.

    Args:
        control: a preset such as ``"circle:r=2"``, a CSV file, or a path.
        seed: the same seed gives the same motion.
        checkpoint: a trained model or its file; the model inside the package if not given.
        style: a style of the model; its default style if not given.
        temperature: 0 is the calmest, 1 as varied as the data.
        foot_lock: whether planted feet are held in place.
        fit: whether a path is slowed down where it is faster than the model has seen.

    >>> take = generate("line:length=1", seed=1)
    >>> take.clip.fps, round(take.figures["foot_slide_m_s"]["written"]["median"], 3)
    (30.0, 0.0)
    """
    if checkpoint is None:
        model = pretrained()
    else:
        model = checkpoint if isinstance(checkpoint, Checkpoint) else Checkpoint.read(Path(checkpoint))
    fps = model.context.fps
    path = control if isinstance(control, ControlPath) else read_path(control, fps=fps)
    path, warnings = within_range(model, styled(path, style).resample(fps), fit=fit, strict=False)
    (take,) = generate_takes(model, path, seed=seed, temperature=temperature, foot_lock=foot_lock)
    return take.beside(real_figures(model), warnings)
