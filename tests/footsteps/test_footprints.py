"""Footprints of clips, and their files."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from moglow.errors import ControlError
from moglow.footsteps.files import read_footprints, write_footprints
from moglow.footsteps.footprints import Footprint, foot_names, footprints
from moglow.footsteps.matching import matched
from moglow.maths.signals import runs
from tests.support.rigs import RIGS
from tests.support.walking import skeleton_of, walk

FEET = ("left", "right")


@pytest.mark.parametrize("rig", ["mixamo", "cmu"])
def test_footprints_are_where_feet_stand(rig: str) -> None:
    clip, planted = walk(skeleton_of(RIGS[rig]), seconds=3.9)
    found = footprints(clip)
    assert foot_names(clip.skeleton) == FEET
    for leg in range(2):
        own = [each for each in found if each.leg == leg]
        stands = runs(planted[:, leg])
        assert len(own) == len(stands)
        for each, (start, stop) in zip(own, stands, strict=True):
            assert abs(each.on - start / clip.fps) <= 2.1 / clip.fps
            assert abs(each.off - (stop - 1) / clip.fps) <= 2.1 / clip.fps
            assert abs(each.height) < 0.01 and abs(each.heading) < 0.2
        steps = np.diff([each.z for each in own])
        np.testing.assert_allclose(steps[1:-1], 1.0, atol=0.02)
    assert list(found) == sorted(found, key=lambda each: (each.on, each.leg))


def test_heights_are_those_of_the_ground() -> None:
    clip, _ = walk(skeleton_of(RIGS["mixamo"]), seconds=3.0)
    flat = footprints(clip)
    raised = clip.moved((0.0, 0.25, 0.0))
    floor = np.full((len(clip), 2), 0.25)
    standing = np.array([clip.world_positions[:, leg.toe, 1].min() for leg in clip.skeleton.anatomy.legs])
    found = footprints(raised, standing=standing, floor=floor)
    np.testing.assert_allclose([each.height for each in found], 0.25, atol=0.01)
    assert [each.on for each in found] == [each.on for each in flat]


def test_a_file_gives_its_footprints_back(tmp_path: Path) -> None:
    prints = footprints(walk(skeleton_of(RIGS["mixamo"]), seconds=3.0)[0])
    write_footprints(prints, FEET, tmp_path / "steps.csv")
    back = read_footprints(tmp_path / "steps.csv", FEET)
    for a, b in zip(prints, back, strict=True):
        for name in ("leg", "on", "off", "x", "z", "heading", "height"):
            assert getattr(a, name) == pytest.approx(getattr(b, name), abs=1e-4), name


def test_headings_and_heights_may_be_left_out_and_decimals_be_commas(tmp_path: Path) -> None:
    (tmp_path / "steps.csv").write_text(
        "# mine\nfoot;t_on;t_off;x;z\nRight;0,5;1,1;-0,1;0,7\nleft;0;0,6;0,1;0,2\n"
    )
    first, second = read_footprints(tmp_path / "steps.csv", FEET)
    assert first == replace(first, leg=0, on=0.0, off=0.6, x=0.1, z=0.2, height=0.0) and np.isnan(
        first.heading
    )
    assert second.leg == 1 and second.x == -0.1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no header"),
        ("t_on,t_off,foot,x\n", "no column z"),
        ("t_on,t_off,foot,x,z,hight\n", "did you mean height"),
        ("t_on,t_off,foot,x,z\n", "no footprint after the header"),
        ("t_on,t_off,foot,x,z\n0,1,left,0\n", "line 2 has 4 values"),
        ("t_on,t_off,foot,x,z\n0,1,lift,0,0\n", "line 2, column foot.*did you mean left"),
        ("t_on,t_off,foot,x,z\n0,one,left,0,0\n", "line 2, column t_off: found 'one'"),
        ("t_on,t_off,foot,x,z\n1,0.5,left,0,0\n", "line 2.*must not be before"),
        ("t_on,t_off,foot,x,z\n-1,0.5,left,0,0\n", "time begins at 0"),
        ("t_on,t_off,foot,x,z\n0,1,left,0,0\n0.5,2,left,0,1\n", "line 3: the left foot comes down"),
        ("t_on,t_off,foot,x,z\n0,1,left,nan,0\n", "column x: found 'nan'"),
    ],
)
def test_a_wrong_file_is_one_line(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "steps.csv").write_text(text)
    with pytest.raises(ControlError, match=message) as error:
        read_footprints(tmp_path / "steps.csv", FEET)
    assert "\n" not in str(error.value) and "steps.csv" in str(error.value)


def test_moved_footprints_are_found_and_new_ones_are_new() -> None:
    own = [Footprint(0, t, t + 0.6, 0.0, t, 0.0) for t in (0.0, 1.0, 2.0, 3.0)]
    assert matched(own, own) == ([0, 1, 2, 3], 0.0)
    moved = [replace(each, x=0.2, on=each.on + 0.1) for each in own]
    assert matched(own, moved)[0] == [0, 1, 2, 3]
    assert matched(own, own[:1] + own[2:])[0] == [0, 2, 3]
    far = Footprint(0, 2.4, 2.6, 5.0, 9.0, 0.0)
    assert matched(own, [*own[:3], far, own[3]])[0] == [0, 1, 2, None, 3]
    assert matched([], own)[0] == [None] * 4 and matched(own, [])[0] == []
