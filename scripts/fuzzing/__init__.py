"""Damaged input for every reader and command: `mutations` change bytes, `targets` read them, `search` runs and saves.

`options` makes command lines. The verb is `scripts/fuzz`.
"""
