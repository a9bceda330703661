"""The biped's motion along a path: walking, running, side-steps, turns and standing, on feet that never slide."""

import numpy as np

from moglow.maths.rotations import Array, euler_to_quat, heading_to_quat, quat_multiply, quat_slerp
from moglow.maths.signals import smooth_gaussian
from moglow.motion.skeleton import Skeleton
from moglow.paths.control_path import ControlPath
from scripts.procedural.feet import Sole, move_foot
from scripts.procedural.figure import make_figure
from scripts.procedural.gaits import BipedGaitPattern, Manner, effort, running
from scripts.procedural.legs import LegBones, hip_position, pitched, rolled, stand_on
from scripts.procedural.steps import Foothold, plan_steps
from scripts.procedural.synthetic_clip import SyntheticClip, drift, with_lead

HIPS_HEIGHT = 0.942
"""Height of the hips of a standing figure, whose knees are slightly bent."""
AHEAD = 0.035
"""Metres from the hips forward to the balls of the feet of a standing figure."""
SOLE = Sole(height=0.02, ankle=(0.06, -0.13), heel=(-0.02, -0.18), toes=0.07)
SIDES = ("Left", "Right")


def walk(path: ControlPath, manner: Manner | None = None, *, generator: np.random.Generator) -> SyntheticClip:
    """Returns the figure's motion along a path."""
    manner, gait, figure = manner or Manner(), BipedGaitPattern(), make_figure()
    whole, lead = with_lead(path)
    velocities = whole.velocities()
    holds = [Foothold((0.062, AHEAD), 0), Foothold((-0.062, AHEAD), 1)]
    plan = plan_steps(whole, holds, gait, manner, generator=generator)
    feet = [move_foot(whole.times, stances, SOLE, gait, velocities) for stances in plan.stances]
    hips, world = _pose_trunk(figure, whole, plan.phase, manner, generator)
    legs = [_leg_bones(figure, side) for side in SIDES]
    joints = [hip_position(figure, leg, hips, world[:, 0]) for leg in legs]
    clip = stand_on(figure, whole, legs, feet, hips, joints, world)
    toes = tuple(f"{side}ToeBase" for side in SIDES)
    contacts = np.stack([foot.planted for foot in feet], axis=-1)
    return SyntheticClip(clip, whole, toes, contacts).cut(lead, lead + len(path))


def _leg_bones(figure: Skeleton, side: str) -> LegBones:
    hip, knee, ankle, toe = (figure.index(side + part) for part in ("UpLeg", "Leg", "Foot", "ToeBase"))
    return LegBones(hip, knee, ankle, toe, SOLE)


def _pose_trunk(
    figure: Skeleton, path: ControlPath, phase: Array, manner: Manner, generator: np.random.Generator
) -> tuple[Array, Array]:
    """Returns the hips ``(T, 3)`` and world rotations ``(T, J, 4)`` without those of the legs.

    Signs: a positive turn moves the left side back, a positive roll lifts it. ``left_swing`` is +1 in the middle of a
    left swing, ``left_ahead`` is +1 where the left foot is farthest ahead.
    """
    fps, frames = path.fps, len(path)
    velocities = path.velocities()
    smooth = smooth_gaussian(velocities, 0.2 * fps)
    liveliness = np.clip(effort(smooth) / 1.3, 0, 1.3)
    direction = np.clip(smooth[:, 0] / 0.4, -1, 1) * np.clip(np.abs(smooth[:, 0]) / 1.3, 0, 1.2)
    stepping = np.clip(3 * liveliness + np.abs(smooth[:, 2]), 0, 1)
    ran = running(smooth)
    left_swing, left_ahead = np.cos(np.pi * (phase - 0.5)), -np.cos(np.pi * phase)
    idle = drift((frames, 8), seconds=0.8, fps=fps, generator=generator)

    height = HIPS_HEIGHT - manner.crouch - 0.022 * liveliness - 0.03 * ran
    bob = manner.bounce * (0.006 * liveliness * (1 - ran) - 0.032 * ran) * np.cos(2 * np.pi * (phase - 0.5))
    sway = -0.022 * manner.sway * stepping * (1 - 0.6 * ran) * left_swing
    left = np.stack([np.cos(path.headings), -np.sin(path.headings)], axis=-1)
    ground = path.positions + (sway + 0.005 * idle[:, 0])[:, None] * left + 0.004 * idle[:, 1:3]
    hips = np.stack([ground[:, 0], height + bob + 0.002 * idle[:, 3], ground[:, 1]], axis=-1)

    surge = np.gradient(smooth[:, 0]) * fps
    lean = manner.lean + np.radians(
        2 + 2 * direction + 7 * ran + 2.5 * np.clip(surge, -2, 2) + 0.5 * idle[:, 4]
    )
    bank = -0.5 * np.arctan(smooth[:, 0] * smooth[:, 2] / 9.81)
    twist = -np.radians(6.0) * (1 - 0.3 * ran) * direction * left_ahead
    roll = -np.radians(3.5) * manner.sway * stepping * left_swing
    facing = heading_to_quat(path.headings)
    world: Array = np.zeros((frames, len(figure), 4))
    world[:, 0] = _turned(facing, twist, 0.4 * lean, roll + 0.5 * bank)
    chest = _turned(facing, -0.9 * twist, lean, 0.8 * bank - 0.4 * roll)
    breath = np.radians(0.8) * np.sin(2 * np.pi * 0.25 * path.times + generator.uniform(0, 6))
    world[:, figure.index("Spine")] = quat_slerp(world[:, 0], chest, np.array(0.5))
    world[:, figure.index("Chest")] = quat_multiply(chest, pitched(breath))
    soon = np.interp(path.times + 0.4, path.times, path.headings) - path.headings
    look = smooth_gaussian(np.clip(soon, -0.9, 0.9), 0.15 * fps) + 0.05 * idle[:, 5]
    head = _turned(facing, look, 0.3 * lean + 0.02 * idle[:, 6], 0.3 * bank)
    world[:, figure.index("Neck")] = quat_slerp(world[:, figure.index("Chest")], head, np.array(0.4))
    world[:, figure.index("Head")] = head

    for side, sign in zip(SIDES, (1.0, -1.0), strict=True):
        swing = -sign * left_ahead * direction * manner.arms  # arms go against the legs
        forward = np.radians(22 + 8 * ran) * swing + np.radians(3 + 8 * ran) + 0.03 * idle[:, 7]
        bend = np.radians(16 + 8 * liveliness + 58 * ran) + 0.3 * np.maximum(swing, -0.3) + manner.elbow
        drop = np.radians(78 - 4 * liveliness)
        parts = {
            "Shoulder": euler_to_quat(np.stack([np.radians(-3.0) * np.ones(frames), -0.1 * swing], -1), "ZY"),
            "Arm": euler_to_quat(np.stack([-forward, -drop, np.radians(8) * np.ones(frames)], -1), "XZX"),
            "ForeArm": euler_to_quat(np.stack([-bend, np.radians(10) * np.ones(frames)], -1), "YX"),
            "Hand": euler_to_quat(np.stack([-0.1 * np.ones(frames), 0.1 * swing], -1), "ZY"),
        }
        parent = world[:, figure.index("Chest")]
        for part, turn in parts.items():
            parent = quat_multiply(parent, turn * np.array([1.0, 1.0, sign, sign]))  # mirrored on the right
            world[:, figure.index(side + part)] = parent
    return hips, world


def _turned(facing: Array, turn: Array, lean: Array, roll: Array) -> Array:
    return quat_multiply(
        facing, quat_multiply(quat_multiply(heading_to_quat(turn), pitched(-lean)), rolled(roll))
    )
