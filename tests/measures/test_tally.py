"""Figures of a motion that passes in blocks are those of the whole."""

import numpy as np
import pytest

from moglow.checkpoint import REAL_SLIDE
from moglow.measures.metrics import jerk, path_error, toe_slide
from moglow.measures.tally import Tally
from moglow.motion.contacts import toe_points
from moglow.paths.control_path import ControlPath
from moglow.sampling.ranking import FAR, UNUSUAL, scores
from tests.support.rigs import RIGS
from tests.support.walking import skeleton_of, walk


@pytest.mark.parametrize("size", [2, 31, 1000])
def test_blocks_have_the_same_figures_as_the_whole(size: int) -> None:
    clip, _ = walk(skeleton_of(RIGS["cmu"]), seconds=4.0, slip=0.2)
    path = ControlPath.from_clip(clip)
    nats, tally = np.linspace(100.0, 200.0, len(clip)), Tally()
    for start in range(0, len(clip), size):
        block = slice(start, start + size)
        tally.sampled(clip[block], nats[block])
        tally.written(clip[block])
    found = tally.measured(path)
    assert found.slide == found.slide_before == toe_slide(toe_points(clip), clip.fps)
    assert found.path == path_error(clip.ground_positions(), path.positions)
    assert found.jerk == pytest.approx(jerk(clip.world_positions, clip.fps))
    assert found.figures["log_likelihood_nats"]["mean"] == pytest.approx(150.0)
    assert len(found.figures["log_likelihood_nats"]["per_frame"]) == len(clip)


def test_a_model_without_a_likelihood_has_no_figure() -> None:
    clip, _ = walk(skeleton_of(RIGS["cmu"]), seconds=1.0)
    tally = Tally()
    tally.sampled(clip, np.full(len(clip), np.nan))
    tally.written(clip)
    nats = tally.measured(ControlPath.from_clip(clip)).figures["log_likelihood_nats"]
    assert nats == {"mean": None, "per_frame": None}


def test_each_share_of_the_score_counts() -> None:
    plain = ([0.02] * 4, [0.05] * 4, [150.0] * 4)
    assert np.ptp(scores(*plain, channels=60)) == 0
    for share, unit in enumerate((FAR, REAL_SLIDE, UNUSUAL * 60)):
        worse = [list(values) for values in plain]
        worse[share][2] += unit
        values = scores(*worse, channels=60)
        assert values[2] - values[0] == pytest.approx(1.0)
    above, below = ([150.0, 150.0, 150.0 + off] for off in (6.0, -6.0))
    assert (
        scores([0] * 3, [0] * 3, above, channels=60).tolist()
        == scores([0] * 3, [0] * 3, below, channels=60).tolist()
    )
    assert scores([0] * 2, [0] * 2, [100.0, 200.0], channels=60).tolist() == [0, 0], (
        "two values have no usual one"
    )
    assert scores([0] * 3, [0] * 3, [np.nan] * 3, channels=60).tolist() == [0, 0, 0]
