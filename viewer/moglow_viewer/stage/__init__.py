"""The stage: a scene as meshes in pyvista, with floor, shadows and marks.

Reading order: stage, figure, shadow, marks, floor; meshes, overlay and graphics are used by them.
"""
