"""A figure with scripted input: keys pass through the code of the window and steer correctly."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from struct import pack

import numpy as np
import pytest
from click.testing import CliRunner

from moglow.bvh.read import read_bvh
from moglow.checkpoint import Checkpoint
from moglow.cli.main import cli
from moglow.errors import ControlError
from moglow.evaluation.manoeuvres import Hold, Manoeuvre
from moglow.paths.csv_files import read_path
from moglow.paths.steering import Moving
from moglow.sampling.generate import PRETRAINED
from moglow_viewer.play.gamepad import AXIS, BUTTON, FULL, Stick
from moglow_viewer.play.live import HELD, Hands, Live, Walker
from moglow_viewer.play.recording import Recording, save
from moglow_viewer.play.scripted import driven, hands_of
from tests.support.desktop import Opened

SEED = 3


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    return Checkpoint.read(PRETRAINED)


@pytest.fixture(scope="module")
def walker(checkpoint: Checkpoint) -> Walker:
    return Walker.of(checkpoint, temperature=0.7, style=None, seed=SEED)


def played(walker: Walker, script: list[tuple[float, str]], live: Live | None = None) -> list[Live]:
    """Returns the figure frame by frame while keys are pressed ("+W") and released ("-W") and some seconds pass."""
    lives, hands = [live or walker.begin()], Hands()
    for seconds, key in script:
        hands = hands.press(key[1:]) if key[0] == "+" else hands.release(key[1:])
        for _ in range(round(seconds * walker.fps)):
            lives.append(walker.step(lives[-1], hands))
    return lives


def test_keys_lead_where_the_steering_leads(walker: Walker) -> None:
    script = [(2.0, "+W"), (1.0, "+LEFT"), (1.0, "-LEFT"), (1.5, "-W"), (1.0, "+A"), (1.5, "-A"), (2.0, "+S")]
    lives = played(walker, script)
    held, moving, place = set[str](), Moving(), np.zeros(3)
    frame = 0
    for seconds, key in script:
        held ^= {key[1:]}
        stick = np.clip(np.sum([HELD[each] for each in held] or [(0, 0, 0)], axis=0), -1, 1)
        for _ in range(round(seconds * walker.fps)):
            moving = walker.steering.step(moving, walker.steering.wanted(*map(float, stick)))
            forward, sideways, turn = moving.velocities / walker.fps
            middle = place[2] + turn / 2
            ahead = np.array([np.sin(middle), np.cos(middle)])
            left = np.array([np.cos(middle), -np.sin(middle)])
            place = np.append(place[:2] + forward * ahead + sideways * left, place[2] + turn)
            frame += 1
            assert np.allclose(lives[frame].place, place, atol=1e-9)
    hips = np.array([live.positions[0, [0, 2]] for live in lives])
    path = np.array([live.place[:2] for live in lives])
    assert np.linalg.norm(hips - path, axis=-1).max() < 0.3  # and the body goes with it
    assert path[60, 1] > 1.5 and lives[100].place[2] > 0.8


def test_input_acts_on_the_next_frame(walker: Walker) -> None:
    """One frame of latency: what the hands do now changes the frame after this one."""
    still = played(walker, [(1.0, "-W")])[-1]
    stays, goes = walker.step(still, Hands()), walker.step(still, Hands().press("W"))
    assert goes.place[1] > stays.place[1] and np.abs(goes.positions - stays.positions).max() > 0


def test_a_change_is_visible_in_the_second_frame_and_the_twist_leaves_hips_and_legs(walker: Walker) -> None:
    """By 5 mm, as `moglow.evaluation.response` measures it."""
    upright = replace(walker, steering=replace(walker.steering, twist=0.0))
    still = played(walker, [(1.0, "-W")])[-1]
    roles = walker.sampler.context.encoding.skeleton.anatomy.roles
    legs = [
        roles[role] for role in roles if role == "hips" or role.endswith(("thigh", "shin", "foot", "toe"))
    ]
    for key in ("W", "LEFT"):
        stays, goes, straight = still, still, still
        for _ in range(2):
            stays = walker.step(stays, Hands())
            goes, straight = (
                each.step(live, Hands().press(key)) for each, live in ((walker, goes), (upright, straight))
            )
        assert np.linalg.norm(goes.positions - stays.positions, axis=-1).max() > 0.005
        assert np.array_equal(goes.positions[legs], straight.positions[legs])
        assert (np.abs(goes.positions - straight.positions).max() > 1e-3) == (key == "LEFT")


def test_side_steps_and_the_stop_after_them_have_the_performer_for_sideways_motion(walker: Walker) -> None:
    lives = played(walker, [(1.0, "+W"), (1.0, "-W"), (1.0, "+A"), (1.0, "-A"), (1.0, "+W"), (1.0, "+A")])
    asides = [live.aside for live in lives[1:]]
    assert [asides[round((second + 0.9) * walker.fps)] for second in range(6)] == [
        False, False, True, True, False, False,
    ]  # fmt: skip
    context = walker.sampler.context
    assert (context.label_vector(None, aside=True) != context.label_vector(None)).sum() == 2


def test_a_script_is_evaluated_as_the_window_shows_it(checkpoint: Checkpoint, walker: Walker) -> None:
    hold = Hold(1.0, (1.0, 0.0, 1.0))
    ((clip, _),) = driven(checkpoint, [Manoeuvre("bend", (hold,))], 0.7, SEED)
    live, shown = walker.begin(), []
    for _ in range(len(clip)):
        live = walker.step(live, hands_of(hold))
        shown.append(live.positions)
    assert np.abs(clip.world_positions - shown).max() < 1e-5


def test_the_same_input_and_seed_give_the_same_motion(walker: Walker) -> None:
    one, two = (played(walker, [(0.5, "+W")])[-1] for _ in range(2))
    assert np.array_equal(one.positions, two.positions)
    other = walker.step(one, Hands()), walker.heated(1.2).step(one, Hands())
    assert not np.array_equal(other[0].positions, other[1].positions)


def test_a_gamepad_walks_and_hurries_as_keys_do(walker: Walker) -> None:
    still = walker.begin()
    keys = Hands(frozenset({"W", "LEFT"}), hurry=True)
    pad = Hands(pad=Stick(forward=1.0, turn=1.0, hurry=True))
    assert np.array_equal(walker.step(still, keys).positions, walker.step(still, pad).positions)
    both = replace(keys, pad=pad.pad)
    assert both.stick == (1.0, 0.0, 1.0)  # together they are no faster
    path = walker.route(still, [[0.0, 1.0], [0.0, 3.0]])
    assert walker.step(path, Hands()).route and not walker.step(path, pad).route  # the stick takes over


def test_a_drawn_line_is_walked_and_again_with_another_seed(walker: Walker) -> None:
    begun = walker.route(walker.begin(), [[0.1, 0.6], [0.2, 2.0], [1.5, 3.0]])
    assert begun.route
    ends = []
    for live in (begun, replace(begun, take=1)):
        while live.done < len(begun.route) - 1:
            live = walker.step(live, Hands())
            assert np.allclose(live.place[:2], begun.route.positions[live.done], atol=1e-6)
        ends.append(live)
    assert np.allclose(ends[0].place[:2], [1.5, 3.0], atol=0.05)
    assert not np.array_equal(ends[0].positions, ends[1].positions)
    assert walker.step(begun, Hands().press("W")).route is None  # a hand takes over
    with pytest.raises(ControlError, match="too short"):
        walker.route(begun, [[0.0, 0.01]])


def test_a_recording_equals_generation_from_its_file(
    walker: Walker, checkpoint: Checkpoint, tmp_path: Path
) -> None:
    recording = Recording(walker.fps)
    lives = played(walker, [(1.0, "+W"), (0.5, "+LEFT"), (1.0, "-W")])
    for live in lives:
        recording.add(live.place, None)
    control, motion = save(recording.path, checkpoint, walker, tmp_path)
    assert [file.name for file in (control, motion)] == ["play_1.csv", "play_1.bvh"]
    path = read_path(str(control), fps=walker.fps)
    assert np.abs(path.positions - [live.place[:2] for live in lives]).max() < 1e-4
    again = tmp_path / "again.bvh"
    words = [
        "generate",
        "--control",
        str(control),
        "--seed",
        str(SEED),
        "--temperature",
        "0.7",
        "-o",
        str(again),
    ]
    done = CliRunner().invoke(cli, words)
    assert done.exit_code == 0, done.output
    assert again.read_bytes() == motion.read_bytes() and len(read_bvh(again)) == len(lives)
    assert save(recording.path, checkpoint, walker, tmp_path)[0].name == "play_2.csv"


@pytest.fixture
def opened(display: str, tmp_path: Path) -> Iterator[Opened]:
    window = Opened(display, tmp_path, "watched_play.py", title="moglow play")
    yield window
    window.stop()


@pytest.mark.render
@pytest.mark.slow
def test_the_window_accepts_a_gamepad_that_is_connected_later(opened: Opened) -> None:
    def event(kind: int, number: int, value: int) -> bytes:
        return pack("=IhBB", 0, value, kind, number)

    assert not opened.shown["pad"]
    os.mkfifo(opened.folder / "js0")
    with (opened.folder / "js0").open("wb", buffering=0) as device:  # waits until the window has found it
        device.write(event(AXIS, 1, -FULL))
        opened.wait(lambda shown: shown["pad"] and shown["place"][1] > 0.5)
        device.write(event(AXIS, 1, 0) + event(AXIS, 3, -FULL))
        opened.wait(lambda shown: shown["place"][2] > 0.5)
        device.write(event(AXIS, 3, 0) + event(BUTTON, 1, 1) + event(BUTTON, 1, 0))
        opened.wait(lambda shown: shown["recording"])
        opened.drag((480, 520), (700, 400))
        opened.wait(lambda shown: shown["route"])
        device.write(event(BUTTON, 0, 1) + event(BUTTON, 0, 0))
        opened.wait(lambda shown: shown["take"] == 1)
    opened.wait(lambda shown: not shown["pad"])  # unplugged, and nothing is wrong
    assert opened.close("Escape") == "" and opened.process.returncode == 0


@pytest.mark.render
@pytest.mark.slow
def test_the_window_walks_draws_and_saves(opened: Opened) -> None:
    opened.press("question")
    assert not opened.wait(lambda shown: not shown["helping"])["held"]
    opened.ask("keydown", "w")
    opened.wait(lambda shown: shown["held"] == ["W"] and shown["place"][1] > 0.5)
    opened.ask("keydown", "Left")
    opened.wait(lambda shown: shown["place"][2] > 0.5)
    opened.ask("keyup", "w", "keyup", "Left")
    opened.wait(lambda shown: not shown["held"])
    opened.press("period", "y", "r")
    changed = opened.wait(lambda shown: shown["recording"])
    assert changed["temperature"] == 0.8 and changed["style"]
    opened.press("y", "y", "y", "comma")
    opened.drag((480, 520), (700, 400))
    opened.wait(lambda shown: shown["route"] and shown["path"])
    opened.press("n")
    opened.wait(lambda shown: shown["take"] == 1)
    opened.press("r")
    assert "play_1.bvh" in opened.wait(lambda shown: "play_1" in shown["message"])["message"]
    opened.press("e")
    opened.wait(lambda shown: "play_2.csv" in shown["message"])
    assert len(read_bvh(opened.folder / "play_2.bvh")) > 30
    assert opened.close("Escape") == "" and opened.process.returncode == 0
