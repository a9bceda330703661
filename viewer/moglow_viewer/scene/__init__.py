"""The data of a view, without a window. Needs numpy alone.

Reading order: shown_motion, scene, strips, camera; figures reads sidecars, palette has the colours.
"""
