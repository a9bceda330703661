"""Measures of one motion: feet, path, smoothness; pure functions, numpy alone.

SI units throughout: metres, seconds, radians. A figure says little by itself: print it beside that of real motion.
Toes are ``(T, L, 3)`` world positions as `contacts.toe_points` gives them.
"""

from dataclasses import dataclass

import numpy as np

from moglow.maths.rotations import Array, wrap_angle
from moglow.maths.signals import runs
from moglow.motion.clip import Clip
from moglow.motion.contacts import legs_of


@dataclass(frozen=True)
class Slide:
    """Horizontal speed of the lowest toe, m/s."""

    median: float
    mean: float


@dataclass(frozen=True)
class Skate:
    """Mean horizontal speed (m/s) of toes near the floor, and the share of them that is fast."""

    speed: float
    ratio: float


@dataclass(frozen=True)
class ToeHeight:
    """Height of the lowest toe over the floor (m)."""

    median: float
    p95: float


TOLERANCES: tuple[float, ...] = tuple(np.geomspace(0.01, 2.0, 100).tolist())
"""Heel speeds (m/s) at which steps are counted."""
SHORTEST_STEP = 0.1
"""Seconds that a step lasts at least; what is shorter is flicker."""
WALKING = 0.2
"""Mean speed (m/s) from which on a path says something about how fast feet should walk."""


@dataclass(frozen=True)
class Footsteps:
    """MoGlow's footstep count, the speed (m/s) below which 95 % of it is seen, and how long steps last there (s)."""

    count: int
    tolerance: float
    duration: float
    duration_deviation: float


@dataclass(frozen=True)
class PathError:
    """Ground distance (m) from the asked path, and the share of frames within 10 cm of it."""

    mean: float
    p95: float
    worst: float
    within: float


@dataclass(frozen=True)
class Penetration:
    """Depth (m) of the deepest toe below the floor: mean over all frames, and greatest."""

    mean: float
    deepest: float


def toe_slide(toes: Array, fps: float) -> Slide:
    """The foot slide: of each step from frame to frame the toe that is lower on average during it.

    >>> toes = np.zeros((4, 2, 3))
    >>> toes[:, 1] = [[0, 0.1, 0], [0, 0.2, 1], [0, 0.2, 2], [0, 0.1, 3]]
    >>> toe_slide(toes, fps=30.0)
    Slide(median=0.0, mean=0.0)
    """
    speed = np.linalg.norm(_lowest_steps(toes)[:, [0, 2]], axis=-1) * fps
    return Slide(float(np.median(speed)), float(speed.mean())) if len(speed) else Slide(0.0, 0.0)


def toe_skate(toes: Array, fps: float, *, floor: float = 0.0, low: float = 0.05, fast: float = 0.2) -> Skate:
    """The foot skate of toes that are less than ``low`` above the floor; 0 where none ever is."""
    speed = np.linalg.norm(np.diff(toes, axis=0)[..., [0, 2]], axis=-1) * fps
    speed = speed[((toes[1:] + toes[:-1])[..., 1] / 2 - floor) < low]
    return Skate(float(speed.mean()), float((speed > fast).mean())) if len(speed) else Skate(0.0, 0.0)


def toe_height(toes: Array, *, floor: float = 0.0) -> ToeHeight:
    """How high the lowest toe is: a figure that floats slides on no floor."""
    lowest = toes[..., 1].min(1) - floor
    return ToeHeight(float(np.median(lowest)), float(np.quantile(lowest, 0.95)))


def penetration(toes: Array, *, floor: float = 0.0) -> Penetration:
    """How deep toes get into the floor."""
    depth = np.maximum(floor - toes[..., 1].min(1), 0.0)
    return Penetration(float(depth.mean()), float(depth.max()))


def heel_points(clip: Clip) -> Array:
    """World positions ``(T, L, 3)`` of the ankles, which stand for the heels."""
    return clip.world()[0][:, [leg.ankle for leg in legs_of(clip.skeleton)]]


def step_durations(heels: Array, fps: float) -> list[list[float]]:
    """Seconds that each step lasts, for each speed of `TOLERANCES` below which a heel counts as standing.

    How many there are, over that speed, is MoGlow's footstep curve. Stretches below `SHORTEST_STEP`, which MoGlow
    counts, are flicker: with them real walks would have twice the steps that anyone sees.

    >>> heels = np.zeros((31, 1, 3))
    >>> [len(durations) for durations in step_durations(heels, 30.0)] == [1] * len(TOLERANCES)
    True
    """
    speed = np.linalg.norm(np.diff(heels, axis=0), axis=-1) * fps  # (T - 1, L)
    curve = []
    for tolerance in TOLERANCES:
        frames = [stop - start for leg in speed.T for start, stop in runs(leg < tolerance)]
        curve.append([each / fps for each in frames if each >= SHORTEST_STEP * fps])
    return curve


def footsteps(heels: Array, fps: float) -> Footsteps:
    """Counts steps without a threshold: for a tolerance v a step is a stretch in which a heel is slower than v.

    Too small a v misses steps and too large a v joins them, so the greatest count over all v is the estimate. Which v
    reaches 95 % of it says how still feet stand.
    """
    curve = step_durations(heels, fps)
    count = max(map(len, curve))
    tolerance, durations = next(
        point for point in zip(TOLERANCES, curve, strict=True) if len(point[1]) >= 0.95 * count
    )
    return Footsteps(count, tolerance, float(np.mean(durations or 0)), float(np.std(durations or 0)))


def path_error(positions: Array, asked: Array, *, near: float = 0.1) -> PathError:
    """How far ground positions ``(T, 2)`` are from the asked ones, frame by frame.

    >>> path_error(np.array([[0, 0], [0, 0.3]]), np.zeros((2, 2)))
    PathError(mean=0.15, p95=0.285, worst=0.3, within=0.5)
    """
    distance = np.linalg.norm(positions - asked, axis=-1)
    p95 = float(np.quantile(distance, 0.95))
    return PathError(float(distance.mean()), p95, float(distance.max()), float((distance < near).mean()))


def heading_error(headings: Array, asked: Array) -> float:
    """Mean angle (radians) between headings ``(T,)`` and the asked ones.

    >>> round(heading_error(np.array([0.1, 6.2]), np.array([0.0, 0.0])), 3)
    0.092
    """
    return float(np.abs(wrap_angle(headings - asked)).mean())


def stance_velocity(toes: Array, path: Array, headings: Array, fps: float) -> Array:
    """The velocity ``(T, 2)``, forward and to the left, that the lowest toe implies: as if it stood still.

    A root that is put on its path always follows the control; this tells whether the feet walk as fast. Compare with
    the first two columns of ``ControlPath.velocities``. Row t is the step that leads to frame t, in the heading half
    way; row 0 repeats row 1. While both feet fly it means nothing.

    Args:
        toes: world positions (T, L, 3).
        path: ground positions (T, 2) of the root.
        headings: (T,) of the root.
        fps: frames a second.
    """
    steps = np.diff(path, axis=0) - _lowest_steps(toes)[:, [0, 2]]
    ahead = (headings[1:] + headings[:-1]) / 2
    sine, cosine = np.sin(ahead), np.cos(ahead)
    forward, left = (
        steps @ [1, 0] * sine + steps @ [0, 1] * cosine,
        steps @ [1, 0] * cosine - steps @ [0, 1] * sine,
    )
    velocity = np.stack([forward, left], axis=-1) * fps
    return np.concatenate([velocity[:1], velocity])


def stance_share(implied: Array, asked: Array) -> float:
    """How much of the asked velocity ``(T, 2)`` the planted foot walks: 1 is all, less is feet that slide along.

    The slope Σ implied · asked / Σ asked² of a line through the origin; not a number where the path hardly moves.

    >>> stance_share(np.full((5, 2), 0.9), np.full((5, 2), 1.0))
    0.9
    """
    if not len(asked) or np.linalg.norm(asked, axis=-1).mean() < WALKING:
        return float("nan")
    return float((implied * asked).sum() / np.square(asked).sum())


def _lowest_steps(toes: Array) -> Array:
    """The step (T - 1, 3) of the toe that is lowest on average over it: the same seen from both its ends."""
    lowest = (toes[1:] + toes[:-1])[..., 1].argmin(-1)
    steps: Array = np.diff(toes, axis=0)[np.arange(len(toes) - 1), lowest]
    return steps


def jerk(positions: Array, fps: float) -> float:
    """Mean length (m/s³) of the third difference of world positions ``(T, J, 3)``; 0 for less than four frames."""
    third = np.diff(positions, 3, axis=0) * fps**3
    return float(np.linalg.norm(third, axis=-1).mean()) if len(third) else 0.0


def bone_stretch(clip: Clip) -> float:
    """The greatest relative change of a bone's length against its median; bones below 1 mm do not count."""
    lengths = np.linalg.norm(clip.positions[:, 1:], axis=-1)
    usual = np.median(lengths, axis=0)
    # Joints that carry the body, such as hips below a root, move by being placed.
    bones = (usual > 1e-3) & (np.arange(1, len(clip.skeleton)) != clip.skeleton.anatomy.roles.get("hips", 0))
    return float(np.abs(lengths[:, bones] / usual[bones] - 1).max()) if bones.any() else 0.0
