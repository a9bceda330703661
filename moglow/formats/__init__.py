"""Motion as files by suffix: `export` writes .bvh, .glb, .npz and .csv."""
