"""The settings of windows: the recipe's [training.windows]."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Self

from moglow.corpus.context import Context
from moglow.corpus.corpus import Corpus
from moglow.corpus.window_order import ORDERS


@dataclass(frozen=True)
class WindowSpec:
    """The settings of windows; the recipe's [training.windows]. The defaults are those of the paper."""

    length: int = 70  # frames to predict; with ten frames of history these are the 80 of the paper
    short: int = 0
    """Frames to predict in clips that are too short for `length`, such as runs; 0 omits these clips."""
    short_share: float = 0.1  # share of batches with short windows; in a batch all lengths are equal
    overlap: float = 0.5  # between neighbouring windows; windows with carried memory do not overlap
    order: str = "shuffled"  # or "consecutive": each row of a batch continues that of the last one
    forget: float = 0.0
    """Share of windows that begin without memory though they continue a row, so that the model can do without it."""
    mirror: bool = True  # whether every window is also used with left and right exchanged
    reverse: bool = True  # whether every window is also used in reversed time
    reverse_aside: bool = False
    """Whether only clips that go sideways or backwards are also reversed: a reversed stop starts as no person does."""
    dequantise: float = 1e-3
    """Deviation of noise on each pose, past and future. It is part of the density, so report it with likelihoods."""
    history_noise: Mapping[str, float] = field(default_factory=dict)
    """Deviations of additional noise on the history, by channel group, from which the model learns to correct errors.

    Keep it small for channels that are carried from the previous pose, such as those of toes: there it causes foot
    slide.
    """
    misplaced: float = 0.0
    """Share of windows whose history has displaced feet, which return in the frames to predict."""
    misplaced_by: float = 0.12  # metres, the standard deviation of each coordinate
    shifted: float = 0.0
    """Share of clips whose history has feet further out or in, and whose raised feet return; see
    `moglow.corpus.shifted_feet`."""
    shifted_by: float = 0.18  # metres, the largest offset
    apart: float = 0.0
    """Metres by which each foot of the default performer is further out in clips that walk ahead. Sampled steps of this
    performer are narrower than recorded ones, since at many speeds only others were recorded."""
    other_body: float = 0.0
    """Share of windows whose history is blended with another body above the feet; see `moglow.corpus.other_bodies`."""
    balance: float = 0.0
    """Exponent with which rare styles are repeated: (duration of the most frequent style / duration)^balance times.

    0 uses every clip equally often; 1 all styles equally long.
    """
    pose_dropout: float = 0.95  # probability with which each past pose is hidden from the context
    dropout_windows: float = 1.0  # share of windows with hidden poses
    dropout_drawn: bool = False  # whether each window has its own random probability, from 0 to pose_dropout
    dropout_shared: bool = False  # whether a pose is hidden from all frames or none, not for each lag
    style_dropout: float = 0.1
    """Share of windows without a style label, so that the model can also generate motion in any style."""

    performer_dropout: float = 0.0
    """Share of windows without a performer label, so that the model can also generate motion of any performer."""
    performer_lent: float = 0.0
    """Share of windows with the label of the default performer, so that this performer gets motion of the others."""
    labelled: float = 1.0  # share of the clips with a style label, to measure the value of labels

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
            "balance",
            "misplaced",
            "shifted",
            "other_body",
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
        if not 0 <= self.apart < 1:
            raise ValueError(f"apart is {self.apart}; give 0 to 1 metres")
        if self.dequantise < 0 or min([self.misplaced_by, self.shifted_by, *self.history_noise.values()]) < 0:
            raise ValueError("noise cannot be negative")

    def clean(self) -> Self:
        """Returns the settings for validation: nothing hidden, no augmentation, the same density."""
        return replace(
            self,
            overlap=0.0,
            order="listed",
            mirror=False,
            reverse=False,
            forget=0.0,
            balance=0.0,
            misplaced=0.0,
            shifted=0.0,
            apart=0.0,
            other_body=0.0,
            history_noise={},
            pose_dropout=0.0,
            style_dropout=0.0,
            performer_dropout=0.0,
            performer_lent=0.0,
            labelled=1.0,
        )


def fitting(spec: WindowSpec, corpus: Corpus, context: Context, split: str) -> WindowSpec:
    """Returns windows that are no longer than the longest clip of a split."""
    longest = max(map(len, corpus.split(split))) - context.spec.history
    length = max(1, min(spec.length, longest))
    return replace(spec, length=length, short=min(spec.short, length - 1))
