"""Recordings as training data.

Reading order: corpus (the file), sources and folders, preprocess, trimming, splicing, summary; normalizer, context_spec
and context (the input of a model); window_spec, window_order, windows and misplaced_feet.
"""
