"""Training: settings, the run in a folder, the loop, and validation by roll-outs.

Reading order: spec, run, trainer, validation, rollouts; free_running, outliers and criticism are options of the loop.
Of criticism: critic, body_points, own_motion, gathered, drawn_paths.
"""
