"""Poses by the Virtual Motion Capture protocol, as avatars in Unity, Unreal, Godot, Blender, VSeeFace and Warudo take
them; numpy alone.

Bones are those of Unity's humanoid, turned away from a T-pose in which all axes are the world's. Unity's axes are
left-handed: Y up, +Z forward and +X to the right, so x is mirrored.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from moglow.formats.vrm_bones import humanoid
from moglow.live.osc import Address, Message, Sender, bundle
from moglow.maths.rotations import Array, quat_conjugate, quat_multiply, quat_rotate
from moglow.motion.canonical_pose import canonical_rotations
from moglow.motion.clip import Clip
from moglow.motion.skeleton import Skeleton

PORT = 39539
"""Where programs listen for poses by default."""


@dataclass(frozen=True, eq=False)
class VmcFigure:
    """The bones of a skeleton as the protocol names them, and how they are turned in the T-pose."""

    names: Sequence[str]
    joints: Sequence[int]
    parents: Sequence[int]
    rest: Array
    """World rotations ``(B, 4)`` in the T-pose."""

    @classmethod
    def of(cls, skeleton: Skeleton, motion: Clip | None = None) -> "VmcFigure":
        """Returns the bones of a skeleton; a motion determines its canonical pose, see `canonical_rotations`."""
        bones, joints, parents = humanoid(skeleton)
        names = tuple(bone[0].upper() + bone[1:] for bone in bones)
        return cls(names, joints, parents, canonical_rotations(skeleton, motion)[list(joints)])

    def packet(self, positions: Array, rotations: Array, seconds: float) -> bytes:
        """Returns a bundle for a frame of world positions ``(J, 3)`` and rotations ``(J, 4)`` of all joints."""
        places = positions[list(self.joints)]
        turns = quat_multiply(rotations[list(self.joints)], quat_conjugate(self.rest))
        messages = [
            Message("/VMC/Ext/OK", (1,)),
            Message("/VMC/Ext/T", (float(seconds),)),
            Message("/VMC/Ext/Root/Pos", ("root", 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0)),
        ]
        for name, above, place, turn in zip(self.names, self.parents, places, turns, strict=True):
            if above >= 0:
                back = quat_conjugate(turns[above])
                place, turn = quat_rotate(back, place - places[above]), quat_multiply(back, turn)
            x, y, z = map(float, place)
            w, i, j, k = map(float, turn * np.where(turn[0] < 0, -1.0, 1.0))
            messages.append(Message("/VMC/Ext/Bone/Pos", (name, -x, y, z, i, -j, -k, w)))
        return bundle(messages)


class VmcLink:
    """Sends a figure's frames to an address, one bundle a frame."""

    def __init__(self, figure: VmcFigure, address: Address) -> None:
        self.figure, self.sender, self.sent = figure, Sender(address), 0

    def send(self, positions: Array, rotations: Array, seconds: float) -> None:
        """Sends a frame: world positions ``(J, 3)`` and rotations ``(J, 4)``, and its time."""
        self.sender.send(self.figure.packet(positions, rotations, seconds))
        self.sent += 1
