"""pyvista: meshes of figures, floor, shadow and marks."""
