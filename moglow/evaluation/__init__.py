"""How good a model is: trials of one model, experiments of several, tables beside real motion, speed, the
model card.
"""
