"""Changes a stretch of motion to end exactly in a pose; feet move during their last step. Needs numpy alone."""

from dataclasses import dataclass

import numpy as np

from moglow.corpus.context import Context
from moglow.maths.signals import Flags, runs
from moglow.motion.contacts import contacts
from moglow.paths.control_path import ControlPath
from moglow.sampling.fast.folded import Floats


@dataclass(frozen=True)
class ArrivalSpec:
    """The duration of the correction. Times are in seconds."""

    shortest: float = 0.3
    longest: float = 0.9
    swing: float = 0.25
    """Shortest time in the air at the end for moving a foot; with less time it is moved in the step before."""
    slow: float = 1.5
    """Largest rate of the correction, in deviations a second of the channel with the largest error."""


def arrive(
    context: Context, poses: Floats, path: ControlPath, wanted: Floats, *, spec: ArrivalSpec = ArrivalSpec()
) -> Floats:
    """Returns standardised poses ``(n, D)`` of a stretch, changed so that the last one is ``wanted`` ``(D,)``.

    ``path`` contains the position of each frame. The error of the last frame is corrected over the frames before it. A
    foot that is planted at the end is moved during the preceding step, so that it does not slide.
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
    """Returns a smooth curve ``(n,)`` from 0 to 1 at the last frame, over ``taken`` frames or all if they are fewer."""
    at = np.clip(1 + (np.arange(frames) - (frames - 1)) / min(taken, max(frames - 1, 1)), 0.0, 1.0)
    return np.asarray(at**3 * (10 - 15 * at + 6 * at**2), np.float32)


def _steps(planted: Flags, otherwise: Floats, swing: int) -> Floats:
    """Returns the share ``(n, L)`` of its correction that each foot reaches in each frame; it changes only in the air.

    A foot that is in the air for less than ``swing`` frames at the end is moved in the step before its last contact.
    """
    frames, steps = len(planted), np.repeat(otherwise[:, None], planted.shape[1], axis=1)
    for leg in range(planted.shape[1]):
        stands = runs(planted[:, leg])
        if not stands or frames - stands[-1][1] >= swing:  # the foot is in the air at the end
            lifted, landed = stands[-1][1] if stands else 0, frames
        elif stands[-1][0] > 0:
            lifted, landed = stands[-2][1] if len(stands) > 1 else 0, stands[-1][0]
        else:
            continue  # there is no step for the correction
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
    """Writes x, z and yaw of the feet into ``out``: errors in the world, converted to the path's frame of each pose."""
    x, z, yaw = toes
    deviation = np.asarray(context.pose_deviation)
    turn = (path.headings[-1] - path.headings)[:, None]
    along_x, along_z = off[x] * deviation[x], off[z] * deviation[z]
    cosine, sine = np.cos(turn), np.sin(turn)
    out[:, x] = poses[:, x] + steps * (cosine * along_x + sine * along_z) / deviation[x]
    out[:, z] = poses[:, z] + steps * (cosine * along_z - sine * along_x) / deviation[z]
    out[:, yaw] = poses[:, yaw] + steps * off[yaw]
