"""Rehearsal: motion that a model makes itself, learnt together with new clips so that it keeps what it can do.

The recordings that a checkpoint learnt from are not shipped with it. Its own samples under its own labels stand for
them: a model that goes on giving them a high density has not forgotten them.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from moglow.corpus.context import Context
from moglow.corpus.corpus import Corpus, Stretch
from moglow.corpus.windows import on_device
from moglow.models.model import MotionModel
from moglow.paths.control_range import ControlRange
from moglow.training.rollouts import roll_out

Floats = NDArray[np.float32]

WALK = 1.5
"""m/s: the pace below which most rehearsal moves, as most motion does."""


@dataclass(frozen=True)
class RehearsalSpec:
    """How much a model rehearses; [training.rehearsal], for a start from a checkpoint."""

    minutes: float = 0.0  # of its own motion; 0 turns it off
    seconds: float = 12.0  # of each motion
    warm: float = 2.0  # seconds before it, which are discarded
    temperature: float = 1.0  # of the samples; at 1 they are what the model gives the highest density
    usual: float = 0.3  # share of the motions with the default labels; the others have random ones

    def __post_init__(self) -> None:
        if self.minutes < 0 or self.seconds <= 1 or self.warm < 0 or self.temperature < 0:
            raise ValueError(
                f"minutes {self.minutes}, seconds {self.seconds}, warm {self.warm}, temperature {self.temperature}: "
                "give positive numbers, more than a second"
            )


def rehearsed(
    corpus: Corpus,
    model: MotionModel,
    context: Context,
    reach: ControlRange,
    spec: RehearsalSpec,
    *,
    seed: int,
) -> Corpus:
    """Returns the corpus with motion of a model added to its training split, under the labels of the model's context.

    Poses that leave the range of numbers are left out. The normalisers and the range of the corpus stay.
    """
    fps, past, ahead = corpus.fps, context.spec.history, context.spec.lookahead
    count, frames, warm = (
        round(spec.minutes * 60 / spec.seconds),
        round(spec.seconds * fps),
        round(spec.warm * fps),
    )
    if not count:
        return corpus
    random = np.random.default_rng([seed, 7])
    wanted = np.stack([wandering(reach, frames + ahead, fps, random) for _ in range(count)])
    controls = np.concatenate([np.repeat(wanted[:, :1], past + warm, axis=1), wanted], axis=1)
    names = [_labels(context, spec.usual, random) for _ in range(count)]
    labels = np.stack([context.style_vector(style, performer) for style, performer in names])
    history = np.repeat(context.posture(labels)[:, None], past, axis=1)
    generator = torch.Generator().manual_seed(seed)
    noise = model.sample_noise(count, warm + frames, generator=generator)
    first, seen, label = (
        torch.as_tensor(np.asarray(part, np.float32))
        for part in (history, context.standardize_control(controls), labels)
    )
    torched = on_device(context, "cpu")
    poses, _ = roll_out(model, torched, first, seen, label, noise, temperature=spec.temperature)
    made = context.physical_pose(poses.numpy()[:, warm:]).astype(np.float32)
    sound = np.isfinite(made).all((1, 2)) & (np.abs(poses.numpy()).max((1, 2)) < 50)
    at, stretches = len(corpus.pose), list(corpus.stretches)
    for number in np.flatnonzero(sound):
        style, performer = names[number]
        stop = at + frames
        name = f"rehearsal {number + 1}"
        stretches.append(Stretch(name, style or "", "train", at, stop, True, performer or ""))
        at = stop
    pose = np.concatenate([corpus.pose, *made[sound]])
    control = np.concatenate([corpus.control, *wanted[sound, :frames]]).astype(np.float32)
    return replace(corpus, pose=pose, control=control, stretches=tuple(stretches))


def _labels(context: Context, usual: float, random: np.random.Generator) -> tuple[str | None, str | None]:
    """Returns a style and a performer: the default ones, or any two."""
    if random.random() < usual:
        return context.spec.usual or None, context.spec.performer or None
    style, performer = (
        labels[random.integers(len(labels))] if labels else None
        for labels in (context.styles, context.performers)
    )
    return style, performer


def wandering(reach: ControlRange, frames: int, fps: float, random: np.random.Generator) -> Floats:
    """Returns a random control (frames, 3) within a range: a few seconds of each manoeuvre, eased into the next."""
    values: list[tuple[int, tuple[float, float, float]]] = []
    while sum(length for length, _ in values) < frames:
        fast = random.random() < 0.2
        pace = random.uniform(0.3, 1.0) * (reach.forward if fast else min(reach.forward, WALK))
        turn = random.normal() * 0.3 * reach.turn * (random.random() < 0.6)
        aside, back = (random.uniform(0.2, 0.8) * each for each in (reach.sideways, reach.backward))
        move = random.choice(5, p=(0.12, 0.5, 0.15, 0.13, 0.1))
        aside *= random.choice((-1, 1))
        value = [
            (0, 0, turn),
            (pace, 0, turn / max(1, pace)),
            (0, aside, 0),
            (-back, 0, turn / 2),
            (pace / 2, aside / 2, 0),
        ]
        values.append((round(random.uniform(1.5, 4.0) * fps), value[move]))
    steady = np.concatenate([np.tile(value, (length, 1)) for length, value in values])
    reach_frames = round(0.4 * fps)
    weights = 1 + np.cos(np.pi * np.arange(-reach_frames, reach_frames + 1) / (reach_frames + 1))
    padded = np.pad(steady, ((reach_frames, reach_frames), (0, 0)), mode="edge")
    eased = np.stack([np.convolve(column, weights / weights.sum(), "valid") for column in padded.T], axis=1)
    return eased[:frames].astype(np.float32)
