"""A long clip is searched in stretches, with the same result as a search of the whole clip."""

from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from moglow.bvh.read import open_bvh, read_bvh
from moglow.bvh.write import write_bvh
from moglow.cleaning import damage_search
from moglow.cleaning.damage_search import DamageSearch, DamageSearchSpec, stretches_of
from moglow.cleaning.swap import cheapest_path
from moglow.formats.read import open_motion, read_motion
from moglow.maths.rotations import Array, axis_angle_to_quat, quat_multiply
from moglow.maths.signals import Flags
from moglow.motion.clip import Clip
from tests.support.rigs import RIGS
from tests.support.walking import skeleton_of, walk

LONG = walk(skeleton_of(RIGS["snu"]), seconds=24.0)[0].on_floor()
SEAM = 150


@pytest.fixture
def in_stretches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(damage_search, "SPEC", DamageSearchSpec(together=SEAM, around=60))


def damaged() -> Clip:
    """A joint that is frozen over one seam of stretches, and a spike before, at and after others."""
    rotations = LONG.rotations.copy()
    rotations[2 * SEAM - 8 : 2 * SEAM + 9] = rotations[2 * SEAM - 8]
    knee = LONG.skeleton.anatomy.roles["left_shin"]
    for frame in (40, 3 * SEAM - 1, 3 * SEAM + 100):
        rotations[frame, knee] = quat_multiply(
            rotations[frame, knee], axis_angle_to_quat([1.0, 0.0, 0.0], 1.5)
        )
    return replace(LONG, rotations=rotations)


def test_stretches_are_a_clip() -> None:
    for frames in (1, 5, 4096, 8191, 8192, 20_000):
        owned = [frame for _, own in stretches_of(frames) for frame in range(own.start, own.stop)]
        assert owned == list(range(frames))
        assert all(
            around.stop - around.start < 3 * damage_search.SPEC.together for around, _ in stretches_of(frames)
        )


def test_damage_is_found_once_wherever_a_stretch_ends(in_stretches: None) -> None:
    clip = damaged()
    kinds = [each.kind for each in DamageSearch.of(clip).reported()]
    assert (kinds.count("spike"), kinds.count("frozen"), len(kinds)) == (3, 4, 7), (
        "frozen are two legs and two arms"
    )
    assert len(list(stretches_of(len(clip)))) > 3


def test_stretches_give_the_result_of_the_whole_clip(
    in_stretches: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = damaged()
    parts = DamageSearch.of(clip)
    monkeypatch.setattr(damage_search, "SPEC", DamageSearchSpec(together=10_000, around=60))
    whole = DamageSearch.of(clip)
    assert parts.reported() == whole.reported()
    one, other = parts.motion(), whole.motion()
    for key in ("speed_median", "speed_p95", "turn_p95", "floor"):
        assert getattr(one, key) == pytest.approx(getattr(other, key), abs=1e-6)
    assert one.slide == other.slide


def test_a_motion_that_leaps_and_stays_does_so_to_its_end(in_stretches: None) -> None:
    positions = LONG.positions.copy()
    positions[200:, 0, 2] += 0.8
    (found,) = (each for each in DamageSearch.of(replace(LONG, positions=positions)).reported())
    assert (found.kind, found.start, found.stop) == ("teleport", 200, len(LONG))
    assert found.why.endswith("and stays")


def test_every_leap_that_stays_is_listed_wherever_a_stretch_ends(in_stretches: None) -> None:
    positions, leaps = LONG.positions.copy(), [100, 2 * SEAM - 5, 2 * SEAM + 100, 4 * SEAM + 30]
    for frame in leaps:
        positions[frame:, 0, 2] += 0.8
    found = DamageSearch.of(replace(LONG, positions=positions)).reported()
    assert [each.start for each in found if each.kind == "teleport"] == leaps


def test_parts_of_a_file_are_parts_of_its_clip(tmp_path: Path) -> None:
    file = tmp_path / "walk.bvh"
    write_bvh(LONG, file, unit="cm")
    opened, clip = open_bvh(file), read_bvh(file)
    assert len(opened) == len(clip) and opened.fps == clip.fps
    for part in (slice(3, 20), slice(None, None, 7), slice(100, None)):
        assert np.array_equal(opened[part].positions, clip[part].positions)
        assert np.array_equal(opened[part].rotations, clip[part].rotations)
    assert np.array_equal(open_motion(file)[5:9].rotations, read_motion(file)[5:9].rotations)


def one_by_one(costs: Array, begin: Array) -> Flags:
    """Viterbi's algorithm, frame by frame."""
    pairs = list(product((0, 1), repeat=2))
    cost, before = {pair: float(begin[pair]) for pair in pairs}, []
    for step in costs:
        best = {(b, c): min((cost[a, b] + float(step[a, b, c]), a) for a in (0, 1)) for b, c in pairs}
        cost = {pair: value for pair, (value, _) in best.items()}
        before.append({pair: a for pair, (_, a) in best.items()})
    last = min(cost, key=lambda pair: cost[pair])
    path = [last[1], last[0]]
    for back in reversed(before):
        path.append(back[path[-1], path[-2]])
    return np.array(path[::-1], bool)


@pytest.mark.parametrize("length", [1, 2, 3, 16, 17, 100])
def test_blocks_side_by_side_find_the_cheapest_path(length: int) -> None:
    random = np.random.default_rng(length)
    for _ in range(5):
        costs, begin = random.random((length, 2, 2, 2)), random.random((2, 2))
        assert np.array_equal(cheapest_path(costs, begin), one_by_one(costs, begin))
