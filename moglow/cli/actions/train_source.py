"""The input of `moglow train`: a recipe, a folder of BVH files or a corpus, each converted to a recipe."""

import json
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from shlex import quote
from typing import Any, ClassVar, Self

from moglow.checkpoint import Checkpoint
from moglow.corpus.corpus import Corpus
from moglow.corpus.folders import folder_data
from moglow.corpus.summary import Summary
from moglow.errors import RecipeError
from moglow.files.reading import open_input
from moglow.files.tables import to_table
from moglow.recipe import Recipe, read_recipe
from moglow.training.defaults import compact, steps_for, tuned
from moglow.training.start import Start

OWN_CORPUS = "motion.corpus"
"""The file name of the corpus of a folder of clips, in the folder of the run."""
SHOWN = 8
"""The number of left-out files that are listed one by one."""


@dataclass(frozen=True)
class Material(ABC):
    """The source of the motion of a training run, and its recipe."""

    path: Path
    recipe: Recipe
    is_corpus: ClassVar[bool] = False
    """Whether the source is a corpus, from which no corpus is made."""
    made_anew: ClassVar[bool] = False
    """Whether each new run makes its own corpus."""

    @classmethod
    @abstractmethod
    def read(cls, path: Path, settings: Sequence[str], start: Start | None, begun: Checkpoint | None) -> Self:
        """Reads the source at a path; a run that was `begun` continues with the settings in its checkpoint."""

    @abstractmethod
    def corpus_file(self, output: Path) -> Path:
        """Returns the path of the corpus, given the folder of the run."""

    def fitted(self, corpus: Corpus, start: Start | None) -> Self:
        """Returns the material with the settings that depend on the corpus: number of steps and default labels."""
        settings, summary = [], Summary.of(corpus, ())
        if "steps" not in self.recipe.tables["training"]:
            settings.append(f"training.steps={steps_for(summary.minutes['train'])}")
        if start:
            own = self.recipe.tables.get("context", {})
            styles = {style: minutes for style, minutes in summary.styles.items() if style}
            if styles and "usual" not in own:
                settings.append(f"context.usual={max(styles, key=styles.__getitem__)}")
            given = {"performer", "performer_by_style"} & own.keys()
            if start.checkpoint.context.performers and corpus.performers and not given:
                pairs = (
                    f"{json.dumps(style)} = {json.dumps(who)}" for style, who in performed(corpus).items()
                )
                settings.append(f"context.performer_by_style={{{', '.join(pairs)}}}")
        return replace(self, recipe=self.recipe.overridden(settings))


class RecipeMaterial(Material):
    """A recipe, whose corpus lies beside the runs, to be shared by them.

    >>> recipe = Recipe("data/open/recipe.toml", {})
    >>> RecipeMaterial(Path(recipe.place), recipe).corpus_file(Path("runs/first")).as_posix()
    'runs/open.corpus'
    """

    @classmethod
    def read(cls, path: Path, settings: Sequence[str], start: Start | None, begun: Checkpoint | None) -> Self:
        """Reads a recipe; raises `RecipeError` without a model, since the paper's is too large to be a default."""
        recipe = read_recipe(path, settings)
        if "model" not in recipe.tables and start is None:
            raise RecipeError(
                f'{path}: has no section [model]; add one with preset = "compact", or "paper" for the paper\'s '
                "70 million parameters"
            )
        return cls(path, recipe)

    def corpus_file(self, output: Path) -> Path:
        return output.parent / f"{self.path.absolute().parent.name}.corpus"

    def fitted(self, corpus: Corpus, start: Start | None) -> Self:
        return self


class CorpusMaterial(Material):
    """A corpus, with the recipe of a compact model or of a start."""

    is_corpus = True

    @classmethod
    def read(cls, path: Path, settings: Sequence[str], start: Start | None, begun: Checkpoint | None) -> Self:
        if begun:
            tables = dict(begun.about["recipe"])
        else:
            tables = {**(tuned(start.checkpoint) if start else compact()), **cls.data(path, start)}
        return cls(path, Recipe(str(path), tables).overridden(settings))

    @staticmethod
    def data(path: Path, start: Start | None) -> dict[str, Any]:
        """Returns the section [data] of the recipe, by its name; empty for a corpus."""
        return {}

    def corpus_file(self, output: Path) -> Path:
        return self.path


class FolderMaterial(CorpusMaterial):
    """A folder of clips, whose corpus lies in the folder of the run."""

    is_corpus, made_anew = False, True

    @staticmethod
    def data(path: Path, start: Start | None) -> dict[str, Any]:
        data = to_table(folder_data(path))
        if start:
            data["fps"] = start.checkpoint.context.fps
        return {"data": data}

    def corpus_file(self, output: Path) -> Path:
        return output / OWN_CORPUS


def material_of(
    path: Path, settings: Sequence[str], start: Start | None, begun: Checkpoint | None = None
) -> Material:
    """Returns the material at a path: that of a folder, a corpus or a recipe."""
    kind = FolderMaterial if path.is_dir() else CorpusMaterial if _is_binary(path) else RecipeMaterial
    return kind.read(path, settings, start, begun)


def performed(corpus: Corpus) -> dict[str, str]:
    """Returns the performer of each style with the most frames in it."""
    frames: dict[str, Counter[str]] = {}
    for stretch in corpus.stretches:
        if stretch.style and stretch.performer:
            frames.setdefault(stretch.style, Counter())[stretch.performer] += len(stretch)
    return {style: counted.most_common(1)[0][0] for style, counted in frames.items()}


def reading(path: Path, summary: Summary) -> list[str]:
    """Returns lines that list the motion read and the files left out."""
    kept = sum(summary.minutes.values())
    files = sum(summary.clips.values())
    cut = f", {summary.t_poses:.1f} min of T-poses at the ends cut" if summary.t_poses >= 0.05 else ""
    of = f" of {summary.read:.1f}" if summary.read else ""
    styles = ", ".join(f"{style or 'no style'} {minutes:.1f}" for style, minutes in summary.styles.items())
    lines = [f"{path}: {kept:.1f}{of} min kept, {files} files{cut}; minutes by style: {styles}"]
    if summary.clips["val"]:
        lines.append(f"  held out: {summary.clips['val']} files, {summary.minutes['val']:.1f} min")
    lines += [f"  left out: {name}: {reason}" for name, reason in summary.dropped[:SHOWN]]
    if len(summary.dropped) > SHOWN:
        more = len(summary.dropped) - SHOWN
        lines.append(f"  and {more} more; moglow preprocess {path} -o FILE lists all")
    return lines


def going_on(output: Path, corpus: Path, style: str) -> list[str]:
    """Returns lines with example commands that use a finished run."""
    named = f" --style {quote(style)}" if style else ""
    motion = f"{output.name}.bvh"
    return [
        "next:",
        f"  moglow generate --checkpoint {quote(str(output))}{named} --control circle:r=2 -o {quote(motion)}",
        f"  moglow view {quote(motion)}",
        f"  moglow evaluate --checkpoint {quote(str(output))} --corpus {quote(str(corpus))} --quick",
    ]


def _is_binary(path: Path) -> bool:
    """Returns whether a file begins like a corpus, with a header length and a JSON header."""
    with open_input(path, RecipeError) as file:
        return file.read(9)[8:] == b"{"
