"""Encodings: maps from the poses of a clip along a path to vectors, and back.

Reading order: encoding (the interface), chart; the charts position, rotation and feet_first (with legs and leg_solver);
reduction and curves, which remove dependent channels; level_head; stride,
which makes steps longer.
"""
