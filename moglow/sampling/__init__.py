"""Motion sampled from a model: `Sampler` makes frames, `generate` makes clips along a path.

`ensemble` makes many motions at once, `loops` closed ones, `infill` the missing parts of a clip, `ranking`
orders takes.
"""
