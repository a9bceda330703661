"""BVH files: `read_bvh`, `write_bvh`, `patch_bvh`.

A file is a header (the hierarchy), columns (channels of joints) and frames of numbers.
"""
