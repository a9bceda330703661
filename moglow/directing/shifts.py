"""Times and places of directions in sampled motion, before its feet follow footprints, and in the motion that does.

Motion with directions is sampled first; then its feet follow the footprints, which changes times and places. Directions
are therefore shifted the other way before motion is sampled. Needs numpy alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from moglow.directing.goals import Goal, clip_of, frame_of
from moglow.directing.pins import Direction, Look, Pin, Reach
from moglow.footsteps.following import Followed
from moglow.maths.rotations import Array, heading_to_quat, quat_rotate
from moglow.motion.clip import Clip
from moglow.paths.control_path import ControlPath

END = -1
"""The frame of a direction at the end of the motion."""


@dataclass(frozen=True, eq=False)
class Shift:
    """The frame of a direction in the motion that follows footprints, and the body's displacement by them.

    Without an ``offset`` ``(3,)`` the pose follows the body; ``heading`` is the rotation about the hips.
    """

    frame: int
    offset: Array | None
    heading: float = 0.0


@dataclass(frozen=True, eq=False)
class Shifts:
    """Directions as ``given``, the same for the ``sampled`` motion, and the ``shifts`` from those to these.

    ``frames`` is the length of the motion that follows footprints; None stands for the length that results from them.
    """

    given: tuple[Direction, ...]
    sampled: tuple[Direction, ...]
    shifts: tuple[Shift, ...]
    frames: int | None = None

    @classmethod
    def none(cls, directions: Sequence[Direction], path: ControlPath) -> "Shifts":
        """Returns the directions as they are given, for motion along a path."""
        shifts = [Shift(_frame(path, each), _in_place(each)) for each in directions]
        return cls(tuple(directions), tuple(directions), tuple(shifts))

    @classmethod
    def of(
        cls, directions: Sequence[Direction], followed: Followed, path: ControlPath, *, timed: bool
    ) -> "Shifts":
        """Returns directions at the places from which footprints moved a motion without directions.

        ``path`` is the path of that motion. If footprints changed the time, directions are ``timed`` accordingly.
        """
        frames, fps = len(followed.clip), followed.clip.fps
        after = followed.along(path)
        sampled, shifts = list[Direction](), list[Shift]()
        for each in directions:
            frame, time = _frame(after, each), np.inf
            offset, heading = followed.offsets[frame], float(followed.headings[frame])
            if not timed:
                at = min(frame, len(path) - 1)
                x, z = after.positions[frame] - path.positions[at]
                offset, heading = np.array([x, 0.0, z]), float(after.headings[frame] - path.headings[at])
            if frame != END:
                time = max(0, round(float(followed.frames[frame]))) / fps if timed else frame / fps
            in_world = isinstance(each, Pin) and each.world
            shifts.append(Shift(frame, offset, heading) if in_world else Shift(frame, _in_place(each)))
            if isinstance(each, Pin):
                sampled.append(replace(each, time=time, pose=_back(each, offset, heading)))
            elif isinstance(each, Reach):
                x, y, z = _back_point(each, followed.clip, frame, offset, heading)
                sampled.append(replace(each, time=time, point=(float(x), float(y), float(z))))
            else:
                sampled.append(each)
        return cls(tuple(directions), tuple(sampled), tuple(shifts), frames)

    def shift(self, goal: Goal) -> Shift:
        """Returns the shift of a goal; the last pose of a continued clip is not shifted."""
        return self.shifts[goal.number] if goal.number >= 0 else Shift(goal.frame, np.zeros(3))


def _frame(path: ControlPath, direction: Direction) -> int:
    """Returns the frame of a direction, `END` for the last one of the motion."""
    if isinstance(direction, Look):
        return END
    return END if direction.time == np.inf else frame_of(path, direction.time, str(direction))


def _in_place(direction: Direction) -> Array | None:
    """Returns no displacement for a direction in the world, and None for a pose on the path."""
    return None if isinstance(direction, Pin) and not direction.world else np.zeros(3)


def _back(pin: Pin, offset: Array, heading: float) -> Clip:
    """Returns the clip of a pin in the world, moved against a displacement of the body; other clips as they are."""
    clip, _ = clip_of(pin.pose, str(pin))
    if not pin.world or not -len(clip) <= pin.frame < len(clip):
        return clip
    hips = clip.world_positions[pin.frame, clip.skeleton.anatomy.roles.get("hips", 0)]
    turned = quat_rotate(heading_to_quat(np.array(-heading)), hips)
    return clip.moved(hips - offset - turned, -heading)


def _back_point(reach: Reach, clip: Clip, frame: int, offset: Array, heading: float) -> Array:
    """Returns the point of a reach, moved with the body against its displacement."""
    hips = clip.world_positions[frame, clip.skeleton.anatomy.roles.get("hips", 0)]
    back = heading_to_quat(np.array(-heading))
    return np.asarray(hips - offset + quat_rotate(back, np.array(reach.point) - hips))
