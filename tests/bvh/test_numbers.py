"""Numbers as text: the compiled kernel writes the bytes that numpy and Python's own formatting write."""

import numpy as np
import pytest

from moglow.bvh.numbers import in_numpy, load_kernel, numbers_to_text


@pytest.mark.parametrize("decimals", [1, 2, 6, 9])
def test_the_kernel_writes_the_same_bytes(decimals: int) -> None:
    if load_kernel() is None:
        pytest.skip("no C compiler")
    generator = np.random.default_rng(decimals)
    numbers = generator.standard_normal((90, 40)) * 10.0 ** generator.integers(-9, 6, (90, 40))
    halves = 0.5 * 10.0**-decimals
    numbers[0, :8] = [0.0, -0.0, halves, -halves, 1.5, -0.5, 99.9999999999, -1e-12]
    assert numbers_to_text(numbers, decimals) == in_numpy(numbers, decimals)
    assert numbers_to_text(numbers.T, decimals) == in_numpy(numbers.T, decimals)


def test_it_is_the_text_of_pythons_formatting() -> None:
    numbers = np.random.default_rng(3).uniform(-200, 200, (60, 30))
    lines = "".join(" ".join(f"{x:.6f}" for x in row) + "\n" for row in numbers)
    assert numbers_to_text(numbers, 6) == lines.encode() == in_numpy(numbers, 6)
