"""Recorded stops whose last step is too short, so that the foot takes another one. Needs numpy alone.

People plan a stop some steps ahead, and stand with their feet side by side. A drawn path stops at any phase of the
gait, and a model that has seen only planned stops stands with one foot behind. Here the last swing of a recorded stop
ends early; the foot stands for a moment, and a short step brings it to its recorded place.
"""

import numpy as np

from moglow.corpus.splicing import swings
from moglow.encodings.encoding import Encoding, Features
from moglow.maths.signals import eased, runs

MISSING, AT_MOST = (0.08, 0.3), 0.75
"""Distance in metres that the last step is short of, in a range, and its largest share of the step."""
SHORTEST = 0.2
"""Shortest duration in seconds of a swing that counts as a step."""
PAUSE, DURATION, LIFT = (0.06, 0.36), (0.33, 0.46), 0.055
"""Ranges in seconds of the pause before the further step and of its duration, and its height in metres."""


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
    pause, duration, missing = (generator.uniform(*bounds) for bounds in (PAUSE, DURATION, MISSING))
    if not steps:
        return None
    stop, start, foot = max(steps)
    again, frames = stop + pause * fps, np.arange(len(features.pose))
    ahead, height = (encoding.slice(group).start + foot for group in ("toe_z", "toe_height"))
    gone = features.pose[stop, ahead] - features.pose[start, ahead] if stop < len(frames) else 0.0
    gone += features.control[start:stop, 0].sum() / fps
    missing = min(missing, AT_MOST * gone)
    if missing < MISSING[0] or again + duration * fps > len(frames):
        return None
    share = np.clip((frames - again) / (duration * fps), 0.0, 1.0)
    pose = np.array(features.pose)
    pose[:, ahead] -= missing * (eased(np.clip((frames - start) / (stop - start), 0.0, 1.0)) - eased(share))
    pose[:, height] += LIFT * np.sin(np.pi * share) ** 2
    return Features(pose, features.control)
