"""Blender from outside: finding it (`program`) and describing a scene to it (`scene_job`).

`inside` is what runs in Blender and alone imports bpy; `extension` is the door of the add-on.
"""
