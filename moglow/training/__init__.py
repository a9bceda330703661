"""Training: settings, the run in a folder, the loop, and validation by roll-outs.

Reading order: spec, run, trainer, validation, rollouts; free_running and outliers are options of the loop.
"""
