"""Pins, reaches and looks as text and in files: each is parsed correctly, mistakes are one-line errors."""

import json
from collections.abc import Callable
from math import inf, nan
from pathlib import Path

import pytest

from moglow.directing.pin_files import read_pins
from moglow.directing.pins import Look, Pin, Reach
from moglow.errors import ControlError

DIRECTIONS = (
    Pin(3.0, "pose.bvh", 17),
    Pin(4.2, "crouch.bvh", 0, ("left_arm", "head"), world=True),
    Reach(2.5, "left_hand", (0.4, 1.3, 1.0)),
    Look(0.0, 4.0, (1.0, 1.6, 3.0)),
)


def test_words_mean_directions() -> None:
    assert Pin.parse("3.0=pose.bvh@17") == DIRECTIONS[0]
    assert Pin.parse("4.2=crouch.bvh:left_arm,head:world") == DIRECTIONS[1]
    assert Pin.parse(r"1=C:\poses\a.bvh@-1").frame == -1
    assert Pin.at(inf, "pose.bvh", "--end") == Pin(inf, "pose.bvh")
    assert Reach.parse("2.5=left_hand:0.4,1.3,1.0") == DIRECTIONS[2]
    assert Look.parse("0-4=1,1.6,3") == DIRECTIONS[3]


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Pin(nan, "a.bvh"), "pin: nan is no number of seconds"),
        (lambda: Pin(1e308, "a.bvh"), "pin: 1e.308 is no number of seconds, at most 1e.06"),
        (lambda: Reach(-inf, "head", (0, 1, 0)), "reach: -inf is no number of seconds"),
        (lambda: Reach(1.0, "head", (0, 1e308, 0)), "reach at 1 s: 1e.308 is no number of metres"),
        (lambda: Reach(1.0, "head", (0, 1)), "reach at 1 s: a point has 2 numbers"),  # type: ignore[arg-type]
        (lambda: Look(0, inf, (0, 1, 0)), "look: inf is no number of seconds"),
        (lambda: Look(0, 2, (0, nan, 0)), "look from 0 to 2 s: nan is no number of metres"),
    ],
)
def test_wrong_values_are_refused(make: Callable[[], object], says: str) -> None:
    with pytest.raises(ControlError, match=says):
        make()


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ({"pose": "a.bvh", "joints": 5}, "joints is 5; give names"),
        ({"pose": "a.bvh", "joints": [["arms"]]}, r"joints is \[\['arms'\]\]; give names"),
        ({"pose": 5}, "pose is 5; give a name"),
        ({"pose": "a\0.bvh"}, "pose is .*; give a name"),
        ({"pose": "\ud800.bvh"}, "pose is .*; give a name"),
        ({"reach": ["head"], "x": 0, "y": 1, "z": 0}, r"reach is \['head'\]; give a name"),
    ],
)
def test_wrong_types_in_json_are_refused(entry: dict[str, object], says: str, tmp_path: Path) -> None:
    file = tmp_path / "pins.json"
    file.write_text(json.dumps([{"t": 1, **entry}]))
    with pytest.raises(ControlError, match=rf"pins\.json: entry 1: {says}"):
        read_pins(file)


@pytest.mark.parametrize(
    ("kind", "text", "says"),
    [
        (Pin, "pose.bvh@17", "expected TIME=FILE@FRAME"),
        (Pin, "1=pose.bvh@x", "'x' is no frame"),
        (Pin, "soon=pose.bvh", "'soon' is no number of seconds"),
        (Pin, "1=pose.bvh@0:arms,", "a word is missing"),
        (Reach, "1=left_hand", "expected TIME=JOINT:X,Y,Z"),
        (Reach, "1=left_hand:1,2", "expected three numbers"),
        (Reach, "1=left_hand:1,2,nan", "is no number of metres"),
        (Look, "4-0=1,2,3", "ends at 0 s, before it starts"),
        (Look, "4=1,2,3", "expected START-STOP=X,Y,Z"),
    ],
)
def test_wrong_words_are_refused(kind: type[Pin | Reach | Look], text: str, says: str) -> None:
    with pytest.raises(ControlError, match=says):
        kind.parse(text)


def test_files_hold_directions(tmp_path: Path) -> None:
    table, listed = tmp_path / "pins.csv", tmp_path / "pins.json"
    table.write_text(
        "# what happens\nt;pose;frame;joints;world;reach;until;x;y;z\n"
        "3;pose.bvh;17;;;;;;;\n4.2;crouch.bvh;;left_arm head;1;;;;;\n"
        "2.5;;;;;left_hand;;0.4;1.3;1.0\n0;;;;;;4;1;1.6;3\n"
    )
    listed.write_text(
        json.dumps(
            [
                {"t": 3, "pose": "pose.bvh", "frame": 17},
                {"t": 4.2, "pose": "crouch.bvh", "joints": ["left_arm", "head"], "world": True},
                {"t": 2.5, "reach": "left_hand", "x": 0.4, "y": 1.3, "z": 1.0},
                {"t": 0, "until": 4, "x": 1, "y": 1.6, "z": 3},
            ]
        )
    )
    for file in (table, listed):
        first, second, *others = read_pins(file)
        assert isinstance(first, Pin) and isinstance(second, Pin)
        assert (first.pose, second.pose) == (tmp_path / "pose.bvh", tmp_path / "crouch.bvh")
        assert (first.frame, second.joints, second.world) == (17, ("left_arm", "head"), True)
        assert others == list(DIRECTIONS[2:])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no header"),
        ("t,pose\n", "no pins"),
        ("t,psoe\n1,a.bvh\n", "unknown column 'psoe'; did you mean pose"),
        ("t,pose,reach\n1,a.bvh,left_hand\n", "line 2: has pose and reach"),
        ("t,pose\nsoon,a.bvh\n", "line 2: t is 'soon'"),
        ("t,reach,x,y\n1,left_hand,1,1\n", "line 2: z is nothing"),
        ("t,pose\n1,a.bvh,5\n", "line 2 has 3 values"),
        ("t,until,x,y,z\n4,1,0,0,0\n", "until is 1 s, before t at 4 s"),
    ],
)
def test_wrong_files_are_refused(text: str, says: str, tmp_path: Path) -> None:
    file = tmp_path / "pins.csv"
    file.write_text(text)
    with pytest.raises(ControlError, match=says):
        read_pins(file)
    (tmp_path / "pins.json").write_text('{"t": 1}')
    with pytest.raises(ControlError, match="expected a list of objects"):
        read_pins(tmp_path / "pins.json")
