"""Scores of given motion under a model: likelihood, anomaly scores, style, the spread of samples.

Reading order: likelihood, strangeness, style_evidence, classifier, spread.
"""
