"""Rotations, filters of signals, two-bone inverse kinematics."""
