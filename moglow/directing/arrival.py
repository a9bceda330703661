"""Leads a stretch of motion into a pose exactly, the feet during their last step. Needs numpy alone."""

from dataclasses import dataclass

import numpy as np

from moglow.corpus.context import Context
from moglow.maths.signals import Flags
from moglow.motion.contacts import contacts
from moglow.paths.control_path import ControlPath
from moglow.sampling.fast.folded import Floats


@dataclass(frozen=True)
class ArrivalSpec:
    """Over how long a miss is made up for. Times are seconds."""

    shortest: float = 0.3
    longest: float = 0.9
    slow: float = 1.5
    """Deviations a second at most, of the channel that is farthest off."""


def arrive(
    context: Context, poses: Floats, path: ControlPath, wanted: Floats, *, spec: ArrivalSpec = ArrivalSpec()
) -> Floats:
    """Standardised poses ``(n, D)`` of a stretch, the last of which is to be ``wanted`` ``(D,)`` and becomes it.

    ``path`` is where they go, frame by frame. The miss of the last frame is made up for over the last moments before
    it. A foot that stands at the end is moved during the step before, so that it stands where it will stand.
    """
    encoding, fps = context.encoding, context.fps
    off = np.asarray(wanted - poses[-1], np.float32)
    seconds = np.clip(float(np.abs(off).max()) / spec.slow, spec.shortest, spec.longest)
    shares = np.repeat(_rise(len(poses), seconds * fps)[:, None], len(off), axis=1)
    out = poses + shares * off
    toes = [encoding.slice(group) for group in ("toe_x", "toe_z", "foot_yaw")]
    legs = toes[0].stop - toes[0].start
    if legs and legs == len(encoding.skeleton.anatomy.legs):
        clip = encoding.decode(context.physical_pose(poses), path)
        steps = _steps(contacts(clip), shares[:, 0])
        _move_feet(context, poses, path, off, steps, toes, out)
    out[-1] = wanted
    return out


def _rise(frames: int, taken: float) -> Floats:
    """A smooth way ``(n,)`` from 0 to 1 at the last frame, over so many frames or all there are."""
    at = np.clip(1 + (np.arange(frames) - (frames - 1)) / min(taken, max(frames - 1, 1)), 0.0, 1.0)
    return np.asarray(at**3 * (10 - 15 * at + 6 * at**2), np.float32)


def _steps(planted: Flags, otherwise: Floats) -> Floats:
    """The shares ``(n, L)`` of its move that each foot has made: it moves only while it is in the air."""
    steps = np.repeat(otherwise[:, None], planted.shape[1], axis=1)
    frames = len(planted)
    for leg, stands in enumerate(planted.T):
        landed = frames - int(np.argmin(stands[::-1])) if not stands.all() else 0
        lifted = landed - int(np.argmax(stands[:landed][::-1])) if stands[:landed].any() else 0
        if stands.all():
            continue  # it has no step in which to move
        # In the air from `lifted` to `landed`, which may be the end of the stretch.
        steps[:lifted, leg], steps[landed:, leg] = 0.0, 1.0
        air = np.arange(1, landed - lifted + 1) / (landed - lifted + (landed < frames))
        steps[lifted:landed, leg] = air**3 * (10 - 15 * air + 6 * air**2)
    return steps


def _move_feet(
    context: Context,
    poses: Floats,
    path: ControlPath,
    off: Floats,
    steps: Floats,
    toes: list[slice],
    out: Floats,
) -> None:
    """Writes x, z and yaw of the feet into ``out``: their misses in the world, seen from each frame's path."""
    x, z, yaw = toes
    deviation = np.asarray(context.pose_deviation)
    turn = (path.headings[-1] - path.headings)[:, None]
    along_x, along_z = off[x] * deviation[x], off[z] * deviation[z]
    cosine, sine = np.cos(turn), np.sin(turn)
    out[:, x] = poses[:, x] + steps * (cosine * along_x + sine * along_z) / deviation[x]
    out[:, z] = poses[:, z] + steps * (cosine * along_z - sine * along_x) / deviation[z]
    out[:, yaw] = poses[:, yaw] + steps * off[yaw]
