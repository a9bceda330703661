"""What figures stand on: `surface` is the ground's interface, `shapes` slopes, stairs and rough ground, `height_map` a
picture and `mesh` triangles; `reading` makes one of a text such as ``stairs:rise=0.17``.

`png`, `obj` and `glb` read the files, and `treads` finds the level stretches along a path.
"""
