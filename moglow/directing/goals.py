"""Directions as goals of a model: the required channels of a frame, on a path that leads to them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from moglow.corpus.context import Context
from moglow.directing.aims import Aim, PoseAim, ReachAim, walking_channels
from moglow.directing.joint_groups import channels_of, joints_named, whole_legs
from moglow.directing.pins import Direction, Pin, Reach
from moglow.errors import ControlError, MoglowError
from moglow.maths.rotations import wrap_angle
from moglow.maths.signals import sample_monotone
from moglow.motion.clip import Clip
from moglow.motion.retarget import retarget
from moglow.motion.skeleton import descendants
from moglow.paths.control_path import ControlPath
from moglow.sampling.fast.folded import Floats

ONWARDS, LOOSE, ALIKE = 0.1, 3.0, 0.5
"""Seconds after a pose at which its clip shows the motion of the feet, the factor of the tolerances for it, and the
largest difference in m/s between the speeds of clip and path for which it is used."""
AROUND = 5.0
"""Seconds of the clip before and after a pose that are used to find the stance and the path."""
DETOUR = 2.0
"""Seconds in which a path leaves its course to the position of a pin in the world, and returns to it."""
LIMB, TRUNK, HIPS = 1.0, 0.4, 0.15
"""Weights of joints in the correction of a reach: those of the limb, of the trunk, and of the hips."""


@dataclass(frozen=True, eq=False)
class PoseGoal:
    """A pose, or some of its joints, for a frame of the path."""

    frame: int
    words: str
    channels: NDArray[np.intp]
    pose: Floats
    """The standardised pose ``(D,)``, relative to the path."""
    joints: tuple[int, ...]
    """The joints of the model's skeleton whose rotations are exactly those of the pose."""
    posed: Clip
    """The pose as one frame on the model's skeleton, in the world."""
    source: Clip
    """The pose as one frame on its original skeleton, in the world."""
    groups: tuple[str, ...] = ()
    """The names of the joints; empty for the whole body."""
    onwards: Floats | None = None
    """The clip's standardised pose `ONWARDS` seconds later, if the clip is about as fast as the path."""
    number: int = -1
    """The number of the direction."""

    @property
    def whole(self) -> bool:
        """Whether the goal concerns the whole body."""
        return len(self.channels) == len(self.pose)

    @property
    def stands(self) -> bool:
        """Whether the goal concerns a foot."""
        legs = self.posed.skeleton.anatomy.legs
        return bool({joint for leg in legs for joint in (leg.ankle, leg.toe)} & set(self.joints))

    def aim(self, context: Context, frame: int) -> Aim:
        """Returns the aim for a frame of a stretch."""
        return PoseAim.of(context, frame, self.channels, self.pose)

    def hints(self, context: Context, frame: int) -> list[Aim]:
        """Returns additional aims with larger tolerances: the motion of the legs after the pose, as in the clip."""
        if self.onwards is None:
            return []
        later = frame + round(ONWARDS * context.fps)
        return [PoseAim.of(context, later, walking_channels(context.encoding), self.onwards, LOOSE)]


@dataclass(frozen=True, eq=False)
class ReachGoal:
    """A point in the world for a joint, for a frame of the path."""

    frame: int
    words: str
    joint: int
    point: tuple[float, float, float]
    place: tuple[float, float, float]
    """The x, z and heading of the path in the frame."""
    role: str = ""
    """The role of the joint, by which it is found in other skeletons."""
    number: int = -1
    """The number of the direction."""

    def hints(self, context: Context, frame: int) -> list[Aim]:
        """Returns no aims, since a point does not determine the motion after it."""
        return []

    def aim(self, context: Context, frame: int) -> Aim:
        """Returns the aim for a frame of a stretch."""
        point, place = np.array(self.point), np.array(self.place)
        return ReachAim(frame, context, self.joint, point, place, _willing(context, self.joint))


Goal: TypeAlias = PoseGoal | ReachGoal


def find_goals(
    context: Context, path: ControlPath, directions: Sequence[Direction]
) -> tuple[list[Goal], ControlPath]:
    """Returns the goals of pins and reaches, sorted by frame, and the path, led through the pins in the world."""
    pins = {number: each for number, each in enumerate(directions) if isinstance(each, Pin)}
    frames = [frame_of(path, pin.time, str(pin)) for pin in pins.values()]
    _refuse_doubles([*pins.values()], frames)
    seen = [Seen.of(context, pin) for pin in pins.values()]
    path = led_through(
        path, [(frame, each.place) for frame, each in zip(frames, seen, strict=True) if each.pin.world]
    )
    goals: list[Goal] = [
        replace(each.goal(context, path, frame), number=number)
        for number, frame, each in zip(pins, frames, seen, strict=True)
    ]
    roles = {number: role for role, number in context.encoding.skeleton.anatomy.roles.items()}
    for number, reach in enumerate(directions):
        if isinstance(reach, Reach):
            frame, joint = frame_of(path, reach.time, str(reach)), _one_joint(context, reach)
            place = (*path.positions[frame].tolist(), float(path.headings[frame]))
            role = roles.get(joint, "")
            goals.append(ReachGoal(frame, str(reach), joint, reach.point, place, role, number))
    return sorted(goals, key=lambda goal: goal.frame), path


def frame_of(path: ControlPath, time: float, words: str) -> int:
    """Returns the frame of a path at a time, the last one for infinity; raises an error for a time outside of it."""
    frame = len(path) - 1 if time == np.inf else round(time * path.fps)
    if not 0 <= frame < len(path):
        raise ControlError(
            f"{words}: the motion lasts from 0 to {path.duration:.4g} s; give a time within it"
        )
    return frame


def _refuse_doubles(pins: Sequence[Pin], frames: Sequence[int]) -> None:
    """Raises an error for two pins in one frame of which one is for the whole body."""
    for k, (pin, frame) in enumerate(zip(pins, frames, strict=True)):
        others = [other for other in range(len(pins)) if other != k and frames[other] == frame]
        if others and not pin.groups:
            raise ControlError(
                f"{pin}: two pins are at the same frame; leave one out, or give each its own joints"
            )


def _one_joint(context: Context, reach: Reach) -> int:
    joints = joints_named(context.encoding.skeleton, (reach.joint,), place=str(reach))
    if len(joints) != 1:
        raise ControlError(f"{reach}: {reach.joint!r} is {len(joints)} joints; name one, such as left_hand")
    return joints[0]


def _willing(context: Context, joint: int) -> Floats:
    """Returns the weight of each channel ``(D,)`` in bringing a joint to a point; 0 for those that do not move it."""
    encoding, skeleton = context.encoding, context.encoding.skeleton
    hips = skeleton.hips
    chain = [joint]
    while skeleton.parents[chain[-1]] >= 0:
        chain.append(skeleton.parents[chain[-1]])
    branches = {k for k in chain if len(skeleton.children(k)) > 1}
    limb = [k for k in chain if not (branches & {k, *descendants(skeleton, k)})]
    willing = np.zeros(len(encoding), np.float32)
    for joints, share in (([k for k in chain if k not in limb], TRUNK), ([hips], HIPS), (limb, LIMB)):
        willing[channels_of(encoding, joints)] = share
    return willing


FARTHEST = 1000.0
"""Standard deviations by which a channel of a pose may differ from the mean; of the height they are some 30 m."""


@dataclass(frozen=True, eq=False)
class Seen:
    """The pose of a pin, on the model's skeleton and its own, and the x, z and heading of its path."""

    pin: Pin
    clip: Clip
    frame: int
    source: Clip
    place: tuple[float, float, float]
    path: ControlPath

    @classmethod
    def of(cls, context: Context, pin: Pin) -> "Seen":
        clip, name = clip_of(pin.pose, str(pin))
        frame = pin.frame + (len(clip) if pin.frame < 0 else 0)
        if not 0 <= frame < len(clip):
            raise ControlError(
                f"{pin}: {name} has {len(clip)} frames, none of number {pin.frame}; "
                f"give 0 to {len(clip) - 1}, or -1 for the last"
            )
        around = round(AROUND * clip.fps)
        first = max(0, frame - around)
        part = clip[first : frame + around + 1]
        try:
            seen = on_skeleton(part, context)
        except MoglowError as error:
            raise ControlError(f"{pin}: {error}") from error
        path = context.encoding.spec.path(seen)
        frame -= first
        place = (*path.positions[frame].tolist(), float(path.headings[frame]))
        return cls(pin, seen, frame, part[frame : frame + 1], place, path)

    def goal(self, context: Context, path: ControlPath, frame: int) -> PoseGoal:
        """Returns the goal for a frame of the path; the pose is moved to the path."""
        encoding = context.encoding
        near = slice(max(0, self.frame - 4), self.frame + 5)
        poses = context.standardize_pose(encoding.encode(self.clip[near], self.path[near]).astype(np.float32))
        joints = joints_named(encoding.skeleton, self.pin.groups, place=str(self.pin))
        channels = np.arange(len(encoding)) if not self.pin.groups else channels_of(encoding, joints)
        off = float(np.abs(poses[self.frame - near.start, channels]).max())
        if not off <= FARTHEST:
            raise ControlError(
                f"{self.pin}: a channel of the pose is {off:.3g} standard deviations from the training data, expected "
                f"at most {FARTHEST:g}; check the unit and the height of the file"
            )
        x, z, heading = self.place
        turn = float(path.headings[frame]) - heading

        def placed(clip: Clip) -> Clip:
            home = clip.moved((-x, 0.0, -z)).moved(heading=turn)
            return home.moved((path.positions[frame, 0], 0.0, path.positions[frame, 1]))

        posed = placed(self.clip[self.frame : self.frame + 1])
        return PoseGoal(
            frame,
            str(self.pin),
            channels,
            poses[self.frame - near.start],
            whole_legs(encoding.skeleton, joints),
            posed,
            placed(self.source),
            self.pin.groups,
            self._onwards(context, path, frame, poses[self.frame - near.start :], channels),
        )

    def _onwards(
        self, context: Context, path: ControlPath, frame: int, poses: Floats, channels: NDArray[np.intp]
    ) -> Floats | None:
        """Returns the pose of the clip after that of the pin, if there is one and the clip's speed is similar."""
        later = round(ONWARDS * self.clip.fps)
        whole = np.isin(walking_channels(context.encoding), channels).all()
        if later >= len(poses) or frame + round(ONWARDS * context.fps) >= len(path) or not whole:
            return None
        own, requested = self.path.velocities()[self.frame], path.velocities()[frame]
        alike = np.abs(own - requested).max() < ALIKE
        return poses[later] if alike else None


def clip_of(pose: str | Path | Clip, place: str) -> tuple[Clip, str]:
    """Returns a clip, which is read if it is a file, and its name for messages."""
    if isinstance(pose, Clip):
        return pose, pose.name or "the clip"
    from moglow.formats.read import read_motion  # the import takes a tenth of a second

    try:
        return read_motion(pose), str(pose)
    except MoglowError as error:
        raise ControlError(f"{place}: {error}") from error


def on_skeleton(clip: Clip, context: Context) -> Clip:
    """Returns a clip at the model's frame rate on the model's skeleton, with the original length of its path."""
    skeleton = context.encoding.skeleton
    return clip if clip.skeleton == skeleton else retarget(clip, skeleton, keep_path=True)


def led_through(path: ControlPath, places: Sequence[tuple[int, tuple[float, float, float]]]) -> ControlPath:
    """Returns the path led through x, z and heading in some frames; it returns to its course between distant ones."""
    if not places:
        return path
    knots: dict[float, NDArray[np.float64]] = {}
    for frame, (x, z, heading) in sorted(places):
        turn = float(wrap_angle(heading - path.headings[frame]))
        knots[float(frame)] = np.append(np.array([x, z]) - path.positions[frame], turn)
    reach, frames = DETOUR * path.fps, sorted(knots)
    quiet = np.zeros(3)
    first, last = frames[0], frames[-1]
    if first > 0:
        knots[max(0.0, first - reach)] = quiet
    if last < len(path) - 1:
        knots[min(len(path) - 1.0, last + reach)] = quiet
    for before, after in pairwise(frames):
        if after - before > 2 * reach:
            knots[before + reach] = knots[after - reach] = quiet
    times = np.array(sorted(knots))
    requested = np.stack([knots[time] for time in times])
    offsets = sample_monotone(times, requested, np.arange(len(path), dtype=float))
    return replace(path, positions=path.positions + offsets[:, :2], headings=path.headings + offsets[:, 2])
