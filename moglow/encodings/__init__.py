"""Encodings: poses as numbers, along a path, and back; `encoding` is the door, the rest are its charts."""
