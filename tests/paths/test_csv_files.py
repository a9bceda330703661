"""Paths as CSV: every spelling gives the same path, written paths read back, every error is named."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from moglow.errors import ControlError
from moglow.paths.control_path import ControlPath
from moglow.paths.csv_files import read_path, write_path
from moglow.paths.presets import preset

MICROMETRES = 5e-6
CENTIMETRES = 0.05

TIMED = "t,x,z,heading,style\n0,0,0,0,calm\n1,0,1.2,10,calm\n2,0.2,2.4,20,proud\n3,0.8,3.4,30,proud\n"
SPELLINGS = {
    "plain": TIMED,
    "byte order mark": "\ufeff" + TIMED,
    "semicolons": TIMED.replace(",", ";"),
    "semicolons and decimal commas": TIMED.replace(",", ";").replace(".", ","),
    "tabs": TIMED.replace(",", "\t"),
    "CRLF": TIMED.replace("\n", "\r\n"),
    "no last newline": TIMED.rstrip(),
    "comments and blank lines": "# a path\n\n" + TIMED.replace("\n1,", "\n\n# further\n1,"),
    "spaces and capitals": TIMED.replace(",", " , ").replace("t , x", " T , X"),
    "trailing delimiters": TIMED.replace("\n", ",\n"),
    "scientific": TIMED.replace("1.2", "1.2e0"),
    "style only where it changes": TIMED.replace("10,calm", "10,").replace("30,proud", "30,"),
    "other order": "style,heading,z,t,x\ncalm,0,0,0,0\ncalm,10,1.2,1,0\nproud,20,2.4,2,0.2\nproud,30,3.4,3,0.8\n",
    "later start": TIMED.replace("\n0,", "\n10,")
    .replace("\n1,", "\n11,")
    .replace("\n2,", "\n12,")
    .replace("\n3,", "\n13,"),
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "walk.csv"


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_spelling_gives_the_same_path(file: Path, spelling: str) -> None:
    file.write_text(TIMED, encoding="utf-8", newline="")
    plain = read_path(file)
    file.write_text(SPELLINGS[spelling], encoding="utf-8", newline="")
    path = read_path(file)
    assert np.array_equal(path.positions, plain.positions) and np.array_equal(path.headings, plain.headings)
    assert path.styles == plain.styles


def test_timed_points_are_passed_in_time_without_a_jerk(file: Path) -> None:
    file.write_text(TIMED)
    path = read_path(file, fps=60.0)
    assert (len(path), path.fps) == (181, 60.0)
    for second, place, degrees in (
        (0, (0, 0), 0),
        (1, (0, 1.2), 10),
        (2, (0.2, 2.4), 20),
        (3, (0.8, 3.4), 30),
    ):
        assert np.allclose(path.positions[60 * second], place, atol=CENTIMETRES)
        assert np.degrees(path.headings[60 * second]) == pytest.approx(degrees, abs=1.0)
    assert path.styles == ("calm",) * 120 + ("proud",) * 61
    assert np.abs(np.diff(path.velocities()[:, :2], n=2, axis=0) * 60.0).max() < 0.5


@pytest.mark.parametrize("fps", [20.0, 30.0, 29.97, 120.0])
def test_written_paths_read_back(file: Path, fps: float) -> None:
    path = preset("figure8:r=1.5", fps)
    styled = ControlPath(
        path.positions, path.headings, fps, ("calm, slow",) * (len(path) - 9) + ("proud",) * 9
    )
    write_path(styled, file)
    back = read_path(file)
    assert back.fps == pytest.approx(fps) and back.styles == styled.styles
    assert np.allclose(back.positions, path.positions, atol=MICROMETRES)
    assert np.allclose(back.headings, path.headings, atol=MICROMETRES)
    assert np.allclose(read_path(file, fps=60.0).positions[0], path.positions[0], atol=MICROMETRES)


def test_velocities_integrate(file: Path) -> None:
    file.write_text("# fps: 60\nforward,sideways,turn\n" + "1.2,0.1,45\n" * 121)
    path = read_path(file)
    assert (path.fps, len(path)) == (60.0, 121)
    assert np.allclose(path.velocities(), [1.2, 0.1, np.pi / 4])
    at_twenty = read_path(file, fps=20.0)
    assert (at_twenty.fps, at_twenty.duration) == (20.0, 2.0)
    assert np.allclose(at_twenty.positions[-1], path.positions[-1], atol=1e-9)


def test_waypoints_get_times_headings_and_round_corners(file: Path) -> None:
    file.write_text("x,z,style\n0,0,calm\n0,0,calm\n0,4,calm\n4,4,proud\n4,8,proud\n")
    path = read_path(file)
    speed = path.velocities()[:, 0]
    assert speed.max() == pytest.approx(1.2, rel=0.01) and abs(speed[0]) < 0.01
    assert np.allclose(path.positions[[0, -1]], [[0, 0], [4, 8]], atol=1e-3)
    assert np.allclose(path.headings[[0, -1]], 0, atol=0.02)
    assert path.styles is not None and path.styles[0] == "calm" and path.styles[-1] == "proud"
    assert path.positions[path.styles.index("proud"), 0] == pytest.approx(3.7, abs=0.5)
    assert read_path(file, speed=0.6).duration > 1.7 * path.duration


def test_waypoints_with_headings_are_faced_as_they_say(file: Path) -> None:
    file.write_text("x,z,heading\n0,0,90\n0,4,90\n0,6,270\n")
    path = read_path(file)
    halfway = int(np.argmin(np.abs(path.positions[:, 1] - 2)))
    assert np.degrees(path.headings[[0, halfway, -1]]).round() == pytest.approx([90, 90, 270], abs=1)
    assert path.velocities()[halfway, 1] == pytest.approx(-1.2, abs=0.01)  # facing +X, +Z lies to the right


def test_headings_follow_the_way_and_wait_while_standing(file: Path) -> None:
    file.write_text("t,x,z\n0,0,0\n4,4,0\n10,4,0\n14,4,4\n")
    path = read_path(file)
    degrees = np.degrees(path.headings)
    assert degrees[60] == pytest.approx(90, abs=1) and degrees[270] == pytest.approx(90, abs=2)
    assert degrees[-1] == pytest.approx(0, abs=1)
    assert np.linalg.norm(path.positions[150:270] - [4, 0], axis=-1).max() < 1e-3  # who waits does not drift


def test_one_row_or_no_way_is_a_stand(file: Path) -> None:
    file.write_text("t,x,z\n0,1,2\n")
    assert len(read_path(file)) == 1
    file.write_text("t,x,z\n0,1,2\n5,1,2\n")
    assert read_path(file).length < MICROMETRES


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no header"),
        ("# nothing\n", "no header"),
        ("t,x,z\n", "no rows after the header"),
        ("0,0,0\n1,0,1\n", "line 1: unknown column '0'; the first row names"),
        ("t,x,zz\n0,0,0\n", "line 1: unknown column 'zz'; did you mean z"),
        ("t,x,z,hedding\n0,0,0,0\n", "did you mean heading"),
        ("x,heading\n0,0\n", "columns x,heading; expected t,x,z or x,z or forward"),
        ("x,x,z\n0,0,0\n", "column x is there twice"),
        ("forward,sideways,turn,heading\n0,0,0,0\n", "heading does not go with forward,sideways,turn"),
        ("t,x,z\n0,0,0\n1,a,0\n", "line 3, column x: found 'a', expected a number of metres"),
        ("t,x,z\n0,0,0\n\n1,,0\n", "line 4, column x: found nothing"),
        ("t,x,z\n0,0,0\n1,nan,0\n", "line 3, column x: found 'nan'"),
        ("t,x,z\n0,0,0\n1,0,1e300\n", "line 3, column z: found '1e300'"),
        ("t,x,z\n0,0,0\n1,0\n", "line 3 has 2 values, the header names 3 columns"),
        ("t,x,z\n0,0,0\n1,0,0,7\n", "line 3 has 4 values"),
        ("t,x,z\n0,0,0\n2,0,1\n1,0,2\n", "line 4, column t: 1 s does not follow 2 s; times must grow"),
        ("t,x,z\n0,0,0\n0,0,1\n", "times must grow"),
        ("t,x,z\n0,0,0\n999999,0,1\n", "line 3, column t: 999999 s are 29999971 frames"),
        ("x,z\n1,2\n1,2\n", "all waypoints are one place; give a second one, or the preset stand"),
        ("x,z\n0,0\n0,900000\n", "900 km long"),
        ("x,z,style\n0,0,\n0,1,calm\n", "line 2, column style: nothing"),
    ],
)
def test_slips_are_named_by_file_line_and_column(file: Path, text: str, message: str) -> None:
    file.write_text(text)
    with pytest.raises(ControlError, match=message) as error:
        read_path(file)
    assert "walk.csv" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_path_that_is_no_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        ControlError, match=r"missing\.csv: no such file; give a CSV file or a preset: line, circle"
    ):
        read_path(tmp_path / "missing.csv")
    with pytest.raises(ControlError, match="did you mean 'circle'"):
        read_path("cirle:r=2")
    (tmp_path / "photo.csv").write_bytes(bytes(range(256)))
    with pytest.raises(ControlError, match="not a text file"):
        read_path(tmp_path / "photo.csv")
    with pytest.raises(ControlError, match="is a folder"):
        read_path(tmp_path)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.sampled_from("txz,;\t\n.0123456789-+e# \"'\0\r"), max_size=60))
def test_whatever_a_file_holds_it_is_a_path_or_a_named_error(file: Path, text: str) -> None:
    file.write_text("t,x,z\n" + text, newline="")
    try:
        path = read_path(file)
    except ControlError as error:
        assert "\n" not in str(error)
    else:
        assert np.isfinite(path.positions).all()
