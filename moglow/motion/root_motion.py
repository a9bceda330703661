"""Root motion for game engines: the path over the ground on a root bone. Needs numpy alone."""

from dataclasses import replace

import numpy as np

from moglow.maths.rotations import Array, heading_to_quat, quat_conjugate, quat_multiply, quat_rotate
from moglow.motion.clip import Clip
from moglow.motion.skeleton import Skeleton

ROOT = "root"
"""The name of an added root bone."""

_IK = {
    "ik_foot_l": "left_foot",
    "ik_foot_r": "right_foot",
    "ik_hand_gun": "right_hand",
    "ik_hand_l": "left_hand",
    "ik_hand_r": "right_hand",
}
"""Bones of Unreal's mannequins that coincide with another joint, and its role."""


def on_root(clip: Clip) -> Clip:
    """Returns the clip with a root bone on the ground below the hips, turned to the body's heading.

    It is the skeleton's bone above the hips or, without one, a new bone named ``root``. The world positions of other
    joints do not change, except that the ``ik_`` bones of Unreal's mannequins follow feet and hands.

    >>> figure = Skeleton(("Hips", "Spine"), (-1, 0), [[0, 0, 0], [0, 0.5, 0]])
    >>> clip = Clip.at_rest(figure).moved((2.0, 0.9, 3.0))
    >>> moved = on_root(clip)
    >>> moved.skeleton.names, moved.positions[0].tolist()
    (('root', 'Hips', 'Spine'), [[2.0, 0.0, 3.0], [0.0, 0.9, 0.0], [0.0, 0.5, 0.0]])
    """
    ground, headings = clip.ground_positions(), clip.headings()
    if clip.skeleton.anatomy.roles.get("hips", 0) == 0:
        clip = _with_root(clip)
    skeleton = clip.skeleton
    places, turns = (part.copy() for part in clip.world())
    places[:, 0] = np.stack([ground[:, 0], np.zeros(len(clip)), ground[:, 1]], axis=-1)
    turns[:, 0] = heading_to_quat(headings)
    moved = {0}
    for joint in range(1, len(skeleton)):
        name, roles = skeleton.names[joint].lower().rpartition(":")[2], skeleton.anatomy.roles
        if name in _IK and _IK[name] in roles:
            places[:, joint], turns[:, joint] = places[:, roles[_IK[name]]], turns[:, roles[_IK[name]]]
        elif name in ("ik_foot_root", "ik_hand_root"):
            places[:, joint], turns[:, joint] = places[:, 0], turns[:, 0]
        else:
            continue
        moved.add(joint)
    positions, rotations = clip.positions.copy(), clip.rotations.copy()
    positions[:, 0], rotations[:, 0] = places[:, 0], turns[:, 0]
    for joint, parent in enumerate(skeleton.parents[1:], start=1):
        if joint in moved or parent in moved:  # others do not change by a bit
            back = quat_conjugate(turns[:, parent])
            positions[:, joint] = quat_rotate(back, places[:, joint] - places[:, parent])
            rotations[:, joint] = quat_multiply(back, turns[:, joint])
    return replace(clip, positions=positions, rotations=rotations)


def _with_root(clip: Clip) -> Clip:
    """Returns the clip with a bone above the hips, at the origin."""
    old, frames = clip.skeleton, len(clip)
    name = next(
        name for k in range(len(old) + 1) if (name := ROOT if not k else f"{ROOT}{k}") not in old.names
    )
    height = np.array([[0.0, -float(old.rest_positions[:, 1].min()), 0.0]])
    skeleton = Skeleton(
        names=(name, *old.names),
        parents=(-1, *(parent + 1 for parent in old.parents)),
        offsets=np.concatenate([np.zeros((1, 3)), height, old.offsets[1:]]),
        end_sites=tuple((joint + 1, tip) for joint, tip in old.end_sites),
        overrides=old.overrides,
    )
    still: Array = np.zeros((frames, 1, 3))
    turn = np.tile(heading_to_quat(0.0), (frames, 1, 1))
    return replace(
        clip,
        skeleton=skeleton,
        positions=np.concatenate([still, clip.positions], axis=1),
        rotations=np.concatenate([turn, clip.rotations], axis=1),
    )
