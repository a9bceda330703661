"""Finds frames with similar poses and velocities at which motion can repeat, and blends the seam.

Poses are compared by the positions of joints relative to the path, in metres, and by their velocities, weighted by
`TIME`. Needs numpy alone.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from moglow.encodings.encoding import Encoding
from moglow.encodings.stride import with_stride
from moglow.maths.rotations import Array
from moglow.maths.signals import sample_cubic

TIME = 0.12
"""Weight of velocities in seconds: the distance in metres that is equivalent to a difference of 1 m/s."""
FEET = 3.0
"""Weight of ankles and toes, relative to other joints."""
STRIDES = (0.45, 2.2)
"""Range of a stride's duration (two steps) in seconds."""
NEARLY = 2.0
"""Largest ratio of a period's distance to the least one; the shortest such period is used, not two strides."""
SPREAD = 0.15
"""Largest relative difference of a single stride's duration."""


@dataclass(frozen=True)
class Seam:
    """A cut between similar frames ``at`` and ``at + period``; ``apart`` is their mean distance in metres."""

    at: int
    period: int
    apart: float


def joint_features(encoding: Encoding, poses: Array, fps: float) -> Array:
    """Returns positions and velocities ``(..., T, F)`` of joints relative to the path, given poses ``(..., T, D)``.

    The Euclidean distance of two rows is the root mean square distance of joints in metres.
    """
    skeleton = encoding.skeleton
    shape = poses.shape[:-1]
    at = np.zeros((*shape, 2)), np.zeros(shape)
    places = skeleton.forward_kinematics(*encoding.decode_frames(poses, *at))[0]
    weights = np.ones(len(skeleton))
    for leg in skeleton.anatomy.legs:
        weights[[joint for joint in (leg.ankle, leg.toe) if joint is not None]] = FEET
    scale = np.sqrt(weights / weights.sum())[:, None]
    moving = np.gradient(places, 1 / fps, axis=-3) if shape[-1] > 1 else np.zeros_like(places)
    return np.concatenate([places * scale, TIME * moving * scale], axis=-2).reshape(*shape, -1)


def distances(features: Array, lag: int) -> Array:
    """Returns the distance ``(T - lag,)`` in metres of each frame from the one ``lag`` frames later."""
    apart: Array = np.linalg.norm(features[lag:] - features[: len(features) - lag], axis=-1)
    return apart


def stride_of(features: Array, fps: float) -> int:
    """Returns the duration of a stride in frames: the shortest lag at which the motion is most similar to itself.

    >>> phase = 2 * np.pi * np.arange(300)[:, None] / 35
    >>> stride_of(np.concatenate([np.sin(phase), np.cos(phase)], axis=1), fps=30.0)
    35
    """
    lags = np.arange(round(STRIDES[0] * fps), min(round(STRIDES[1] * fps), len(features) // 2) + 1)
    unlike = np.array([np.median(distances(features, int(lag))) for lag in lags])
    padded = np.pad(unlike, 1, constant_values=np.inf)
    dips = np.flatnonzero((unlike <= padded[:-2]) & (unlike <= padded[2:]))
    good = dips[unlike[dips] <= NEARLY * unlike.min()]
    return int(lags[good[0]])


def stride_seams(
    features: Array, starts: NDArray[np.intp], stride: int, strides: int, blend: int
) -> list[Seam]:
    """Returns the best cut for each start, a number of strides later.

    The cost is the distance of the frames before both ends, which are blended, plus half of the distance of the whole
    cycle from the motion after it, to avoid unusual steps.
    """
    usual, spread = stride * strides, max(1, round(SPREAD * stride))
    lags = range(usual - spread, usual + spread + 1)
    found = {lag: distances(features, lag) for lag in lags}
    seams = []
    for at in (int(start) for start in starts if start >= blend):
        tries = [
            Seam(at, lag, float(apart[at - blend : at + 1].mean() + 0.5 * apart[at : at + lag].mean()))
            for lag, apart in found.items()
            if at < len(apart)
        ]
        seams += [min(tries, key=lambda seam: seam.apart)] if tries else []
    return seams


def lap_seam(features: Array, period: int, slack: int, first: int, blend: int) -> Seam:
    """Returns the best cut from frame ``first`` on with ends ``period`` frames apart, within ``slack``."""
    best = Seam(first, period, np.inf)
    for lag in range(period - slack, period + slack + 1):
        apart = distances(features, lag)
        around = np.convolve(apart[first - blend :], np.ones(blend) / blend, "valid")[:-1]
        if not len(around):
            continue
        place = int(np.argmin(around))
        cost = float(around[place]) * (1 + abs(lag - period) / max(slack, 1))
        if cost < best.apart:
            best = Seam(first + place, lag, cost)
    return best


def closed(encoding: Encoding, poses: Array, seam: Seam, frames: int, blend: int) -> Array:
    """Returns one round ``(frames, D)`` of a motion that is cut at a seam; its first frame follows its last.

    If the seam's period differs from ``frames``, time is scaled, and steps with it, so that planted feet stay planted.
    The last frames are blended with those before the first one by a weight whose first two derivatives are zero at both
    ends.
    """
    ratio = seam.period / frames
    times = seam.at + ratio * np.arange(frames)
    turned = _retimed(encoding, poses, times, ratio)
    width = min(blend, frames // 3, seam.at)
    s = np.arange(1, width + 1) / (width + 1)
    share = (s**3 * (10 - 15 * s + 6 * s**2))[:, None]
    before = _retimed(encoding, poses, times[frames - width :] - seam.period, ratio)
    turned[frames - width :] += share * (before - turned[frames - width :])
    return turned


def _retimed(encoding: Encoding, poses: Array, times: Array, ratio: float) -> Array:
    """Returns poses at fractional frames, with steps shortened if time runs ``ratio`` times as fast."""
    if ratio == 1.0:
        return np.asarray(poses[np.round(times).astype(int)], float)
    return with_stride(encoding, sample_cubic(poses, times), 1 / ratio)
