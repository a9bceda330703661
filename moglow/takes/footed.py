"""Takes with directed feet: they follow footprints, stand on a ground, or have their footprints written.

They are made as a whole and not in blocks, so their duration is limited to `LONGEST` seconds.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moglow.checkpoint import Checkpoint
from moglow.errors import ControlError
from moglow.footsteps.files import read_footprints
from moglow.footsteps.following import CHOICE, check_alike, follow_footprints, on_flat, unlike
from moglow.footsteps.footprints import Footprint, Footprints, foot_names, footprints
from moglow.footsteps.holds import HoldSpec
from moglow.footsteps.soles import feet_of
from moglow.footsteps.standing import Stood, stand_on
from moglow.ground.surface import Ground
from moglow.maths.rotations import Array
from moglow.measures.metrics import jerk, path_error, toe_slide
from moglow.measures.on_ground import OnGround, on_ground
from moglow.measures.tally import Measured
from moglow.motion.clip import Clip
from moglow.motion.contacts import toe_points
from moglow.motion.foot_lock import bent_toes, lock_feet
from moglow.motion.retarget import retarget
from moglow.motion.skeleton import Skeleton
from moglow.paths.control_path import ControlPath
from moglow.sampling.generate import LOCK
from moglow.sampling.on_ground import LONGEST, walk_over
from moglow.sampling.sampler import Sampler, Track
from moglow.sampling.sanity import refuse_wild


@dataclass(frozen=True, eq=False)
class Footed:
    """A motion with its footprints, the path that it follows, and its figures."""

    clip: Clip
    path: ControlPath
    prints: Footprints
    measured: Measured
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def figures(self) -> dict[str, Any]:
        """Returns the figures as plain numbers, for a sidecar."""
        return {**self.measured.figures, **self.more}


def footed(
    sampler: Sampler,
    model: Checkpoint,
    track: Track,
    requested: Footprints | None,
    ground: Ground | None,
    rig: Clip | None = None,
    *,
    foot_lock: bool = True,
    implied: bool = False,
) -> Footed:
    """Makes a motion whose feet follow footprints, stand on a ground, or both.

    Args:
        sampler: samples the motion.
        model: the sampler's checkpoint.
        track: the path, seed and take.
        requested: the requested footprints, of a figure with the rig's feet.
        ground: the ground below the figure.
        rig: the skeleton of the result; by default the model's.
        foot_lock: whether feet are locked, as footprints and a ground require.
        implied: whether the path is implied by the footprints; then the take with the most similar steps is used.
    """
    if track.path.duration > LONGEST:
        raise ControlError(
            f"path: {track.path.duration:.0f} s with directed feet; give at most {LONGEST:.0f}"
        )
    takes = [replace(track, take=track.take * CHOICE + k) for k in range(CHOICE)] if implied else [track]
    tried = [_sampled(sampler, model, each, ground) for each in takes]
    flats = [_on_floor(clip, rig, foot_lock) for clip, _, _ in tried]
    best = int(np.argmin([unlike(flat, requested or ()) for flat in flats])) if implied else 0
    (sampled, path, nats), clip = tried[best], flats[best]
    before, more = toe_slide(toe_points(sampled), sampled.fps), dict[str, Any]()
    prints = footprints(clip)
    if requested is not None:
        requested = on_flat(requested, ground)
        check_alike(clip, requested)
        followed = follow_footprints(clip, requested)
        clip, path, prints = followed.clip, followed.along(path), followed.prints
        nats = nats[np.clip(np.round(followed.frames).astype(int), 0, len(nats) - 1)]
        more["footprints_followed"] = followed.figures
    slide = toe_slide(toe_points(clip), clip.fps)
    if ground is not None:
        stood = stand_on(clip, ground, HoldSpec(farthest=0.0) if requested is not None else HoldSpec())
        clip, prints = stood.clip, stood.prints
        figures = _on_ground(stood, ground)
        slide, more["on_ground"] = figures.slide, figures.figures
    error = path_error(clip.ground_positions(), path.positions)
    return Footed(
        clip, path, prints, Measured(error, before, slide, jerk(clip.world_positions, clip.fps), nats), more
    )


def _sampled(
    sampler: Sampler, model: Checkpoint, track: Track, ground: Ground | None
) -> tuple[Clip, ControlPath, NDArray[np.float64]]:
    """Returns a sampled motion on a flat floor, its path and its likelihoods."""
    if ground is not None:
        walked = walk_over(sampler, model, track, ground)
        return walked.clip, walked.path, walked.nats
    poses, nats = (np.concatenate(part) for part in zip(*sampler.sample([track]), strict=True))
    refuse_wild(poses, model.context, 0)
    return model.context.encoding.decode(poses, track.path), track.path, nats.astype(float)


def _on_floor(clip: Clip, rig: Clip | None, foot_lock: bool) -> Clip:
    held = bent_toes(lock_feet(clip, spec=LOCK)) if foot_lock else clip
    return retarget(held, rig.skeleton, like=rig, keep_path=True) if rig else held


def _on_ground(stood: Stood, ground: Ground) -> OnGround:
    toes, turns, bends = feet_of(stood.clip)
    soles: Array = stood.soles.points(toes, turns, bends)
    return on_ground(stood.clip, ground, stood.planted, stood.soles.standing, soles)


def as_prints(given: str | Path | Sequence[Footprint], skeleton: Skeleton) -> Footprints:
    """Returns footprints of a figure, given as values or a file."""
    if isinstance(given, str | Path):
        return read_footprints(given, foot_names(skeleton))
    if not given:
        raise ControlError("footprints: there are none; give at least one, or leave them out")
    return tuple(given)
