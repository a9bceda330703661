"""Procedural motion for `scripts/make_samples.py`: figures, gaits and feet that never slide.

Reading order: figure, gaits, steps, feet, legs, walker; hound is the quadruped, wandering makes paths.
"""
