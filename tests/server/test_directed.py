"""Poses and targets as the official client requests and reads them; broken requests get error objects."""

import copy
import json
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tests.support.posting import post
from tests.support.rigs import RIGS
from tests.support.walking import skeleton_of

client = pytest.importorskip("motionmcp_client.client", reason="needs motionmcp-client-sdk")
parser = pytest.importorskip("motionmcp_client.gltf_parser", reason="needs motionmcp-client-sdk")

FRAMES, POSE, REACH = 41, 18, (34, 36)
PATH = {"type": "root_path", "frames": [0, FRAMES - 1], "positions_xz": [[0, 0], [0, 1.35]]}
POSED, REACHED = 1e-3, 0.01  # metres


def body_of(server: str, figure: str = "ours", **more: Any) -> dict[str, Any]:
    """A request for motion along a line."""
    skeleton = client.get_capabilities(server)["models"][0]["canonical_skeleton"]
    if figure != "ours":
        rig = skeleton_of(RIGS[figure])
        skeleton = {"joints": [
            {"name": name, "parent": rig.names[parent] if parent >= 0 else None,
             "rest_translation": rig.offsets[joint].tolist(), "rest_rotation": [0, 0, 0, 1]}
            for joint, (name, parent) in enumerate(zip(rig.names, rig.parents, strict=True))
        ]}  # fmt: skip
    return {
        "protocol_version": "1.4", "model": "moglow", "skeleton": skeleton, "options": {"seed": 1},
        "segments": [{"type": "unconditioned", "duration_frames": FRAMES}], "constraints": [PATH],
    } | more  # fmt: skip


def read(server: str, body: dict[str, Any]) -> dict[str, Any]:
    """The motion of an answer, with the joints' positions ``places`` ``(T, J, 3)``."""
    return parsed(client.generate(server, body))


def parsed(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = parser.parse_gltf(document)
    turns, places = found["local_rot_mats"].astype(float), found["posed_joints"].astype(float)
    names = found["joint_names"]
    for joint, (name, parent) in enumerate(found["hierarchy"]):
        if parent is not None:
            above = names.index(parent)
            offset = np.subtract(found["rest_positions"][name], found["rest_positions"][parent])
            places[:, joint] = places[:, above] + turns[:, above] @ offset
            turns[:, joint] = turns[:, above] @ turns[:, joint]
    return found | {"places": places}


def keyframe(motion: dict[str, Any], frame: int, joints: list[str], **more: Any) -> dict[str, Any]:
    """The pose of a motion as a constraint."""
    from scipy.spatial.transform import Rotation

    numbers = [motion["joint_names"].index(joint) for joint in joints]
    turns = Rotation.from_matrix(motion["local_rot_mats"][frame, numbers]).as_quat()
    rotations = dict(zip(joints, turns.tolist(), strict=True))
    return {"type": "pose_keyframe", "frame": frame, "joint_rotations": rotations, **more}


@pytest.mark.parametrize(("figure", "hand"), [("ours", "LeftHand"), ("mixamo", "mixamorig:LeftHand")])
def test_poses_and_targets_are_met_on_the_figure_of_the_client(server: str, figure: str, hand: str) -> None:
    other = read(server, body_of(server, figure, options={"seed": 9}))
    names = other["joint_names"]
    root = other["places"][POSE, 0].tolist()
    place = other["places"][REACH[0], names.index(hand)] + [0.05, 0.2, 0.15]
    points = [place.tolist(), np.add(place, [0, 0.02, 0.05]).tolist()]
    constraints = [
        PATH,
        keyframe(other, POSE, names, root_position=root, fill_mode="rest"),
        {"type": "effector_target", "joint": hand, "frames": [*REACH], "positions": points},
    ]
    document = client.generate(server, body_of(server, figure, constraints=constraints))
    notes = [note["message"] for note in document["extensions"]["MMCP_motion"]["notes"]]
    assert any(note.startswith("constraints[1] (pose_keyframe, frame 18) costs") for note in notes)
    found = parsed(document)["places"]
    assert np.abs(found[POSE] - other["places"][POSE]).max() < POSED
    apart = np.linalg.norm(found[[*REACH], names.index(hand)] - points, axis=-1)
    assert apart.max() < REACHED
    steps = np.linalg.norm(np.diff(found, axis=0), axis=-1)
    assert steps.max() < 0.2  # metres in a frame: nothing jumps
    assert np.linalg.norm(found[-1, 0, [0, 2]] - [0, 1.35]) < 0.2


def test_a_pose_of_some_joints_is_met_between_the_frames_of_the_model(server: str) -> None:
    other = read(server, body_of(server, options={"seed": 9}))
    arm = ["RightShoulder", "RightArm", "RightForeArm", "RightHand"]
    body = body_of(server, constraints=[{**PATH, "frames": [0, 31]}, keyframe(other, 17, arm)])
    body |= {"timing": {"fps": 24.0}, "segments": [{"type": "unconditioned", "duration_frames": 32}]}
    found, numbers = read(server, body), [other["joint_names"].index(joint) for joint in arm]
    turns = found["local_rot_mats"][17, numbers] - other["local_rot_mats"][17, numbers]
    assert np.abs(turns).max() < 1e-5
    rest = np.delete(found["local_rot_mats"][17] - other["local_rot_mats"][17], numbers, 0)
    assert np.abs(rest).max() > 0.01  # the other joints are free


FAR = {"type": "effector_target", "joint": "LeftHand", "frames": [10], "positions": [[3, 1, 0]]}
TURN = {"joint_rotations": {"Hips": [0, 0, 0, 1]}, "fill_mode": "rest"}
HIPS = {"type": "pose_keyframe", "frame": 10, **TURN, "root_position": [0, 0.9, 0.2]}


@pytest.mark.parametrize(
    ("constraints", "says"),
    [
        ([FAR], "constraints[0] (effector_target, joint LeftHand), frame 10: LeftHand stays"),
        ([HIPS, HIPS], "(pose_keyframe, frame 10): two pins are at the same frame"),
        ([{**PATH, "frames": [0, 10]}, HIPS], "frame 10: root_path and the root_position of pose_keyframe are 1.2 m apart"),  # noqa: E501
        ([{**HIPS, "root_position": [0, 9000, 0]}], "constraints[0] (pose_keyframe, frame 10): a channel of the pose"),
        ([{**HIPS, "joint_rotations": {"Hips": [0, 0, 0, 0]}}], "constraints[0] (pose_keyframe, frame 10): the rotation"),  # noqa: E501
    ],
)  # fmt: skip
def test_what_cannot_be_met_names_its_constraint(server: str, constraints: list[Any], says: str) -> None:
    body = body_of(server, constraints=constraints)
    body["segments"] = [{"type": "unconditioned", "duration_frames": 16}]
    status, answer = post(server, json.dumps(body).encode())
    assert (
        status == 400 and answer["error"]["code"] == "invalid_options" and says in answer["error"]["message"]
    )
    if says.startswith("constraints[0]"):
        assert answer["error"]["details"] == {"constraint": 0}


def test_a_figure_with_a_leg_of_60_metres_is_an_error_object(server: str) -> None:
    target = {**FAR, "joint": "RightHand", "frames": [3], "positions": [[0.3, 1.0, 0.3]]}
    turns = {joint: [0, 0, 0.1, 1] for joint in ("LeftHand", "RightLeg", "RightShoulder")}
    pose = {**HIPS, "frame": 1, "joint_rotations": turns, "root_position": [0, 1, 0.1]}
    path = {**PATH, "frames": [0, 5], "positions_xz": [[0, 0], [0, 0.3]], "heading_radians": [0, 0.1]}
    body = body_of(server, constraints=[path, pose, target])
    foot = next(joint for joint in body["skeleton"]["joints"] if joint["name"] == "RightFoot")
    foot["rest_translation"] = [0.0, -0.41, 60.0]
    body["segments"] = [{"type": "text", "prompt": "walk", "duration_frames": 6}]
    status, answer = post(server, json.dumps(body).encode())
    assert status == 400 and answer["error"]["details"] == {"constraint": 2}, answer


JUNK: tuple[Any, ...] = ({"a": 1}, [], math.nan, 10**400)


def leaves(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The places of the values in a request; of the skeleton only those of one joint."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    if not items:
        yield place
    for key, each in items:
        if not (place == ("skeleton", "joints") and key != 5):
            yield from leaves(each, (*place, key))


def test_a_request_with_one_broken_value_is_an_error_object(server: str) -> None:
    target = {**FAR, "positions": [[0, 1, 0]], "rotations": [[0, 0, 0, 1]]}
    whole = body_of(server, constraints=[{**PATH, "heading_radians": [0, 0]}, HIPS, target])
    whole["timing"] = {"fps": 30}
    places, codes = [*leaves(whole)], set[str]()
    for place in places:
        for junk in JUNK:
            body = copy.deepcopy(whole)
            part: Any = body
            for key in place[:-1]:
                part = part[key]
            if place == ("options", "seed") and junk == 10**400:
                continue  # any whole number is a seed
            part[place[-1]] = junk
            status, answer = post(server, json.dumps(body).encode())
            assert 400 <= status < 500, (place, junk, answer)
            codes.add(answer["error"]["code"])
    assert len(places) > 40 and {"schema_validation", "invalid_options", "invalid_skeleton"} >= codes - {
        "frame_out_of_range",
        "unsupported_constraint",
        "unsupported_segment",
    }
