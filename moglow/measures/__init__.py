"""Figures of motion: metrics, similarity to recordings, scores and their bands."""
