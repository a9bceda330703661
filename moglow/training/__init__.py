"""Training: the spec, the run, the trainer, validation by roll-outs."""
