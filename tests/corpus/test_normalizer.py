"""Normalizers: unit deviation, the inverse, and mirror images."""

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moglow.corpus.normalizer import SMALLEST, Normalizer

ROUNDING = 1e-5  # of float32 numbers about one

VALUES = np.random.default_rng(0).normal(size=(500, 3)) * [1.0, 4.0, 0.1] + [5.0, -5.0, 2.0]


def test_normalized_values_have_mean_zero_and_deviation_one() -> None:
    normalized = Normalizer.fit(VALUES).normalize(VALUES)
    assert normalized.dtype == np.float32
    assert np.abs(normalized.mean(0)).max() < ROUNDING and np.abs(normalized.std(0) - 1).max() < ROUNDING


def test_denormalize_undoes_normalize() -> None:
    normalizer = Normalizer.fit(VALUES)
    assert np.abs(normalizer.denormalize(normalizer.normalize(VALUES)) - VALUES).max() < ROUNDING


def test_mirroring_commutes_with_normalizing() -> None:
    partners, signs = np.array([1, 0, 2]), np.array([1.0, 1.0, -1.0])

    def mirrored(values: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(signs * values[:, partners])

    normalizer = Normalizer.fit(VALUES, (partners, signs))
    one, other = normalizer.normalize(mirrored(VALUES)), mirrored(normalizer.normalize(VALUES))
    assert np.abs(one - other).max() < ROUNDING
    both = np.concatenate([VALUES, mirrored(VALUES)])
    assert np.abs(normalizer.mean - both.mean(0)).max() < ROUNDING
    assert np.abs(normalizer.deviation / both.std(0) - 1).max() < ROUNDING


def test_rates_keep_their_zero() -> None:
    normalizer = Normalizer.fit_rates(VALUES)
    assert np.array_equal(normalizer.normalize(np.zeros(3)), np.zeros(3))
    assert np.array_equal(normalizer.normalize(-VALUES), -normalizer.normalize(VALUES))
    assert np.abs(np.square(normalizer.normalize(VALUES)).mean(0) - 1).max() < ROUNDING


def test_noise_is_not_blown_up() -> None:
    quiet = np.full((100, 1), 2.0) + np.random.default_rng(0).normal(size=(100, 1)) * 1e-6
    normalizer = Normalizer.fit(quiet)
    assert normalizer.deviation == np.float32(SMALLEST)
    assert np.abs(normalizer.normalize(quiet)).max() < 0.01


def test_json_keeps_every_bit() -> None:
    normalizer = Normalizer.fit(VALUES)
    again = Normalizer.from_json(json.loads(json.dumps(normalizer.to_json())), VALUES.shape[1])
    assert np.array_equal(again.mean, normalizer.mean) and np.array_equal(
        again.deviation, normalizer.deviation
    )
