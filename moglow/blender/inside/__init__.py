"""moglow inside Blender: what imports bpy, and runs in Blender's own Python. Stands above the library.

`scene` is the script behind the command `moglow blender`, `addon` the add-on that `scripts/make_addon.py` packs; both
build on the same rigs, actions and bodies. Importing this package loads nothing, so that it can be found without bpy.
"""
