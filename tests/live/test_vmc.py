"""Poses by the Virtual Motion Capture protocol: a receiver of another make rebuilds them; steering by OSC."""

import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from moglow.bvh.read import read_bvh
from moglow.bvh.write import write_bvh
from moglow.checkpoint import Checkpoint
from moglow.cli.actions.live import obeyed, stream, walk_by_osc
from moglow.errors import MoglowError, SkeletonError
from moglow.formats.vrm_bones import humanoid
from moglow.live.osc import Address, Message, Receiver, Sender, decode
from moglow.live.paced import paced
from moglow.live.vmc import VmcFigure
from moglow.maths.rotations import Array, quat_angle, quat_multiply, quat_rotate
from moglow.motion.clip import Clip
from moglow.motion.skeleton import Skeleton
from moglow.sampling.generate import PRETRAINED
from moglow_viewer.play.live import Hands, Walker
from tests.live.test_osc import free_port

CLOSE = 1e-3  # metres
SINGLE = 5e-6  # metres
ABOVE = {
    "Spine": "Hips", "Chest": "Spine", "Neck": "Chest", "Head": "Neck",
    **{f"{side}{part}": f"{side}{above}" if above[0].isupper() and above not in ("Hips", "Chest") else above
       for side in ("Left", "Right")
       for part, above in (("UpperLeg", "Hips"), ("LowerLeg", "UpperLeg"), ("Foot", "LowerLeg"), ("Toes", "Foot"),
                           ("Shoulder", "Chest"), ("UpperArm", "Shoulder"), ("LowerArm", "UpperArm"),
                           ("Hand", "LowerArm"))},
}  # fmt: skip
"""The bone above each in Unity's humanoid."""


def rebuilt(
    messages: list[tuple[str, tuple[Any, ...]]], offsets: dict[str, Array] | None = None
) -> dict[str, Array]:
    """Returns the positions of Unity's bones in Unity's axes, with the bone lengths sent or those of an avatar."""
    local = {m[0]: np.array(m[1:], float) for address, m in messages if address == "/VMC/Ext/Bone/Pos"}
    places: dict[str, Array] = {}
    turns: dict[str, Array] = {}
    waiting = ["Hips", *(bone for bone in ABOVE if bone in local)]
    while waiting:
        bone = waiting.pop(0)
        above = ABOVE.get(bone)
        while above is not None and above not in local:
            above = ABOVE[above]
        if above is not None and above not in places:
            waiting.append(bone)
            continue
        x, y, z, w = local[bone][3:]
        turn = np.array([w, x, y, z])
        place = local[bone][:3] if offsets is None or bone == "Hips" else offsets[bone]
        if above is not None:
            place, turn = places[above] + quat_rotate(turns[above], place), quat_multiply(turns[above], turn)
        places[bone], turns[bone] = place, turn
    return places


def in_unity(places: Array) -> Array:
    return places * [-1.0, 1.0, 1.0]


def assert_rebuilt(clip: Clip, frames: list[list[tuple[str, tuple[Any, ...]]]], close: float) -> None:
    bones, joints, _ = humanoid(clip.skeleton)
    for frame, messages in enumerate(frames):
        places = rebuilt(messages)
        for bone, joint in zip(bones, joints, strict=True):
            expected = in_unity(clip.world()[0][frame, joint])
            assert np.abs(places[bone[0].upper() + bone[1:]] - expected).max() < close, (frame, bone)


def packets(clip: Clip) -> list[bytes]:
    figure = VmcFigure.of(clip.skeleton, clip)
    return [figure.packet(p, r, k / clip.fps) for k, (p, r) in enumerate(zip(*clip.world(), strict=True))]


@pytest.mark.parametrize("name", ["walk", "run", "turns", "sidestep", "spin"])
def test_a_receiver_rebuilds_the_pose(name: str, samples: Path) -> None:
    clip = read_bvh(samples / f"{name}.bvh")
    frames = [[(m.address, m.arguments) for m in decode(packet)] for packet in packets(clip)]
    assert_rebuilt(clip, frames, SINGLE)


def test_bones_do_not_turn_in_the_t_pose(samples: Path) -> None:
    clip = read_bvh(samples / "walk.bvh")
    figure = VmcFigure.of(clip.skeleton, clip)
    turns = np.tile([1.0, 0, 0, 0], (len(clip.skeleton), 1))
    turns[list(figure.joints)] = figure.rest
    for message in decode(figure.packet(np.zeros((len(turns), 3)), turns, 0.0)):
        if message.address == "/VMC/Ext/Bone/Pos":
            x, y, z, w = (float(value) for value in message.arguments[4:])  # type: ignore[arg-type]
            assert quat_angle(np.array([w, x, y, z]), np.array([1.0, 0, 0, 0])) < 1e-3


def test_python_osc_receives_a_stream_at_its_rate(samples: Path, tmp_path: Path) -> None:
    pytest.importorskip("pythonosc", reason="needs python-osc")
    from pythonosc.dispatcher import Dispatcher
    from pythonosc.osc_server import ThreadingOSCUDPServer

    frames: list[list[tuple[str, tuple[Any, ...]]]] = []
    dispatcher = Dispatcher()

    def heard(address: str, *arguments: Any) -> None:
        if address == "/VMC/Ext/OK":
            frames.append([])
        frames[-1].append((address, arguments))

    dispatcher.set_default_handler(heard)
    server = ThreadingOSCUDPServer(("127.0.0.1", 0), dispatcher)
    setattr(server, "process_request", server.finish_request)  # noqa: B010  (in order; mypy refuses an assignment)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    port = server.server_address[1]
    file = tmp_path / "walk.bvh"
    write_bvh(read_bvh(samples / "walk.bvh")[:60], file)
    message = stream(file, f"127.0.0.1:{port}", loop=False, fps=60.0, overrides={})
    clip = read_bvh(file).resample(60.0)
    for _ in range(100):
        if len(frames) == len(clip):
            break
        time.sleep(0.05)
    server.shutdown()
    thread.join()
    server.server_close()
    assert message == f"127.0.0.1:{port}: {len(clip)} bundles at 60 a second" and len(frames) == len(clip)
    assert_rebuilt(clip, frames, CLOSE)


def test_frames_do_not_drift_and_a_delay_is_not_made_up_for(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr("moglow.live.paced.time.perf_counter", lambda: clock[0])
    monkeypatch.setattr(
        "moglow.live.paced.time.sleep", lambda seconds: clock.__setitem__(0, clock[0] + seconds)
    )
    times = []
    for _ in paced(60.0, 3600):
        clock[0] += 0.004  # of work
        times.append(clock[0])
    assert times[-1] - times[0] == pytest.approx(3599 / 60.0)
    times = []
    for frame in paced(30.0, 30):
        clock[0] += 2.0 if frame == 9 else 0.001
        times.append(clock[0])
    assert np.diff(times)[10:].min() > 0.03


def test_messages_steer_the_figure() -> None:
    model = Checkpoint.read(PRETRAINED)
    walker = Walker.of(model, temperature=0.5, style=None, seed=0)
    hands, same = obeyed(Message("/moglow/move", (1.0, 0.0, 2)), Hands(), walker)
    assert hands.stick == (1.0, 0.0, 1.0) and same is walker
    style = walker.styles[-1]
    assert obeyed(Message("/moglow/style", (style,)), hands, walker)[1].style == style
    assert obeyed(Message("/moglow/style", ("",)), hands, walker)[1].style is None
    assert obeyed(Message("/moglow/temperature", (0.25,)), hands, walker)[1].temperature == 0.25
    assert obeyed(Message("/other", (1,)), hands, walker) == (hands, walker)
    for message, words in (
        (Message("/moglow/move", (1.0,)), "expected forward, sideways and turn"),
        (Message("/moglow/move", (1.0, float("nan"), 0.0)), "expected forward, sideways and turn"),
        (Message("/moglow/style", ("moonwalk",)), "no style 'moonwalk'; the model has"),
        (Message("/moglow/temperature", ("hot",)), "expected a number"),
        (Message("/moglow/temperature"), "expected a number"),
        (Message("/moglow/mvoe", (1.0, 0.0, 0.0)), "unknown address; use /moglow/move"),
    ):
        with pytest.raises(MoglowError, match=words):
            obeyed(message, hands, walker)


def test_a_figure_walks_by_osc_and_is_sent_by_vmc() -> None:
    model = Checkpoint.read(PRETRAINED)
    walker = Walker.of(model, temperature=0.5, style=None, seed=0)
    lines: list[str] = []
    port = free_port()
    with Receiver(Address("127.0.0.1", free_port())) as avatar:
        vmc = f"127.0.0.1:{avatar._socket.getsockname()[1]}"

        def say(line: str) -> None:
            lines.append(line)
            if line.startswith("listening"):  # it is: now a controller speaks
                with Sender(Address("127.0.0.1", port)) as controller:
                    controller.send(Message("/moglow/move", (1.0, 0.0, 0.0)).encode())
                    for _ in range(3):
                        controller.send(Message("/moglow/style", ("moonwalk",)).encode())
                        controller.send(b"no message")

        assert walk_by_osc(walker, str(port), vmc, say=say, frames=45) == 45
        messages = list(avatar.received())
    assert len(lines) == 3 and "no style 'moonwalk'" in lines[1], "each warning once"
    assert "no OSC message" in lines[2]
    hips = [m.arguments[3] for m in messages if m.address == "/VMC/Ext/Bone/Pos" and m.arguments[0] == "Hips"]
    assert len(hips) == 45 and float(hips[-1]) > 0.6, "a second and a half forward"  # type: ignore[arg-type]


def test_a_figure_without_arms_is_refused() -> None:
    with pytest.raises(SkeletonError, match="VRM avatars need the bone"):
        VmcFigure.of(Skeleton(("Hips",), (-1,), np.zeros((1, 3))))
