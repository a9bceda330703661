"""Rotations, filters and interpolation of signals, two-bone inverse kinematics. Needs numpy alone.

Reading order: rotations, quat_matrices, signals, two_bone_ik.
"""
