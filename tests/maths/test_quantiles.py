"""Exact quantiles by counting: those of numpy, for any division into arrays."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from moglow.maths.quantiles import quantiles

SHARES = [0.0, 0.001, 0.01, 0.25, 0.5, 0.95, 0.999, 1.0]
FINITE = st.floats(-1e6, 1e6, width=32)


@given(arrays(np.float32, st.integers(1, 60), elements=FINITE), st.integers(0, 60))
def test_quantiles_are_those_of_numpy(values: np.ndarray, cut: int) -> None:
    expected = np.quantile(values.astype(float), SHARES)
    found = quantiles(lambda: [values[cut:], values[:cut]], SHARES)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_order_and_division_make_no_difference() -> None:
    values = np.random.default_rng(1).standard_normal(5000).astype(np.float32)
    whole = quantiles(lambda: [values], SHARES)
    assert quantiles(lambda: np.array_split(values[::-1], 7), SHARES) == whole


def test_no_values_have_no_quantiles() -> None:
    with pytest.raises(ValueError, match="no values"):
        quantiles(lambda: [], [0.5])
