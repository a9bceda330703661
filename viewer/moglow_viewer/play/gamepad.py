"""A gamepad as Linux tells of it (docs.kernel.org/input/joydev/joystick-api.html), mapped as in `hands.js`."""

import os
from contextlib import suppress
from pathlib import Path
from struct import iter_unpack
from typing import NamedTuple

DEAD = 0.15  # of a stick: less is its middle
AGAIN = 1.0  # seconds after which it is looked for again
BUTTON, AXIS, INITIAL = 1, 2, 0x80  # kinds of event; the last one is added to what is told once, at the start
FULL = 32767  # an axis pushed to its end
X, Y, Z, RX, RZ = 0, 1, 2, 3, 5  # what an axis may be: the right stick is RX or, where there is none, Z
AXIS_MAP = 0x80406A32, bytes(64)  # the ioctl that says which axis is what, and room for its answer
USUAL = bytes(range(6))  # what most say: X Y Z RX RY RZ


class Stick(NamedTuple):
    """What the sticks ask for, −1 to 1 along each axis, left positive, and whether the right trigger is pulled."""

    forward: float = 0.0
    sideways: float = 0.0
    turn: float = 0.0
    hurry: bool = False


AT_REST = Stick()


def decoded(data: bytes) -> tuple[dict[int, float], list[int]]:
    """The last place −1 to 1 of each axis in a row of events of 8 bytes, and the buttons that were pressed, in order.

    >>> from struct import pack
    >>> decoded(pack("=IhBB", 12, -32767, AXIS, 1) + pack("=IhBB", 15, 1, BUTTON, 0))
    ({1: -1.0}, [0])
    >>> decoded(pack("=IhBB", 0, 1, BUTTON | INITIAL, 0))  # held since before: nobody pressed it now
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
    """The first one in a folder of devices; it may come and go."""

    def __init__(self, folder: Path = Path("/dev/input")) -> None:
        self.folder, self.file, self.next = folder, -1, 0.0
        self.axes, self.kinds = dict[int, float](), USUAL

    @property
    def there(self) -> bool:
        return self.file >= 0

    @property
    def stick(self) -> Stick:
        """How the sticks are held now."""
        turning = RX if RX in self.kinds else Z
        forward, sideways, turn = (self._axis(kind) for kind in (Y, X, turning))
        return Stick(-forward, -sideways, -turn, hurry=turning == RX and self._axis(RZ) > 0)

    def read(self, now: float) -> list[int]:
        """Takes in what happened since; the buttons that were pressed. ``now`` in seconds."""
        if not self.there and (now < self.next or not self._found(now)):
            return []
        try:
            data = os.read(self.file, 4096)
        except BlockingIOError:  # nothing happened
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
            from fcntl import ioctl  # which Windows lacks, where no device is found

            with suppress(OSError):  # not ours to read: the next one
                self.file, self.kinds = os.open(device, os.O_RDONLY | os.O_NONBLOCK), USUAL
                with suppress(OSError):  # a driver that does not say
                    self.kinds = ioctl(self.file, *AXIS_MAP)
                break
        return self.there
