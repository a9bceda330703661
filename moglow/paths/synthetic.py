"""Synthetic controls for evaluations and for validations during training, and a wandering path.

The two sets differ on purpose. An evaluation uses the seven controls of the MoGlow paper as paths that begin and end at
rest, like the paths of users. A validation uses constant velocities within the range of the corpus and no run, since
the fast feet of a runner in flight would be counted as foot slide and would hide the slide of the other controls.
"""

import numpy as np

from moglow.maths.rotations import Array
from moglow.paths.control_path import ControlPath
from moglow.paths.control_range import ControlRange
from moglow.paths.presets import preset

WALK = 1.2
"""Speed of a comfortable walk in m/s."""

MINUTE = 60.0
"""Period of the wander in seconds, so that its first and last minute can be compared."""

STOP_AND_GO = 8.0
"""Seconds from one stop to the next."""

EVALUATION_PRESETS: dict[str, str] = {
    "stand": "stand:seconds={seconds}",
    "side": "side:speed=0.5,seconds={seconds}",
    "walk": "line:speed=1.2,seconds={seconds}",
    "run": "line:speed=3.3,seconds={seconds}",  # the speed of most recorded runs; few are at 2 to 3 m/s
    "back": "back:speed=0.8,seconds={seconds}",
    "turn, walking": "circle:r=2,speed=1.2,seconds={seconds}",
    "turn, on the spot": "turn:angle=-1440,rate=90,seconds={seconds}",
}
"""The seven synthetic controls of the MoGlow paper, as presets."""


def evaluation_paths(reach: ControlRange, fps: float, *, seconds: float) -> dict[str, ControlPath]:
    """Returns the seven controls of an evaluation by name; one that exceeds the range is slowed down."""
    paths = {name: preset(text.format(seconds=seconds), fps) for name, text in EVALUATION_PRESETS.items()}
    return {
        name: reach.slowed(path)[: round(seconds * fps) + 1] if reach.warnings(path) else path
        for name, path in paths.items()
    }


def validation_velocities(reach: ControlRange, fps: float, *, frames: int) -> dict[str, Array]:
    """Returns the velocities (frames, 3), float32, of the controls of a validation by name.

    The last, stop and go, is the hardest; a model that ignores its control can do well on all the others.
    """
    walking = min(0.7 * reach.forward, WALK)
    constant = {
        "stand": (0.0, 0.0, 0.0),
        "walk": (walking, 0.0, 0.0),
        "circle": (0.8 * walking, 0.0, 0.25 * reach.turn),
        "side-step left": (0.0, 0.5 * reach.sideways, 0.0),
        "side-step right": (0.0, -0.5 * reach.sideways, 0.0),
        "backward": (-0.5 * reach.backward, 0.0, 0.0),
    }
    velocities: dict[str, Array] = {
        name: np.tile(np.array(row, np.float32), (frames, 1)) for name, row in constant.items()
    }
    wave = -np.cos(2 * np.pi * np.arange(frames) / (STOP_AND_GO * fps))
    going = np.zeros((frames, 3), np.float32)
    going[:, 0] = walking * np.clip(0.5 + wave, 0.0, 1.0)
    return velocities | {"stop and go": going}


def wander_path(reach: ControlRange, fps: float, *, seconds: float) -> ControlPath:
    """Returns a path that walks, turns and stops, and whose velocities repeat every minute."""
    turns = 2 * np.pi * (np.arange(round(seconds * fps)) / fps % MINUTE) / MINUTE
    going = np.clip(0.65 + 0.55 * np.sin(3 * turns) + 0.25 * np.sin(7 * turns + 1.0), 0.0, 1.0)
    turning = 0.6 * np.sin(2 * turns + 0.5) + 0.4 * np.sin(5 * turns)
    walking, fastest = min(0.7 * reach.forward, WALK), min(0.5 * reach.turn, 1.0)
    velocities = np.stack([walking * going, 0 * turns, fastest * turning], axis=-1)
    return ControlPath.from_velocities(velocities, fps)
