"""Paths that a figure follows: `ControlPath`, presets, CSV files, live steering."""
