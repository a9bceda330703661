"""Directions for a figure at given times: a pose (`Pin`), a point for a joint (`Reach`) or for the gaze (`Look`).

Each has a text form, which the command line accepts and messages contain. Needs numpy alone.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path
from typing import Self, TypeAlias

from moglow.errors import ControlError
from moglow.motion.clip import Clip

_PIN = re.compile(r"(?P<time>[^=]*)=(?P<file>.+?)(?:@(?P<frame>[^@:/\\.]*))?(?P<options>(?::[^:/\\.@]*)*)")
_REACH = re.compile(r"(?P<time>[^=]*)=(?P<joint>.+):(?P<point>[^:]*)")
_LOOK = re.compile(r"(?P<start>[^=]*?\d)-(?P<stop>[^=-]*)=(?P<point>[^=]*)")


@dataclass(frozen=True)
class Pin:
    """A pose of the figure at a time.

    Args:
        time: seconds from the first frame of the motion; ``math.inf`` stands for its last frame.
        pose: a motion file or a clip, with any skeleton.
        frame: the frame of the pose in the file; negative values count from the end.
        joints: groups of joints (arms, left_arm, legs, spine, head …), roles or names; by default all joints.
        world: whether the figure is at the clip's position, to which the path is led, or at its position on the path.

    >>> Pin.parse("3.0=pose.bvh@17:arms")
    Pin(time=3.0, pose='pose.bvh', frame=17, joints=('arms',), world=False)
    """

    time: float
    pose: str | Path | Clip
    frame: int = 0
    joints: str | Sequence[str] = ()
    world: bool = False

    def __post_init__(self) -> None:
        if self.time != inf:
            _within(self.time, "pin", "seconds")

    @classmethod
    def parse(cls, text: str, name: str = "pin") -> Self:
        """Returns the pin of ``TIME=FILE[@FRAME][:JOINTS][:world]``."""
        found = _PIN.fullmatch(text.strip())
        form = "TIME=FILE@FRAME, such as 3.0=pose.bvh@17 or 4.2=crouch.bvh@0:arms"
        if not found:
            raise ControlError(f"{name} {text}: expected {form}")
        words = [word.strip() for part in found["options"].split(":")[1:] for word in part.split(",")]
        if "" in words:
            raise ControlError(f"{name} {text}: a word is missing after ':'; expected {form}")
        frame = found["frame"] or "0"
        if not re.fullmatch(r"-?\d{1,9}", frame):
            raise ControlError(f"{name} {text}: {frame!r} is no frame; expected {form}")
        joints = tuple(word for word in words if word != "world")
        time = _number(found["time"], f"{name} {text}", "seconds")
        return cls(time, found["file"], int(frame), joints, "world" in words)

    @classmethod
    def at(cls, time: float, pose: str, name: str) -> Self:
        """Returns the pin of the whole body of ``FILE[@FRAME][:world]``, at a time.

        >>> Pin.at(0.0, "pose.bvh@3", "start").frame
        3
        """
        read = cls.parse(f"0={pose}", name)
        return replace(read, time=time)

    @property
    def groups(self) -> tuple[str, ...]:
        """Returns the names of the joints."""
        return (self.joints,) if isinstance(self.joints, str) else tuple(self.joints)

    def __str__(self) -> str:
        return f"pin at {self.time:.4g} s" if self.time < inf else "pin at the end"


@dataclass(frozen=True)
class Reach:
    """A point in the world for a joint at a time.

    Args:
        time: seconds from the first frame of the motion.
        joint: a role such as left_hand, or a joint's name.
        point: metres, Y up.

    >>> Reach.parse("2.5=left_hand:0.4,1.3,1.0")
    Reach(time=2.5, joint='left_hand', point=(0.4, 1.3, 1.0))
    """

    time: float
    joint: str
    point: tuple[float, float, float]

    def __post_init__(self) -> None:
        _within(self.time, "reach", "seconds")
        _check_point(self.point, str(self))

    @classmethod
    def parse(cls, text: str, name: str = "reach") -> Self:
        """Returns the reach of ``TIME=JOINT:X,Y,Z``."""
        found = _REACH.fullmatch(text.strip())
        if not found:
            raise ControlError(f"{name} {text}: expected TIME=JOINT:X,Y,Z, such as 2.5=left_hand:0.4,1.3,1.0")
        place = f"{name} {text}"
        return cls(
            _number(found["time"], place, "seconds"), found["joint"].strip(), _point(found["point"], place)
        )

    def __str__(self) -> str:
        return f"reach at {self.time:.4g} s"


@dataclass(frozen=True)
class Look:
    """A point in the world to which head and upper spine turn during an interval.

    Args:
        start, stop: seconds from the first frame of the motion.
        point: metres, Y up.

    >>> Look.parse("0-4=1,1.6,3")
    Look(start=0.0, stop=4.0, point=(1.0, 1.6, 3.0))
    """

    start: float
    stop: float
    point: tuple[float, float, float]

    def __post_init__(self) -> None:
        _within(self.start, "look", "seconds")
        _within(self.stop, "look", "seconds")
        _check_point(self.point, str(self))

    @classmethod
    def parse(cls, text: str, name: str = "look") -> Self:
        """Returns the look of ``START-STOP=X,Y,Z``."""
        found, place = _LOOK.fullmatch(text.strip()), f"{name} {text}"
        if not found:
            raise ControlError(f"{place}: expected START-STOP=X,Y,Z, such as 0-4=1,1.6,3")
        start, stop = _number(found["start"], place, "seconds"), _number(found["stop"], place, "seconds")
        if not start < stop:
            raise ControlError(
                f"{place}: it ends at {stop:g} s, before it starts; give the earlier time first"
            )
        return cls(start, stop, _point(found["point"], place))

    def __str__(self) -> str:
        return f"look from {self.start:g} to {self.stop:g} s"


@dataclass(frozen=True)
class KeyedPin(Pin):
    """A pin of another program, which messages name in its terms."""

    words: str = ""

    def __str__(self) -> str:
        return self.words


@dataclass(frozen=True)
class KeyedReach(Reach):
    """A reach of another program, which messages name in its terms."""

    words: str = ""

    def __str__(self) -> str:
        return self.words


Direction: TypeAlias = Pin | Reach | Look
LARGEST = 1e6
"""Largest number of seconds or metres that is accepted."""


def _within(value: float, place: str, unit: str) -> None:
    if not abs(value) <= LARGEST:
        raise ControlError(f"{place}: {value:g} is no number of {unit}, at most {LARGEST:g}")


def _check_point(point: Sequence[float], place: str) -> None:
    if len(point) != 3:
        raise ControlError(f"{place}: a point has {len(point)} numbers; expected x, y, z in metres")
    for value in point:
        _within(value, place, "metres")


def _number(text: str, place: str, unit: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not abs(value) <= LARGEST:
        raise ControlError(f"{place}: {text.strip()!r} is no number of {unit}, at most {LARGEST:g}")
    return value


def _point(text: str, place: str) -> tuple[float, float, float]:
    parts = text.split(",")
    if len(parts) != 3:
        raise ControlError(f"{place}: {text.strip()!r} is no point; expected three numbers x,y,z in metres")
    x, y, z = (_number(part, place, "metres") for part in parts)
    return x, y, z
