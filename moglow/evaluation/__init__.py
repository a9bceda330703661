"""Evaluation of models beside real motion, on the same controls; also the speed of sampling and model cards.

Reading order: evaluate, trials, experiment, results, comparison, real_motion, likelihoods, wandering, wording. Then
panels, and one file for each: discrimination (with its net, the discriminator), straight_walks, style_changes,
manoeuvres. reach, speed and model_card stand alone.
"""
