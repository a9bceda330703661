"""The poses of Rigify's controls that give a body its motion. Needs numpy alone, apart from the rig."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from moglow.blender.inside.control_tree import ALONG, STILL, ControlTree, Pose, carried
from moglow.blender.inside.rigify_rig import (
    AIM,
    FEET,
    POLE,
    SIDES,
    SWIVEL,
    RigifyRig,
    missing_control,
)
from moglow.maths.rotations import (
    Array,
    axis_angle_to_quat,
    quat_conjugate,
    quat_multiply,
    quat_rotate,
    quat_slerp,
)

ACROSS = np.array([1.0, 0.0, 0.0])
"""The axis of a thigh about which its knee bends."""


@dataclass(frozen=True)
class FootControls:
    """The controls of a leg in inverse kinematics, by side, and the sides whose knees point at a pole."""

    feet: dict[str, dict[str, str]]
    poles: frozenset[str]

    @classmethod
    def of(cls, rig: RigifyRig) -> "FootControls":
        """Returns the controls of a rig; raises if it lacks one."""
        bones, found, poles = rig.armature.data.bones, {}, set()
        for side in SIDES:
            for control in ("foot_ik", SWIVEL):
                if control + side not in bones:
                    raise missing_control(rig.armature, control + side)
            found[side] = {name: name + side for name in (*FEET, SWIVEL, AIM) if name + side in bones}
            limb = rig.limbs().get(f"thigh{side}")
            if limb is not None and limb.get(POLE) and AIM in found[side]:
                poles.add(side)
        return cls(found, frozenset(poles))

    def keyed(self) -> dict[str, bool]:
        """Returns the names of the controls, and whether their location has keys."""
        names = dict[str, bool]()
        for side, foot in self.feet.items():
            names |= {foot[name]: name == "foot_ik" for name in FEET if name in foot}
            names |= {foot[AIM]: True} if side in self.poles else {foot[SWIVEL]: False}
        return names


def keyed_controls(rig: RigifyRig, feet: FootControls | None) -> dict[str, bool]:
    """Returns the names of the controls that get keys, and whether their location has keys."""
    names = {"torso": True, "hips": False, "chest": False}
    legs = _legs(rig) if feet else set()
    names |= {joint.control: False for joint in rig.joints if joint.control and joint.name not in legs}
    return names | (feet.keyed() if feet else {})


def carried_points(rig: RigifyRig, feet: FootControls | None) -> dict[str, Array]:
    """Returns the places at rest ``(N, 3)`` that controls carry: joints, and the ends of head, hands and feet.

    Heels have no control, and are carried by that of the foot.
    """
    bones, found = rig.armature.data.bones, dict[str, list[Any]]()
    above, legs = {joint.parent for joint in rig.joints}, _legs(rig) if feet else set()
    for j, joint in enumerate(rig.joints):
        heel, side = joint.name.startswith("heel"), joint.name[-2:]
        owner = rig.joints[joint.parent] if heel else joint
        carrier = owner.control or owner.bone
        if feet and owner.name in legs:
            carrier = feet.feet[side].get({"foot": "foot_ik", "toe": "toe_ik"}.get(owner.name[:-2], ""), "")
        if not carrier:
            continue
        bone = bones[joint.bone]
        found.setdefault(carrier, []).append(bone.head_local)
        if j not in above and not heel:
            found[carrier].append(bone.tail_local)
    return {name: np.array(points, float) for name, points in found.items()}


def solved(
    rig: RigifyRig, tree: ControlTree, motions: dict[str, Pose], feet: FootControls | None
) -> ControlTree:
    """Returns the tree with the poses of all controls, by which the joints make their motions.

    The torso has the rotation midway between pelvis and chest, to which hips and chest are relative; spine controls
    have what is left. The torso's location puts the pelvis where it belongs.
    """
    trunk = [joint for joint in rig.joints if joint.name.startswith("spine")]
    pelvis, low, high = trunk[0], motions[trunk[0].name][0], motions[trunk[-1].name][0]
    tree = tree.turned("torso", quat_slerp(low, high, 0.5)).turned("hips", low).turned("chest", high)
    spine = [(joint.control, joint.name) for joint in trunk if joint.control]
    for control, name in sorted(spine, key=lambda each: len(tree.upstream(each[0]))):
        tree = tree.turned(control, motions[name][0])
    head = tree.bones[pelvis.bone].rest[1]
    off = carried(motions[pelvis.name], head) - carried(tree.motion(pelvis.bone), head)
    tree = tree.moved("torso", tree.pose("torso")[1] + off)
    legs = _legs(rig) if feet else set()
    for joint in rig.joints:
        if joint.control and joint not in trunk and joint.name not in legs:
            tree = tree.turned(joint.control, motions[joint.name][0])
    if feet:
        for side in SIDES:
            tree = _with_foot(tree, motions, feet, side)
    return tree


def _with_foot(tree: ControlTree, motions: dict[str, Pose], feet: FootControls, side: str) -> ControlTree:
    """Returns the tree with the controls of a leg in inverse kinematics: the foot, its toes, the knee's direction."""
    controls, foot, thigh = feet.feet[side], motions[f"foot{side}"], motions[f"thigh{side}"]
    still = np.tile(STILL[0], (len(foot[0]), 1)), np.zeros((len(foot[0]), 3))
    tree = tree.with_bases(
        {controls[name]: still for name in ("foot_spin_ik", "foot_heel_ik") if name in controls}
    )
    main = controls["foot_ik"]
    tree = tree.turned(main, foot[0]).moved(main, carried(foot, tree.bones[main].rest[1]))
    if "toe_ik" in controls and f"toe{side}" in motions:
        tree = tree.turned(controls["toe_ik"], motions[f"toe{side}"][0])
    if side in feet.poles:
        aim = controls[AIM]
        return tree.moved(aim, carried(thigh, tree.bones[aim].rest[1]))
    swivel = controls[SWIVEL]
    across = quat_rotate(quat_multiply(thigh[0], tree.bones[swivel].rest[0]), ACROSS)
    x, _, z = np.moveaxis(quat_rotate(quat_conjugate(tree.space(swivel)[0]), across), -1, 0)
    turn = axis_angle_to_quat(ALONG, np.arctan2(-z, x))
    return tree.with_bases({swivel: (turn, still[1])})


def _legs(rig: RigifyRig) -> set[str]:
    return {joint.name for joint in rig.joints if joint.name[:-2] in ("thigh", "shin", "foot", "toe")}
