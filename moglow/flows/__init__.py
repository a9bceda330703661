"""Normalising flows with context and explicit state, one bijection per file. The models are built from them.

Reading order: bijection, actnorm, linear, nets, scales, coupling, glow, bases; then the further maps: triangular,
permutation and orthogonal, masked_coupling, made and autoregressive, squeeze and split, planar and radial; for speed,
schedules. A new bijection is a file here and one line in the registry of `tests/flows`, which tests it against every
law.
"""
