"""A folder of clips as a recipe's [data]: its sub-folders are styles, its name is the performer's; numpy alone."""

from collections import Counter
from pathlib import Path

from moglow.corpus.sources import DataSpec, SourceSpec
from moglow.errors import RecipeError

BVH = "*.[bB][vV][hH]"
HELD_OUT_FROM = 5
"""Files from which a tenth of a folder is held out; of fewer each is worth more in training."""


def folder_data(folder: Path) -> DataSpec:
    """Returns which clips of a folder to learn from, and how they are labelled.

    A clip in a sub-folder has the sub-folder's name as its style, a clip beside it the folder's own name, which is also
    the performer's.
    """
    name = folder.resolve().name
    clips = [path for path in folder.rglob(BVH) if path.is_file() and not path.name.startswith(".")]
    if not clips:
        raise RecipeError(
            f"{folder}: no BVH file in it or below it ({_kinds(folder)}); export clips as .bvh there"
        )
    sources = (
        SourceSpec(pattern=BVH, skip=(".*",), style=name, performer=name),
        SourceSpec(pattern=f"**/{BVH}", skip=(".*",), performer=name),
    )
    held_out = 0.1 if len(clips) >= HELD_OUT_FROM else 0.0
    return DataSpec(sources, root=str(folder.absolute()), held_out=held_out)


def _kinds(folder: Path) -> str:
    """Returns what lies in a folder instead, in words."""
    found = Counter(path.suffix.lower() or "no suffix" for path in folder.rglob("*") if path.is_file())
    most = ", ".join(f"{count} with {suffix}" for suffix, count in found.most_common(3))
    return f"files: {most}" if found else "it is empty"
