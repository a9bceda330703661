"""The start of a training run from a checkpoint, whose context and weights are extended by the labels of the corpus."""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from moglow.checkpoint import Checkpoint
from moglow.corpus.context import Context
from moglow.corpus.context_spec import ContextSpec, refuse_unknown
from moglow.corpus.corpus import Corpus
from moglow.corpus.postures import offset_of, posture_axes, posture_of
from moglow.encodings.encoding import Encoding
from moglow.errors import CorpusError, TrainingError
from moglow.files.tables import to_table
from moglow.models.model import MotionModel
from moglow.training.rehearsal import RehearsalSpec, rehearsal

KEPT = ("steps", "seconds", "seed", "minutes_of_motion", "from")
"""The figures of the first checkpoint that are copied to later ones."""
ROUNDING = 1e-9
"""Largest difference of the numbers of two encodings that count as equal, absolute or relative."""
APART = 1.5
"""Distance of the column of a new label from the mean of the known columns, relative to their mean length."""


@dataclass(frozen=True, eq=False)
class Start:
    """A checkpoint from which a run starts, with its name for figures and messages.

    The run keeps the checkpoint's context: its normalisers, its scale of targets, its encoding and its labels. Known
    labels keep their columns, so that the output for them is unchanged at the start.
    """

    checkpoint: Checkpoint
    name: str

    @cached_property
    def digest(self) -> str:
        """Returns an identifier of the weights: the first 16 hexadecimal digits of their SHA-256."""
        sha = hashlib.sha256()
        for name, array in sorted(self.checkpoint.weights.items()):
            sha.update(name.encode() + np.ascontiguousarray(array).tobytes())
        return sha.hexdigest()[:16]

    @property
    def about(self) -> dict[str, Any]:
        """Returns the entries about this checkpoint in the checkpoints of the run."""
        figures = {key: self.checkpoint.about[key] for key in KEPT if key in self.checkpoint.about}
        return {"checkpoint": self.name, "weights": self.digest, **figures}

    def context(self, spec: ContextSpec, corpus: Corpus) -> Context:
        """Returns the checkpoint's context, with new styles and performers of the corpus added."""
        must_match(self.checkpoint.context, corpus, self.name)
        return with_labels_of(self.checkpoint.context, spec, corpus)

    def rehearsal(self, corpus: Corpus, spec: RehearsalSpec, *, seed: int) -> Corpus:
        """Returns motion sampled from the checkpoint's model, for training together with the corpus."""
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
    """Returns a context with the additional labels of a corpus after its own, with their postures."""
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
        of_styles[style] = posture_of(corpus, style, context.standardize_pose)
    of_performers = [
        own[name] if number < before else offset_of(corpus, name, of_styles, context.standardize_pose)
        for number, name in enumerate(performers)
    ]
    postures = np.reshape([*of_performers, *of_styles.values()], (-1, context.pose_dim)).astype(np.float32)
    axes = np.concatenate(
        [context.posture_axes, posture_axes(corpus, styles[len(context.styles) :], context.standardize_pose)]
    )
    return replace(
        context, spec=spec, performers=performers, styles=styles, postures=postures, posture_axes=axes
    )


def label_columns(before: Context, after: Context) -> NDArray[np.float32]:
    """Returns a matrix (labels after, labels before) that mixes the old columns to the initial columns of all labels.

    A known label keeps its column. The column of a new label is the mean of the known ones of its kind, or zero, which
    stands for "any", if there are none.
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
    """Returns the offsets (N, labels after) of the columns of new labels, in a random direction for each.

    A model with memory can infer the style from the past, so the column of a new label that starts as the mean of
    others would hardly change, and the new motion would be learnt for old labels. Labels with the same name have the
    same direction, and the length is `APART` times the mean length of the known columns.
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
    """Returns whether a weight matrix takes the context, which ends with the labels, and grows by new labels only."""
    more = columns.shape[0] - columns.shape[1]
    return before.ndim == len(shape) == 2 and tuple(shape) == (before.shape[0], before.shape[1] + more)


def must_match(context: Context, corpus: Corpus, name: str) -> None:
    """Raises an error if the encoding or frame rate of a corpus differs from that of the checkpoint."""
    if difference := _difference(context, corpus):
        raise CorpusError(
            f"the corpus does not fit {name}: {difference}; encode its clips as the checkpoint does: "
            "train on the folder or the recipe, with a new file for the corpus",
            setting="corpus",
        )


def _difference(context: Context, corpus: Corpus) -> str:
    if corpus.fps != context.fps:
        return f"it has {corpus.fps:g} frames a second, the checkpoint {context.fps:g}"
    return encoding_difference(corpus.encoding, context.encoding)


def encoding_difference(one: Encoding, other: Encoding) -> str:
    """Returns a description of the differences between two encodings; empty if they are equal."""
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
    return "" if _nearly_equal(here, there) else "its encoding was fitted to other clips"


def _nearly_equal(here: Any, there: Any) -> bool:
    """Returns whether two values of JSON are equal but for rounding, which differs between processors."""
    if isinstance(here, Mapping) and isinstance(there, Mapping):
        return here.keys() == there.keys() and all(_nearly_equal(here[key], there[key]) for key in here)
    if isinstance(here, list | tuple) and isinstance(there, list | tuple):
        return len(here) == len(there) and all(map(_nearly_equal, here, there))
    if isinstance(here, float) and isinstance(there, float):
        return math.isclose(here, there, rel_tol=ROUNDING, abs_tol=ROUNDING)
    return bool(here == there)


def differing(here: Mapping[str, Any], there: Mapping[str, Any]) -> str:
    """Returns the keys whose values differ, each with both values.

    >>> differing({"a": 1, "b": 2}, {"a": 1, "b": 3})
    'b = 2, not 3'
    """
    keys = sorted(key for key in {*here, *there} if here.get(key) != there.get(key))
    return ", ".join(f"{key} = {to_table(here.get(key))}, not {to_table(there.get(key))}" for key in keys)
