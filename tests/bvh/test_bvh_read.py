"""Reading BVH: every spelling of a file gives the same motion; every error is one line with its place."""

import io
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.transform import Rotation

from moglow.bvh.frames import read_frames
from moglow.bvh.header import LONGEST_HEADER, MOST_JOINTS, read_header
from moglow.bvh.numbers import numbers_to_text, text_to_numbers
from moglow.bvh.read import read_bvh
from moglow.errors import BvhError
from moglow.maths.rotations import Array, quat_to_matrix
from moglow.motion.clip import Clip
from tests.support.bvh_texts import Figure, figures

ROUNDING = 1e-12  # tolerance of arithmetic in doubles

PLAIN = """\
HIERARCHY
ROOT Hips
{
	OFFSET 3.0 90.0 -2.0
	CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
	JOINT Spine
	{
		OFFSET 0.0 20.0 1.5
		CHANNELS 3 Zrotation Xrotation Yrotation
		End Site
		{
			OFFSET 0.0 30.0 0.0
		}
	}
	JOINT Leg
	{
		OFFSET 10.0 0.0 0.0
		CHANNELS 3 Xposition Yrotation Xrotation
		End Site
		{
			OFFSET 0.0 -90.0 0.0
		}
	}
}
MOTION
Frames: 3
Frame Time: 0.0333333
1.5 91.0 -2.5 10.0 -20.0 30.0 1.0 2.0 3.0 11.0 45.0 -5.0
1.75 91.25 -2.0 12.0 -22.0 33.0 1.5 2.5 3.5 11.5 46.0 -6.0
2.0 91.5 -1.5 170.0 -179.5 180.0 0.0 0.0 0.0 12.0 47.0 -7.0
"""


def head(text: str) -> str:
    """Returns the text above the frames."""
    return text[: text.index("0333333\n") + 8]


def rows(text: str) -> list[list[str]]:
    """Returns the words of each frame."""
    return [line.split() for line in text[len(head(text)) :].splitlines()]


def spell(text: str, row: Callable[[list[str]], str]) -> str:
    """Returns the text with each frame written in another way."""
    return head(text) + "\n".join(map(row, rows(text))) + "\n"


FRAMES = PLAIN[len(head(PLAIN)) :]
SPELLINGS: dict[str, str | bytes] = {
    "CRLF": PLAIN.replace("\n", "\r\n").encode(),
    "CR": PLAIN.replace("\n", "\r").encode(),
    "byte order mark": b"\xef\xbb\xbf" + PLAIN.encode(),
    "tabs in frames": spell(PLAIN, "\t".join),
    "no indent": re.sub(r"^\s+", "", PLAIN, flags=re.MULTILINE),
    "blank lines": PLAIN.replace("\n", "\n\n \t\n"),
    "blank lines at both ends": "\n\n" + PLAIN + "\n \n\n",
    "trailing blanks": PLAIN.replace("\n", " \t\n"),
    "no final newline": PLAIN.rstrip("\n"),
    "final blank, no newline": PLAIN.rstrip("\n") + " ",
    "lower case": PLAIN.lower().replace("hips", "Hips").replace("spine", "Spine").replace("leg", "Leg"),
    "upper case": PLAIN.upper().replace("HIPS", "Hips").replace("SPINE", "Spine").replace("LEG", "Leg"),
    "brace on the line": re.sub(r"\n\s*\{", " {", PLAIN),
    "brace at the name": re.sub(r"\n\s*\{", "{", PLAIN),
    "hierarchy in one line": re.sub(r"\s+", " ", PLAIN[: PLAIN.index("MOTION")]) + PLAIN[PLAIN.index("MOTION") :],
    "words of a statement on separate lines": re.sub(r"(OFFSET|CHANNELS \d) ", r"\1\n", PLAIN),
    "comments": PLAIN.replace("\n\t", "\n# hips { } JOINT\n\t", 1).replace("20.0 1.5", "20.0 1.5 # spine"),
    "end sites with names": PLAIN.replace("End Site", "End Site Toe {tip", 1).replace("{tip\n\t\t{", "{"),
    "numbered end sites": PLAIN.replace("End Site", "End Site4", 1),
    "offset after channels": re.sub(r"(\t+OFFSET.*\n)(\t+CHANNELS.*\n)", r"\2\1", PLAIN),
    "wrapped rows": spell(PLAIN, lambda row: " ".join(row[:7]) + "\n" + " ".join(row[7:])),
    "one number a line": spell(PLAIN, "\n".join),
    "lines of five": head(PLAIN) + re.sub(r"((\S+\s){5})", r"\1\n", FRAMES.replace("\n", " ")) + "\n",
    "scientific": spell(PLAIN, lambda row: " ".join(f"{float(x):.9e}" for x in row)),
    "capital exponents": spell(PLAIN, lambda row: " ".join(f"{float(x):.9E}" for x in row)),
    "plus signs": spell(PLAIN, lambda row: " ".join(f"{float(x):+.4f}" for x in row)),
    "bare points": re.sub(r"\.0(?=\s)", ".", PLAIN),
    "no leading nought": re.sub(r"(?<=[ \n-])0(?=\.)", "", PLAIN),
    "whole numbers where whole": spell(PLAIN, lambda row: " ".join(f"{float(x):g}" for x in row)),
    "many decimals": spell(PLAIN, lambda row: " ".join(f"{float(x):.25f}" for x in row)),
    "titles closed up": PLAIN.replace("Frames: 3", "Frames:3").replace("Time: 0", "Time:0"),
    "titles spread out": PLAIN.replace("Frames: ", "  frames :\t").replace("Frame Time: ", "FRAME  TIME : "),
    "more digits in the rate": PLAIN.replace("0.0333333", "3.333333333e-2"),
}  # fmt: skip


def write(folder: Path, text: str | bytes, name: str = "walk.bvh") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape"))
    return path


def assert_same_motion(clip: Clip, expected: Clip) -> None:
    assert (clip.skeleton.names, clip.skeleton.parents) == (
        expected.skeleton.names,
        expected.skeleton.parents,
    )
    assert clip.skeleton.end_sites == expected.skeleton.end_sites
    assert clip.fps == expected.fps
    np.testing.assert_allclose(clip.skeleton.offsets, expected.skeleton.offsets, atol=ROUNDING)
    np.testing.assert_allclose(clip.positions, expected.positions, atol=ROUNDING)
    np.testing.assert_allclose(clip.rotations, expected.rotations, atol=ROUNDING)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_spelling_is_the_same_motion(spelling: str, tmp_path: Path) -> None:
    text = SPELLINGS[spelling]
    assert text not in (PLAIN, PLAIN.encode())
    expected = read_bvh(write(tmp_path, PLAIN, "plain.bvh"), unit="cm", up="Y")
    assert_same_motion(read_bvh(write(tmp_path, text), unit="cm", up="Y"), expected)


def test_position_channels_replace_the_offset_axis_by_axis(tmp_path: Path) -> None:
    clip = read_bvh(write(tmp_path, PLAIN), unit="cm", up="Y")
    assert clip.positions[0].tolist() == [[0.015, 0.91, -0.025], [0.0, 0.2, 0.015], [0.11, 0.0, 0.0]]
    assert clip.skeleton.offsets[0].tolist() == [0.0, 0.0, 0.0]  # the OFFSET of the root is not a bone
    assert clip.skeleton.layout and clip.skeleton.layout.root_offset == (3.0, 90.0, -2.0)
    np.testing.assert_allclose(clip.skeleton.offsets[2], [0.1, 0.0, 0.0], atol=ROUNDING)


def test_a_root_without_position_channels_is_at_its_offset(tmp_path: Path) -> None:
    joint = "ROOT A\n{\nOFFSET 1 2 3\nCHANNELS 2 Zposition Yrotation\n}\n"
    text = f"HIERARCHY\n{joint}MOTION\nFrames: 1\nFrame Time: 1\n7 0\n"
    clip = read_bvh(write(tmp_path, text), unit="m", up="Y")
    assert clip.positions.tolist() == [[[1.0, 2.0, 7.0]]]


def test_rotations_apply_in_the_order_of_the_channels(tmp_path: Path) -> None:
    clip = read_bvh(write(tmp_path, PLAIN), unit="cm", up="Y")
    hips = Rotation.from_euler("ZXY", [[10, -20, 30], [12, -22, 33], [170, -179.5, 180]], degrees=True)
    leg = Rotation.from_euler("YX", [[45, -5], [46, -6], [47, -7]], degrees=True)
    np.testing.assert_allclose(quat_to_matrix(clip.rotations[:, 0]), hips.as_matrix(), atol=ROUNDING)
    np.testing.assert_allclose(quat_to_matrix(clip.rotations[:, 2]), leg.as_matrix(), atol=ROUNDING)


@pytest.mark.parametrize(
    "name", ["mixamo rig:Spine", "右足", "Bip01 L Toe0", "JOINT", "a  b\tc", "Ärm.L", "#1", "MOTION"]
)
def test_names_survive(name: str, tmp_path: Path) -> None:
    assert read_bvh(write(tmp_path, PLAIN.replace("Spine", name))).skeleton.names == ("Hips", name, "Leg")


def test_names_in_an_old_encoding_survive(tmp_path: Path) -> None:
    names = read_bvh(
        write(tmp_path, PLAIN.encode().replace(b"Spine", "Rücken".encode("latin-1")))
    ).skeleton.names
    assert names[1].encode("utf-8", "surrogateescape") == b"R\xfccken"


def test_several_end_sites_and_none(tmp_path: Path) -> None:
    end = "\t\tEnd Site\n\t\t{\n\t\t\tOFFSET 0.0 30.0 0.0\n\t\t}\n"
    assert end in PLAIN
    two = read_bvh(
        write(tmp_path, PLAIN.replace(end, end + end.replace("30", "40"))), unit="m", up="Y"
    ).skeleton
    assert two.end_sites == ((1, (0.0, 30.0, 0.0)), (1, (0.0, 40.0, 0.0)), (2, (0.0, -90.0, 0.0)))
    assert (
        read_bvh(write(tmp_path, PLAIN.replace(end, "")), unit="m", up="Y").skeleton.end_sites
        == two.end_sites[2:]
    )


def test_a_deep_hierarchy_is_read(tmp_path: Path) -> None:
    depth = 2000  # deeper than Python's stack
    chain = "JOINT a\n{\nOFFSET 0 1 0\n" * (depth - 1)
    text = f"HIERARCHY\nROOT r\n{{\nOFFSET 0 0 0\nCHANNELS 1 Yrotation\n{chain}{'}' * depth}\nMOTION\n"
    clip = read_bvh(write(tmp_path, text + "Frames: 1\nFrame Time: 1\n5\n"), unit="m", up="Y")
    assert clip.skeleton.parents == tuple(range(-1, depth - 1))


@pytest.mark.parametrize(
    ("seconds", "fps"),
    [
        ("0.033333", 30),
        ("0.0333", 1 / 0.0333),
        ("0.00833333", 120),
        ("0.0166667", 60),
        ("0.04170833", 24 / 1.001),
        ("1", 1),
    ],
)
def test_the_rate_is_the_one_whose_rounded_frame_time_is_in_the_file(
    seconds: str, fps: float, tmp_path: Path
) -> None:
    assert read_bvh(write(tmp_path, PLAIN.replace("0.0333333", seconds))).fps == pytest.approx(fps, rel=1e-6)


def test_unit_and_axes_are_found_or_given(tmp_path: Path, samples: Path) -> None:
    upright = read_bvh(write(tmp_path, PLAIN), unit="cm", up="Y")
    zup = read_bvh(write(tmp_path, PLAIN), unit="inch", up="z")
    x, y, z = np.moveaxis(upright.positions, -1, 0)
    np.testing.assert_allclose(zup.positions, 2.54 * np.stack([x, z, -y], axis=-1), atol=ROUNDING)
    turned, _ = zup.world()
    x, y, z = np.moveaxis(upright.world_positions, -1, 0)
    np.testing.assert_allclose(turned, 2.54 * np.stack([x, z, -y], axis=-1), atol=ROUNDING)


@pytest.mark.parametrize("wrong", [{"unit": "furlong"}, {"unit": 0.0}, {"unit": float("nan")}, {"up": "W"}])
def test_a_wrong_unit_or_axis_is_refused(wrong: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(BvhError, match=r"expected"):
        read_bvh(write(tmp_path, PLAIN), **wrong)  # type: ignore[arg-type]


# Errors in PLAIN, and a pattern that the message must contain besides the file.
ERRORS: dict[str, tuple[str | bytes, str]] = {
    "empty": ("", "empty"),
    "blank": (" \n\n", "empty"),
    "binary": (bytes(range(256)) * 40, "HIERARCHY"),
    "another format": ("glTF\x02\x00", "'glTF.*HIERARCHY"),
    "UTF-16": (PLAIN.encode("utf-16"), "UTF-16.*UTF-8"),
    "cut in the hierarchy": (PLAIN[:200], "line 10: the header ends in 'JOINT Spine', expected.*cut off"),
    "cut before the frames": (PLAIN[: PLAIN.index("Frame Time")], "line 26: no line Frame Time:.*cut off"),
    "no number of frames": (PLAIN.replace("Frames: 3\n", ""), "line 26: no line Frames:"),
    "no motion": (PLAIN[: PLAIN.index("MOTION")], "line 24: the header ends in 'the hierarchy', expected MOTION"),
    "brace missing": (PLAIN.replace("\t}\n}\n", "\t}\n"), "line 24: 'MOTION' stands in 'ROOT Hips'"),
    "brace too many": (PLAIN.replace("MOTION", "}\nMOTION"), "line 25: '}' stands in 'the hierarchy', expected MOTION"),
    "brace never opened": (PLAIN.replace("Spine\n\t{", "Spine\n"), "line 8: 'OFFSET' stands in .* expected {"),
    "two roots": (PLAIN.replace("MOTION", "ROOT B\n{\nOFFSET 0 0 0\n}\nMOTION"), "line 25: 'ROOT' stands"),
    "no root": (PLAIN.replace("ROOT", "JOINT"), "line 2: 'JOINT' stands in 'the hierarchy', expected ROOT"),
    "joint in an end site": (PLAIN.replace("OFFSET 0.0 30.0 0.0", "JOINT X"), "line 12: 'JOINT' stands in 'END SITE'"),
    "word that means nothing": (PLAIN.replace("\tOFFSET 10", "\tSCALE 10"), "line 17: 'SCALE' .*'JOINT Leg'"),
    "offset with two values": (PLAIN.replace("OFFSET 10.0 0.0", "OFFSET 10.0"), "line 17: OFFSET has 2 values"),
    "offset no number": (PLAIN.replace("OFFSET 10.0", "OFFSET ten"), "line 17: OFFSET: 'ten', expected a number"),
    "offset infinite": (PLAIN.replace("OFFSET 10.0", "OFFSET inf"), "line 17: OFFSET: 'inf', expected a number"),
    "no offset": (PLAIN.replace("OFFSET 10.0 0.0 0.0", ""), "line 15: the block .* 0 OFFSET"),
    "offset twice": (PLAIN.replace("OFFSET 10.0", "OFFSET 1 1 1\nOFFSET 10.0"), "line 15: the block .* 2 OFFSET"),
    "too few channels": (PLAIN.replace("CHANNELS 6 X", "CHANNELS 7 X"), "line 5: CHANNELS '7' with 6 names"),
    "channels without number": (PLAIN.replace("CHANNELS 6 X", "CHANNELS X"), "line 5: CHANNELS 'Xposition'"),
    "channels without anything": (PLAIN.replace("CHANNELS 3 X", "CHANNELS\n# X"), "line 18: CHANNELS '' with 0"),
    "unknown channel": (PLAIN.replace("3 Xposition", "3 Xscale"), "line 18: channel 'Xscale'"),
    "channel twice": (PLAIN.replace("3 Xposition", "3 Xrotation"), "line 18: channel 'Xrotation'"),
    "no channels at all": (re.sub(r".*CHANNELS.*\n", "", PLAIN), "no joint has channels"),
    "too many joints": ("HIERARCHY\nROOT a {" + "JOINT b {" * MOST_JOINTS, f"line 2: .*{MOST_JOINTS}"),
    "zero frames": (PLAIN.replace("Frames: 3", "Frames: 0"), "line 26: Frames: '0'"),
    "minus one frame": (PLAIN.replace("Frames: 3", "Frames: -1"), "line 26: Frames: '-1'"),
    "half a frame": (PLAIN.replace("Frames: 3", "Frames: 2.5"), "line 26: Frames: '2.5'"),
    "no rate": (PLAIN.replace("0.0333333", ""), "line 27: Frame Time:: ''"),
    "rate zero": (PLAIN.replace("0.0333333", "0"), "line 27: Frame Time: '0', expected seconds above 0"),
    "rate negative": (PLAIN.replace("0.0333333", "-0.1"), "line 27: Frame Time: '-0.1', expected seconds above 0"),
    "rate NaN": (PLAIN.replace("0.0333333", "nan"), "line 27: .*nan"),
    "rate with a comma": (PLAIN.replace("0.0333333", "0,0333333"), "line 27: .*0,0333333.*decimal point"),
    "too few frames": (PLAIN.replace("Frames: 3", "Frames: 5"), "ends after frame 3, the header declares 5"),
    "too many frames": (PLAIN.replace("Frames: 3", "Frames: 2"), "line 30: frame 3 begins, the header declares 2"),
    "no frames": (head(PLAIN), "ends after frame 0, the header declares 3"),
    "row too short": (PLAIN.replace("-22.0 33.0", "-22.0"), "line 29: frame 2 has 11 values, .* declares 12 channels"),
    "row too long": (PLAIN.replace("-22.0", "-22.0 9"), "line 29: frame 2 has 13 values, .* declares 12 channels"),
    "first row too short": (PLAIN.replace("1.5 91.0", "1.5"), "line 28: frame 1 has 11 values, .* 12 channels"),
    "all rows too short": (head(PLAIN) + re.sub(r" \S+\n", "\n", FRAMES), "line 28: frame 1 has 11 values"),
    "last row cut": (PLAIN[:-12], "line 30: frame 3 has 10 values, the hierarchy declares 12 channels; .*cut off"),
    "NaN": (PLAIN.replace("-22.0", "nan"), "line 29: frame 2, Xrotation of 'Hips': 'nan', expected a number"),
    "infinity": (PLAIN.replace("11.5", "-inf"), "line 29: frame 2, Yrotation of 'Spine'|frame 2.*'-inf'"),
    "indefinite": (PLAIN.replace("-22.0", "-1.#IND"), "line 29: frame 2: '-1.#IND', expected a number"),
    "overflow": (PLAIN.replace("-22.0", "1e400"), "line 29: frame 2, Xrotation of 'Hips': 'inf'"),
    "absurd": (PLAIN.replace("-22.0", "123456789012345"), "line 29: frame 2, Xrotation of 'Hips'"),
    "decimal commas": (spell(PLAIN, lambda row: " ".join(row).replace(".", ",")), "line 28: frame 1: '1,5'.*point"),
    "a word": (PLAIN.replace("-22.0", "twenty"), "line 29: frame 2: 'twenty', expected a number"),
    "two points": (PLAIN.replace("-22.0", "-22.0.0"), "line 29: frame 2: '-22.0.0', expected a number"),
    "two numbers in one": (PLAIN.replace("-22.0", "-22-0"), "line 29: frame 2: '-22-0', expected a number"),
    "a lone sign": (PLAIN.replace("-22.0", "-"), "line 29: frame 2: '-', expected a number"),
    "a lone point": (PLAIN.replace("-22.0", "."), "line 29: frame 2: '.', expected a number"),
    "zero bytes": (PLAIN.replace("-22.0", "\0\0"), "line 29: frame 2: .*expected a number"),
    "CRLF, row too short": (PLAIN.replace("-22.0 33.0", "-22.0").replace("\n", "\r\n"), "line 29: frame 2 has 11"),
    "CR, row too short": (PLAIN.replace("-22.0 33.0", "-22.0").replace("\n", "\r"), "line 29: frame 2 has 11"),
}  # fmt: skip


@pytest.mark.parametrize("error", ERRORS)
def test_every_error_is_one_line_with_its_place(error: str, tmp_path: Path) -> None:
    text, pattern = ERRORS[error]
    assert text != PLAIN
    with pytest.raises(BvhError, match=pattern) as caught:
        read_bvh(write(tmp_path, text))
    message = str(caught.value)
    assert message.startswith("walk.bvh: ")
    assert len(message) < 250 and message.isprintable() and message.isascii()


@pytest.mark.parametrize("cut", range(0, len(PLAIN) - 3, 7))
def test_a_file_cut_anywhere_is_refused(cut: int, tmp_path: Path) -> None:
    with pytest.raises(BvhError):
        read_bvh(write(tmp_path, PLAIN[:cut]))


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.bvh", tmp_path):
        with pytest.raises(BvhError, match=re.escape(str(path))):
            read_bvh(path)


class Endless(io.RawIOBase):
    """A file that begins in some way and then repeats itself; it counts the bytes that were read from it."""

    def __init__(self, start: bytes, rest: bytes) -> None:
        self.start, self.rest, self.taken = start, rest, 0

    def read(self, size: int = -1) -> bytes:
        assert size >= 0
        self.taken += size
        data, self.start = self.start[:size], self.start[size:]
        return data + (self.rest * (size // len(self.rest) + 1))[: size - len(data)]


@pytest.mark.parametrize(
    ("start", "rest"),
    [
        (b"", b"\0"),
        (b"", b" \n"),
        (b"HIERARCHY", b" "),
        (b"HIERARCHY\nROOT ", b"x"),
        (b"HIERARCHY\nROOT a\n", b"{"),
        (b"HIERARCHY\nROOT a {", b"JOINT b {\nOFFSET 0 0 0\n"),
        (b"HIERARCHY\nROOT a {", b"End Site {OFFSET 0 0 0}"),
        (b"HIERARCHY\nROOT a { OFFSET 0 0 0 CHANNELS 6 ", b"Xposition "),
        (b"HIERARCHY\n", b"# comment\n"),
        (PLAIN[: PLAIN.index("Frame Time")].encode(), b"frame time\n"),
        (head(PLAIN).encode(), b"\0"),
        (head(PLAIN).encode(), b"7"),
        (head(PLAIN).encode(), b"7 "),
        (head(PLAIN).encode(), b"7\n"),
        (head(PLAIN).replace("Frames: 3", "Frames: 999999999").encode(), b"garbage "),
        (PLAIN.encode(), b"1 2 3 4 5 6 7 8 9 10 11 12\n"),
    ],
)
def test_endless_garbage_is_refused_after_a_short_look(start: bytes, rest: bytes) -> None:
    file = Endless(start, rest)
    with pytest.raises(BvhError):
        header, begun = read_header(file, "endless.bvh")  # type: ignore[arg-type]
        read_frames(file, begun, header)  # type: ignore[arg-type]
    assert file.taken <= max(2 * LONGEST_HEADER, 1 << 25)


def test_two_gigabytes_of_nothing_are_refused(tmp_path: Path) -> None:
    for start in (b"", head(PLAIN).encode()):
        path = write(tmp_path, start)
        with open(path, "r+b") as file:
            file.truncate(1 << 31)  # sparse: it uses no space on the disk
        with pytest.raises(BvhError):
            read_bvh(path)


@given(figures())
def test_any_figure_is_read_like_scipy_rotations(
    tmp_path_factory: pytest.TempPathFactory, figure: Figure
) -> None:
    path = write(tmp_path_factory.getbasetemp(), figure.text(), "any.bvh")
    clip = read_bvh(path, unit="m", up="Y")
    assert clip.skeleton.parents == figure.parents
    assert clip.skeleton.names == figure.names
    assert clip.skeleton.layout is not None
    assert clip.skeleton.layout.channels == figure.channels
    assert clip.fps == pytest.approx(1 / figure.frame_time, rel=4e-4)
    column = 0
    for joint, channels in enumerate(figure.channels):
        values = dict(zip(channels, figure.frames[:, column : column + len(channels)].T, strict=True))
        column += len(channels)
        for axis in range(3):
            place = values.get(f"{'XYZ'[axis]}position", figure.offsets[joint, axis])
            np.testing.assert_array_equal(clip.positions[:, joint, axis], place)
        turn = Rotation.identity(len(clip))
        for channel, angles in values.items():
            if channel.endswith("rotation"):
                turn = turn * Rotation.from_euler(channel[0].lower(), angles[:, None], degrees=True)
        np.testing.assert_allclose(quat_to_matrix(clip.rotations[:, joint]), turn.as_matrix(), atol=ROUNDING)


@given(
    arrays(float, st.tuples(st.integers(1, 5), st.integers(1, 5)), elements=st.floats(-1e9, 1e9)),
    st.integers(0, 6),
)
def test_numbers_print_as_python_prints_them_and_read_back(numbers: Array, decimals: int) -> None:
    decimals = max(decimals, 1)
    text = numbers_to_text(numbers, decimals)
    expected = [f"{x:.{decimals}f}" for x in numbers.ravel()]
    for word, plain in zip(text.decode().split(), expected, strict=True):
        # Halves may round the other way: the scaled number is a double again.
        assert abs(float(word) - float(plain)) <= 1.01 * 10.0**-decimals
        assert word == plain or abs(float(word) - float(plain)) > 0 or float(word) == 0
    read, counts = text_to_numbers(text)
    assert counts.tolist() == [numbers.shape[1]] * len(numbers)
    assert read.tolist() == [float(word) for word in text.split()]


@given(
    st.lists(
        st.lists(st.from_regex(r"\A[+-]?([0-9]{1,20}\.?[0-9]{0,20}|\.[0-9]{1,20})(e-?[0-9])?\Z"), max_size=4),
        max_size=4,
    )
)
def test_any_number_reads_as_python_reads_it(lines: list[list[str]]) -> None:
    text = "".join(" ".join(line) + "\n" for line in lines)
    numbers, counts = text_to_numbers(text.encode())
    assert counts.tolist() == [len(line) for line in lines]
    np.testing.assert_allclose(numbers, [float(word) for line in lines for word in line], rtol=3e-16)


@pytest.mark.parametrize(
    "word", ["1-2", "1+2", "-", "+", ".", "-.", "1 -", "1 .", "1.2.3", "--1", "1-", ".-1", "1e", "0x1"]
)
def test_words_that_only_look_like_numbers_are_refused(word: str) -> None:
    with pytest.raises(ValueError):
        text_to_numbers(f"{word}\n".encode())


def test_very_small_and_very_long_numbers_are_read() -> None:
    words = ["0.00000000000000000000012", "12345678901234567890", "3." + "14" * 20, "-" + "0" * 30 + "5"]
    for word in words:
        assert text_to_numbers(f"{word}\n".encode())[0].tolist() == [float(word)]


@given(st.lists(st.text("0123456789.+-e ", max_size=6), max_size=6).map(" ".join))
def test_text_that_is_no_number_is_never_read_as_one(text: str) -> None:
    try:
        expected = [float(word) for word in text.split()]
    except ValueError:
        with pytest.raises(ValueError):
            text_to_numbers(text.encode() + b"\n")
    else:
        np.testing.assert_allclose(text_to_numbers(text.encode() + b"\n")[0], expected, rtol=3e-16)
