"""Laws of `moglow.motion.contacts`: planted feet are found where they are known to be, wherever the floor is."""

from dataclasses import fields, replace

import numpy as np
import pytest

from moglow.errors import SkeletonError
from moglow.maths.rotations import euler_to_quat
from moglow.maths.signals import runs
from moglow.motion.clip import Clip
from moglow.motion.contacts import ContactSpec, contacts, toe_floor, toe_points
from moglow.motion.skeleton import Skeleton
from tests.support.rigs import RIGS
from tests.support.walking import skeleton_of, walk


@pytest.mark.parametrize("rig", RIGS)
@pytest.mark.parametrize("slip", [0.0, 0.2])
def test_known_contacts_are_found(rig: str, slip: float) -> None:
    """Within a frame at landing and leaving, whether the standing foot slides or not."""
    clip, planted = walk(skeleton_of(RIGS[rig]), slip=slip)
    found = contacts(clip)
    sure = np.zeros_like(planted)
    sure[2:-2] = (planted[:-4] == planted[4:]) & (planted[1:-3] == planted[3:-1])
    assert sure.mean() > 0.7
    np.testing.assert_array_equal(found[sure], planted[sure])


def test_floor_height_and_time_direction_do_not_matter() -> None:
    clip, _ = walk(skeleton_of(RIGS["mixamo"]))
    np.testing.assert_array_equal(contacts(clip.moved((1.0, -7.0, 2.0), heading=2.0)), contacts(clip))
    np.testing.assert_array_equal(contacts(clip.reversed()), contacts(clip)[::-1])


def test_a_raised_foot_is_never_planted() -> None:
    skeleton = skeleton_of(RIGS["snu"])
    clip = Clip.at_rest(skeleton, frames=40)
    rotations = clip.rotations.copy()
    rotations[:, skeleton.anatomy.legs[0].knee] = euler_to_quat([1.0], "X")
    np.testing.assert_array_equal(contacts(replace(clip, rotations=rotations)), [[False, True]] * 40)


def test_rate_hardly_matters() -> None:
    slow, fast = (contacts(walk(skeleton_of(RIGS["cmu"]), fps=fps)[0]) for fps in (30.0, 120.0))
    assert (fast[::4] != slow).mean() < 0.05


def test_each_setting_matters() -> None:
    """Changing any threshold changes the contacts of a walk with hops, hobbles and slides."""
    clip, _ = walk(skeleton_of(RIGS["cmu"]), seconds=8.0, fps=60.0, slip=0.25)
    generator = np.random.default_rng(3)
    noise = np.cumsum(generator.normal(scale=0.006, size=(len(clip), 3)), axis=0)
    positions = clip.positions.copy()
    positions[:, 0] += noise - np.linspace(0, 1, len(clip))[:, None] * noise[-1]
    shaken = replace(clip, positions=positions)
    for field in fields(ContactSpec):
        for factor in (0.3, 3.0):
            spec = replace(ContactSpec(), **{field.name: factor * getattr(ContactSpec(), field.name)})
            if (contacts(shaken, spec=spec) != contacts(shaken)).any():
                break
        else:
            pytest.fail(f"{field.name} changes nothing")


def test_toe_floor_ignores_a_foot_in_the_air_and_outliers() -> None:
    toes = np.zeros((100, 2, 3))
    toes[:, 0, 1], toes[:, 1, 1] = 0.02, 0.5
    toes[7, 0, 1] = -1.0
    np.testing.assert_allclose(toe_floor(toes), [0.02, 0.05])


def test_toe_points_without_toe_joints() -> None:
    """The foot's end site is used for the toe, or else the ankle."""
    skeleton = skeleton_of(RIGS["no toes, no collar bones"])
    feet = [leg.ankle for leg in skeleton.anatomy.legs]
    bare = Clip.at_rest(skeleton)
    np.testing.assert_allclose(toe_points(bare), bare.world_positions[:, feet])
    tipped = replace(skeleton, end_sites=tuple((foot, (0.0, -0.07, 0.2)) for foot in feet))
    points = toe_points(Clip.at_rest(tipped))
    np.testing.assert_allclose(points, bare.world_positions[:, feet] + [0.0, -0.07, 0.2])


def test_a_figure_without_legs_is_one_line() -> None:
    with pytest.raises(SkeletonError, match="no leg was found"):
        contacts(Clip.at_rest(Skeleton(("Root", "Tip"), (-1, 0), np.eye(3)[:2])))


def test_legs_without_length_are_none() -> None:
    skeleton = skeleton_of(RIGS["snu"])
    point = replace(skeleton, offsets=np.zeros_like(skeleton.offsets))
    assert not point.anatomy.legs and point.anatomy.roles
    with pytest.raises(SkeletonError, match="not all at one place"):
        contacts(Clip.at_rest(point))


def test_a_foot_on_another_branch_is_no_leg() -> None:
    skeleton = skeleton_of(RIGS["snu"])
    crossed = replace(skeleton, overrides={"left_foot": "RightFoot", "right_foot": "LeftFoot"})
    with pytest.raises(SkeletonError, match="is not below"):
        contacts(Clip.at_rest(crossed))


def test_runs_cover_exactly_the_true_values() -> None:
    flags = np.random.default_rng(0).random(50) < 0.5
    again = np.zeros(50, bool)
    for start, stop in runs(flags):
        assert flags[start:stop].all()
        assert start == 0 or not flags[start - 1]
        assert stop == 50 or not flags[stop]
        again[start:stop] = True
    np.testing.assert_array_equal(again, flags)
