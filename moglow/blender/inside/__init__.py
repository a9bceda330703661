"""moglow inside Blender: the modules that import bpy and run in Blender's Python.

`scene` is the script behind the command `moglow blender`, and `addon` the add-on that `scripts/make_addon.py` packs;
both use the same rigs, actions and bodies. Importing this package loads nothing, so it can be found without bpy.
"""
