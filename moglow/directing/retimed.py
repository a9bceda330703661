"""Motion whose steps are shortened or lengthened, so that a pose comes at another time. Needs numpy alone."""

import numpy as np

from moglow.corpus.context import Context
from moglow.maths.rotations import Array, wrap_angle
from moglow.maths.signals import Flags, runs, sample_cubic
from moglow.motion.contacts import contacts
from moglow.paths.control_path import ControlPath
from moglow.sampling.fast.folded import Floats

EASE = 0.2
"""Share of the time at either end in which the rate of the motion changes from and to its usual one."""


def retimed(
    context: Context, poses: Floats, path: ControlPath, at: int, shift: int, wanted: Floats
) -> Floats:
    """Returns poses ``(m, D)`` of which frame ``at`` is frame ``at + shift`` of the given poses ``(n, D)``.

    The body keeps its poses relative to the path and passes through them at another rate. Planted feet do not move in
    the world; their steps are shorter or longer than in the original motion. ``m`` is ``n - max(0, shift)``.

    Args:
        context: the context of the model.
        poses: standardised poses; the first one follows the motion before the stretch.
        path: the positions of the frames ``(n,)``.
        at: the frame whose pose is moved to.
        shift: the number of frames by which the motion is hastened; negative if it is delayed.
        wanted: the pose ``(D,)`` that is required in frame ``at``; feet that are planted then stand as in it.
    """
    times = _times(len(poses) - max(0, shift), at, shift)
    out = np.asarray(sample_cubic(poses.astype(float), np.clip(times, 0, len(poses) - 1)), np.float32)
    groups = [context.encoding.slice(name) for name in ("toe_x", "toe_z", "foot_yaw")]
    legs = groups[0].stop - groups[0].start
    if not legs or legs != len(context.encoding.skeleton.anatomy.legs):
        return out
    own = contacts(context.encoding.decode(context.physical_pose(poses), path[: len(poses)]))
    planted, path = own[np.clip(np.round(times).astype(int), 0, len(own) - 1)], path[: len(out)]
    world = _in_world(context, out, path, groups)
    ends = _in_world(context, np.stack([poses[0], wanted]), _both(path, at), groups)
    for leg in range(legs):
        world[:, leg] += _offsets(world[:, leg], planted[:, leg], ends[:, leg], at)
    _write(context, out, path, groups, world)
    return out


def _times(frames: int, at: int, shift: int) -> Array:
    """Returns the frame of the original motion ``(n,)`` that is shown in each frame."""
    u = np.clip(np.arange(1, frames + 1) / (at + 1), 0.0, 1.0)
    rise = np.minimum(u, EASE) ** 2 / 2 + EASE * np.clip(u - EASE, 0, 1 - 2 * EASE)
    rise += np.where(u > 1 - EASE, EASE**2 / 2 - (1 - u) ** 2 / 2, 0.0)
    return np.asarray(np.arange(frames) + shift * rise / (EASE * (1 - EASE)))


def _offsets(world: Array, planted: Flags, ends: Array, at: int) -> Array:
    """Returns the offsets ``(n, 3)`` of x, z and yaw of a foot that keep it in its place while it is planted."""
    frames, knots = len(world), []
    for start, stop in runs(planted):
        middle = world[(start + stop - 1) // 2]
        holds_start, holds_end = start == 0, start <= at < stop
        place = ends[0] if holds_start else ends[1] if holds_end else middle
        knots.append((start, stop - 1, _moved(world[start:stop], place)))
    if not any(start <= at <= last for start, last, _ in knots):
        knots.append((at, at, _moved(world[at : at + 1], ends[1])))
    knots.sort(key=lambda knot: knot[0])
    out, before, value, slope = np.zeros((frames, 3)), -1, np.zeros(3), np.zeros(3)
    for start, last, held in knots:
        enters = (held[1] - held[0]) if len(held) > 1 else np.zeros(3)
        out[before + 1 : start] = _between(start - before, value, slope, held[0], enters)
        out[start : last + 1] = held
        before, value = last, held[-1]
        slope = (held[-1] - held[-2]) if len(held) > 1 else np.zeros(3)
    out[before + 1 :] = value
    return out


def _moved(world: Array, place: Array) -> Array:
    """Returns the offsets ``(n, 3)`` from x, z and yaw ``(n, 3)`` to a place."""
    off = place - world
    off[:, 2] = wrap_angle(off[:, 2])
    return np.asarray(off)


def _between(frames: int, value: Array, slope: Array, end: Array, enters: Array) -> Array:
    """Returns the cubic ``(frames - 1, 3)`` between two values with given changes per frame."""
    s = (np.arange(1, frames) / frames)[:, None]
    return np.asarray(
        value * (1 + 2 * s) * (1 - s) ** 2
        + frames * slope * s * (1 - s) ** 2
        + end * s**2 * (3 - 2 * s)
        + frames * enters * s**2 * (s - 1)
    )


def _both(path: ControlPath, at: int) -> ControlPath:
    """Returns the first frame of a path and another one."""
    return ControlPath(path.positions[[0, at]], path.headings[[0, at]], path.fps)


def _in_world(context: Context, poses: Floats, path: ControlPath, groups: list[slice]) -> Array:
    """Returns x, z and yaw ``(n, L, 3)`` of the feet in the world."""
    physical = np.asarray(context.physical_pose(poses), float)
    x, z, yaw = (physical[:, group] for group in groups)
    cosine, sine = np.cos(path.headings)[:, None], np.sin(path.headings)[:, None]
    parts = cosine * x + sine * z, cosine * z - sine * x, yaw + path.headings[:, None]
    return np.stack(parts, axis=-1) + np.pad(path.positions, ((0, 0), (0, 1)))[:, None]


def _write(context: Context, poses: Floats, path: ControlPath, groups: list[slice], world: Array) -> None:
    """Writes x, z and yaw ``(n, L, 3)`` of the feet in the world into poses ``(n, D)``."""
    away = world - np.pad(path.positions, ((0, 0), (0, 1)))[:, None]
    cosine, sine = np.cos(path.headings)[:, None], np.sin(path.headings)[:, None]
    parts = (
        cosine * away[..., 0] - sine * away[..., 1],
        cosine * away[..., 1] + sine * away[..., 0],
        away[..., 2] - path.headings[:, None],
    )
    mean, deviation = np.asarray(context.pose_mean), np.asarray(context.pose_deviation)
    for group, part in zip(groups, parts, strict=True):
        poses[:, group] = (part - mean[group]) / deviation[group]
