"""The order of windows: the windows of batch number n as functions of n."""

from abc import ABC, abstractmethod
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from moglow.corpus.corpus import Stretch
from moglow.errors import TrainingError


class Cutting(Protocol):
    """The attributes of a `WindowSpec` that an order uses."""

    @property
    def length(self) -> int: ...
    @property
    def overlap(self) -> float: ...
    @property
    def mirror(self) -> bool: ...
    @property
    def reverse(self) -> bool: ...


@dataclass(frozen=True)
class Cuts:
    """Start and transformation of each window of a batch; `fresh` where it does not continue its row.

    A `passage` is a random number that windows share if one continues the other.
    """

    start: Tensor  # (B,) frame of the corpus
    mirror: Tensor  # (B,) bool
    reverse: Tensor  # (B,) bool
    fresh: Tensor  # (B,) bool
    passage: Tensor  # (B,) int64

    @property
    def parts(self) -> tuple[Tensor, ...]:
        return self.start, self.mirror, self.reverse, self.fresh, self.passage

    def rows(self, rows: slice) -> "Cuts":
        return Cuts(*(part[rows] for part in self.parts))

    def shifted(self) -> "Cuts":
        """Returns the windows with each in the place of the next one."""
        return Cuts(*(part.roll(1) for part in self.parts))

    def to(self, device: torch.device) -> "Cuts":
        return Cuts(*(part.to(device, non_blocking=True) for part in self.parts))


Table = np.ndarray[tuple[int, ...], np.dtype[np.int64]]
"""Rows of start, mirror, reverse and fresh, ``(windows, 4)``, or of the passage too, ``(windows, 5)``."""


class WindowOrder(ABC):
    """An endless sequence of windows, epoch after epoch, in batches of B rows."""

    def __init__(
        self,
        stretches: Sequence[Stretch],
        frames: int,
        spec: Cutting,
        batch: int,
        seed: int,
        one_way: Container[Stretch] = (),
    ) -> None:
        self.stretches, self.frames, self.spec, self.batch, self.seed = stretches, frames, spec, batch, seed
        self.one_way = one_way
        self._epoch = lru_cache(maxsize=2)(self._with_passages)

    @abstractmethod
    def epoch(self, number: int) -> Table:
        """Returns the windows of one epoch, in order; every epoch has the same number of windows."""

    @abstractmethod
    def cuts(self, step: int) -> Cuts:
        """Returns the windows of global batch number `step`."""

    def random(self, epoch: int, *purpose: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, epoch, *purpose])

    def _with_passages(self, number: int) -> Table:
        """Returns the windows of an epoch with their passages, ``(windows, 5)``."""
        table = self.epoch(number)
        first = np.maximum.accumulate(np.where(table[:, 3], np.arange(len(table)), 0))
        numbers = self.random(number, 1).integers(2**62, size=len(table))
        return np.insert(table, 4, numbers[first], axis=1)

    @property
    def windows(self) -> int:
        """Returns the number of windows of an epoch."""
        return len(self._epoch(0))

    def flips(self, stretch: Stretch) -> Table:
        """Returns the transformations of a stretch: rows of (mirror, reverse). Those `one_way` are not reversed."""
        reverse = self.spec.reverse and stretch not in self.one_way
        return np.array([(m, r) for r in range(1 + reverse) for m in range(1 + self.spec.mirror)], np.int64)

    def _flipped(self, stretch: Stretch, starts: Table) -> Table:
        """Returns each start with each transformation, (starts · transformations, 4), all fresh."""
        flips = self.flips(stretch)
        rows = [np.insert(flips, 0, start, axis=1) for start in starts]
        return np.insert(np.concatenate(rows), 3, 1, axis=1)


class Listed(WindowOrder):
    """Every window once, in the order of the corpus; the last batch may be smaller."""

    def epoch(self, number: int) -> Table:
        return np.concatenate([self._flipped(stretch, self.starts(stretch)) for stretch in self.stretches])

    def starts(self, stretch: Stretch) -> Table:
        """Returns the starts of windows in a stretch; an additional window ends with it, to include every frame."""
        stride = max(1, round(self.spec.length * (1 - self.spec.overlap)))
        last = stretch.stop - self.frames
        return np.unique(np.append(np.arange(stretch.start, last + 1, stride), last))

    def cuts(self, step: int) -> Cuts:
        return _cuts(self._epoch(0)[step * self.batch : (step + 1) * self.batch])


class Shuffled(Listed):
    """Every window once an epoch, in a random order; each epoch shifts the starts differently by less than a stride."""

    def epoch(self, number: int) -> Table:
        random = self.random(number)
        rows = []
        for stretch in self.stretches:
            regular = self.starts(stretch)
            room = np.diff(regular, append=regular[-1] + 1)
            rows.append(self._flipped(stretch, regular + random.integers(0, room)))
        return random.permutation(np.concatenate(rows))

    def cuts(self, step: int) -> Cuts:
        epochs, rows = np.divmod(step * self.batch + np.arange(self.batch), self.windows)
        return _cuts(np.stack([self._epoch(int(e))[row] for e, row in zip(epochs, rows, strict=True)]))


class Consecutive(WindowOrder):
    """Rows that continue across batches, for models whose memory is carried from batch to batch.

    An epoch is a sequence of stretches in a random order, divided into B parts of equal length; row b reads part b.
    """

    def epoch(self, number: int) -> Table:
        random, length = self.random(number), self.spec.length
        tape = []
        flipped = [(stretch, flip) for stretch in self.stretches for flip in self.flips(stretch)]
        for index in random.permutation(len(flipped)):
            stretch, (mirror, reverse) = flipped[index]
            count = (len(stretch) - self.frames) // length + 1
            slack = len(stretch) - self.frames - (count - 1) * length
            starts = stretch.start + random.integers(0, slack + 1) + length * np.arange(count)
            rows = np.zeros((count, 4), np.int64)
            rows[:, 0] = starts[::-1] if reverse else starts
            rows[:, 1:3], rows[0, 3] = (mirror, reverse), 1
            tape.append(rows)
        return np.concatenate(tape)

    def cuts(self, step: int) -> Cuts:
        piece = self.windows // self.batch
        if not piece:
            raise TrainingError(
                f"a batch of {self.batch} rows, but only {self.windows} windows; lower training.batch"
            )
        epoch, place = divmod(step, piece)
        table = self._epoch(epoch)[np.arange(self.batch) * piece + place]
        if place == 0:
            table[:, 3] = 1
        return _cuts(table)


ORDERS: Mapping[str, type[WindowOrder]] = {"shuffled": Shuffled, "consecutive": Consecutive, "listed": Listed}


def _cuts(table: Table) -> Cuts:
    """Returns rows of (start, mirror, reverse, fresh, passage) as tensors."""
    start, mirror, reverse, fresh, passage = torch.as_tensor(np.ascontiguousarray(table.T))
    return Cuts(start, mirror.bool(), reverse.bool(), fresh.bool(), passage)
