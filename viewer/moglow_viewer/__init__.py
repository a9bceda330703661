"""The viewer: windows, pages, pictures and films of motion. The library does not import it.

Reading order: scene (data of a view), stage (pyvista), pictures, window; pages (self-contained HTML), play.
"""
