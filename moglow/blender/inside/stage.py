"""The surroundings of a motion: a floor of squares of a metre, its path, a sun, and a camera that follows it."""

from typing import Any

import bpy
import numpy as np

from moglow.blender.inside.action import channels, key, new_action
from moglow.blender.inside.axes import to_blender
from moglow.blender.inside.body import material
from moglow.paths.control_path import ControlPath

MARGIN = 4
"""Metres of floor beyond the path."""
LARGEST = 200
"""Longest side of the floor in metres."""
LIGHT, DARK, LINE = (0.75, 0.76, 0.77), (0.66, 0.67, 0.68), (0.95, 0.62, 0.05)
CAMERA = (3.4, -4.6, 1.9)
"""Position of the camera relative to the point on the floor that it follows."""
LOOK_AT = 0.85
"""Height in metres of the point that the camera faces, the middle of a figure."""


def add_floor(path: ControlPath) -> Any:
    """Adds a floor under a path, a chessboard of squares of a metre."""
    points = np.stack([path.positions[:, 0], -path.positions[:, 1]], axis=-1)
    low = np.floor(points.min(0)) - MARGIN
    count = np.minimum(np.ceil(points.max(0)) + MARGIN - low, LARGEST).astype(int)
    columns, rows = np.meshgrid(np.arange(count[0] + 1), np.arange(count[1] + 1), indexing="ij")
    corners = np.stack([columns + low[0], rows + low[1], np.zeros(columns.shape)], axis=-1).reshape(-1, 3)
    place = np.arange(len(corners)).reshape(columns.shape)
    squares = np.stack([place[:-1, :-1], place[1:, :-1], place[1:, 1:], place[:-1, 1:]], axis=-1)
    mesh = bpy.data.meshes.new("Floor")
    mesh.from_pydata(corners.tolist(), [], squares.reshape(-1, 4).tolist())
    mesh.materials.append(material("floor, light", LIGHT))
    mesh.materials.append(material("floor, dark", DARK))
    mesh.polygons.foreach_set("material_index", ((columns + rows)[:-1, :-1] % 2).ravel())
    mesh.update()
    return _added(bpy.data.objects.new("Floor", mesh))


def add_path(path: ControlPath) -> Any:
    """Adds the path as a thin curve just above the floor, which can be edited and used again."""
    data = bpy.data.curves.new("Path", "CURVE")
    data.dimensions = "3D"
    data.bevel_depth = 0.012
    data.materials.append(material("path", LINE))
    spline = data.splines.new("POLY")
    spline.points.add(len(path) - 1)
    x, z = path.positions.T
    rows = np.stack([x, -z, np.full(len(path), 0.01), np.ones(len(path))], axis=-1)
    spline.points.foreach_set("co", rows.ravel())
    return _added(bpy.data.objects.new("Path", data))


def add_camera(path: ControlPath, *, start: int, size: float = 1.0) -> Any:
    """Adds a camera at a constant offset from the path's point at each frame; ``size`` is relative to a person's."""
    scene = bpy.context.scene
    follower = _added(bpy.data.objects.new("Followed by the camera", None))
    follower.empty_display_size = 0.2
    action = new_action(follower, "Camera")
    places = to_blender(path.frames()[0])
    key(channels(action, follower), "location", "Location", start + np.arange(float(len(path))), places)
    camera = _added(bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera")))
    camera.parent = follower
    camera.location = size * np.array(CAMERA)
    away = np.array(CAMERA) - [0.0, 0.0, LOOK_AT]
    camera.rotation_euler = (
        np.arctan2(np.hypot(*away[:2]), away[2]),
        0.0,
        np.arctan2(away[0], -away[1]),
    )
    camera.data.lens = 40
    scene.camera = camera
    return camera


def add_sun() -> Any:
    """Adds a sun from behind and left of the camera, and a bright sky."""
    light = bpy.data.lights.new("Sun", "SUN")
    light.energy, light.angle = 3.0, 0.1
    sun = _added(bpy.data.objects.new("Sun", light))
    sun.rotation_euler = (0.7, 0.2, -0.6)
    world = bpy.data.worlds.new("World")
    world.color = (0.45, 0.48, 0.52)
    bpy.context.scene.world = world
    return sun


def _added(thing: Any) -> Any:
    bpy.context.scene.collection.objects.link(thing)
    return thing
