"""Paths that a figure follows.

Reading order: control_path (`ControlPath`), presets, csv_files and csv_table, pace, laps, control_range; steering for
live input, synthetic for validation and evaluation.
"""
