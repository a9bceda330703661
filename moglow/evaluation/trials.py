"""The controls that models are judged by: held-out ones, seven synthetic ones, a five-minute wander.

Each is a path, so that every model, whatever its encoding, and motion copied from the training set get the same.
"""

from dataclasses import dataclass

import numpy as np

from moglow.corpus.corpus import Corpus
from moglow.motion.clip import Clip
from moglow.paths.control_path import ControlPath
from moglow.paths.control_range import ControlRange
from moglow.paths.presets import preset

WALK = 1.2
"""m/s, a comfortable walk."""
PIECE = 20.0
"""Seconds: longer held-out clips are judged in equal pieces no longer than this."""
SHORTEST = 2.0
"""Seconds: shorter held-out clips say little about feet and hold no footstep curve."""
SYNTHETIC: dict[str, str] = {
    "stand": "stand:seconds={seconds}",
    "side": "side:speed=0.5,seconds={seconds}",
    "walk": "line:speed=1.2,seconds={seconds}",
    "run": "line:speed=3.3,seconds={seconds}",  # as most recorded runs; between 2 and 3 m/s nobody moves
    "back": "back:speed=0.8,seconds={seconds}",
    "turn, walking": "circle:r=2,speed=1.2,seconds={seconds}",
    "turn, on the spot": "turn:angle=-1440,rate=90,seconds={seconds}",
}
"""The seven synthetic controls of the MoGlow paper, as presets; they begin and end at rest, as a user's do."""
MINUTE = 60.0
"""Seconds after which the wander asks for the same again, so that its first and last minute compare."""


@dataclass(frozen=True, eq=False)
class Trial:
    """A path to walk, and the real motion along it where there is one."""

    name: str
    path: ControlPath
    real: Clip | None = None

    @property
    def seconds(self) -> float:
        return len(self.path) / self.path.fps


def held_out(corpus: Corpus, *, seconds: float = np.inf) -> list[Trial]:
    """Held-out motion in pieces, the longest clips first, up to so many seconds in all; none where all are short."""
    trials: list[Trial] = []
    for stretch in sorted(corpus.split("val"), key=len, reverse=True):
        if len(stretch) < SHORTEST * corpus.fps:
            break
        count = int(np.ceil(len(stretch) / (PIECE * corpus.fps)))
        for number, frames in enumerate(np.array_split(np.arange(stretch.start, stretch.stop), count)):
            if sum(trial.seconds for trial in trials) >= seconds:
                return trials
            piece = slice(int(frames[0]), int(frames[-1]) + 1)
            styles = None if stretch.style is None else [stretch.style] * len(frames)
            path = ControlPath.from_velocities(corpus.control[piece].astype(float), corpus.fps, styles=styles)
            name = f"{stretch.name.rpartition('/')[2].removesuffix('.bvh')} {number + 1}/{count}"
            trials.append(Trial(name, path, corpus.encoding.decode(corpus.pose[piece], path, name)))
    return trials


def synthetic(reach: ControlRange, fps: float, *, seconds: float) -> list[Trial]:
    """The seven synthetic controls; where one asks for more than was seen it is slowed down until it fits."""
    paths = {name: preset(text.format(seconds=seconds), fps) for name, text in SYNTHETIC.items()}
    return [
        Trial(name, reach.slowed(path)[: round(seconds * fps) + 1] if reach.warnings(path) else path)
        for name, path in paths.items()
    ]


def wander(reach: ControlRange, fps: float, *, seconds: float) -> Trial:
    """Minutes of walking about, turning and stopping, each minute asking for the same as the one before."""
    turns = 2 * np.pi * (np.arange(round(seconds * fps)) / fps % MINUTE) / MINUTE
    going = np.clip(0.65 + 0.55 * np.sin(3 * turns) + 0.25 * np.sin(7 * turns + 1.0), 0.0, 1.0)
    turning = 0.6 * np.sin(2 * turns + 0.5) + 0.4 * np.sin(5 * turns)
    walking, fastest = min(0.7 * reach.forward, WALK), min(0.5 * reach.turn, 1.0)
    velocities = np.stack([walking * going, 0 * turns, fastest * turning], axis=-1)
    return Trial("wander", ControlPath.from_velocities(velocities, fps))
