"""The tree of controls: solved poses are those wished for, under constraints too; thinner keys keep the tolerances."""

from itertools import permutations

import numpy as np
import pytest

from moglow.blender.inside.control_keys import QUATERNION, ControlChannels, thinned_controls
from moglow.blender.inside.control_tree import Constraint, ControlTree, Pose, TreeBone, carried
from moglow.blender.inside.thinning import Tolerance
from moglow.maths.rotations import Array, expmap_to_quat, quat_angle, quat_multiply, quat_rotate, quat_slerp

TOLERANCE = 1e-9
FRAMES = 60


def turns(seed: int, size: float = 1.0) -> Array:
    """Returns smooth rotations ``(T, 4)``."""
    rng = np.random.default_rng(seed)
    waves = np.sin(np.linspace(0, 2, FRAMES)[:, None] * rng.uniform(1, 2, 3) + rng.uniform(0, 6, 3))
    return expmap_to_quat(size * waves)


def rest(seed: int) -> Pose:
    return turns(seed)[0], np.random.default_rng(seed).normal(size=3)


def tree(*constraints: Constraint, local: bool = True, kind: str = "arm") -> ControlTree:
    """Returns a torso and a chest, a helper bone below the chest with constraints, and a control below it."""
    bones = [
        TreeBone("torso", None, rest(1)),
        TreeBone("chest", "torso", rest(2)),
        TreeBone("helper", "chest", rest(3), constraints=constraints),
        TreeBone(kind, "helper", rest(4), local_location=local),
    ]
    made = ControlTree({bone.name: bone for bone in bones})
    return made.turned("torso", turns(5)).moved("torso", turns(6)[:, 1:]).turned("chest", turns(7))


CONSTRAINTS = [
    Constraint(("COPY_ROTATION", "WORLD"), "torso", 0.3),
    Constraint(("COPY_TRANSFORMS", "WORLD"), "torso", 0.6),
    Constraint(("COPY_TRANSFORMS", "LOCAL"), "chest", 0.5),
    Constraint(("COPY_ROTATION", "LOCAL"), "chest"),
    Constraint(("COPY_LOCATION", "WORLD"), "torso"),
    Constraint(("ARMATURE", "WORLD"), "torso"),
    Constraint(("DAMPED_TRACK", "WORLD"), "torso"),
]


@pytest.mark.parametrize("local", [True, False])
@pytest.mark.parametrize("constraint", CONSTRAINTS, ids=lambda each: "-".join(each.kind))
def test_a_solved_control_makes_the_motion_wished_for(constraint: Constraint, local: bool) -> None:
    """Whatever the bone above it does; the control's own pose differs from that without the constraint."""
    wanted, place = turns(8), turns(9)[:, 1:]
    solved = tree(constraint, local=local).turned("arm", wanted).moved("arm", place)
    rotation, head = solved.motion("arm")[0], solved.pose("arm")[1]
    assert quat_angle(rotation, wanted).max() < 1e-7 and np.abs(head - place).max() < TOLERANCE
    free = tree(local=local).turned("arm", wanted).moved("arm", place)
    there, plain = solved.basis("arm"), free.basis("arm")
    assert quat_angle(there[0], plain[0]).max() > 0.01 or np.abs(there[1] - plain[1]).max() > 0.01


def test_constraints_do_what_blender_says() -> None:
    plain = tree()
    half = tree(Constraint(("COPY_ROTATION", "WORLD"), "torso", 0.5))
    between = quat_slerp(plain.pose("helper")[0], plain.pose("torso")[0], 0.5)
    assert quat_angle(half.pose("helper")[0], between).max() < 1e-7
    assert np.abs(half.pose("helper")[1] - plain.pose("helper")[1]).max() < TOLERANCE
    copied = tree(Constraint(("COPY_TRANSFORMS", "LOCAL"), "chest"))
    own = quat_multiply(copied.space("helper")[0], plain.basis("chest")[0])
    assert quat_angle(copied.pose("helper")[0], own).max() < 1e-7
    tracked = tree(Constraint(("DAMPED_TRACK", "WORLD"), "torso"))
    ahead = tracked.pose("torso")[1] - tracked.pose("helper")[1]
    along = quat_rotate(tracked.pose("helper")[0], [0.0, 1.0, 0.0])
    assert np.abs(along - ahead / np.linalg.norm(ahead, axis=-1, keepdims=True)).max() < TOLERANCE


def test_upstream_bones_are_parents_and_targets() -> None:
    assert tree(CONSTRAINTS[0]).upstream("helper") == {"helper", "chest", "torso"}
    assert tree().upstream("chest") == {"chest", "torso"}


@pytest.mark.parametrize("mode", [QUATERNION, *map("".join, permutations("XYZ"))])
def test_channels_hold_the_pose_in_each_rotation_mode(mode: str) -> None:
    basis = turns(3, size=0.8), turns(4)[:, 1:]
    channels = ControlChannels.of("arm", mode, basis, placed=True)
    turn, place = channels.basis((basis[0][0], np.zeros(3)))
    assert quat_angle(turn, basis[0]).max() < 1e-7 and np.array_equal(place, basis[1])
    assert np.abs(np.diff(channels.rotation, axis=0)).max() < 0.6  # no jumps of whole turns or signs


def test_blender_turns_about_the_first_letter_first() -> None:
    quarter = np.pi / 2
    x, z = (expmap_to_quat(quarter * np.eye(3)[axis]) for axis in (0, 2))
    basis = quat_multiply(z, x)[None], np.zeros((1, 3))
    angles = ControlChannels.of("arm", "XYZ", basis, placed=False).rotation
    assert np.abs(angles - [[quarter, 0.0, quarter]]).max() < 1e-7


@pytest.mark.parametrize(("degrees", "millimetres"), [(0.5, 20.0), (5.0, 10.0), (5.0, 200.0)])
def test_thinner_keys_of_controls_stay_within_the_tolerances(degrees: float, millimetres: float) -> None:
    made = tree(CONSTRAINTS[0]).turned("arm", turns(8))
    modes = {"torso": QUATERNION, "chest": "YXZ", "arm": QUATERNION}
    channels = [
        ControlChannels.of(name, mode, made.basis(name), placed=name == "torso")
        for name, mode in modes.items()
    ]
    tip = np.array([[0.0, 0.0, 1.0], [0.3, 0.0, 0.0]])
    found = thinned_controls(made, channels, {"arm": tip}, Tolerance(degrees, millimetres), metres=0.5)
    between = made.with_bases(
        {
            each.name: each.basis(made.bones[each.name].basis, at)
            for each, at in zip(channels, found.frames, strict=True)
        }
    )
    for name in modes:
        angles = np.degrees(quat_angle(between.basis(name)[0], made.basis(name)[0]))
        assert angles.max() <= degrees, name
    for point in tip:
        off = carried(between.motion("arm"), point) - carried(made.motion("arm"), point)
        assert 500 * np.linalg.norm(off, axis=-1).max() <= millimetres
    assert found.share < (0.9 if millimetres < 100 else 0.3)
