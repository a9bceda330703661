"""The spread of a model's samples, which detects collapsed modes."""

import math

import torch

from moglow.corpus.windows import Windows
from moglow.models.model import MotionModel

SAMPLES = 8
"""Poses sampled for each context; the formula corrects for the error of their mean, 1 / 8 of their variance."""


@torch.no_grad()
def spread(model: MotionModel, windows: Windows) -> float:
    """Returns the spread of sampled next poses divided by the error of their mean, for the last frame of each window.

    It is √((1 + 1/m) Σ variance / Σ (truth − mean)²) over m samples, all channels and windows, the spread-to-skill
    ratio of weather ensembles (Fortin et al., *Why should ensemble spread match the RMSE of the ensemble mean?*, 2014).
    1 is ideal; it is 0 where all noise gives the same pose, and above 1 where samples vary too much.
    """
    context, variance, error = windows.footage.context, 0.0, 0.0
    for number in range(len(windows)):
        window = windows.batch(number)
        target, vectors = window.target(context), window.context(context)
        state = model.initial_state()
        if target.shape[1] > 1:  # the past of the last frame
            _, state = model.log_prob(target[:, :-1], vectors[:, :-1], state)
        noise = model.sample_noise(SAMPLES, len(target), generator=windows.generator(number, 1))
        poses = torch.stack([model.step(vectors[:, -1], state, each)[0] for each in noise])
        variance += float(poses.var(dim=0).double().sum())
        error += float((target[:, -1] - poses.mean(dim=0)).square().double().sum())
    return math.sqrt((1 + 1 / SAMPLES) * variance / error) if error else math.nan
