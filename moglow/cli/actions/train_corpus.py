"""The corpus of a training run: opened, or made first if it is not there."""

import os
from pathlib import Path

from moglow.cli.terminal import say, tracked
from moglow.compute.distributed import Place, first_alone
from moglow.corpus.corpus import Corpus
from moglow.corpus.preprocess import preprocess
from moglow.corpus.sources import DataSpec
from moglow.encodings.encoding import FeatureSpec
from moglow.errors import CorpusError
from moglow.files.locks import locked
from moglow.recipe import Recipe


def corpus_of(recipe: Recipe, path: Path, data: str | None, place: Place) -> Corpus:
    """Returns the corpus in a file, made by the recipe if there is none; one of another making is refused."""
    data_spec, features = recipe.section("data", DataSpec).at(data), recipe.section("features", FeatureSpec)
    for alone in first_alone(place):
        if alone and not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            with locked(path, wait=lambda line: say(line, err=True)):
                if not path.exists():  # another training may have made it meanwhile
                    _make(data_spec, features, path, Path(recipe.place).parent)
    corpus = Corpus.open(path)
    for name, made, asked in (
        ("features", corpus.encoding.spec, features),
        ("data.fps", corpus.fps, data_spec.fps),
    ):
        if made != asked:
            raise CorpusError(
                f"{path}: was made with {name} {made}, the recipe says {asked}; name another --corpus"
            )
    return corpus


def _make(data: DataSpec, features: FeatureSpec, path: Path, base: Path) -> None:
    steps = preprocess(data, features, path, base=base, workers=os.cpu_count() or 1)
    for _ in tracked(steps, f"preprocess {path.name}"):
        pass
