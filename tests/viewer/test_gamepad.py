"""A gamepad through a pipe with the kernel's events: sticks, buttons, drift, and one that comes and goes."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from struct import pack

import pytest

from moglow_viewer.play.gamepad import AGAIN, AXIS, BUTTON, FULL, INITIAL, Gamepad, Stick, decoded

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no pipe in a folder, no /dev/input")


def event(kind: int, number: int, value: int) -> bytes:
    return pack("=IhBB", 0, value, kind, number)


@pytest.fixture
def device(tmp_path: Path) -> Iterator[int]:
    """The pipe for the kernel's events: js0 of a folder in place of /dev/input."""
    os.mkfifo(tmp_path / "js0")
    file = os.open(tmp_path / "js0", os.O_RDWR)
    yield file
    os.close(file)


def test_sticks_are_mapped_as_on_the_page(device: int, tmp_path: Path) -> None:
    pad = Gamepad(tmp_path)
    assert pad.read(0.0) == [] and pad.there and pad.stick == Stick()
    events = [event(AXIS | INITIAL, number, value) for number, value in enumerate((0, 0, -FULL, 0, 0, -FULL))]
    os.write(device, b"".join(events))  # triggers rest at the end of their axes
    assert pad.read(0.1) == [] and pad.stick == Stick()
    os.write(device, event(AXIS, 0, FULL) + event(AXIS, 1, -FULL - 1) + event(AXIS, 3, -FULL // 2))
    pad.read(0.2)
    assert pad.stick == pytest.approx((1.0, -1.0, 0.5, False), abs=1e-4)
    os.write(device, event(AXIS, 0, FULL // 10) + event(AXIS, 5, FULL))
    pad.read(0.3)
    assert pad.stick.sideways == 0.0 and pad.stick.hurry  # a stick's drift is dead


def test_axes_are_those_of_the_kernel(device: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for kinds in (bytes([0, 1, 3, 4]), bytes([0, 1, 2, 5])):  # X Y RX RY, and X Y Z RZ
        monkeypatch.setattr("fcntl.ioctl", lambda *_, kinds=kinds: kinds.ljust(64, b"\0"))
        pad = Gamepad(tmp_path)
        pad.read(0.0)
        os.write(device, event(AXIS, 2, -FULL) + event(AXIS, 3, FULL))
        pad.read(0.1)
        assert pad.stick == Stick(turn=1.0)


def test_buttons_are_reported_once_and_in_order(device: int, tmp_path: Path) -> None:
    pad = Gamepad(tmp_path)
    pad.read(0.0)
    os.write(
        device,
        event(BUTTON | INITIAL, 2, 1) + event(BUTTON, 1, 1) + event(BUTTON, 1, 0) + event(BUTTON, 0, 1),
    )
    assert pad.read(0.1) == [1, 0] and pad.read(0.2) == []


def test_it_can_be_connected_and_disconnected(tmp_path: Path) -> None:
    pad = Gamepad(tmp_path / "input")
    pad.read(0.0)  # not even a folder
    assert (pad.there, pad.stick) == (False, Stick())
    (tmp_path / "input").mkdir()
    (tmp_path / "input" / "js0").write_bytes(event(AXIS, 1, -FULL) + event(BUTTON, 0, 1)[:5])
    pad.read(0.5 * AGAIN)
    assert (pad.there, pad.stick) == (False, Stick())  # not yet time to look again
    pad.read(AGAIN)
    assert (pad.there, pad.stick) == (True, Stick(forward=1.0))
    pad.read(1.1 * AGAIN)  # the file ends: unplugged
    assert (pad.there, pad.stick) == (False, Stick())
    pad.read(2.2 * AGAIN)
    assert (pad.there, pad.stick) == (True, Stick(forward=1.0))


def test_unreadable_devices_are_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "js0").write_bytes(b"")
    (tmp_path / "js1").write_bytes(event(AXIS, 0, -FULL))
    real = os.open

    def guarded(path: Path, flags: int) -> int:
        if path.name == "js0":
            raise PermissionError
        return real(path, flags)

    monkeypatch.setattr(os, "open", guarded)
    pad = Gamepad(tmp_path)
    pad.read(0.0)
    assert pad.stick == Stick(sideways=1.0)


def test_an_event_cut_off_is_left_out() -> None:
    assert decoded(event(AXIS, 0, FULL) + b"\0\0\0") == ({0: 1.0}, [])
