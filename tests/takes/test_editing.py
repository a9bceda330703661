"""Edits: gaps filled, stretches made anew, clips blended. What is kept is kept exactly, seams are smooth."""

from pathlib import Path

import numpy as np
import pytest

import moglow
from moglow.bvh.read import read_bvh
from moglow.bvh.write import write_bvh
from moglow.checkpoint import Checkpoint
from moglow.directing.joint_groups import joints_named
from moglow.errors import MoglowError
from moglow.maths.rotations import Array
from moglow.measures.metrics import toe_slide
from moglow.motion.clip import Clip
from moglow.motion.contacts import toe_points
from moglow.sampling.generate import PRETRAINED
from moglow.takes.editing import Edit
from tests.support.commands import fails, run
from tests.support.rigs import RIGS
from tests.support.walking import skeleton_of, walk


@pytest.fixture(scope="module")
def clip() -> Clip:
    return moglow.generate("line:length=4", seed=4).clip


@pytest.fixture(scope="module")
def folder(clip: Clip, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("edits")
    write_bvh(clip, place / "take.bvh")
    write_bvh(clip[:60], place / "a.bvh")
    write_bvh(clip[84:], place / "b.bvh")
    return place


def accelerations(clip: Clip) -> Array:
    """The greatest of any joint ``(T - 2,)``, in metres a second squared."""
    steps = np.diff(clip.world_positions, 2, axis=0)
    found: Array = np.linalg.norm(steps, axis=-1).max(axis=1) * clip.fps**2
    return found


def smooth(edit: Edit, *like: Clip) -> None:
    """Asserts that seams are as smooth as the motion around them, bones rigid and feet on their places."""
    found, usual = accelerations(edit.clip), max(accelerations(clip).max() for clip in like)
    for seam in (edit.start, edit.stop):
        assert found[max(seam - 3, 0) : seam + 2].max(initial=0.0) < 1.5 * usual
    lengths = np.linalg.norm(edit.clip.positions[:, 1:] - edit.clip.positions[:1, 1:], axis=-1)
    assert lengths.max() < 1e-6
    made = edit.clip[max(edit.start - 2, 0) : edit.stop + 2]
    assert toe_slide(toe_points(made), made.fps).mean < 0.06


def test_a_gap_is_filled_between_two_clips(clip: Clip) -> None:
    first, second = moglow.between(clip[:60], clip[84:], seconds=25 / 30, takes=2, seed=3)
    assert first.score <= second.score and {first.number, second.number} == {0, 1}
    for edit in (first, second):
        assert (edit.start, edit.stop, len(edit.clip)) == (60, 84, len(clip))
        np.testing.assert_array_equal(edit.clip.rotations[:60], clip.rotations[:60])
        np.testing.assert_array_equal(edit.clip.positions[84:], clip.positions[84:])
        smooth(edit, clip)
    assert np.abs(first.clip.rotations - second.clip.rotations).max() > 1e-2


def test_a_clip_of_another_rate_and_figure_joins_by_moving_there(clip: Clip) -> None:
    other, _ = walk(skeleton_of(RIGS["cmu"]), seconds=2.0, fps=60.0, speed=1.2)
    (edit,) = moglow.between(clip[:60], other, seconds=1.0, move=True)
    assert edit.clip.skeleton == clip.skeleton and edit.clip.fps == clip.fps
    assert len(edit.clip) == 60 + 29 + 61
    np.testing.assert_array_equal(edit.clip.rotations[:60], clip.rotations[:60])
    smooth(edit, clip, edit.clip[edit.stop :])


def test_steps_are_shortened_to_arrive_in_another_phase(clip: Clip) -> None:
    """The second clip begins a third of a stride early: no foot leaps, and the figure keeps its speed."""
    other, _ = walk(skeleton_of(RIGS["cmu"]), seconds=2.0, fps=60.0, speed=1.2)
    for seed in range(1, 4):
        (edit,) = moglow.between(clip[:60], other, seconds=1.0, move=True, seed=seed)
        smooth(edit, clip, edit.clip[edit.stop :])
        made = edit.clip[edit.start - 1 : edit.stop + 1]
        toes = np.linalg.norm(np.diff(toe_points(made), axis=0), axis=-1) * made.fps
        hips = np.linalg.norm(np.diff(made.ground_positions(), axis=0), axis=-1) * made.fps
        assert toes.max() < 7.0 and hips.max() < 1.75


def test_edits_work_on_the_skeleton_of_the_clip() -> None:
    own, _ = walk(skeleton_of(RIGS["cmu"]), seconds=4.0, fps=60.0, speed=1.2)
    (edit,) = moglow.redo(own, 90, 150)
    assert edit.clip.skeleton == own.skeleton
    kept = np.r_[0:90, 150 : len(own)]
    np.testing.assert_array_equal(edit.clip.rotations[kept], own.rotations[kept])
    changes = accelerations(edit.clip)[[88, 89, 148, 149]]
    assert changes.max() < 1.5 * accelerations(own).max()


def test_a_stretch_is_made_anew_to_the_end(clip: Clip) -> None:
    (edit,) = moglow.redo(clip, 110, len(clip), seed=2)
    np.testing.assert_array_equal(edit.clip.rotations[:110], clip.rotations[:110])
    assert np.abs(edit.clip.rotations[110:] - clip.rotations[110:]).max() > 1e-2
    smooth(edit, clip)


@pytest.mark.parametrize(("style", "joints"), [("carrying", ()), ("march", ("arms",))])
def test_a_stretch_is_made_in_a_named_style(clip: Clip, style: str, joints: tuple[str, ...]) -> None:
    """Its poses differ from those of the clip as recordings of the style do, and return to the clip."""
    encoding = Checkpoint.read(PRETRAINED).context.encoding
    arms = np.flatnonzero([name.rpartition(".")[0].endswith("Arm") for name in encoding.names])

    def mean(made: Clip) -> Array:
        return np.asarray(encoding.encode(made, encoding.spec.path(made))[60:100, arms].mean(0))

    takes = [
        moglow.generate("line:length=4", seed=seed, style=style) for seed in range(4)
    ]  # of different postures
    styled = np.mean([mean(take.clip) for take in takes], axis=0)
    (edit,) = moglow.redo(clip, 35, 120, style=style, joints=joints)
    (same,) = moglow.redo(clip, 35, 120, joints=joints)
    way = styled - mean(clip)
    shares = [float((mean(each.clip) - mean(clip)) @ way / (way @ way)) for each in (edit, same)]
    assert shares[0] > max(0.4, shares[1] + 0.2)
    np.testing.assert_array_equal(edit.clip.rotations[:35], clip.rotations[:35])
    np.testing.assert_array_equal(edit.clip.rotations[120:], clip.rotations[120:])
    assert accelerations(edit.clip)[[33, 34, 118, 119]].max() < 1.5 * accelerations(clip).max()


def test_two_clips_blend(clip: Clip) -> None:
    other = moglow.generate("circle:r=2", seed=4).clip[:150]
    (edit,) = moglow.blend(clip, other, at=2.0, seconds=0.8)
    assert len(edit.clip) == 60 + len(other)
    np.testing.assert_array_equal(edit.clip.rotations[:61], clip.rotations[:61])
    np.testing.assert_array_equal(edit.clip.rotations[edit.stop :, 1:], other.rotations[24:, 1:])
    smooth(edit, clip)


def test_the_command_fills_a_gap(folder: Path, clip: Clip) -> None:
    out = folder / "ab.bvh"
    done = run("between", folder / "a.bvh", folder / "b.bvh", "--seconds", 25 / 30, "-o", out, "--takes", 2)
    assert done.exit_code == 0, done.output
    assert "ab_1.bvh: frames 60 to 83 made" in done.stdout and "score" in done.stdout
    made = read_bvh(folder / "ab_2.bvh")
    assert len(made) == len(clip)
    np.testing.assert_allclose(made.world_positions[84:], clip.world_positions[84:], atol=1e-5)


def test_redo_keeps_all_else_to_the_byte(folder: Path) -> None:
    source = (folder / "take.bvh").read_bytes().splitlines()
    done = run("redo", folder / "take.bvh", "--frames", "60:100", "--joints", "arms,head", "--takes", 2)
    assert done.exit_code == 0, done.output
    take = read_bvh(folder / "take.bvh")
    named = set(joints_named(take.skeleton, ["arms", "head"], place="test"))
    layout = take.skeleton.layout
    assert layout is not None
    owner = np.repeat(np.arange(len(take.skeleton)), [len(channels) for channels in layout.channels])
    others = np.flatnonzero([joint not in named for joint in owner])
    for number in (1, 2):
        made = (folder / f"take_redo_{number}.bvh").read_bytes().splitlines()
        first = len(source) - len(take)
        changed = [k - first for k, (old, new) in enumerate(zip(source, made, strict=True)) if old != new]
        assert changed == list(range(60, 100))
        for frame in changed:
            old, new = (lines[first + frame].split() for lines in (source, made))
            assert [old[k] for k in others] == [new[k] for k in others]
        edited = read_bvh(folder / f"take_redo_{number}.bvh")
        assert accelerations(edited).max() < 1.5 * accelerations(take).max()


def test_the_command_blends(folder: Path) -> None:
    out = folder / "blended.npz"
    done = run("blend", folder / "take.bvh", folder / "a.bvh", "--at", 3, "--seconds", 0.7, "-o", out)
    assert done.exit_code == 0, done.output
    assert out.is_file()


def test_mistakes_end_in_one_line(folder: Path, clip: Clip) -> None:
    a, b, take, out = (folder / name for name in ("a.bvh", "b.bvh", "take.bvh", "out.bvh"))
    far = folder / "far.bvh"
    write_bvh(clip[84:].moved((9.0, 0.0, 0.0)), far)
    assert "too far for 0.5 s; give more seconds, or move it there (--move)" in fails(
        "between", a, far, "--seconds", 0.5, "-o", out
    )
    assert "give at least 0.067" in fails("between", a, b, "--seconds", 0.01, "-o", out)
    assert "is the input" in fails("between", a, b, "--seconds", 1, "-o", b)
    assert "nowhere.bvh: " in fails("between", a, "nowhere.bvh", "--seconds", 1, "-o", out)
    assert "name a motion file" in run("redo", "", "--frames", "9:12").stderr
    assert "expected START:STOP" in fails("redo", take, "--frames", "90", "-o", out)
    assert f"has {len(clip)} frames" in fails("redo", take, "--frames", "90:9999", "-o", out)
    assert "the model needs" in fails("redo", take, "--frames", "5:60", "-o", out)
    assert "did you mean arms" in fails("redo", take, "--frames", "60:90", "--joints", "amrs", "-o", out)
    assert "carries the whole body" in fails("redo", take, "--frames", "60:90", "--joints", "hips", "-o", out)
    assert "no style is called 'marsh'; did you mean 'march'?" in fails(
        "redo", take, "--frames", "60:90", "--style", "marsh", "-o", out
    )
    assert "lasts" in fails("blend", a, b, "--at", 99, "-o", out)
    assert "give less" in fails("blend", take, a, "--at", 1, "--seconds", 9, "-o", out)
    assert not out.exists()
    with pytest.raises(MoglowError, match="the model needs"):
        moglow.between(clip[:10], clip[30:], seconds=0.5)
