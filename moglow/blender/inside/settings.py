"""The settings of the panel and the list of the last takes, stored in the scene."""

import math
from typing import Any

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

from moglow.blender.inside.making import read_checkpoint
from moglow.blender.inside.thinning import Tolerance
from moglow.errors import MoglowError
from moglow.paths.pace import Pace
from moglow.sampling.generate import TEMPERATURE

PACES = (
    ("SPEED", "Speed", "Walk at a speed"),
    ("SECONDS", "Duration", "Walk for a number of seconds"),
)


PINS = (
    ("NAME", "By Name", "A keyed Empty that is named after a joint, such as left_hand, or look"),
    ("REACH", "Reach", "The joint is at the Empty in the frames in which its location is keyed"),
    (
        "LOOK",
        "Look",
        "Head and upper spine turn to the Empty, from its first key to its last or all the time",
    ),
    ("NONE", "No Pin", "The Empty does not direct the figure"),
)
REACHING = ("left_hand", "right_hand", "left_foot", "right_foot", "head")
"""The joints that Add Reach offers; others can be entered at the Empty."""


def _is_curve(settings: Any, thing: Any) -> bool:
    return bool(thing.type == "CURVE")


def _is_mesh(settings: Any, thing: Any) -> bool:
    return bool(thing.type == "MESH")


def _is_armature(settings: Any, thing: Any) -> bool:
    return bool(thing.type == "ARMATURE")


def _styles(settings: Any, context: Any, text: str) -> list[str]:
    """Returns the styles of the checkpoint."""
    try:
        return list(read_checkpoint(bpy.path.abspath(settings.checkpoint)).context.styles)
    except MoglowError:
        return []


def _joints(pin: Any, context: Any, text: str) -> list[str]:
    """Returns the roles of the joints of the model."""
    try:
        checkpoint = read_checkpoint(bpy.path.abspath(context.scene.moglow.checkpoint))
    except MoglowError:
        return []
    return sorted(checkpoint.context.encoding.skeleton.anatomy.roles)


class MoglowPin(bpy.types.PropertyGroup):
    """What an Empty means for the figure."""

    __annotations__ = {
        "pin": EnumProperty(name="Pin", items=PINS, description="How the Empty directs the figure"),
        "joint": StringProperty(
            name="Joint", search=_joints, description="The joint that reaches; empty for the Empty's name"
        ),
    }


class MoglowTake(bpy.types.PropertyGroup):
    """One take: the name of its action, its figures as text, and whether the next live update replaces it."""

    __annotations__ = {"figures": StringProperty(), "live": BoolProperty()}


class MoglowSettings(bpy.types.PropertyGroup):
    """The settings of the panel. Speeds and lengths are in metres for any unit of the scene."""

    __annotations__ = {
        "path": PointerProperty(
            name="Path", type=bpy.types.Object, poll=_is_curve, description="The curve to walk along"
        ),
        "ground": PointerProperty(
            name="Ground",
            type=bpy.types.Object,
            poll=_is_mesh,
            description="The mesh to walk over; empty for a level floor at the curve's lowest point",
        ),
        "pace": EnumProperty(name="Pace", items=PACES, description="Speed or duration of the walk"),
        "speed": FloatProperty(
            name="Speed", default=Pace().speed, min=0.05, max=10, description="Metres a second"
        ),
        "seconds": FloatProperty(name="Duration", default=10, min=0.5, max=3600, description="Seconds"),
        "laps": IntProperty(
            name="Laps", default=1, min=1, max=100, description="Number of times around a closed curve"
        ),
        "backwards": BoolProperty(name="Other Way", description="Walk the curve from its end to its start"),
        "fit": BoolProperty(
            name="Slow Down to Fit",
            default=True,
            description="Slow down where the path is faster than the model can go",
        ),
        "style": StringProperty(
            name="Style", search=_styles, description="A style that the model was trained with, or none"
        ),
        "takes": IntProperty(name="Takes", default=1, min=1, max=64, description="Number of motions"),
        "seed": IntProperty(name="Seed", min=0, description="The same seed gives the same motion"),
        "temperature": FloatProperty(
            name="Temperature",
            default=TEMPERATURE,
            min=0,
            max=2,
            description="0 is calmest, 1 as varied as the recordings",
        ),
        "foot_lock": BoolProperty(name="Foot Lock", default=True, description="Hold planted feet in place"),
        "checkpoint": StringProperty(
            name="Model", subtype="FILE_PATH", description="A trained model; empty for the shipped one"
        ),
        "figure": PointerProperty(
            name="Figure",
            type=bpy.types.Object,
            poll=_is_armature,
            description="The armature that gets the motion; empty to make a new one",
        ),
        "body": BoolProperty(name="Body", default=True, description="Give a new figure a body of capsules"),
        "keep_rate": BoolProperty(
            name="Keep Frame Rate", description="Keep the scene's frame rate instead of the model's"
        ),
        "use_pins": BoolProperty(
            name="Use Pins", default=True, description="Meet the keyed Empties and the keyed poses"
        ),
        "reach_joint": EnumProperty(
            name="Joint",
            items=[(role, role.replace("_", " ").title(), f"Reach with the {role}") for role in REACHING],
            description="The joint for which Add Reach makes an Empty",
        ),
        "poses": PointerProperty(
            name="Poses",
            type=bpy.types.Object,
            poll=_is_armature,
            description="The armature whose keyed poses are pins; empty for the figure",
        ),
        "pose_keys": PointerProperty(
            name="Keys",
            type=bpy.types.Action,
            description="The action whose keyed frames are pins; Pin Pose makes one",
        ),
        "live": BoolProperty(
            name="Update While Dragging",
            description="Show a draft while the path, the ground or a pin changes, and the full take afterwards; "
            "a pin that is moved is keyed in the current frame",
        ),
        "thin": BoolProperty(
            name="Thin Keys", description="Leave out keys, as far as the motion stays within the errors below"
        ),
        "key_angle": FloatProperty(
            name="Angle",
            subtype="ANGLE",
            default=math.radians(0.5),
            min=math.radians(0.01),
            max=math.radians(20),
            description="Largest error of a bone's rotation",
        ),
        "key_distance": FloatProperty(
            name="Millimetres",
            default=2,
            min=0.01,
            max=200,
            description="Largest error of a joint's place in the world",
        ),
        "redo_first": IntProperty(name="From", default=31, description="First frame that is made anew"),
        "redo_last": IntProperty(name="To", default=60, description="Last frame that is made anew"),
        "rigify": PointerProperty(
            name="Rig",
            type=bpy.types.Object,
            poll=_is_armature,
            description="The rig that Rigify generated and that gets the take; empty for the selected or only one",
        ),
        "feet_ik": BoolProperty(
            name="Feet by IK",
            description="Key the IK controls of the feet, so that steps can be corrected; otherwise legs are FK as the "
            "arms are",
        ),
        "keep_path": BoolProperty(
            name="Keep Path",
            default=True,
            description="The rig walks along the same path; otherwise steps and path are scaled with its legs",
        ),
        "results": CollectionProperty(type=MoglowTake),
        "shown": IntProperty(name="Take"),
        "messages": StringProperty(),
    }


def key_tolerance(settings: Any) -> Tolerance | None:
    """Returns the largest errors of thinned keys, or None if keys are not thinned."""
    return Tolerance(math.degrees(settings.key_angle), settings.key_distance) if settings.thin else None


CLASSES = (MoglowPin, MoglowTake, MoglowSettings)
