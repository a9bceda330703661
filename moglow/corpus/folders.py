"""A folder of clips as [data] of a recipe: sub-folders are styles, and the folder's name is the performer's."""

from collections import Counter
from pathlib import Path

from moglow.corpus.sources import DataSpec, SourceSpec
from moglow.errors import RecipeError
from moglow.formats.read import MOTIONS

HELD_OUT_FROM = 5
"""Number of files from which a tenth of a folder is held out for validation; smaller ones are all for training."""
SMOOTHER = 0.5
"""Time in seconds by which paths are smoothed in the second copy of each clip, since drawn paths are smooth."""


def folder_data(folder: Path) -> DataSpec:
    """Returns the clips of a folder as training data, with their labels.

    The style of a clip is the name of its sub-folder, or that of the folder for a clip outside of sub-folders. The
    performer is the name of the folder.
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
    """Returns a description of the files in a folder without motion files."""
    found = Counter(path.suffix.lower() or "no suffix" for path in files)
    most = ", ".join(f"{count} with {suffix}" for suffix, count in found.most_common(3))
    return f"files: {most}" if found else "it is empty"
