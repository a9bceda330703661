"""The capsule body of `moglow.motion.capsule_body` as a mesh skinned to a rig, with a colour for each side."""

from typing import Any

import bpy
import numpy as np

from moglow.blender.inside.axes import to_blender
from moglow.blender.inside.rig import Rig
from moglow.motion.capsule_body import capsule_body, joint_sides
from moglow.motion.skeleton import Skeleton

COLOURS = {"middle": (0.55, 0.58, 0.62), "left": (0.13, 0.38, 0.75), "right": (0.80, 0.33, 0.12)}
SIDES = {0: "middle", 1: "left", -1: "right"}


def add_body(rig: Rig, skeleton: Skeleton) -> Any:
    """Adds a body to a rig that was built from this skeleton; each point follows one bone."""
    shape = capsule_body(skeleton)
    bones = rig.armature.data.bones
    heads = np.array([bones[name].head_local for name in rig.bones])
    points = heads[shape.joints] + to_blender(shape.points)
    mesh = bpy.data.meshes.new(f"{rig.armature.name} body")
    mesh.from_pydata(points.tolist(), [], shape.triangles.tolist())
    sides = joint_sides(skeleton)
    for name in COLOURS:
        mesh.materials.append(material(name, COLOURS[name]))
    slots = [list(COLOURS).index(SIDES[sides[joint]]) for joint in shape.joints[shape.triangles[:, 0]]]
    mesh.polygons.foreach_set("material_index", slots)
    mesh.polygons.foreach_set("use_smooth", [True] * len(slots))
    mesh.update()
    body = bpy.data.objects.new(mesh.name, mesh)
    for joint in sorted(set(shape.joints.tolist())):
        members = (shape.joints == joint).nonzero()[0].tolist()
        body.vertex_groups.new(name=rig.bones[joint]).add(members, 1.0, "REPLACE")
    body.modifiers.new("Armature", "ARMATURE").object = rig.armature
    body.parent = rig.armature
    bpy.context.scene.collection.objects.link(body)
    return body


def material(name: str, colour: tuple[float, float, float]) -> Any:
    """Returns a material of one colour, in the viewport and in renders."""
    made = bpy.data.materials.new(name)
    made.diffuse_color = (*colour, 1.0)
    made.use_nodes = True
    made.node_tree.nodes["Principled BSDF"].inputs["Base Color"].default_value = (*colour, 1.0)
    return made
