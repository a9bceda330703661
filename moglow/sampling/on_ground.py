"""Samples motion over a ground: on a flat floor with steps that fit the treads, then moved onto the ground.

On stairs the model walks slowly, and its steps are scaled so that each advances by one tread. Needs numpy alone.
"""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from moglow.checkpoint import Checkpoint
from moglow.encodings.stride import with_stride
from moglow.errors import ControlError
from moglow.footsteps.footprints import footprints
from moglow.ground.surface import Ground
from moglow.ground.treads import Stairway, over_ground
from moglow.motion.clip import Clip
from moglow.paths.control_path import ControlPath
from moglow.sampling.sampler import Sampler, Track
from moglow.sampling.sanity import refuse_wild

SPEED, STEP = 0.8, 0.5
"""Speed in m/s of the gait on stairs, and the default length of its steps in metres."""
STEPS = (0.25, 0.9)
"""Range of plausible step lengths in metres."""
PROBE = 6.0
"""Duration in seconds of the motion in which the steps of that gait are measured."""
LONGEST = 600.0
"""Largest duration in seconds of a motion over a ground, which is made as a whole."""


@dataclass(frozen=True, eq=False)
class Walked:
    """A motion on a flat floor along the path over a ground, before the foot lock: its clip and likelihoods (T,)."""

    clip: Clip
    path: ControlPath
    nats: NDArray[np.float64]


def walk_over(sampler: Sampler, checkpoint: Checkpoint, track: Track, ground: Ground) -> Walked:
    """Returns a motion along a path, with steps as long as the ground's treads."""
    way, encoding = way_over(sampler, checkpoint, track, ground), checkpoint.context.encoding
    sampled = [*sampler.sample([replace(track, path=way.gait())])]
    poses, nats = (np.concatenate(part) for part in zip(*sampled, strict=True))
    refuse_wild(poses, checkpoint.context, 0)
    short = with_stride(encoding, poses, 1 / way.stretch)
    return Walked(encoding.decode(short, way.path), way.path, nats.astype(float))


def way_over(sampler: Sampler, checkpoint: Checkpoint, track: Track, ground: Ground) -> Stairway:
    """Returns the path of a take over a ground, with its times and step lengths."""
    path = track.path
    check_path(path, ground)
    way = over_ground(path, ground, step=STEP, speed=SPEED)
    if way.on_treads.any():
        way = over_ground(path, ground, step=step_length(sampler, checkpoint, track), speed=SPEED)
    if way.path.duration > LONGEST:
        raise ControlError(f"path: {way.path.duration:.0f} s over a ground; give at most {LONGEST:.0f}")
    return way


def step_length(sampler: Sampler, checkpoint: Checkpoint, track: Track) -> float:
    """Returns the median length in metres of a take's steps at the speed of the gait on stairs."""
    rows = np.tile([SPEED, 0.0, 0.0], (round(PROBE * sampler.fps), 1))
    styles = track.path.styles and track.path.styles[:1] * len(rows)
    path = ControlPath.from_velocities(rows, sampler.fps, styles=styles)
    poses = np.concatenate([pose for pose, _ in sampler.sample([replace(track, path=path)])])
    clip = checkpoint.context.encoding.decode(poses, path)
    lengths = [
        float(np.hypot(second.x - first.x, second.z - first.z))
        for first, second in pairwise(footprints(clip))
        if first.leg != second.leg
    ]
    return float(np.clip(np.median(lengths), *STEPS)) if lengths else STEP


def check_path(path: ControlPath, ground: Ground) -> None:
    """Raises an error for a path that leaves the ground."""
    there = ground.covers(*path.positions.T)
    if not there.all():
        frame = int(np.argmin(there))
        x, z = path.positions[frame]
        raise ControlError(
            f"ground {ground.name}: the path leaves it at {frame / path.fps:.1f} s (x {x:.2f}, z {z:.2f}); move one"
        )
