"""Weights of the channels of a pose: by group, and by how much their changes persist. Needs numpy alone."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from moglow.encodings.encoding import Encoding
from moglow.errors import RecipeError
from moglow.files.tables import suggestion
from moglow.maths.rotations import Array

if TYPE_CHECKING:
    from moglow.corpus.corpus import Corpus

OTHERS = "others"  # key of the channel groups that are not named


def persistence(corpus: "Corpus") -> Array:
    """Returns the correlation (D,) of successive changes of the pose in the training motion, from 0 to 1."""
    both = before = np.zeros(len(corpus.encoding))
    for stretch in corpus.split("train"):
        changes = np.diff(corpus.pose[stretch.frames], axis=0).astype(float)
        both = both + (changes[1:] * changes[:-1]).sum(0)
        before = before + np.square(changes[:-1]).sum(0)
    found = np.divide(both, before, out=np.zeros_like(both), where=before > 0)
    return np.asarray(np.clip(found, 0.0, 1.0), np.float32)


def by_channel(values: Mapping[str, float], encoding: Encoding, place: str) -> Array:
    """Returns the value (D,) of each channel from values by channel group; other groups have that of `others`, or 0."""
    channels = np.full(len(encoding), values.get(OTHERS, 0.0), np.float32)
    for group, value in values.items():
        if group not in (*encoding.chart.groups, OTHERS):
            raise RecipeError(f"{place}: no channels {group!r}; {suggestion(group, encoding.chart.groups)}")
        if group != OTHERS:
            channels[encoding.slice(group)] = value
    return channels
