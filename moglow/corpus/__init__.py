"""Recordings as training data: sources, preprocessing, the corpus file, the context of a frame, windows."""
