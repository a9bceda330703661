"""The ground below figures.

`surface` has the interface `Ground`, `shapes` slopes, stairs and rough ground, `height_map` ground from a picture and
`mesh` ground from triangles; `reading` parses a text such as ``stairs:rise=0.17``.

`png`, `obj` and `glb` read files, and `treads` adapts a path to slopes and stairs.
"""
