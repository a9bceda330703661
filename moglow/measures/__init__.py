"""Measures of motion: metrics, similarity to recordings, scores and their bands. Needs numpy alone.

Reading order: metrics, gait, similarity, scores, bands, tally.
"""
