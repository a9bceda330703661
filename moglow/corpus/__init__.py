"""Recordings as training data.

Reading order: corpus (the file), sources and folders, preprocess, trimming, splicing, starts, last_steps, long_sides,
summary; normalizer, context_spec and context (the input of a model); window_spec, window_order, window, windows,
misplaced_feet, shifted_feet and other_bodies.
"""
