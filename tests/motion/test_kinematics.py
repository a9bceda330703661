"""World positions have the same bits from the compiled kernel and from numpy."""

import numpy as np
import pytest

from moglow.motion.kinematics import WORTH, in_numpy, load_kernel, to_world

PARENTS = (-1, 0, 1, 1, 0, 4)


@pytest.mark.parametrize("lead", [(), (7,), (WORTH,), (3, WORTH)])
def test_the_kernel_has_the_bits_of_numpy(lead: tuple[int, ...]) -> None:
    generator = np.random.default_rng(1)
    places, turns = (generator.standard_normal((*lead, len(PARENTS), n)) for n in (3, 4))
    before = places.copy(), turns.copy()
    made, expected = to_world(PARENTS, places, turns), in_numpy(PARENTS, places.copy(), turns.copy())
    for ours, theirs in zip(made, expected, strict=True):
        assert ours.shape == theirs.shape and ours.tobytes() == theirs.tobytes()
    assert all(np.array_equal(a, b) for a, b in zip((places, turns), before, strict=True))


def test_strided_and_float32_input_gives_the_same() -> None:
    if load_kernel() is None:
        pytest.skip("no C compiler")
    turns = np.random.default_rng(1).standard_normal((2 * WORTH, len(PARENTS), 4)).astype(np.float32)
    places = turns[..., :3]
    made = to_world(PARENTS, places[::2], turns[::2])
    expected = in_numpy(PARENTS, places[::2].astype(float), turns[::2].astype(float))
    assert all(np.array_equal(a, b) for a, b in zip(made, expected, strict=True))
