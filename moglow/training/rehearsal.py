"""Rehearsal: training on motion sampled from the model together with new clips, to prevent forgetting.

The recordings on which a checkpoint was trained are not part of it. Samples of the model with its own labels replace
them.
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
"""Upper limit in m/s of the speed of most of the rehearsal."""
LITTLE = 0.35
"""Speed in m/s sideways or backwards below which clips do not count as such motion; hips sway by less in a walk."""
FARTHEST = 50.0
"""Largest deviation from the mean of poses in a rehearsal."""
ASIDE = 0.08
"""Share of the motions that stand, turn and go sideways or backwards, with the default labels of such paths."""
OWN = 0.5
"""Share of the motions with random styles that have the default performer of their style, as generation does."""
MOVES = (0.12, 0.5, 0.15, 0.13, 0.1)
"""Probabilities of standing and turning, and of going forward, sideways, backwards and diagonally."""


@dataclass(frozen=True)
class RehearsalSpec:
    """The settings of the rehearsal; [training.rehearsal], for a start from a checkpoint."""

    minutes: float = 0.0  # of sampled motion; 0 turns it off
    share: float = 0.5  # of the training motion; clips, or the rehearsal, are repeated to reach it
    seconds: float = 12.0  # of each motion
    warm: float = 2.0  # seconds before each motion, which are discarded
    temperature: float = 1.0  # of the samples
    usual: float = 0.3  # share of the motions with the default labels; the others have random styles
    borrowed: float = 0.0
    """Share of the motions that go sideways or backwards and get the labels of new clips, if these contain no such
    motion."""

    def __post_init__(self) -> None:
        if self.minutes < 0 or self.seconds <= 1 or self.warm < 0 or self.temperature < 0:
            raise ValueError(
                f"minutes {self.minutes}, seconds {self.seconds}, warm {self.warm}, temperature {self.temperature}: "
                "give positive numbers, more than a second"
            )
        if not 0 < self.share < 1:
            raise ValueError(f"share is {self.share}: give a number between 0 and 1")
        if not (0 <= self.usual <= 1 and 0 <= self.borrowed <= 1):
            raise ValueError(f"usual {self.usual}, borrowed {self.borrowed}: a share lies between 0 and 1")


def joined(corpus: Corpus, more: Corpus, share: float) -> Corpus:
    """Returns a corpus with the motion of another one added, in the same encoding; its normalisers are unchanged.

    Training stretches of one of them are repeated until the share of the other one in the training motion is correct.
    """
    at = len(corpus.pose)
    moved = tuple(replace(each, start=each.start + at, stop=each.stop + at) for each in more.stretches)
    train = tuple(replace(each, again=True) for each in corpus.split("train"))
    one, other = (sum(map(len, stretches)) for stretches in (train, moved))
    wanted = other * (1 - share) / (share * one) if one and other else 1.0
    repeats = train * (round(wanted) - 1) + moved * (round(1 / wanted) - 1)
    return replace(
        corpus,
        pose=np.concatenate([corpus.pose, more.pose]),
        control=np.concatenate([corpus.control, more.control]),
        stretches=(*corpus.stretches, *moved, *repeats),
    )


def rehearsal(
    corpus: Corpus,
    model: MotionModel,
    context: Context,
    reach: ControlRange,
    spec: RehearsalSpec,
    *,
    seed: int,
) -> Corpus:
    """Returns motion of a model, for training together with a corpus, with the labels of the model's context.

    Motion outside of the range of poses is omitted, so there may be less than `spec.minutes`.
    """
    count, frames, warm = (
        round(spec.minutes * 60 / spec.seconds),
        round(spec.seconds * corpus.fps),
        round(spec.warm * corpus.fps),
    )
    if not count:
        return replace(corpus, pose=corpus.pose[:0], control=corpus.control[:0], stretches=())
    random, past = np.random.default_rng([seed, 7]), context.spec.history
    parts = [_part(corpus, context, reach, spec, random) for _ in range(count)]
    wanted = np.stack(
        [
            wandering(part.reach, frames + context.spec.lookahead, corpus.fps, random, part.chances)
            for part in parts
        ]
    )
    controls = np.concatenate([np.repeat(wanted[:, :1], past + warm, axis=1), wanted], axis=1)
    labels = np.stack([context.style_vector(*part.performed) for part in parts])
    history = np.repeat(context.posture(labels)[:, None], past, axis=1)
    noise = model.sample_noise(count, warm + frames, generator=torch.Generator().manual_seed(seed))
    first, seen, label = (
        torch.as_tensor(np.asarray(part, np.float32))
        for part in (history, context.standardize_control(controls), labels)
    )
    with torch.no_grad():
        poses, _ = roll_out(
            model, on_device(context, "cpu"), first, seen, label, noise, temperature=spec.temperature
        )
    made = context.physical_pose(poses.numpy()[:, warm:]).astype(np.float32)
    sound = np.isfinite(made).all((1, 2)) & (np.abs(poses.numpy()).max((1, 2)) < FARTHEST)
    stretches = []
    for place, number in enumerate(np.flatnonzero(sound)):
        style, performer = parts[number].learnt
        at, name = place * frames, f"rehearsal {number + 1}"
        stretches.append(Stretch(name, style or "", "train", at, at + frames, True, performer or ""))
    return replace(
        corpus,
        pose=made[sound].reshape(-1, made.shape[-1]),
        control=wanted[sound, :frames].reshape(-1, 3),
        stretches=tuple(stretches),
    )


Labels = tuple[str | None, str | None]
"""A style and a performer."""


@dataclass(frozen=True)
class _Part:
    """One motion of a rehearsal: the labels for sampling, the labels for training, and the moves."""

    performed: Labels
    learnt: Labels
    reach: ControlRange
    chances: tuple[float, ...] = MOVES


def _part(
    corpus: Corpus, context: Context, reach: ControlRange, spec: RehearsalSpec, random: np.random.Generator
) -> _Part:
    """Returns the next motion: with the default labels, random labels, or moves that the corpus's styles lack."""
    lacking = _lacking(corpus.control_range, reach)
    styles, performers = _own(corpus)
    if lacking and styles and random.random() < spec.borrowed:
        own: Labels = (
            styles[random.integers(len(styles))],
            performers[random.integers(len(performers))] if performers and context.performers else None,
        )
        return _Part(_sideways(context), own, reach, lacking)
    if context.spec.sideways and random.random() < ASIDE:
        aside = _sideways(context)
        return _Part(aside, aside, reach, _moves_aside())
    if random.random() < spec.usual:
        usual: Labels = (context.spec.usual or None, context.default_performer(context.spec.usual))
        return _Part(usual, usual, reach)
    style, performer = (
        labels[random.integers(len(labels))] if labels else None
        for labels in (context.styles, context.performers)
    )
    if performer and random.random() < OWN:
        performer = context.default_performer(style)
    return _Part((style, performer), (style, performer), reach)


def _sideways(context: Context) -> Labels:
    """Returns the default labels of paths that go sideways."""
    named = context.spec.sideways
    return (
        named if named in context.styles else context.spec.usual or None,
        named if named in context.performers else context.default_performer(context.spec.usual),
    )


def _own(corpus: Corpus) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Returns the styles and performers of the training clips."""
    train = corpus.split("train")
    return (
        tuple(sorted({stretch.style for stretch in train if stretch.style})),
        tuple(sorted({stretch.performer for stretch in train if stretch.performer})),
    )


def _lacking(own: ControlRange, reach: ControlRange) -> tuple[float, ...]:
    """Returns the probabilities of moves that a model has and a corpus lacks; empty if it has them all."""
    aside, back = (getattr(own, name) < LITTLE <= getattr(reach, name) for name in ("sideways", "backward"))
    return _moves_aside(aside, back) if aside or back else ()


def _moves_aside(aside: bool = True, back: bool = True) -> tuple[float, ...]:
    """Returns the probabilities of standing and turning, and of going sideways and backwards."""
    return (0.2, 0.0, 0.5 * aside, 0.3 * back, 0.0)


def wandering(
    reach: ControlRange,
    frames: int,
    fps: float,
    random: np.random.Generator,
    chances: tuple[float, ...] = MOVES,
    seconds: tuple[float, float] = (1.5, 4.0),
    hurry: float = 0.2,
) -> Floats:
    """Returns a random control (frames, 3) within a range: some seconds of each manoeuvre, with smooth transitions.

    The chances are those of standing and turning, of going forward, sideways, backwards and diagonally; ``hurry`` is
    the probability that the speed ahead may exceed that of a walk.
    """
    share = np.divide(chances, sum(chances))
    values: list[tuple[int, tuple[float, float, float]]] = []
    while sum(length for length, _ in values) < frames:
        fast = random.random() < hurry
        pace = random.uniform(0.3, 1.0) * (reach.forward if fast else min(reach.forward, WALK))
        turn = random.normal() * 0.3 * reach.turn * (random.random() < 0.6)
        aside, back = (random.uniform(0.2, 0.8) * each for each in (reach.sideways, reach.backward))
        move = random.choice(5, p=share)
        aside *= random.choice((-1, 1))
        value = [
            (0, 0, turn),
            (pace, 0, turn / max(1, pace)),
            (0, aside, 0),
            (-back, 0, turn / 2),
            (pace / 2, aside / 2, 0),
        ]
        values.append((round(random.uniform(*seconds) * fps), value[move]))
    steady = np.concatenate([np.tile(value, (length, 1)) for length, value in values])
    reach_frames = round(0.4 * fps)
    weights = 1 + np.cos(np.pi * np.arange(-reach_frames, reach_frames + 1) / (reach_frames + 1))
    padded = np.pad(steady, ((reach_frames, reach_frames), (0, 0)), mode="edge")
    eased = np.stack([np.convolve(column, weights / weights.sum(), "valid") for column in padded.T], axis=1)
    return eased[:frames].astype(np.float32)
