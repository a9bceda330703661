"""The positions of toes and their contacts with the ground. Needs numpy alone."""

from dataclasses import dataclass

import numpy as np

from moglow.anatomy.anatomy import Leg
from moglow.errors import SkeletonError
from moglow.maths.rotations import Array, quat_rotate
from moglow.maths.signals import Flags, quantile, runs
from moglow.motion.clip import Clip
from moglow.motion.skeleton import Skeleton


@dataclass(frozen=True)
class ContactSpec:
    """The limits of a contact. Lengths are relative to the leg's length (0.85 m for a man), times are in seconds."""

    low: float = 0.04
    """Largest height above its floor at which a toe lands; markers and skin vary by 2 cm."""
    high: float = 0.08
    """Height at which a planted toe leaves; the ball of the foot rises a little before the tip."""
    slow: float = 0.2
    """Largest speed, in leg lengths a second, at which a toe lands."""
    fast: float = 0.7
    """Speed at which a planted toe leaves; a swinging toe exceeds it within a frame or two."""
    body: float = 0.25
    """Share of the hips' speed that is added to `slow` and `fast`, since generated feet slide with the body. A swinging
    foot has twice the body's speed."""
    gap: float = 0.1
    """Longest gap between contacts that are joined if the toe stays below `high` and `fast`."""
    shortest: float = 0.08
    """Shortest contact; a runner's lasts at least 0.15 s."""


def legs_of(skeleton: Skeleton, name: str = "") -> tuple[Leg, ...]:
    """Returns the skeleton's legs; raises a SkeletonError, with the name of the file, if it has none."""
    if not skeleton.anatomy.legs:
        raise SkeletonError(
            f"{name}{': ' if name else ''}no leg was found (hip, knee and ankle in one chain, not all at one place); "
            "name its joints in a map file"
        )
    return skeleton.anatomy.legs


def leg_lengths(skeleton: Skeleton) -> Array:
    """Returns the length ``(L,)`` of each leg: the sum of all bones between hip and ankle."""
    lengths = []
    for leg in legs_of(skeleton):
        joint, length = leg.ankle, 0.0
        while joint != leg.hip:
            length += skeleton.bone_lengths[joint]
            joint = skeleton.parents[joint]
            if joint < 0:
                raise SkeletonError(
                    f"{skeleton.names[leg.ankle]} is not below {skeleton.names[leg.hip]}, so they are no leg; "
                    "name other joints in the map file"
                )
        lengths.append(length)
    return np.array(lengths)


def toe_points(clip: Clip) -> Array:
    """Returns the world positions ``(T, L, 3)`` of the toe joints; without one, of the foot's end site or the ankle.

    >>> from moglow.motion.skeleton import Skeleton
    >>> names = ("Hips", *(f"{s}{j}" for s in ("Left", "Right") for j in ("UpLeg", "Leg", "Foot", "Toe")))
    >>> leg = [[0.1, 0, 0], [0, -0.4, 0], [0, -0.4, 0], [0, -0.1, 0.15]]
    >>> offsets = [[0, 0.9, 0], *leg, *(np.array(leg) * [-1, 1, 1])]
    >>> walker = Skeleton(names, (-1, 0, 1, 2, 3, 0, 5, 6, 7), offsets)
    >>> toe_points(Clip.at_rest(walker))[0].round(2).tolist()
    [[0.1, 0.0, 0.15], [-0.1, 0.0, 0.15]]
    """
    world, rotations = clip.world()
    points = []
    for leg in legs_of(clip.skeleton):
        tips = [np.array(tip) for joint, tip in clip.skeleton.end_sites if joint == leg.ankle]
        if leg.toe is not None:
            points.append(world[:, leg.toe])
        elif tips:
            points.append(world[:, leg.ankle] + quat_rotate(rotations[:, leg.ankle], tips[0]))
        else:
            points.append(world[:, leg.ankle])
    return np.stack(points, axis=1)


def toe_floor(toes: Array) -> Array:
    """Returns the height ``(L,)`` of each planted toe, given toes ``(T, L, 3)``: the lowest height without outliers.

    The height for a foot that is never planted is within 3 cm of the others'.
    """
    lowest = quantile(toes[..., 1], 0.05)
    floor: Array = np.minimum(lowest, lowest.min() + 0.03)
    return floor


def contacts(
    clip: Clip,
    *,
    floor: Array | None = None,
    spec: ContactSpec = ContactSpec(),
    toes: Array | None = None,
) -> Flags:
    """Returns whether each foot is planted in each frame ``(T, L)``, in the order of ``skeleton.anatomy.legs``.

    A foot is planted while its toe is low and slow, and over short gaps in which it is neither high nor fast
    (hysteresis, symmetric in time). ``floor`` is the height ``(L,)`` of planted toes, by default `toe_floor` of the
    clip, so that the floor need not be at height 0. ``toes`` are the clip's `toe_points` if they are known.
    """
    toes, lengths = toe_points(clip) if toes is None else toes, leg_lengths(clip.skeleton)
    hips = clip.world_positions[:, [clip.skeleton.hips]]
    height = (toes[..., 1] - (toe_floor(toes) if floor is None else floor)) / lengths
    speed = (ground_speed(toes, clip.fps) - spec.body * ground_speed(hips, clip.fps)) / lengths
    planted = (height < spec.low) & (speed < spec.slow)
    loose = (height < spec.high) & (speed < spec.fast)
    for leg in range(planted.shape[1]):
        for start, stop in _inner_runs(~planted[:, leg], longest=spec.gap * clip.fps):
            planted[start:stop, leg] = loose[start:stop, leg].all()
        for start, stop in _inner_runs(planted[:, leg], longest=spec.shortest * clip.fps):
            planted[start:stop, leg] = False
    return planted


def _inner_runs(flags: Flags, longest: float) -> list[tuple[int, int]]:
    """Returns the short runs that do not touch the clip's ends, where the true length is unknown."""
    return [(a, b) for a, b in runs(flags) if a > 0 and b < len(flags) and b - a <= longest + 1e-6]


def ground_speed(points: Array, fps: float) -> Array:
    """Returns the horizontal speed ``(T, ...)`` of points ``(T, ..., 3)``, over 1/30 s before and after."""
    reach = max(1, round(fps / 30))
    frames = np.arange(len(points))
    after, before = np.minimum(frames + reach, len(points) - 1), np.maximum(frames - reach, 0)
    way = np.linalg.norm((points[after] - points[before])[..., [0, 2]], axis=-1)
    seconds = np.maximum(after - before, 1) / fps
    speed: Array = way / seconds.reshape(-1, *(1,) * (way.ndim - 1))
    return speed
