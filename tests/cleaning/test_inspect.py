"""Inspecting: a sound walk is described correctly, and each injected damage is reported once."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from moglow.bvh.read import read_bvh
from moglow.bvh.write import write_bvh
from moglow.cleaning.injection import KINDS, inject
from moglow.cleaning.inspect import (
    Report,
    find_damage,
    inspect_clip,
    inspect_file,
    inspect_folder,
    motion_files,
)
from moglow.cleaning.mend import mend
from moglow.errors import MoglowError
from moglow.maths.rotations import axis_angle_to_quat, quat_multiply
from moglow.motion.clip import Clip
from tests.support.rigs import RIGS
from tests.support.walking import skeleton_of, walk

SAMPLE = read_bvh(Path(__file__).resolve().parents[2] / "data/samples/walk.bvh")
SPEED = 1.2
WALK = walk(skeleton_of(RIGS["snu"]), seconds=6.0, speed=SPEED)[0].on_floor()
KNEE = WALK.skeleton.index("LeftLeg")


def twisted(degrees: float, frames: slice) -> Clip:
    rotations = WALK.rotations.copy()
    turn = axis_angle_to_quat([0.0, 0.6, 0.8], np.radians(degrees))
    rotations[frames, KNEE] = quat_multiply(rotations[frames, KNEE], turn)
    return replace(WALK, rotations=rotations)


def frozen() -> Clip:
    frames = np.arange(len(WALK))
    frames[50:60] = 50
    return replace(WALK, positions=WALK.positions[frames], rotations=WALK.rotations[frames])


def doubled() -> Clip:
    return replace(
        WALK, positions=WALK.positions.repeat(2, axis=0), rotations=WALK.rotations.repeat(2, axis=0), fps=60.0
    )


def stretched() -> Clip:
    positions = WALK.positions.copy()
    positions[30:60, WALK.skeleton.index("LeftHand")] *= 1.2
    return replace(WALK, positions=positions)


def leapt() -> Clip:
    positions = WALK.positions.copy()
    positions[70:, 0] += [1.0, 0.0, 0.0]
    return replace(WALK, positions=positions)


INJURED: dict[str, Callable[[], Clip]] = {
    "jump": lambda: twisted(80, slice(40, None)),
    "flip": lambda: twisted(175, slice(40, None)),
    "teleport": leapt,
    "frozen": frozen,
    "repeats": doubled,
    "fps": lambda: replace(WALK, fps=120.0),
    "floor": lambda: WALK.moved((0.0, 0.3, 0.0)),
    "stretch": stretched,
}


@pytest.mark.parametrize("kind", INJURED)
def test_each_damage_is_reported_once_and_alone(kind: str) -> None:
    damage = find_damage(INJURED[kind]())
    assert [each.kind for each in damage] == [kind]


@pytest.mark.parametrize("kind", KINDS)
def test_reported_damage_is_that_of_mend_with_one_reason_each(kind: str) -> None:
    injured = inject(SAMPLE, kind, generator=np.random.default_rng(2)).clip
    damage = [each.damage for each in mend(injured).found]
    expected = [(each.kind, each.why, each.start, each.stop) for each in damage]
    assert [(each.kind, each.why, each.start, each.stop) for each in find_damage(injured)] == expected
    assert len(expected) == 1


def test_lasting_jumps_are_reported_by_frames_of_the_file() -> None:
    hurried = inject(SAMPLE, "rate", generator=np.random.default_rng(2)).clip
    rotations, frame = hurried.rotations.copy(), len(hurried) - 30
    knee = hurried.skeleton.anatomy.roles["left_shin"]
    rotations[frame:, knee] = quat_multiply(
        rotations[frame:, knee], axis_angle_to_quat([0, 0, 1], np.radians(80))
    )
    damage = find_damage(replace(hurried, rotations=rotations))
    assert {each.kind for each in damage} == {"rate", "jump"}
    assert [each.start for each in damage if each.kind == "jump"] == [frame]


def test_damage_is_reported_with_its_frames() -> None:
    (flip,) = find_damage(twisted(175, slice(40, None)))
    assert str(flip).startswith("40: LeftLeg flips 1") and str(flip).endswith("°")
    (frost,) = find_damage(frozen())
    assert str(frost) == "51 to 59: the figure is frozen for 0.33 s"


def test_a_sound_walk_is_described_as_it_was_made() -> None:
    report = inspect_clip(WALK, "walk.bvh")
    assert report.figure and report.motion and report.motion.slide
    assert report.damage == ()
    assert (report.file, report.fps, report.frames) == ("walk.bvh", 30.0, len(WALK))
    assert report.motion.speed_median == pytest.approx(SPEED, rel=0.02)
    assert report.motion.turn_p95 < 0.05
    assert report.motion.slide.median < 1e-6
    assert abs(report.motion.floor) < 1e-9
    assert report.figure.legs == 2
    assert report.figure.roles["left_shin"][0] == "LeftLeg" and report.figure.sure > 0.8


def test_a_figure_without_legs_or_names_is_described_with_doubts() -> None:
    (each,) = find_damage(Clip.at_rest(skeleton_of(RIGS["snu"].scrambled())).on_floor())
    assert each.kind == "figure" and "unsure" in str(each)
    rope = replace(RIGS["snu"], names=("A", "B"), parents=(-1, 0), rest=np.eye(3)[:2])
    assert "no legs" in find_damage(Clip.at_rest(skeleton_of(rope)).on_floor())[0].why


def test_a_clip_of_one_frame_has_a_report() -> None:
    report = inspect_clip(WALK[:1])
    assert report.motion and report.motion.speed_p95 == 0.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two sound files, one of them deeper, and one with a value that is no number."""
    (tmp_path / "more").mkdir()
    write_bvh(WALK, tmp_path / "walk.bvh")
    write_bvh(WALK[:40], tmp_path / "more/short.BVH", unit="m")
    lines = (tmp_path / "walk.bvh").read_text().splitlines()
    lines[-5] = lines[-5].replace(lines[-5].split()[3], "NaN", 1)
    (tmp_path / "broken.bvh").write_text("\n".join(lines) + "\n")
    return tmp_path


def test_a_folder_is_reported_file_by_file_with_the_broken_ones(folder: Path) -> None:
    reports = {Path(report.file).name: report for report in inspect_folder(folder)}
    assert list(reports) == ["broken.bvh", "short.BVH", "walk.bvh"]
    assert "broken.bvh" in str(reports["broken.bvh"].error) and "\n" not in str(reports["broken.bvh"].error)
    assert reports["short.BVH"].error is None and reports["walk.bvh"].error is None


def test_unit_axes_and_confidence_are_those_of_the_file(folder: Path) -> None:
    report = inspect_file(folder / "walk.bvh")
    assert report.axes and (report.axes.unit, report.axes.up, report.axes.forward) == ("cm", "Y", "Z")
    assert report.axes.unit_confidence > 0.9 and report.axes.confidence > 0.8
    short = inspect_file(folder / "more/short.BVH")
    assert short.axes and short.axes.unit == "m"


def test_a_map_is_followed_and_a_wrong_one_is_an_error_of_the_file(folder: Path) -> None:
    report = inspect_file(folder / "walk.bvh", {"left_foot": "LeftToes"})
    assert report.figure and report.figure.roles["left_foot"] == ("LeftToes", 1.0)
    assert "LeftFoot" in str(inspect_file(folder / "walk.bvh", {"left_foot": "LeftFot"}).error)


def test_reports_are_plain_json(folder: Path) -> None:
    for report in inspect_folder(folder):
        assert json.loads(json.dumps(report.to_json()))["file"] == report.file


def test_a_folder_without_motion_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(MoglowError, match="no motion file in this folder"):
        motion_files(tmp_path)


def test_a_missing_file_is_a_report_with_its_error() -> None:
    assert isinstance(inspect_file("nowhere.bvh"), Report)
    assert "nowhere.bvh" in str(inspect_file("nowhere.bvh").error)


def test_every_real_set_is_understood(shared_data: Path) -> None:
    """Measured over all 540 files: cm, Y up, facing Z, 2 legs; least confidence of a role 0.83, of a unit 0.99."""
    for subset in ("open_cmu69", "open_cmu_120fps", "open_snu_walk", "nc_bandai2"):
        file = min((shared_data / "locomotion" / subset).glob("*.bvh"), key=lambda path: path.stat().st_size)
        report = inspect_file(file)
        assert report.figure and report.axes, report.error
        assert (report.axes.unit, report.axes.up, report.axes.forward) == ("cm", "Y", "Z")
        assert report.figure.legs == 2 and report.figure.sure >= 0.8
        assert report.axes.unit_confidence > 0.99
    metres = inspect_file(shared_data / "tiny/open/wd2_WalkForwardNormal00.bvh")
    assert metres.axes and metres.axes.unit == "m"
