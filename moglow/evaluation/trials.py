"""The controls of an evaluation: held-out ones, seven synthetic ones, a five-minute wander.

Each is a path, so that models of any encoding, and copied motion, have the same controls.
"""

from dataclasses import dataclass

import numpy as np

from moglow.corpus.corpus import Corpus
from moglow.motion.clip import Clip
from moglow.paths.control_path import ControlPath
from moglow.paths.control_range import ControlRange
from moglow.paths.synthetic import evaluation_paths, wander_path

PIECE = 20.0
"""Seconds; longer held-out clips are divided into equal pieces no longer than this."""
SHORTEST = 2.0
"""Seconds; shorter held-out clips are left out, since their figures of feet and footsteps mean little."""


@dataclass(frozen=True, eq=False)
class Trial:
    """A path, and the real motion along it if there is one."""

    name: str
    path: ControlPath
    real: Clip | None = None
    recording: str = ""
    """The file that the path comes from."""
    performer: str | None = None
    """The performer; the model's default one if not given."""

    @property
    def seconds(self) -> float:
        return len(self.path) / self.path.fps


def held_out(corpus: Corpus, *, seconds: float = np.inf, shortest: float = SHORTEST) -> list[Trial]:
    """Returns held-out motion in pieces, the longest clips first, up to a total of `seconds`, without short clips."""
    trials: list[Trial] = []
    for stretch in sorted(corpus.split("val"), key=len, reverse=True):
        if len(stretch) < shortest * corpus.fps:
            break
        count = int(np.ceil(len(stretch) / (PIECE * corpus.fps)))
        for number, frames in enumerate(np.array_split(np.arange(stretch.start, stretch.stop), count)):
            if sum(trial.seconds for trial in trials) >= seconds:
                return trials
            piece = slice(int(frames[0]), int(frames[-1]) + 1)
            styles = None if stretch.style is None else [stretch.style] * len(frames)
            path = ControlPath.from_velocities(corpus.control[piece].astype(float), corpus.fps, styles=styles)
            name = f"{stretch.name.rpartition('/')[2].removesuffix('.bvh')} {number + 1}/{count}"
            clip = corpus.encoding.decode(corpus.pose[piece], path, name)
            trials.append(Trial(name, path, clip, stretch.name, stretch.performer or None))
    return trials


def synthetic(reach: ControlRange, fps: float, *, seconds: float) -> list[Trial]:
    """Returns the trials of the seven synthetic controls."""
    return [Trial(name, path) for name, path in evaluation_paths(reach, fps, seconds=seconds).items()]


def wander(reach: ControlRange, fps: float, *, seconds: float) -> Trial:
    """Returns the trial of the wander."""
    return Trial("wander", wander_path(reach, fps, seconds=seconds))
