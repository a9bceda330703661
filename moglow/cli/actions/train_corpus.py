"""Opens the corpus of a training run and makes it first if it does not exist."""

import os
from pathlib import Path

from moglow.cli.actions.train_source import Material
from moglow.cli.terminal import say, tracked
from moglow.compute.distributed import Place, first_alone
from moglow.corpus.corpus import Corpus
from moglow.corpus.preprocess import preprocess
from moglow.corpus.sources import DataSpec
from moglow.corpus.summary import Summary
from moglow.encodings.encoding import Encoding, FeatureSpec
from moglow.errors import CorpusError
from moglow.files.locks import locked
from moglow.files.tables import to_table
from moglow.recipe import Recipe


def corpus_of(
    material: Material, path: Path, data: str | None, place: Place, *, encoding: Encoding | None, anew: bool
) -> tuple[Corpus, Summary]:
    """Returns the corpus in a file; makes it by the recipe if the file does not exist, or if `anew`.

    Raises `CorpusError` if an existing corpus was made with other settings. If the `encoding` of a checkpoint is given,
    clips are encoded with it, and the training run checks the corpus instead.
    """
    recipe, summary = material.recipe, None
    data_spec, features = recipe.section("data", DataSpec).at(data), recipe.section("features", FeatureSpec)
    for alone in first_alone(place):
        if alone and (anew or not path.exists()):
            path.parent.mkdir(parents=True, exist_ok=True)
            with locked(path, wait=lambda line: say(line, err=True)):
                if anew or not path.exists():  # another run may have made it meanwhile
                    summary = _make(data_spec, features, path, Path(recipe.place).parent, encoding)
    corpus = Corpus.open(path)
    if encoding is None and not material.is_corpus:
        _must_be_made_by(recipe, corpus, path, data_spec, features)
    return corpus, summary or Summary.of(corpus, ())


def _must_be_made_by(
    recipe: Recipe, corpus: Corpus, path: Path, data: DataSpec, features: FeatureSpec
) -> None:
    requested = to_table(features)
    for name, made, wanted in (
        *(
            (f"features.{key}", value, requested[key])
            for key, value in to_table(corpus.encoding.spec).items()
        ),
        ("data.fps", corpus.fps, data.fps),
    ):
        if made != wanted:
            raise CorpusError(
                f"{path}: was made with {name} = {made}, the recipe has {wanted}; name another --corpus"
            )


def _make(
    data: DataSpec, features: FeatureSpec, path: Path, base: Path, encoding: Encoding | None
) -> Summary | None:
    steps = preprocess(data, features, path, base=base, workers=os.cpu_count() or 1, encoding=encoding)
    summary = None
    for step in tracked(steps, f"preprocess {path.name}"):
        summary = step.summary
    return summary
