"""Changes of style or performer in mid-motion. Needs numpy alone.

A model continues in the style of its memory and of its past poses, whatever the label. After a change of label the
memory is therefore emptied and the past poses are hidden for a while, as data dropout hides them in training. Meanwhile
the figure passes from the poses that the former label predicts to those of the new one.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from moglow.corpus.context import Context

DURATION, HIDDEN = 0.8, 0.6
"""Duration of a change in seconds, and of its first part in which past poses are hidden. A figure that does not see its
feet leaves them behind, and the knees jerk when it sees them again."""


Predict = Callable[[Any, Any, Any], tuple[Any, Any, Any]]
"""Maps contexts ``(B, C)``, memory and noise to targets ``(B, D)``, log-densities ``(B,)`` and the next memory."""

Former = tuple[Any, Any, Any, Any]
"""Former labels ``(B, P + S)`` and memory, `LabelChange.share` and `LabelChange.shown`, as arrays of the model."""


def change_length(fps: float) -> int:
    """Returns the number of frames of a change."""
    return max(1, round(DURATION * fps))


def hidden_length(fps: float) -> int:
    """Returns the number of frames of a change in which past poses are hidden."""
    return max(1, round(HIDDEN * fps))


@dataclass(frozen=True, eq=False)
class LabelChange:
    """The former labels of a batch of figures, the memory of motion with them, and the time since the changes."""

    labels: NDArray[np.float32]
    """Former labels ``(B, P + S)``."""
    memory: Any
    """Arrays ``(…, B, …)`` with the figures along axis 1, in tuples."""
    frames: NDArray[np.int64]
    """Frames ``(B,)`` since a figure's label changed, at least `length` for figures whose label did not."""
    length: int
    """Frames of a change."""
    hidden: int
    """Frames of a change in which past poses are hidden."""

    @classmethod
    def of(cls, labels: NDArray[np.float32], memory: Any, fps: float) -> Self:
        """Returns the state of figures none of which changes its label."""
        length = change_length(fps)
        return cls(labels, memory, np.full(len(labels), length), length, hidden_length(fps))

    def begun(self, rows: NDArray[np.bool_], labels: NDArray[np.float32], memory: Any) -> Self:
        """Returns the state after the figures ``rows`` ``(B,)`` left their labels, with the memory up to then."""
        return type(self)(
            np.where(rows[:, None], labels, self.labels),
            selected(rows, memory, self.memory),
            np.where(rows, 0, self.frames),
            self.length,
            self.hidden,
        )

    def after(self, memory: Any) -> Self | None:
        """Returns the state a frame later, or None if all changes are over."""
        frames = self.frames + 1
        return replace(self, memory=memory, frames=frames) if (frames < self.length).any() else None

    def rows(self, rows: NDArray[np.int64]) -> Self:
        """Returns the state of the figures with these indices, which may be repeated."""
        memory = tuple(np.asarray(part)[:, rows] for part in self.memory)
        return replace(self, labels=self.labels[rows], memory=memory, frames=self.frames[rows])

    @property
    def share(self) -> NDArray[np.float32]:
        """The share ``(B, 1)`` of the new label in the next pose; it grows smoothly to 1."""
        share = np.minimum((self.frames + 1) / self.length, 1.0)
        return (share * share * (3.0 - 2.0 * share)).astype(np.float32)[:, None]

    def given(self, history: int, array: Callable[[NDArray[np.float32]], Any]) -> Former:
        """Returns the arrays for `predict_frame`: the former labels and their memory, `share` and `shown`."""
        return array(self.labels), self.memory, array(self.share), array(self.shown(history))

    def shown(self, history: int) -> NDArray[np.float32]:
        """Returns 1 where a past pose ``(B, K)`` is shown to the model, 0 where it is hidden."""
        return np.repeat((self.frames >= self.hidden).astype(np.float32)[:, None], history, axis=1)


def relabelled(
    context: Context,
    change: LabelChange | None,
    memory: Any,
    former: NDArray[np.float32] | None,
    labels: NDArray[np.float32],
) -> tuple[Any, LabelChange | None]:
    """Returns the memory and the changes before a frame with ``labels`` ``(B, P + S)``, after one with ``former``.

    A model whose context does not indicate hidden poses cannot change; it has the new label from then on.
    """
    if former is None or former is labels or not context.spec.flags:
        return memory, change
    rows = (former != labels).any(-1)
    if not rows.any():
        return memory, change
    begun = (change or LabelChange.of(former, memory, context.fps)).begun(rows, former, memory)
    return selected(rows, None, memory), begun


def predict_frame(
    context: Context,
    predict: Predict,
    given: tuple[Any, Any, Any, Any],
    noise: Any,
    former: Former | None = None,
) -> tuple[Any, Any, Any]:
    """Returns the targets ``(B, D)`` of the next frame, their log-densities, and the next memory.

    Args:
        context: the context of the model.
        predict: the model.
        given: the past poses, the controls, the labels and the memory.
        noise: the noise of the frame, the same for both labels of a change.
        former: the result of `LabelChange.given` if some figures change their label; the memory is then a pair of
            those of the new and the former labels.
    """
    poses, controls, labels, memory = given
    if former is None:
        return predict(context.build(poses, controls, labels), memory, noise)
    former_labels, former_memory, share, shown = former
    target, nats, memory = predict(context.build(poses, controls, labels, shown), memory, noise)
    before, _, former_memory = predict(context.build(poses, controls, former_labels), former_memory, noise)
    target = context.xp.where(share < 1, before + share * (target - before), target)
    return target, nats, (memory, former_memory)


def selected(rows: NDArray[np.bool_], chosen: Any, others: Any) -> Any:
    """Returns memory with the figures ``rows`` of ``chosen``, or zeros for None, and the others of ``others``."""
    if isinstance(others, tuple):
        parts = chosen if chosen is not None else (None,) * len(others)
        return tuple(selected(rows, part, other) for part, other in zip(parts, others, strict=True))
    shape = (1, len(rows), *(1,) * (others.ndim - 2))
    if isinstance(others, np.ndarray):
        return np.where(rows.reshape(shape), 0 if chosen is None else chosen, others).astype(others.dtype)
    mask = others.new_tensor(rows.reshape(shape), dtype=bool)
    return others.masked_fill(mask, 0) if chosen is None else chosen.where(mask, others)
