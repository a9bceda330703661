"""Toes and their contacts with the ground: where each leg's toe is, and when it is planted. Needs numpy alone."""

from dataclasses import dataclass

import numpy as np

from moglow.anatomy.anatomy import Leg
from moglow.errors import SkeletonError
from moglow.maths.rotations import Array, quat_rotate
from moglow.maths.signals import Flags, runs
from moglow.motion.clip import Clip
from moglow.motion.skeleton import Skeleton


@dataclass(frozen=True)
class ContactSpec:
    """What counts as planted. Lengths are shares of the leg's length (0.85 m for a grown man), times are seconds."""

    low: float = 0.04
    """Above its floor a toe this low can land: markers and skin give and take 2 cm."""
    high: float = 0.08
    """A planted toe this high has left: the ball of the foot rises a little before the tip follows."""
    slow: float = 0.2
    """Leg lengths a second: a toe this slow can land."""
    fast: float = 0.7
    """A planted toe this fast has left; a swinging one passes it within a frame or two."""
    body: float = 0.25
    """Share of the hips' speed added to `slow` and `fast`: generated feet slide with the body that they carry, a
    swinging one is still at twice the body's speed."""
    gap: float = 0.1
    """Contacts this close together are one, if the toe stays below `high` and `fast` in between."""
    shortest: float = 0.08
    """What is shorter is a toe passing through: a runner's foot stays 0.15 s and more."""


def legs_of(skeleton: Skeleton) -> tuple[Leg, ...]:
    """The skeleton's legs; an error when there is none."""
    if not skeleton.anatomy.legs:
        raise SkeletonError(
            "no leg was found (hip, knee and ankle in one chain); name its joints in a map file"
        )
    return skeleton.anatomy.legs


def leg_lengths(skeleton: Skeleton) -> Array:
    """Length ``(L,)`` of thigh and shin: of all bones between hip and ankle, whatever the zero pose."""
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
    """World positions ``(T, L, 3)`` of each leg's toe joint; its foot's end site, or the ankle, where there is none.

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
    """Height ``(L,)`` of each toe of ``(T, L, 3)`` when it stands: its lowest, outliers apart.

    A foot that never comes down has its floor within 3 cm of the others'.
    """
    lowest = np.quantile(toes[..., 1], 0.05, axis=0)
    floor: Array = np.minimum(lowest, lowest.min() + 0.03)
    return floor


def contacts(clip: Clip, *, floor: Array | None = None, spec: ContactSpec = ContactSpec()) -> Flags:
    """Which feet are planted: booleans ``(T, L)``, legs in the order of ``skeleton.anatomy.legs``.

    A foot is planted where its toe is low and slow, and stays so over short gaps in which it is neither high nor fast
    (hysteresis, the same forwards and backwards). ``floor`` gives the height ``(L,)`` of standing toes; it is found
    from the clip otherwise, so that a floor off zero does no harm.
    """
    toes, lengths = toe_points(clip), leg_lengths(clip.skeleton)
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
    """Returns the short runs that the clip's ends do not cut off; the true length of the others is unknown."""
    return [(a, b) for a, b in runs(flags) if a > 0 and b < len(flags) and b - a <= longest + 1e-6]


def ground_speed(points: Array, fps: float) -> Array:
    """Horizontal speed ``(T, ...)`` of ``(T, ..., 3)``, over a thirtieth of a second to both sides."""
    reach = max(1, round(fps / 30))
    frames = np.arange(len(points))
    after, before = np.minimum(frames + reach, len(points) - 1), np.maximum(frames - reach, 0)
    way = np.linalg.norm((points[after] - points[before])[..., [0, 2]], axis=-1)
    seconds = np.maximum(after - before, 1) / fps
    speed: Array = way / seconds.reshape(-1, *(1,) * (way.ndim - 1))
    return speed
