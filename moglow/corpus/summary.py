"""A summary of a corpus and of the omitted files. Needs numpy alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from moglow.corpus.corpus import Corpus, Stretch
from moglow.maths.quantiles import quantiles


@dataclass(frozen=True)
class Summary:
    """Figures of a corpus, in metres, seconds and radians; durations are in minutes where stated."""

    clips: dict[str, int]
    """Number of source files by split."""
    minutes: dict[str, float]
    """Minutes by split."""
    styles: dict[str, float]
    """Minutes by style."""
    speed: tuple[float, float]
    """Median and 95th percentile of the speed in the training clips."""
    turn: float
    """95th percentile of the turning speed in the training clips."""
    channels: int
    joints: int
    dropped: tuple[tuple[str, str], ...]
    """Omitted or trimmed files, each with the reason."""
    notices: tuple[str, ...]
    """The licences that must be listed."""
    read: float
    """Minutes of all files that were read."""
    t_poses: float
    """Minutes of removed T-poses."""

    @classmethod
    def of(
        cls,
        corpus: Corpus,
        dropped: Sequence[tuple[str, str]],
        *,
        read: float = 0.0,
        t_poses: float = 0.0,
    ) -> Self:
        """Returns the summary of a corpus; the minutes that were read and removed are arguments."""
        splits = {name: corpus.split(name) for name in ("train", "val")}
        labels = sorted({stretch.style for stretch in corpus.stretches})
        styles = {style: [s for s in corpus.stretches if s.style == style] for style in labels}
        median, fast = quantiles(
            lambda: (np.linalg.norm(control[:, :2], axis=1) for control in corpus.training_controls),
            [0.5, 0.95],
        )
        (turn,) = quantiles(lambda: (np.abs(control[:, 2]) for control in corpus.training_controls), [0.95])
        return cls(
            clips={name: len({stretch.name for stretch in stretches}) for name, stretches in splits.items()},
            minutes={name: _minutes(stretches, corpus.fps) for name, stretches in splits.items()},
            styles={style: _minutes(stretches, corpus.fps) for style, stretches in styles.items()},
            speed=(round(median, 3), round(fast, 3)),
            turn=round(turn, 3),
            channels=len(corpus.encoding),
            joints=len(corpus.encoding.skeleton),
            dropped=tuple(dropped),
            notices=corpus.notices,
            read=round(read, 2),
            t_poses=round(t_poses, 2),
        )

    def __str__(self) -> str:
        """Returns the summary as text, with one fact per line."""
        clips, minutes = self.clips, self.minutes
        styles = ", ".join(f"{style or 'none'} {minutes:.1f} min" for style, minutes in self.styles.items())
        lines = [
            f"read       {self.read:.1f} min, of which {self.t_poses:.1f} min of T-poses were cut",
            f"train      {clips['train']} clips, {minutes['train']:.1f} min",
            f"held out   {clips['val']} clips, {minutes['val']:.1f} min",
            f"pose       {self.channels} channels for {self.joints} joints",
            f"speed      {self.speed[0]:.2f} m/s median, {self.speed[1]:.2f} m/s at 95 %",
            f"turning    {np.degrees(self.turn):.0f} deg/s at 95 %",
            f"styles     {styles}",
        ]
        return "\n".join(lines + [f"dropped    {name}: {reason}" for name, reason in self.dropped])


def _minutes(stretches: Sequence[Stretch], fps: float) -> float:
    """Returns the minutes of recorded motion; repeated recordings count once."""
    return round(sum(len(stretch) for stretch in stretches if not stretch.again) / fps / 60, 2)
