"""Many motions as files: jobs, sidecars, and a process that can be restarted.

`footed` makes motion that follows footprints and grounds, `cycle_set` the loops and transitions of a game character
(`cycle_piece` is one of them).
"""
