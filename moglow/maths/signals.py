"""Signals sampled in time: smoothing and interpolation along the first axis. Needs numpy alone."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from moglow.maths.rotations import (
    Array,
    expmap_to_quat,
    quat_conjugate,
    quat_multiply,
    quat_to_expmap,
)


def smooth_gaussian(values: ArrayLike, sigma: float, *, reach: float = 4.0) -> Array:
    """Returns values ``(T, ...)`` smoothed by a Gaussian of ``sigma`` frames, cut at ``reach`` sigmas.

    The signal is extended beyond its ends by point reflection. The first and the last value and straight lines are
    therefore unchanged, and smoothing commutes with reversal and negation.

    >>> smooth_gaussian([0.0, 1.0, 2.0, 3.0, 4.0], sigma=1.0).tolist()
    [0.0, 1.0, 2.0, 3.0, 4.0]
    """
    taps = int(np.ceil(reach * sigma))
    return _filtered(values, np.exp(-0.5 * (np.arange(-taps, taps + 1) / max(sigma, 1e-9)) ** 2))


def low_pass(values: ArrayLike, share: float, *, lobes: int = 4) -> Array:
    """Returns values ``(T, ...)`` without frequencies above ``share`` of the band, by a Hann-windowed sinc.

    Beyond the ends the signal is extended as in `smooth_gaussian`.

    >>> bool(np.abs(low_pass(np.tile([1.0, -1.0], 50), share=0.5)[20:80]).max() < 0.01)
    True
    """
    taps = int(np.ceil(lobes / share))
    at = np.arange(-taps, taps + 1)
    return _filtered(values, np.sinc(at * share) * (1 + np.cos(np.pi * at / (taps + 1))))


def _filtered(values: ArrayLike, kernel: Array) -> Array:
    """Returns values ``(T, ...)`` convolved with a kernel of odd length, scaled to sum 1, cut to its length."""
    values = np.asarray(values, float)
    middle = len(kernel) // 2
    taps = min(middle, len(values) - 1)
    if taps < 1:
        return values.copy()
    kernel = kernel[middle - taps : middle + taps + 1]
    before, after = 2 * values[0] - values[taps:0:-1], 2 * values[-1] - values[-2 : -taps - 2 : -1]
    padded = np.concatenate([before, values, after]).reshape(len(values) + 2 * taps, -1)
    smooth = np.stack([np.convolve(column, kernel / kernel.sum(), "valid") for column in padded.T], axis=-1)
    return smooth.reshape(values.shape)


def sample_cubic(values: ArrayLike, at: ArrayLike) -> Array:
    """Returns values ``(T, ...)`` at fractional frames ``(N,)`` by the Catmull-Rom cubic, exact at the frames.

    The ends are extended by point reflection; times outside give the value at the end.

    >>> sample_cubic([0.0, 1.0, 4.0, 9.0], [1.0, 1.5, 9.0]).tolist()
    [1.0, 2.25, 9.0]
    """
    values = np.asarray(values, float)
    base, s = _place(at, len(values))
    if len(values) == 1:
        return values[base]
    padded = np.concatenate([2 * values[:1] - values[1:2], values, 2 * values[-1:] - values[-2:-1]])
    return _catmull_rom([padded[base + k] for k in range(4)], s)


def sample_turns(quats: ArrayLike, at: ArrayLike) -> Array:
    """Returns rotations ``(T, ..., 4)`` at fractional frames, by the cubic in the tangent space of the frame before."""
    quats = np.asarray(quats, float)
    base, s = _place(at, len(quats))
    origin = quats[base]
    knots = (np.clip(base + k, 0, len(quats) - 1) for k in (-1, 0, 1, 2))
    turns = [quat_to_expmap(quat_multiply(quat_conjugate(origin), quats[knot])) for knot in knots]
    return quat_multiply(origin, expmap_to_quat(_catmull_rom(turns, s)))


def _place(at: ArrayLike, frames: int) -> tuple[NDArray[np.intp], Array]:
    """Returns the frame before each time (never the last of several frames) and the share of the way to the next."""
    times = np.clip(np.asarray(at, float), 0, frames - 1)
    base = np.minimum(times.astype(np.intp), max(frames - 2, 0))
    return base, times - base


def _catmull_rom(knots: Sequence[Array], share: Array) -> Array:
    """Returns the cubic between the middle two of four knots, with the slopes of the chords around each."""
    before, start, end, after = knots
    s = share.reshape(-1, *(1,) * (start.ndim - 1))
    return _hermite(start, end, (end - before) / 2, (after - start) / 2, s)


def sample_monotone(times: ArrayLike, values: ArrayLike, at: ArrayLike) -> Array:
    """Returns values ``(N, ...)``, given at increasing ``times`` ``(N,)``, at other times: Steffen's cubic (1990).

    It is exact at the knots and between two knots stays between their values, so a constant stretch stays constant.

    >>> sample_monotone([0.0, 1.0, 2.0, 4.0], [0.0, 1.0, 1.0, 1.0], [0.5, 1.0, 1.7, 9.0]).tolist()
    [0.625, 1.0, 1.0, 1.0]
    """
    times, values = np.asarray(times, float), np.asarray(values, float)
    wanted: Array = np.clip(np.asarray(at, float), times[0], times[-1])
    if len(times) == 1:
        return np.repeat(values, len(wanted), axis=0)
    spans = np.diff(times).reshape(-1, *(1,) * (values.ndim - 1))
    chords = np.diff(values, axis=0) / spans
    slopes = np.concatenate([chords[:1], np.zeros_like(chords[1:]), chords[-1:]])
    before, after = chords[:-1], chords[1:]
    mean = (before * spans[1:] + after * spans[:-1]) / (spans[:-1] + spans[1:])
    least = np.minimum(np.minimum(np.abs(before), np.abs(after)), np.abs(mean) / 2)
    slopes[1:-1] = (np.sign(before) + np.sign(after)) * least
    base = np.clip(np.searchsorted(times, wanted, side="right") - 1, 0, len(times) - 2)
    s = ((wanted - times[base]) / (times[base + 1] - times[base])).reshape(-1, *(1,) * (values.ndim - 1))
    start, end = values[base], values[base + 1]
    return _hermite(start, end, slopes[base] * spans[base], slopes[base + 1] * spans[base], s)


def sample_linear(times: ArrayLike, values: ArrayLike, at: ArrayLike) -> Array:
    """Reads ``(N, D)`` known at growing ``times`` ``(N,)`` at other times, along straight lines; held at the ends.

    >>> sample_linear([0.0, 2.0], [[0.0, 1.0], [4.0, 1.0]], [1.0, 5.0]).tolist()
    [[2.0, 1.0], [4.0, 1.0]]
    """
    wanted, known = np.asarray(at, float), np.asarray(times, float)
    return np.stack([np.interp(wanted, known, column) for column in np.asarray(values, float).T], axis=-1)


def _hermite(start: Array, end: Array, leaving: Array, arriving: Array, s: Array) -> Array:
    """Returns the cubic from ``start`` to ``end`` with these slopes, at a share ``s`` of the way."""
    cubic: Array = (
        start * (1 + 2 * s) * (1 - s) ** 2
        + leaving * s * (1 - s) ** 2
        + end * s**2 * (3 - 2 * s)
        + arriving * s**2 * (s - 1)
    )
    return cubic


def eased(share: Array) -> Array:
    """Returns shares from 0 to 1 with zero slope at start and end.

    >>> eased(np.array([0.0, 0.25, 0.5, 1.0]))
    array([0.     , 0.15625, 0.5    , 1.     ])
    """
    return share * share * (3 - 2 * share)


def median(values: ArrayLike) -> float:
    """Returns the median of a row of numbers, as `np.median`, which imports a package that takes as long as moglow.

    >>> median([3.0, 1.0, 2.0]), median([4.0, 1.0, 2.0, 3.0])
    (2.0, 2.5)
    """
    ordered = np.sort(np.asarray(values, float))
    return float(ordered[(len(ordered) - 1) // 2 : len(ordered) // 2 + 1].mean())


def quantile(values: ArrayLike, share: float) -> Array:
    """Returns the same as `np.quantile` along the first axis, for finite numbers, without the package of `median`.

    >>> quantile([[0.0, 5.0], [10.0, 6.0]], 0.25).tolist()
    [2.5, 5.25]
    """
    ordered = np.sort(np.asarray(values, float), axis=0)
    place = (len(ordered) - 1) * share
    before = int(place)
    low, high = ordered[before], ordered[min(before + 1, len(ordered) - 1)]
    part, step = place - before, high - low
    between: Array = low + step * part if part < 0.5 else high - step * (1 - part)
    return between


Flags = NDArray[np.bool_]


def widened(flags: Flags, reach: int) -> Flags:
    """Returns flags ``(T,)`` that are also true ``reach`` frames before and after each true one.

    >>> widened(np.array([False, False, True, False, False, False]), 1).tolist()
    [False, True, True, True, False, False]
    """
    wide: Flags = np.convolve(flags, np.ones(2 * reach + 1))[reach : reach + len(flags)] > 0.5
    return wide


def runs(flags: Flags) -> list[tuple[int, int]]:
    """Returns the first and one past the last index of each stretch of true values.

    >>> runs(np.array([True, True, False, True]))
    [(0, 2), (3, 4)]
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(int)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
