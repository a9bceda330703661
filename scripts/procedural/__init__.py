"""The procedural walkers behind `scripts/make_samples.py`: figures, gaits and feet that never slide."""
