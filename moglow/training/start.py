"""The start of a training run from a checkpoint: its context with the corpus's new labels, its weights with columns
for them."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from moglow.checkpoint import Checkpoint
from moglow.corpus.context import Context, ContextSpec, refuse_unknown
from moglow.corpus.corpus import Corpus
from moglow.encodings.encoding import Encoding
from moglow.errors import CorpusError, TrainingError
from moglow.files.tables import to_table
from moglow.models.model import MotionModel
from moglow.training.rehearsal import RehearsalSpec, rehearsal

KEPT = ("steps", "seconds", "seed", "minutes_of_motion", "from")
"""The figures of the first checkpoint that those of a later one repeat."""
APART = 1.5
"""How far the column of a new label is from the mean of known ones, as a multiple of the length of a known one."""


@dataclass(frozen=True, eq=False)
class Start:
    """A checkpoint to start from, and its name in figures and messages.

    The run keeps the checkpoint's context: its normalisers, its scale of targets, its encoding and its labels. What the
    model was able to do it can still do, in the same numbers.
    """

    checkpoint: Checkpoint
    name: str

    @cached_property
    def digest(self) -> str:
        """Returns what tells the weights from others: the first 16 hexadecimal digits of their SHA-256."""
        sha = hashlib.sha256()
        for name, array in sorted(self.checkpoint.weights.items()):
            sha.update(name.encode() + np.ascontiguousarray(array).tobytes())
        return sha.hexdigest()[:16]

    @property
    def about(self) -> dict[str, Any]:
        """Returns what the checkpoint of the run says about this one."""
        figures = {key: self.checkpoint.about[key] for key in KEPT if key in self.checkpoint.about}
        return {"checkpoint": self.name, "weights": self.digest, **figures}

    def context(self, spec: ContextSpec, corpus: Corpus) -> Context:
        """Returns the checkpoint's context with a corpus's new styles and performers after its own."""
        must_match(self.checkpoint.context, corpus, self.name)
        return with_labels_of(self.checkpoint.context, spec, corpus)

    def rehearsal(self, corpus: Corpus, spec: RehearsalSpec, *, seed: int) -> Corpus:
        """Returns motion of the checkpoint's model that is learnt together with a corpus."""
        before = self.checkpoint
        return rehearsal(corpus, before.to_torch(), before.context, before.control_range, spec, seed=seed)

    def load(self, model: MotionModel, context: Context) -> None:
        """Sets the weights of a model that was built for a context with more labels."""
        if context.size != model.context_dim:
            raise ValueError(f"the model reads {model.context_dim} numbers, the context has {context.size}")
        columns = label_columns(self.checkpoint.context, context)
        weights = {}
        for name, now in model.state_dict().items():
            before = self.checkpoint.weights.get(name)
            if before is not None and before.shape == tuple(now.shape):
                weights[name] = torch.tensor(np.array(before))
            elif before is not None and _reads(before, now.shape, columns):
                kept = before.shape[1] - columns.shape[1]
                own = before[:, kept:] @ columns.T + offsets(before, self.checkpoint.context, context)
                grown = np.concatenate([before[:, :kept], own], axis=1)
                weights[name] = torch.tensor(grown.astype(before.dtype))
            else:
                found = "no such weights" if before is None else f"weights of shape {before.shape}"
                raise TrainingError(
                    f"{self.name}: {found} where {name} needs {tuple(now.shape)}: a {self.checkpoint.model} cannot "
                    "be given more labels; train it anew"
                )
        model.load_state_dict(weights)


def with_labels_of(context: Context, spec: ContextSpec, corpus: Corpus) -> Context:
    """Returns a context with more labels: those of a corpus that it lacks come after its own, with their postures."""
    performers, styles = (
        (*own, *(label for label in labels if shown and label not in own))
        for own, labels, shown in (
            (context.performers, corpus.performers, spec.performers),
            (context.styles, corpus.styles, spec.styles),
        )
    )
    refuse_unknown(spec, styles, performers)
    own = dict(zip((*context.performers, *context.styles), np.asarray(context.postures), strict=True))
    before = len(context.performers)
    of_styles = dict(zip(context.styles, context.postures[before:], strict=True))
    for style in styles[len(context.styles) :]:
        of_styles[style] = context.posture_of(corpus, style)
    of_performers = [
        own[name] if number < before else context.offset_of(corpus, name, of_styles)
        for number, name in enumerate(performers)
    ]
    postures = np.reshape([*of_performers, *of_styles.values()], (-1, context.pose_dim)).astype(np.float32)
    return replace(context, spec=spec, performers=performers, styles=styles, postures=postures)


def label_columns(before: Context, after: Context) -> NDArray[np.float32]:
    """Returns a matrix (labels after, labels before): the columns that a label starts as, as a mixture of the old ones.

    A label that was known keeps its column; a new one starts as the mean of the known labels of its kind, or as zeros,
    which stand for "any", where there are none.
    """
    columns = np.zeros((after.labels, before.labels), np.float32)
    kinds = (
        (before.performers, after.performers, 0, 0),
        (before.styles, after.styles, len(before.performers), len(after.performers)),
    )
    for old, new, from_old, from_new in kinds:
        for number, label in enumerate(new):
            if label in old:
                columns[from_new + number, from_old + old.index(label)] = 1.0
            elif old:
                columns[from_new + number, from_old : from_old + len(old)] = 1.0 / len(old)
    return columns


def offsets(weights: NDArray[Any], before: Context, after: Context) -> NDArray[np.float32]:
    """Returns what is added to the columns (N, labels after) of new labels: a random direction for each.

    A model with memory sees the style of a motion in its past, so that a column that begins as the mean of others
    hardly learns to differ from it: old labels would then be given the new motion. Labels of the same name get the
    same direction, `APART` times as long as the known columns are on average.
    """
    known = weights[:, weights.shape[1] - before.labels :] if before.labels else weights
    length = APART * float(np.sqrt(np.square(known).sum(0).mean()))
    added = np.zeros((len(weights), after.labels), np.float32)
    for number, label in enumerate((*after.performers, *after.styles)):
        old = before.performers if number < len(after.performers) else before.styles
        if label not in old:
            direction = np.random.default_rng(list(label.encode())).normal(size=len(weights))
            added[:, number] = length * direction / np.linalg.norm(direction)
    return added


def _reads(before: NDArray[Any], shape: torch.Size, columns: NDArray[Any]) -> bool:
    """Returns whether weights read the context, whose labels come last, and grow by the new labels alone."""
    more = columns.shape[0] - columns.shape[1]
    return before.ndim == len(shape) == 2 and tuple(shape) == (before.shape[0], before.shape[1] + more)


def must_match(context: Context, corpus: Corpus, name: str) -> None:
    """Refuses a corpus of another encoding or frame rate than a checkpoint's, in one line."""
    if difference := _difference(context, corpus):
        raise CorpusError(
            f"the corpus does not fit {name}: {difference}; encode its clips as the checkpoint does: "
            "give train the folder or the recipe with --from and a corpus file that is not there yet"
        )


def _difference(context: Context, corpus: Corpus) -> str:
    if corpus.fps != context.fps:
        return f"it has {corpus.fps:g} frames a second, the checkpoint {context.fps:g}"
    return encoding_difference(corpus.encoding, context.encoding)


def encoding_difference(one: Encoding, other: Encoding) -> str:
    """Returns in words how an encoding differs from a checkpoint's; empty where both are the same."""
    here, there = one.to_json(), other.to_json()
    changed = differing(here["features"], there["features"])
    if changed:
        return f"it was made with features {changed}"
    if here["skeleton"] != there["skeleton"]:
        own, its = one.skeleton, other.skeleton
        if own.names != its.names:
            return (
                f"its skeleton has {len(own.names)} joints, the checkpoint's {len(its.names)}, or other names"
            )
        return "its skeleton has bones of other lengths"
    if one.names != other.names:
        lost = [*(set(one.names) ^ set(other.names))]
        return f"it has {len(one)} channels, the checkpoint {len(other)}; among the others {min(lost)}"
    return "" if here == there else "its encoding was fitted to other clips"


def differing(here: Mapping[str, Any], there: Mapping[str, Any]) -> str:
    """Returns the keys whose values differ, each with both values.

    >>> differing({"a": 1, "b": 2}, {"a": 1, "b": 3})
    'b = 2, not 3'
    """
    keys = sorted(key for key in {*here, *there} if here.get(key) != there.get(key))
    return ", ".join(f"{key} = {to_table(here.get(key))}, not {to_table(there.get(key))}" for key in keys)
