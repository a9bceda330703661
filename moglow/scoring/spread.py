"""Whether a model's draws differ as much as they should: the measure that sees modes collapse."""

import math

import torch

from moglow.corpus.windows import Windows
from moglow.models.model import MotionModel

DRAWS = 8
"""Poses drawn for each context; their own mean is known to 1 / 8 of their variance, which is reckoned with."""


@torch.no_grad()
def spread(model: MotionModel, windows: Windows) -> float:
    """Returns the spread of next poses over the error of their mean, on the last frame of each window.

    1 where a model is as unsure as it is wrong, 0 where all noise makes one pose, more than 1 where it is too unsure:
    √((1 + 1/m) Σ variance / Σ (truth − mean)²) over m draws, all channels and windows, the spread-to-skill ratio of
    weather ensembles (Fortin et al., *Why should ensemble spread match the RMSE of the ensemble mean?*, 2014).
    """
    context, variance, error = windows.footage.context, 0.0, 0.0
    for number in range(len(windows)):
        window = windows.batch(number)
        target, vectors = window.target(context), window.context(context)
        state = model.initial_state()
        if target.shape[1] > 1:  # the past of the last frame
            _, state = model.log_prob(target[:, :-1], vectors[:, :-1], state)
        noise = model.sample_noise(DRAWS, len(target), generator=windows.generator(number, 1))
        poses = torch.stack([model.step(vectors[:, -1], state, each)[0] for each in noise])
        variance += float(poses.var(dim=0).double().sum())
        error += float((target[:, -1] - poses.mean(dim=0)).square().double().sum())
    return math.sqrt((1 + 1 / DRAWS) * variance / error) if error else math.nan
