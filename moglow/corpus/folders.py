"""A folder of clips as a recipe's [data]: its sub-folders are styles, its name is the performer's; numpy alone."""

from collections import Counter
from pathlib import Path

from moglow.corpus.sources import DataSpec, SourceSpec
from moglow.errors import RecipeError
from moglow.formats.read import MOTIONS

HELD_OUT_FROM = 5
"""Files from which a tenth of a folder is held out; of fewer each is worth more in training."""
SMOOTHER = 0.5
"""Seconds by which paths are smoothed when clips are seen a second time: paths that people draw are smooth."""


def folder_data(folder: Path) -> DataSpec:
    """Returns which clips of a folder to learn from, and how they are labelled.

    A clip in a sub-folder has the sub-folder's name as its style, a clip beside it the folder's own name, which is also
    the performer's.
    """
    name = folder.resolve().name
    files = [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")]
    clips = sum(path.suffix.lower() in MOTIONS for path in files)
    if not clips:
        raise RecipeError(
            f"{folder}: no motion file in it or below it ({_kinds(files)}); put BVH, FBX, glTF, USD or AMC files there"
        )
    sources = (
        SourceSpec(pattern="*", skip=(".*",), style=name, performer=name),
        SourceSpec(skip=(".*",), performer=name),
    )
    held_out = 0.1 if clips >= HELD_OUT_FROM else 0.0
    return DataSpec(sources, root=str(folder.absolute()), held_out=held_out, smoother=(SMOOTHER,))


def _kinds(files: list[Path]) -> str:
    """Returns what lies in a folder instead, in words."""
    found = Counter(path.suffix.lower() or "no suffix" for path in files)
    most = ", ".join(f"{count} with {suffix}" for suffix, count in found.most_common(3))
    return f"files: {most}" if found else "it is empty"
