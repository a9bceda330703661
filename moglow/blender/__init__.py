"""Blender: finding it (`program`) and building scenes in it (`scene_job`).

The modules in `inside` run in Blender's Python and are the only ones that import bpy; `extension` has the entry point
and the manifest of the add-on.
"""
