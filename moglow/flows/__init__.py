"""Normalising flows with context and explicit state, one bijection a file. Torch only; models stand on it.

Reading order: bijection, actnorm, linear, nets, scales, coupling, glow, bases; then the further maps: triangular,
permutation and orthogonal, masked_coupling, made and autoregressive, squeeze and split, planar and radial; for speed,
schedules and diagonal. A new bijection is a file here and one line in the registry of `tests/flows`, which holds it to
every law.
"""
