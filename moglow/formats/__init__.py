"""Motion as files by suffix: `read_motion` reads, `export` writes.

`Bones` is what every reader returns but BVH's, which has a package of its own: world poses, from which it makes a clip.
"""
