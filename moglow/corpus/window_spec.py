"""How windows are cut and what is done to them: the recipe's [training.windows]; used by `windows`."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Self

from moglow.corpus.context import Context
from moglow.corpus.corpus import Corpus
from moglow.corpus.window_order import ORDERS


@dataclass(frozen=True)
class WindowSpec:
    """How windows are cut and what is done to them; the recipe's [training.windows]. The defaults are the paper's."""

    length: int = 70  # frames predicted; with the ten before them the paper's 80
    short: int = 0
    """Frames predicted in clips too short for `length`: a run is over in a second; 0 leaves these out."""
    short_share: float = 0.1  # of the batches, where there are such clips; a batch has windows of one length
    overlap: float = 0.5  # of two neighbouring windows; with carried state they always lie end to end
    order: str = "shuffled"  # or "consecutive": each row of a batch goes on where it ended, with its memory
    forget: float = 0.0
    """Share of windows that begin without memory though their row goes on: what to do must not hang on long ago."""
    mirror: bool = True  # every window is also seen with left and right exchanged
    reverse: bool = True  # and backwards in time
    dequantise: float = 1e-3
    """Deviations of noise on each pose, past and future; part of the density, so state it."""
    history_noise: Mapping[str, float] = field(default_factory=dict)
    """Deviations of noise, by channel group, on top of what the model is shown of the past: it learns to come back.

    Where the past pose is carried whole, as planted toes are, it comes back as slide instead: little of it there.
    """
    misplaced: float = 0.0
    """Share of windows whose history has feet out of place, which come back in the frames to predict."""
    misplaced_by: float = 0.12  # metres, the deviation of each coordinate
    pose_dropout: float = 0.95  # probability with which each past pose is hidden from the context
    dropout_windows: float = 1.0  # share of windows in which poses are hidden at all
    dropout_drawn: bool = False  # each window draws its own probability, from 0 to pose_dropout
    dropout_shared: bool = False  # a pose is hidden from all frames or none, not lag by lag
    style_dropout: float = 0.1
    """Share of windows whose style is not told, so that "any style" can be asked for."""

    performer_dropout: float = 0.0
    """Share of windows whose performer is not given, so that any performer can be asked for."""
    performer_lent: float = 0.0
    """Share of windows labelled as the default performer's, who so learns what only others were recorded doing."""
    labelled: float = 1.0  # share of the clips whose style is ever told; to find out what labels are worth

    def __post_init__(self) -> None:
        if self.length < 1 or not 0 <= self.overlap < 1:
            raise ValueError(
                f"length {self.length}, overlap {self.overlap}: give at least 1 frame, overlap below 1"
            )
        if self.length > 10**6:
            raise ValueError(f"length is {self.length}; give at most a million frames")
        if self.order not in ORDERS:
            raise ValueError(f"order is {self.order!r}; choose one of {', '.join(ORDERS)}")
        if not 0 <= self.short < self.length:
            raise ValueError(f"short is {self.short}; give fewer frames than length {self.length}, or 0")
        if self.forget and self.order != "consecutive":
            raise ValueError(f"forget is {self.forget}, but no {self.order} window has a memory; set it to 0")
        for name in (
            "forget",
            "misplaced",
            "pose_dropout",
            "dropout_windows",
            "style_dropout",
            "performer_dropout",
            "performer_lent",
            "short_share",
            "labelled",
        ):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)}; a probability lies between 0 and 1")
        if self.dequantise < 0 or min([self.misplaced_by, *self.history_noise.values()]) < 0:
            raise ValueError("noise cannot be negative")

    def clean(self) -> Self:
        """Returns the windows to validate on: nothing hidden, no augmentation, the same density."""
        return replace(
            self,
            overlap=0.0,
            order="listed",
            mirror=False,
            reverse=False,
            forget=0.0,
            misplaced=0.0,
            history_noise={},
            pose_dropout=0.0,
            style_dropout=0.0,
            performer_dropout=0.0,
            performer_lent=0.0,
            labelled=1.0,
        )


def fitting(spec: WindowSpec, corpus: Corpus, context: Context, split: str) -> WindowSpec:
    """Returns windows no longer than the longest clip of a split: held-out clips may all be shorter than a window."""
    longest = max(map(len, corpus.split(split))) - context.spec.history
    length = max(1, min(spec.length, longest))
    return replace(spec, length=length, short=min(spec.short, length - 1))
