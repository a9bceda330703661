"""Motion as files by suffix: `read_motion` reads, `export` writes.

Readers return `Bones`, world poses that are converted to a clip, except that of BVH files, which is in `moglow.bvh`.
"""
