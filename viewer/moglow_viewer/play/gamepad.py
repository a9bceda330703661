"""A gamepad by Linux's joystick API (docs.kernel.org/input/joydev/joystick-api.html), mapped as in `hands.js`."""

import os
from contextlib import suppress
from pathlib import Path
from struct import iter_unpack
from typing import NamedTuple

DEAD = 0.15  # dead zone of a stick
AGAIN = 1.0  # seconds between searches for a gamepad
BUTTON, AXIS, INITIAL = 1, 2, 0x80  # kinds of event; the last is a flag of the events with the initial state
FULL = 32767  # value of an axis at its end
X, Y, Z, RX, RZ = 0, 1, 2, 3, 5  # kinds of axis: the right stick is RX or, where there is none, Z
AXIS_MAP = 0x80406A32, bytes(64)  # the ioctl for the kinds of the axes, and a buffer for its result
USUAL = bytes(range(6))  # the kinds of most gamepads: X Y Z RX RY RZ


class Stick(NamedTuple):
    """Positions of the sticks, −1 to 1 along each axis, left positive, and whether the right trigger is pulled."""

    forward: float = 0.0
    sideways: float = 0.0
    turn: float = 0.0
    hurry: bool = False


AT_REST = Stick()


def decoded(data: bytes) -> tuple[dict[int, float], list[int]]:
    """Returns the last position −1 to 1 of each axis in events of 8 bytes, and the pressed buttons, in order.

    >>> from struct import pack
    >>> decoded(pack("=IhBB", 12, -32767, AXIS, 1) + pack("=IhBB", 15, 1, BUTTON, 0))
    ({1: -1.0}, [0])
    >>> decoded(pack("=IhBB", 0, 1, BUTTON | INITIAL, 0))  # initially held: not a press
    ({}, [])
    """
    axes, pressed = dict[int, float](), list[int]()
    for _, value, kind, number in iter_unpack("=IhBB", data[: len(data) // 8 * 8]):
        if kind & ~INITIAL == AXIS:
            axes[number] = max(-1.0, value / FULL)
        elif kind == BUTTON and value:
            pressed.append(number)
    return axes, pressed


class Gamepad:
    """The first gamepad in a folder of devices; it may be connected and removed at any time."""

    def __init__(self, folder: Path = Path("/dev/input")) -> None:
        self.folder, self.file, self.next = folder, -1, 0.0
        self.axes, self.kinds = dict[int, float](), USUAL

    @property
    def there(self) -> bool:
        return self.file >= 0

    @property
    def stick(self) -> Stick:
        """Current positions of the sticks."""
        turning = RX if RX in self.kinds else Z
        forward, sideways, turn = (self._axis(kind) for kind in (Y, X, turning))
        return Stick(-forward, -sideways, -turn, hurry=turning == RX and self._axis(RZ) > 0)

    def read(self, now: float) -> list[int]:
        """Reads the events since the last call; returns the pressed buttons. ``now`` is in seconds."""
        if not self.there and (now < self.next or not self._found(now)):
            return []
        try:
            data = os.read(self.file, 4096)
        except BlockingIOError:  # no events
            return []
        except OSError:  # unplugged
            data = b""
        if not data:
            os.close(self.file)
            self.file, self.axes = -1, {}
        axes, pressed = decoded(data)
        self.axes |= axes
        return pressed

    def _axis(self, kind: int) -> float:
        value = self.axes.get(self.kinds.find(kind), 0.0)
        return 0.0 if abs(value) < DEAD else value

    def _found(self, now: float) -> bool:
        self.next = now + AGAIN
        for device in sorted(self.folder.glob("js*")):
            from fcntl import ioctl  # not available on Windows, where no device is found

            with suppress(OSError):  # no permission: try the next one
                self.file, self.kinds = os.open(device, os.O_RDONLY | os.O_NONBLOCK), USUAL
                with suppress(OSError):  # the driver does not support it
                    self.kinds = ioctl(self.file, *AXIS_MAP)
                break
        return self.there
