"""Recorded stops with smaller steps, or a last step that is too short and followed by another. Needs numpy alone.

People plan a stop some steps ahead, and stand with their feet side by side. A drawn path stops at any phase of the
gait, and a model that has seen only planned stops stands with one foot behind. Here the last swing of a recorded stop
ends early; the foot stands for a moment, and a short step brings it to its recorded place. Smaller steps make it
learn that a foot is brought to the other from any distance.
"""

import numpy as np

from moglow.corpus.splicing import swings
from moglow.encodings.encoding import Encoding, Features
from moglow.maths.signals import eased, runs

MISSING, AT_MOST = (0.08, 0.3), 0.75
"""Distance in metres that the last step is short of, in a range, and its largest share of the step."""
SHORTEST = 0.2
"""Shortest duration in seconds of a swing that counts as a step."""
PAUSE, DURATION, LIFT = 0.1, 0.4, 0.055
"""Pause before the further step and its duration in seconds, and its height in metres. A pause of random duration would
leave a small probability in each frame, and a low temperature samples what is improbable too rarely."""
SMALLEST = 0.5
"""Smallest size of steps relative to the recorded ones."""


def with_smaller_steps(features: Features, encoding: Encoding, generator: np.random.Generator) -> Features:
    """Returns features with a shorter path and steps, which end in the recorded stand."""
    size = generator.uniform(SMALLEST, 1.0)
    pose, control = np.array(features.pose), np.array(features.control)
    ahead = pose[:, encoding.slice("toe_z")]
    end = ahead[-1]
    pose[:, encoding.slice("toe_z")] = end + size * (ahead - end)
    control[:, :2] *= size
    return Features(pose, control)


def with_short_last_step(
    features: Features, encoding: Encoding, fps: float, generator: np.random.Generator
) -> Features | None:
    """Returns features whose last step is too short and followed by another one, or None where there is no room."""
    swinging = swings(encoding, features, fps)
    steps = [
        (stop, start, foot)
        for foot in range(swinging.shape[1])
        for start, stop in runs(swinging[:, foot])
        if stop - start >= SHORTEST * fps
    ]
    missing = generator.uniform(*MISSING)
    if not steps:
        return None
    stop, start, foot = max(steps)
    again, frames = stop + PAUSE * fps, np.arange(len(features.pose))
    if again + DURATION * fps > len(frames):
        return None
    ahead, height = (encoding.slice(group).start + foot for group in ("toe_z", "toe_height"))
    gone = features.pose[stop, ahead] - features.pose[start, ahead]
    gone += features.control[start:stop, 0].sum() / fps
    missing = min(missing, AT_MOST * gone)
    if missing < MISSING[0]:
        return None
    share = np.clip((frames - again) / (DURATION * fps), 0.0, 1.0)
    pose = np.array(features.pose)
    pose[:, ahead] -= missing * (eased(np.clip((frames - start) / (stop - start), 0.0, 1.0)) - eased(share))
    pose[:, height] += LIFT * np.sin(np.pi * share) ** 2
    return Features(pose, features.control)
