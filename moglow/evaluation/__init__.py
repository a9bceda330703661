"""Evaluation of models beside real motion, on the same controls; also the speed of sampling and model cards.

Reading order: evaluate, trials, experiment, results, comparison, real_motion, likelihoods, wandering, wording; speed
and model_card stand alone.
"""
