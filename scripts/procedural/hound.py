"""The hound: a quadruped, 0.52 m at the withers, that trots along a path on paws that never slide.

Its rest pose is its stance. Hind legs bend forward at the knee, fore legs backward at the elbow; metatarsus and paw are
moved by the same code as a biped's foot.
"""

from itertools import pairwise

import numpy as np

from moglow.maths.rotations import Array, heading_to_quat, quat_multiply, quat_rotate, quat_slerp
from moglow.maths.signals import smooth_gaussian
from moglow.motion.skeleton import Skeleton
from moglow.paths.control_path import ControlPath
from scripts.procedural.feet import Sole, move_foot
from scripts.procedural.figure import joined
from scripts.procedural.gaits import Manner, TrotGaitPattern, effort
from scripts.procedural.legs import LegBones, hip_position, pitched, rolled, stand_on
from scripts.procedural.steps import Foothold, plan_steps
from scripts.procedural.synthetic_clip import SyntheticClip, drift, with_lead

HIPS_HEIGHT = 0.50
MIDDLE = {
    "Hips": ("", (0.0, 0.0, 0.0)),
    "Spine": ("Hips", (0.0, 0.02, 0.22)),
    "Chest": ("Spine", (0.0, 0.0, 0.24)),
    "Neck": ("Chest", (0.0, 0.08, 0.10)),
    "Head": ("Neck", (0.0, 0.14, 0.10)),
    "Tail": ("Hips", (0.0, 0.02, -0.10)),
    "TailTip": ("Tail", (0.0, -0.05, -0.15)),
}
LIMBS = {  # of the left side
    "HindUpLeg": ("Hips", (0.06, -0.03, -0.02)),
    "HindLeg": ("*HindUpLeg", (0.0, -0.17, 0.09)),
    "HindFoot": ("*HindLeg", (0.0, -0.14, -0.13)),
    "HindToe": ("*HindFoot", (0.0, -0.14, 0.03)),
    "FrontShoulder": ("Chest", (0.06, 0.0, 0.02)),
    "FrontUpLeg": ("*FrontShoulder", (0.0, -0.12, 0.05)),
    "FrontLeg": ("*FrontUpLeg", (0.0, -0.13, -0.09)),
    "FrontFoot": ("*FrontLeg", (0.0, -0.17, 0.05)),
    "FrontToe": ("*FrontFoot", (0.0, -0.08, 0.03)),
}
TIPS = {
    "Head": (0.0, -0.02, 0.18),
    "TailTip": (0.0, -0.06, -0.10),
    "HindToe": (0.0, 0.0, 0.05),
    "FrontToe": (0.0, 0.0, 0.05),
}
SOLES = {
    "Hind": Sole(height=0.02, ankle=(0.14, -0.03), heel=(-0.02, -0.04), toes=0.05),
    "Front": Sole(height=0.02, ankle=(0.08, -0.03), heel=(-0.02, -0.04), toes=0.05),
}
BEATS = {"LeftFront": 0, "RightHind": 0, "RightFront": 1, "LeftHind": 1}
"""Beat of each leg: diagonal legs swing together."""


def make_hound() -> Skeleton:
    """Returns the skeleton.

    >>> hound = make_hound()
    >>> len(hound), len(hound.anatomy.legs)
    (25, 4)
    """
    return joined(MIDDLE, LIMBS, TIPS)


def trot(path: ControlPath, manner: Manner | None = None, *, generator: np.random.Generator) -> SyntheticClip:
    """Returns the hound's motion along a path."""
    manner, gait, hound = manner or Manner(toe_out=0.0), TrotGaitPattern(), make_hound()
    whole, lead = with_lead(path)
    rest = hound.rest_positions
    toes = tuple(f"{leg}Toe" for leg in BEATS)
    holds = [
        Foothold((float(rest[hound.index(toe), 0]), float(rest[hound.index(toe), 2])), beat)
        for toe, beat in zip(toes, BEATS.values(), strict=True)
    ]
    plan = plan_steps(whole, holds, gait, manner, generator=generator)
    legs = [_leg_bones(hound, name) for name in BEATS]
    velocities = whole.velocities()
    feet = [
        move_foot(whole.times, stances, leg.sole, gait, velocities)
        for stances, leg in zip(plan.stances, legs, strict=True)
    ]
    hips, world = _pose_trunk(hound, whole, plan.phase, manner, generator)
    joints = [_joint(hound, leg, hips, world) for leg in legs]
    clip = stand_on(hound, whole, legs, feet, hips, joints, world)
    contacts = np.stack([foot.planted for foot in feet], axis=-1)
    return SyntheticClip(clip, whole, toes, contacts).cut(lead, lead + len(path))


def _leg_bones(hound: Skeleton, name: str) -> LegBones:
    hip, knee, ankle, toe = (hound.index(name + part) for part in ("UpLeg", "Leg", "Foot", "Toe"))
    girdle = name.removeprefix("Left").removeprefix("Right")
    return LegBones(hip, knee, ankle, toe, SOLES[girdle], bends=1.0 if girdle == "Hind" else -1.0)


def _joint(hound: Skeleton, leg: LegBones, hips: Array, world: Array) -> Array:
    """Returns the positions of a leg's hip joint, along the chain of bones from the root."""
    chain = [hound.parents[leg.hip]]
    while chain[0]:
        chain.insert(0, hound.parents[chain[0]])
    place = hips
    for parent, child in pairwise(chain):
        place = place + quat_rotate(world[:, parent], hound.offsets[child])
    return hip_position(hound, leg, place, world[:, chain[-1]])


def _pose_trunk(
    hound: Skeleton, path: ControlPath, phase: Array, manner: Manner, generator: np.random.Generator
) -> tuple[Array, Array]:
    """Returns the hips ``(T, 3)`` and world rotations ``(T, J, 4)`` without those of the legs."""
    fps, frames = path.fps, len(path)
    smooth = smooth_gaussian(path.velocities(), 0.2 * fps)
    liveliness = np.clip(effort(smooth) / 1.8, 0, 1.2)
    swing = np.cos(np.pi * (phase - 0.5))  # +1 while the legs of beat 0, left fore and right hind, swing
    bob = -0.012 * manner.bounce * liveliness * np.cos(2 * np.pi * (phase - 0.5))
    idle = drift((frames, 6), seconds=0.8, fps=fps, generator=generator)
    height = HIPS_HEIGHT - manner.crouch + bob - 0.045 * liveliness + 0.002 * idle[:, 0]
    hips = np.stack([path.positions[:, 0], height, path.positions[:, 1]], axis=-1)
    soon = np.interp(path.times + 0.25, path.times, path.headings) - path.headings
    bend = smooth_gaussian(np.clip(soon, -0.5, 0.5), 0.1 * fps)
    bank = -0.4 * np.arctan(smooth[:, 0] * smooth[:, 2] / 9.81)
    roll = np.radians(2.0) * manner.sway * liveliness * swing
    facing = heading_to_quat(path.headings)

    def turned(turn: Array, lift: Array, tilt: Array) -> Array:
        return quat_multiply(
            facing, quat_multiply(quat_multiply(heading_to_quat(turn), pitched(lift)), rolled(tilt))
        )

    world: Array = np.zeros((frames, len(hound), 4))
    world[:, 0] = turned(-0.2 * bend, np.radians(1.5) * liveliness * swing**2, roll + bank)
    world[:, hound.index("Chest")] = chest = turned(0.4 * bend, 0.01 * idle[:, 1], bank - roll)
    world[:, hound.index("Spine")] = quat_slerp(world[:, 0], chest, np.array(0.5))
    nod = np.radians(4.0) * liveliness * np.cos(2 * np.pi * phase) - manner.lean
    world[:, hound.index("Neck")] = turned(0.7 * bend, nod + 0.05 * idle[:, 2], 0.5 * bank)
    world[:, hound.index("Head")] = turned(
        bend + 0.08 * idle[:, 3], 0.4 * nod + 0.04 * idle[:, 2], 0.3 * bank
    )
    wag = np.radians(10.0) * swing * liveliness + 0.1 * idle[:, 4]
    world[:, hound.index("Tail")] = turned(0.5 * wag, 0.1 * idle[:, 5], bank)
    world[:, hound.index("TailTip")] = turned(wag, 0.2 * idle[:, 5], bank)
    for side, sign in (("Left", 1.0), ("Right", -1.0)):
        shift = np.radians(5.0) * liveliness * sign * -np.cos(np.pi * phase)  # the blade goes with its leg
        shoulder = hound.index(f"{side}FrontShoulder")
        world[:, shoulder] = quat_multiply(world[:, hound.index("Chest")], pitched(shift))
    return hips, world
