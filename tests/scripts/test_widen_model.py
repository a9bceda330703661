"""A wider net computes the motion of the narrow one, and its new units can learn."""

import numpy as np
import pytest

from moglow.checkpoint import Checkpoint
from moglow.paths.control_path import ControlPath
from moglow.sampling.generate import PRETRAINED
from moglow.sampling.sampler import Sampler
from scripts.widen_model import widened


def test_a_wider_net_moves_like_the_narrow_one() -> None:
    narrow = Checkpoint.read(PRETRAINED)
    widths = narrow.config["hidden"] + 16, narrow.config["encoder"][-1] + 8
    wide = widened(narrow, hidden=widths[0], encoder=widths[1])
    path = ControlPath.from_velocities([[1.0, 0.0, 0.2]] * 40, narrow.context.fps)
    motions = [Sampler.of(each, temperature=0.7).generate(path, seed=2) for each in (narrow, wide)]
    np.testing.assert_allclose(motions[0].world_positions, motions[1].world_positions, atol=1e-3)
    assert (wide.config["hidden"], wide.config["encoder"][0]) == widths
    new = wide.weights["flow.step00.coupling.conditioner.recurrent.weight_hh_l0"]
    assert new.shape == (4 * widths[0], widths[0]) and np.abs(new[narrow.config["hidden"] :][:16]).max() > 0


def test_a_narrower_net_is_refused() -> None:
    with pytest.raises(SystemExit, match="give wider ones"):
        widened(Checkpoint.read(PRETRAINED), hidden=8, encoder=8)
