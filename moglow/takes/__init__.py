"""Many motions as files: the jobs, their sidecars, and the making, which can be restarted.

`footwork` directs feet by footprints and grounds, `cycle_set` makes the loops and transitions of a game.
"""
