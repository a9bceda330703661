"""Sampled signals: invariants of smoothing and interpolation."""

import numpy as np
import pytest

from moglow.maths.signals import median, quantile, sample_cubic, sample_monotone, smooth_gaussian

EXACT = 1e-12
NOISE = np.random.default_rng(0).normal(size=(50, 3))


@pytest.mark.parametrize("sigma", [0.5, 3.0, 40.0])
def test_smoothing_keeps_ends_and_lines_and_commutes_with_reversal(sigma: float) -> None:
    smooth = smooth_gaussian(NOISE, sigma)
    line = np.linspace([1.0, 2.0], [5.0, -3.0], 50)
    assert np.allclose(smooth[[0, -1]], NOISE[[0, -1]], atol=EXACT)
    assert np.allclose(smooth_gaussian(line, sigma), line, atol=EXACT)
    assert np.allclose(smooth_gaussian(NOISE[::-1], sigma), smooth[::-1], atol=EXACT)
    assert smooth[10:-10].std() < NOISE[10:-10].std()


def test_smoothing_is_a_gaussian_of_that_width() -> None:
    """A slow wave is damped by the transform of a Gaussian: exp(−(ωσ)²/2)."""
    wave = np.sin(0.2 * np.arange(1000))
    assert np.abs(smooth_gaussian(wave, 5.0)[200:-200]).max() == pytest.approx(np.exp(-0.5), rel=1e-2)


def test_a_cubic_passes_the_frames_and_follows_a_parabola() -> None:
    assert np.allclose(sample_cubic(NOISE, np.arange(50)), NOISE, atol=EXACT)
    at = np.linspace(1, 48, 77)
    assert np.allclose(sample_cubic(np.arange(50.0) ** 2, at), at**2, atol=1e-9)


def test_a_monotone_cubic_passes_the_knots_and_never_overshoots() -> None:
    times = np.cumsum(np.random.default_rng(1).uniform(0.1, 2.0, 50))
    assert np.allclose(sample_monotone(times, NOISE, times), NOISE, atol=EXACT)
    at = np.linspace(times[0] - 1, times[-1] + 1, 2000)
    values = sample_monotone(times, NOISE, at)
    base = np.clip(np.searchsorted(times, at, side="right") - 1, 0, 48)
    low, high = np.minimum(NOISE[base], NOISE[base + 1]), np.maximum(NOISE[base], NOISE[base + 1])
    assert np.all(values >= low - EXACT) and np.all(values <= high + EXACT)


def test_single_values_are_held() -> None:
    assert sample_cubic([7.0], [0.0, 3.0]).tolist() == [7.0, 7.0]
    assert sample_monotone([2.0], [7.0], [0.0, 3.0]).tolist() == [7.0, 7.0]
    assert smooth_gaussian([7.0], 3.0).tolist() == [7.0]


@pytest.mark.parametrize("count", [1, 2, 3, 10, 301])
def test_medians_and_quantiles_have_the_bits_of_numpy(count: int) -> None:
    values = np.random.default_rng(count).normal(size=(count, 3))
    assert median(values[:, 0]) == np.median(values[:, 0])
    for share in (0.0, 0.05, 0.25, 0.5, 0.95, 1.0):
        assert quantile(values, share).tobytes() == np.quantile(values, share, axis=0).tobytes()
