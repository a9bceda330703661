"""Motion sampled from a model: `Sampler` makes frames, `generate` makes clips along a path.

`ensemble` makes many motions at once, `loops` ones that repeat (cut at `seams`), `transitions` motion between them,
`on_ground` motion over stairs and slopes, `infill` the missing parts of a clip; `ranking` orders takes.
"""
