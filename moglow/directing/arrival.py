"""Leads a stretch of motion into a pose exactly, the feet during their last step. Needs numpy alone."""

from dataclasses import dataclass

import numpy as np

from moglow.corpus.context import Context
from moglow.maths.signals import Flags, runs
from moglow.motion.contacts import contacts
from moglow.paths.control_path import ControlPath
from moglow.sampling.fast.folded import Floats


@dataclass(frozen=True)
class ArrivalSpec:
    """Over how long a miss is made up for. Times are seconds."""

    shortest: float = 0.3
    longest: float = 0.9
    swing: float = 0.25
    """A foot that left the ground less than this before the end had better stood elsewhere."""
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
        steps = _steps(contacts(clip), shares[:, 0], round(spec.swing * fps))
        _move_feet(context, poses, path, off, steps, toes, out)
    out[-1] = wanted
    return out


def _rise(frames: int, taken: float) -> Floats:
    """A smooth way ``(n,)`` from 0 to 1 at the last frame, over so many frames or all there are."""
    at = np.clip(1 + (np.arange(frames) - (frames - 1)) / min(taken, max(frames - 1, 1)), 0.0, 1.0)
    return np.asarray(at**3 * (10 - 15 * at + 6 * at**2), np.float32)


def _steps(planted: Flags, otherwise: Floats, swing: int) -> Floats:
    """The shares ``(n, L)`` of its move that each foot has made: it moves only while it is in the air.

    A foot that is in the air for less than ``swing`` frames at the end moves in the step before that stand.
    """
    frames, steps = len(planted), np.repeat(otherwise[:, None], planted.shape[1], axis=1)
    for leg in range(planted.shape[1]):
        stands = runs(planted[:, leg])
        if not stands or frames - stands[-1][1] >= swing:  # in the air at the end
            lifted, landed = stands[-1][1] if stands else 0, frames
        elif stands[-1][0] > 0:
            lifted, landed = stands[-2][1] if len(stands) > 1 else 0, stands[-1][0]
        else:
            continue  # it has no step in which to move
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
