"""Requests in our terms: rigs with rest rotations, paths through points, styles by name; numpy alone."""

from types import SimpleNamespace

import numpy as np
import pytest

from moglow.formats.bones import compose
from moglow.formats.node_tree import NodeTree
from moglow.maths.rotations import IDENTITY, axis_angle_to_quat, quat_conjugate, quat_rotate
from moglow.server.requests import ClientRig, path_of, rigid, style_of
from tests.formats.test_glb import SKELETONS, dance
from tests.support.rigs import RIGS
from tests.support.walking import walk


def root_path(
    frames: list[int], points: list[tuple[float, float]], headings: list[float] | None = None
) -> SimpleNamespace:
    return SimpleNamespace(frames=frames, positions_xz=points, heading_radians=headings)


@pytest.mark.parametrize("name", RIGS)
def test_rotations_on_a_rig_pose_it_as_the_clip(name: str) -> None:
    skeleton, random = SKELETONS[name], np.random.default_rng(0)
    axes = random.normal(size=(len(skeleton), 3))
    turns = np.array([axis_angle_to_quat(axis / np.linalg.norm(axis), 1.3) for axis in axes])
    _, rest = compose(NodeTree.of(skeleton.parents), skeleton.offsets, turns, np.ones_like(skeleton.offsets))
    above = [quat_conjugate(rest[parent]) if parent >= 0 else IDENTITY for parent in skeleton.parents]
    places = [quat_rotate(turn, offset) for turn, offset in zip(above, skeleton.offsets, strict=True)]
    joints = [
        SimpleNamespace(
            name=f"j{k}",
            parent=f"j{parent}" if parent >= 0 else None,
            rest_translation=places[k],
            rest_rotation=np.roll(turns[k], -1),
        )
        for k, parent in enumerate(skeleton.parents)
    ]
    rig = ClientRig.of(joints)
    clip = rigid(dance(rig.skeleton))
    rotations, root = rig.local(clip)
    local = np.tile([joint.rest_translation for joint in joints], (len(clip), 1, 1))
    local[:, 0] = root
    world, _ = compose(
        NodeTree.of(skeleton.parents), local, np.roll(rotations, 1, axis=-1), np.ones_like(local)
    )
    assert np.abs(world - clip.world()[0]).max() < 1e-9


def test_our_figure_is_listed_as_the_protocol_wants_it() -> None:
    skeleton = SKELETONS["mixamo"]
    joints = ClientRig.from_skeleton(skeleton).joints()
    assert [joint["name"] for joint in joints] == list(skeleton.names) and joints[0]["parent"] is None
    back = ClientRig.of([SimpleNamespace(**joint) for joint in joints])
    assert np.abs(back.skeleton.offsets[1:] - skeleton.offsets[1:]).max() < 1e-12


def test_a_path_goes_through_its_points_and_does_not_overshoot() -> None:
    path, made_up = path_of(61, 30.0, [root_path([0, 30, 60], [(0, 0), (0, 1), (0, 3)])])
    assert path.positions[[0, 30, 60]] == pytest.approx(np.array([[0, 0], [0, 1], [0, 3]]))
    assert np.diff(path.positions[:, 1]).min() >= 0 and path.headings == pytest.approx(0.0)
    assert made_up == ["headings along the path"]
    held, _ = path_of(61, 30.0, [root_path([20, 40], [(1, 1), (2, 1)], [1.0, 1.5])])
    assert held.positions[0] == pytest.approx([1, 1]) and held.positions[-1] == pytest.approx([2, 1])
    assert held.headings[[0, 30, 60]] == pytest.approx([1.0, 1.25, 1.5])


def test_without_points_it_stands() -> None:
    path, made_up = path_of(10, 30.0, [])
    assert not path.positions.any() and made_up == ["standing still"]


def test_styles_are_found_by_name_or_nearly() -> None:
    styles = ("angry", "depressed", "old_man")
    assert style_of("An ANGRY walk", styles) == "angry"
    assert style_of("walks depresed", styles) == "depressed"
    assert style_of("like an old man", styles) == "old_man"
    assert style_of("dances the tango", styles) is None


@pytest.mark.parametrize("name", ["unreal", "bandai", "mixamo"])
def test_the_root_carries_the_hips(name: str) -> None:
    clip = walk(SKELETONS[name], seconds=1.0)[0]
    moved, hips = rigid(clip), clip.skeleton.anatomy.roles["hips"]
    assert np.abs(moved.positions[:, 1:] - clip.skeleton.offsets[1:]).max() == 0.0
    assert np.abs(moved.world()[0][:, hips:] - clip.world()[0][:, hips:])[:, :3].max() < 1e-9
