"""Where a figure is to go: `ControlPath`, presets, CSV files, live steering."""
