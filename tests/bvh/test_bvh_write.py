"""Writing BVH: files read back as the same motion, verbatim or portable, at once or as a stream."""

import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moglow.bvh.portable import portable
from moglow.bvh.read import read_bvh
from moglow.bvh.write import BvhWriter, write_bvh
from moglow.errors import BvhError, MoglowError
from moglow.maths.rotations import (
    Array,
    euler_to_quat,
    expmap_to_quat,
    heading_to_quat,
    quat_angle,
    quat_multiply,
)
from moglow.motion.clip import Clip
from moglow.motion.skeleton import Skeleton
from tests.support.bvh_texts import Figure, figures

ANGLE = np.radians(1e-4)
PLACE = 1e-6  # metres, 1e-4 cm
ARM = Skeleton(
    ("Hips", "Spine 1", "Arm", "Leg", "Spine_1"),
    (-1, 0, 1, 0, 3),
    np.array([[0.0, 0.0, 0.0], [0.0, 0.2, 0.0], [0.3, 0.0, 0.0], [0.0, -0.5, 0.0], [0.0, 0.0, 0.0]]),
    ((1, (0.0, 0.1, 0.0)), (2, (0.3, 0.0, 0.0)), (4, (0.0, 0.0, 0.0))),
)


def dance(skeleton: Skeleton = ARM, frames: int = 40, seed: int = 0) -> Clip:
    """Returns a clip in which every joint tumbles through whole turns and the root walks away."""
    generator = np.random.default_rng(seed)
    seconds = np.arange(frames)[:, None, None] / 30.0
    rotations = expmap_to_quat(seconds * generator.uniform(-9, 9, (len(skeleton), 3)))
    positions = np.broadcast_to(skeleton.offsets, (frames, len(skeleton), 3)).copy()
    positions[:, 0] = np.cumsum(generator.normal(0, 0.02, (frames, 3)), axis=0)
    return Clip(skeleton, positions, rotations, 30.0, "dance")


def again(clip: Clip, folder: Path, *, verbatim: bool | None = None, unit: str | None = None) -> Clip:
    """Returns the clip, written and read."""
    write_bvh(clip, folder / "again.bvh", verbatim=verbatim, unit=unit)
    layout = clip.skeleton.layout
    metres = layout.unit if layout and verbatim is not False and unit is None else unit or "cm"
    return read_bvh(folder / "again.bvh", unit=metres, up="Y")


def assert_same_world(clip: Clip, expected: Clip, place: float = 2e-5) -> None:
    """Asserts that all joints of ``clip`` match the last joints of ``expected``; errors add up along the bones."""
    joints = slice(len(expected.skeleton) - len(clip.skeleton), None)
    np.testing.assert_allclose(clip.world_positions, expected.world_positions[:, joints], atol=place)
    assert quat_angle(clip.world_rotations, expected.world_rotations[:, joints]).max() < 10 * ANGLE


@given(figures(), st.sampled_from(["m", "cm", "mm", "inch"]))
def test_any_figure_survives(tmp_path_factory: pytest.TempPathFactory, figure: Figure, unit: str) -> None:
    folder = tmp_path_factory.getbasetemp()
    (folder / "any.bvh").write_text(figure.text())
    clip = read_bvh(folder / "any.bvh", unit=unit, up="Y")
    layout = clip.skeleton.layout
    verbatim = again(clip, folder, verbatim=True)
    assert verbatim.skeleton.names == clip.skeleton.names
    assert layout and verbatim.skeleton.layout and verbatim.skeleton.layout.channels == layout.channels
    np.testing.assert_allclose(verbatim.skeleton.layout.root_offset, layout.root_offset, atol=1e-8)
    np.testing.assert_allclose(verbatim.skeleton.offsets, clip.skeleton.offsets, atol=1e-8)
    np.testing.assert_allclose(verbatim.positions, clip.positions, atol=PLACE)
    assert quat_angle(verbatim.rotations, clip.rotations).max() < ANGLE
    assert verbatim.fps == pytest.approx(clip.fps, rel=1e-7)
    assert_same_world(
        again(clip, folder, verbatim=False), clip, place=2e-7 * np.abs(clip.world_positions).max() + 2e-5
    )


@pytest.mark.parametrize("up", ["X", "-X", "Y", "-Y", "Z", "-Z"])
def test_the_axes_of_the_file_come_back(up: str, tmp_path: Path) -> None:
    write_bvh(dance(), tmp_path / "plain.bvh")
    turned = read_bvh(tmp_path / "plain.bvh", unit="cm", up=up)
    write_bvh(turned, tmp_path / "turned.bvh")
    plain, back = (read_bvh(tmp_path / name, unit="cm", up="Y") for name in ("plain.bvh", "turned.bvh"))
    np.testing.assert_allclose(back.positions, plain.positions, atol=PLACE)
    assert quat_angle(back.rotations, plain.rotations).max() < ANGLE


def test_a_portable_file_uses_only_universal_features(tmp_path: Path) -> None:
    write_bvh(dance(), tmp_path / "dance.bvh")
    text = (tmp_path / "dance.bvh").read_text()
    lines = [line.split() for line in text.splitlines()]
    assert [line[1] for line in lines if line[0] in ("ROOT", "JOINT")] == [
        "Hips",
        "Spine_1",
        "Arm",
        "Leg",
        "Spine_1_2",
    ]
    assert lines[3] == ["OFFSET", "0", "0", "0"]
    place, turn = ["Xposition", "Yposition", "Zposition"], ["Zrotation", "Xrotation", "Yrotation"]
    assert [line[1:] for line in lines if line[0] == "CHANNELS"] == [
        ["6", *place, *turn],
        *[["3", *turn]] * 4,
    ]
    tips = [lines[i + 2][1:] for i, line in enumerate(lines) if line == ["End", "Site"]]
    assert len(tips) == 3 and all(np.linalg.norm([float(x) for x in tip]) > 0.1 for tip in tips)
    assert float(text.split("Frame Time:")[1].split()[0]) == 1 / 30


def test_a_root_that_carries_a_moving_joint_is_folded_into_it(tmp_path: Path) -> None:
    skeleton = Skeleton(("Root", *ARM.names), (-1, *(parent + 1 for parent in ARM.parents)), np.eye(6, 3))
    still = dance(skeleton)
    moving = replace(
        still, positions=still.positions + 0.3 * np.sin(np.arange(40))[:, None, None] * np.eye(6, 3)[1]
    )
    assert again(still, tmp_path).skeleton.names[0] == "Root"
    folded = again(moving, tmp_path)
    assert folded.skeleton.names[0] == "Hips"
    assert_same_world(folded, moving)


def test_a_joint_that_moves_in_its_parent_keeps_its_positions(tmp_path: Path) -> None:
    clip = dance()
    clip.positions[:, 3] += 0.1 * np.sin(np.arange(40.0))[:, None]
    back = again(clip, tmp_path)
    assert back.skeleton.layout is not None
    assert [len(channels) for channels in back.skeleton.layout.channels] == [6, 3, 3, 6, 3]
    assert back.skeleton.offsets[3].tolist() == [0, 0, 0]  # so that adding and replacing give the same
    assert_same_world(back, clip)


def test_joints_in_any_order_are_written(tmp_path: Path) -> None:
    by_level = Skeleton(("Hips", "L", "R", "L2", "R2"), (-1, 0, 0, 1, 2), np.arange(15.0).reshape(5, 3) / 10)
    clip = dance(by_level)
    back = again(clip, tmp_path)
    order = [clip.skeleton.index(name) for name in back.skeleton.names]
    assert order == [0, 1, 3, 2, 4]
    np.testing.assert_allclose(back.world_positions, clip.world_positions[:, order], atol=2e-5)
    assert quat_angle(back.world_rotations, clip.world_rotations[:, order]).max() < 10 * ANGLE


HINGES = "HIERARCHY\nROOT A\n{{\nOFFSET 0 9 0\nCHANNELS {}\n}}\nMOTION\nFrames: 1\nFrame Time: 1\n{}\n"


@pytest.mark.parametrize("channels", ["1 Yrotation", "2 Zrotation Xrotation", "2 Xrotation Yrotation"])
def test_verbatim_falls_back_where_the_channels_cannot_represent_it(channels: str, tmp_path: Path) -> None:
    (tmp_path / "hinge.bvh").write_text(HINGES.format(channels, " ".join("0" * int(channels[0]))))
    hinge = read_bvh(tmp_path / "hinge.bvh", unit="cm", up="Y")
    turned = replace(hinge, rotations=euler_to_quat([[[0.1, 0.2, 0.3]]], "XZY"))
    moved = replace(hinge, positions=hinge.positions + 0.01)
    for clip, reason in ((turned, "turns"), (moved, "moves")):
        with pytest.raises(
            BvhError, match=rf"cannot be verbatim, since joint 'A' {reason} and has no channels"
        ):
            write_bvh(clip, tmp_path / "out.bvh", verbatim=True)
        with (
            pytest.raises(BvhError, match=f"joint 'A' {reason}"),
            BvhWriter(tmp_path / "out.bvh", clip.skeleton, 30.0) as writer,
        ):
            writer.write(clip.positions, clip.rotations)
        back = again(clip, tmp_path)
        assert back.skeleton.layout and len(back.skeleton.layout.channels[0]) == 6
        assert_same_world(back, clip)


@pytest.mark.parametrize("order", ["X", "Y", "Z", "XY", "XZ", "YX", "YZ", "ZX", "ZY"])
def test_few_rotation_channels_keep_whole_turns_smooth(order: str, tmp_path: Path) -> None:
    channels = " ".join([str(len(order)), *(f"{axis}rotation" for axis in order)])
    (tmp_path / "hinge.bvh").write_text(HINGES.format(channels, " ".join("0" * len(order))))
    skeleton = read_bvh(tmp_path / "hinge.bvh", unit="cm", up="Y").skeleton
    angles = np.linspace(-9, 9, 300)[:, None, None] * np.array([1.0, -0.7])[: len(order)]
    clip = Clip(skeleton, np.tile([0.0, 0.09, 0.0], (300, 1, 1)), euler_to_quat(angles, order), 30.0)
    back = again(clip, tmp_path, verbatim=True)
    assert quat_angle(back.rotations, clip.rotations).max() < ANGLE
    assert np.abs(np.diff(written(tmp_path / "again.bvh"), axis=0)).max() < 5


def written(path: Path) -> Array:
    """Returns the numbers of the frames as text, as they are in a file."""
    return np.loadtxt(path.read_text().split("Frame Time:")[1].splitlines()[1:], ndmin=2)


def test_angles_do_not_jump(tmp_path: Path) -> None:
    turns = np.linspace(0, 6 * np.pi, 400)  # three times round, nodding up and down beyond the vertical
    rotations = np.tile(
        quat_multiply(heading_to_quat(turns), euler_to_quat(2.0 * np.sin(turns)[:, None], "X")), (5, 1, 1)
    )
    clip = replace(dance(frames=400), rotations=rotations.transpose(1, 0, 2))
    write_bvh(clip, tmp_path / "spin.bvh")
    angles = written(tmp_path / "spin.bvh")[:, 3:]
    assert np.abs(np.diff(angles, axis=0)).max() < 20
    assert np.ptp(angles) > 1000


@pytest.mark.parametrize("distance", [0.0, 1e-12, 1e-9, 1e-7, 1e-5, 1e-3])
def test_gimbal_lock_and_its_neighbourhood_are_exact(distance: float, tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    angles = generator.uniform(-3, 3, (200, 5, 3))
    angles[..., 1] = generator.choice([-1, 1], (200, 5)) * (
        np.pi / 2 + generator.uniform(-distance, distance, (200, 5))
    )
    clip = replace(dance(frames=200), rotations=euler_to_quat(angles, "ZXY"))
    assert quat_angle(again(clip, tmp_path).rotations, clip.rotations).max() < ANGLE


@given(st.lists(st.integers(1, 700), min_size=1, max_size=6))
def test_a_stream_is_the_same_file(tmp_path_factory: pytest.TempPathFactory, sizes: list[int]) -> None:
    folder = tmp_path_factory.getbasetemp()
    clip = portable(dance(frames=sum(sizes)))
    write_bvh(clip, folder / "whole.bvh")
    with BvhWriter(folder / "stream.bvh", clip.skeleton, clip.fps) as writer:
        for start, size in zip(np.cumsum([0, *sizes]), sizes, strict=False):
            writer.write(clip.positions[start : start + size], clip.rotations[start : start + size])
    assert (folder / "stream.bvh").read_bytes() == (folder / "whole.bvh").read_bytes()


def test_the_memory_of_a_stream_does_not_grow_with_its_length(tmp_path: Path) -> None:
    clip = portable(dance(frames=100))

    def peak(blocks: int) -> int:
        tracemalloc.start()
        with BvhWriter(tmp_path / "stream.bvh", clip.skeleton, clip.fps) as writer:
            for _ in range(blocks):
                writer.write(clip.positions, clip.rotations)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(1)
    assert peak(50) < 1.2 * peak(5)
    assert len(read_bvh(tmp_path / "stream.bvh")) == 500


def test_a_failure_leaves_the_old_file(tmp_path: Path) -> None:
    clip = portable(dance())
    path = tmp_path / "dance.bvh"
    path.write_text("precious")
    broken = clip.rotations.copy()
    broken[7, 2, 1] = np.nan
    with pytest.raises(BvhError, match="not finite"), BvhWriter(path, clip.skeleton, 30.0) as writer:
        writer.write(clip.positions, clip.rotations)
        writer.write(clip.positions, broken)
    with pytest.raises(KeyboardInterrupt), BvhWriter(path, clip.skeleton, 30.0) as writer:
        raise KeyboardInterrupt
    with pytest.raises(BvhError, match="no frames"), BvhWriter(path, clip.skeleton, 30.0):
        pass
    assert path.read_text() == "precious"
    assert list(tmp_path.iterdir()) == [path]


def test_clips_that_cannot_be_written_are_refused(tmp_path: Path) -> None:
    clip = dance()
    for fps in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(BvhError, match="frames a second"):
            BvhWriter(tmp_path / "x.bvh", clip.skeleton, fps)
    with pytest.raises(BvhError, match="comes from no file"):
        write_bvh(clip, tmp_path / "x.bvh", verbatim=True)
    with pytest.raises(BvhError, match="unit 'furlong'"):
        write_bvh(clip, tmp_path / "x.bvh", unit="furlong")
    with pytest.raises(MoglowError, match="cannot be written"):
        write_bvh(clip, tmp_path / "no such folder" / "x.bvh")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("fps", [30.0, 24 / 1.001, 120.0, 59.94, 7.3])
def test_the_rate_survives(fps: float, tmp_path: Path) -> None:
    assert again(replace(dance(), fps=fps), tmp_path).fps == pytest.approx(fps, rel=1e-9)


def assert_survives(path: Path, folder: Path) -> None:
    clip = read_bvh(path)
    write_bvh(clip, folder / "again.bvh")
    back = read_bvh(folder / "again.bvh")
    assert back.skeleton.names == clip.skeleton.names
    assert back.skeleton.layout and clip.skeleton.layout
    assert back.skeleton.layout.channels == clip.skeleton.layout.channels
    np.testing.assert_allclose(back.positions, clip.positions, atol=PLACE)
    assert quat_angle(back.rotations, clip.rotations).max() < ANGLE
    write_bvh(clip, folder / "portable.bvh", verbatim=False)
    assert_same_world(read_bvh(folder / "portable.bvh", unit="cm", up="Y"), clip)


def test_real_clips_survive(shared_data: Path, tmp_path: Path) -> None:
    for path in sorted(shared_data.glob("tiny/*/*.bvh")):
        assert_survives(path, tmp_path)


@pytest.mark.slow
def test_every_tenth_real_clip_survives(shared_data: Path, tmp_path: Path) -> None:
    paths = sorted(path for path in shared_data.glob("**/*.bvh") if "sealed" not in path.parts)
    assert len(paths) >= 550
    for path in paths[::10]:  # all of them take two minutes
        assert_survives(path, tmp_path)
