"""The server as its clients see it: the official one gets motion, bad requests get error objects."""

import json
import socket
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from scipy.spatial.transform import Rotation

from moglow.checkpoint import Checkpoint
from moglow.cli.main import cli
from moglow.errors import LinkError
from moglow.formats.read import read_motion
from moglow.motion.retarget import retarget
from moglow.paths.control_path import ControlPath
from moglow.sampling.generate import PRETRAINED
from moglow.server.guard import AT_ONCE
from moglow.takes.single import generate
from tests.support.posting import post
from tests.support.rigs import RIGS
from tests.support.walking import skeleton_of

pytest.importorskip("motionmcp.server", reason="needs motionmcp-sdk[server]: pip install '.[serve]'")
client = pytest.importorskip("motionmcp_client.client", reason="needs motionmcp-client-sdk")

CLOSE = 1e-4  # metres


def request(server: str, **more: Any) -> dict[str, Any]:
    """A request for three seconds along a line, on the server's own figure."""
    (model,) = client.get_capabilities(server)["models"]
    body = {
        "protocol_version": "1.4", "model": "moglow", "skeleton": model["canonical_skeleton"],
        "segments": [{"type": "unconditioned", "duration_frames": 91}],
        "constraints": [{"type": "root_path", "frames": [0, 90], "positions_xz": [[0, 0], [0, 3]]}],
        "options": {"seed": 1},
    }  # fmt: skip
    return {key: value for key, value in (body | more).items() if value is not None}


def proscenium(server: str, **more: Any) -> dict[str, Any]:
    """A request with the fields that the Proscenium add-on for Blender sends, for a figure whose rest has no turns."""
    (model,) = client.get_capabilities(server)["models"]
    joints = [
        joint | {"rest_rotation": [0.0, 0.0, 0.0, 1.0]} for joint in model["canonical_skeleton"]["joints"]
    ]
    return {
        "protocol_version": "1.0", "model": model["id"],
        "skeleton": {"joints": joints, "coordinate_system": "right_handed_y_up", "units": "meters"},
        "segments": [
            {"type": "unconditioned", "duration_frames": 10},
            {"type": "text", "prompt": "a person walks forward", "duration_frames": 60},
            {"type": "unconditioned", "duration_frames": 21},
        ],
        "constraints": [{"type": "root_path", "frames": [0], "positions_xz": [[0.5, -0.25]], "heading_radians": [0.0]}],
        "options": {
            "diffusion_steps": 50, "num_samples": 1, "seed": None, "post_processing": True, "transition_frames": 5,
            "guidance": {"type": "separated", "weight": [2.0, 2.0]},
        },
    } | more  # fmt: skip


def clip_of(document: dict[str, Any], folder: Path) -> Any:
    (folder / "answer.gltf").write_text(json.dumps(document))
    return read_motion(folder / "answer.gltf", unit=1.0, up="Y")


def test_requests_of_proscenium_are_answered(server: str, tmp_path: Path) -> None:
    """It asks for a start alone, or for a path in every tenth frame, and has options of diffusion models."""
    status, document = post(server, json.dumps(proscenium(server)).encode())
    assert status == 200, document
    clip = clip_of(document, tmp_path)
    assert len(clip) == 91
    np.testing.assert_allclose(clip.ground_positions()[0], (0.5, -0.25), atol=0.1)
    frames = [*range(0, 91, 10)]
    line = {"type": "root_path", "frames": frames, "positions_xz": [[0.0, 0.03 * frame] for frame in frames]}
    status, document = post(server, json.dumps(proscenium(server, constraints=[line])).encode())
    assert status == 200, document
    np.testing.assert_allclose(clip_of(document, tmp_path).ground_positions()[-1], (0.0, 2.7), atol=0.15)


def test_the_official_client_gets_motion_along_its_path(server: str, tmp_path: Path) -> None:
    caps = client.get_capabilities(server)
    (model,) = caps["models"]
    assert model["supported_constraints"] == ["root_path", "pose_keyframe", "effector_target"]
    assert model["supports_retargeting"] and not model["supports_loop"]
    clip = clip_of(client.generate(server, request(server)), tmp_path)
    assert len(clip) == 91 and clip.fps == 30.0
    path = ControlPath(np.stack([np.zeros(91), np.linspace(0, 3, 91)], -1), np.zeros(91), 30.0)
    own = generate(path, seed=1).clip
    found = clip.world()[0][:, [clip.skeleton.index(name) for name in own.skeleton.names]]
    assert np.abs(found - own.world()[0]).max() < CLOSE


def test_the_same_seed_gives_the_same_motion_and_another_another(server: str, tmp_path: Path) -> None:
    one, same, other = (
        clip_of(client.generate(server, request(server, options={"seed": seed})), tmp_path).world()[0]
        for seed in (1, 1, 2)
    )
    assert np.array_equal(one, same) and np.abs(one - other).max() > 1e-3


@pytest.mark.parametrize("name", ["mixamo", "unreal", "rigify"])
def test_motion_is_put_on_the_skeleton_of_the_client(server: str, name: str, tmp_path: Path) -> None:
    rig = skeleton_of(RIGS[name])
    random = np.random.default_rng(0)
    turns = random.normal(size=(len(rig), 4))
    turns /= np.linalg.norm(turns, axis=-1, keepdims=True)
    world = [Rotation.from_quat(turn) for turn in turns]  # each joint's own axes, w last
    joints = []
    for joint, parent in enumerate(rig.parents):
        above = world[parent] if parent >= 0 else Rotation.identity()
        joints.append({
            "name": rig.names[joint], "parent": rig.names[parent] if parent >= 0 else None,
            "rest_translation": above.inv().apply(rig.offsets[joint].copy()).tolist(),
            "rest_rotation": (above.inv() * world[joint]).as_quat().tolist(),
        })  # fmt: skip
    clip = clip_of(client.generate(server, request(server, skeleton={"joints": joints})), tmp_path)
    own = clip_of(client.generate(server, request(server)), tmp_path)
    expected = retarget(own, rig, keep_path=True)
    assert clip.skeleton.names == rig.names and len(clip) == len(expected)
    feet = [leg.ankle for leg in rig.anatomy.legs]
    assert np.abs(clip.world()[0][:, feet] - expected.world()[0][:, feet]).max() < 0.02
    lengths = np.linalg.norm(clip.world()[0][:, 1:] - clip.world()[0][:, list(rig.parents[1:])], axis=-1)
    assert np.abs(lengths - rig.bone_lengths[1:])[:, 5:].max() < 1e-4


def test_frames_are_those_of_the_clients_rate(server: str, tmp_path: Path) -> None:
    body = request(server, timing={"fps": 24.0}, segments=[{"type": "unconditioned", "duration_frames": 49}],
                   constraints=[{"type": "root_path", "frames": [0, 48], "positions_xz": [[0, 0], [2, 0]]}])  # fmt: skip  # noqa: E501
    clip = clip_of(client.generate(server, body), tmp_path)
    assert clip.fps == 24.0 and len(clip) == 49
    assert abs(clip.ground_positions()[-1, 0] - 2.0) < 0.3


def test_a_prompt_names_a_style_and_the_answer_says_so(server: str) -> None:
    style = Checkpoint.read(PRETRAINED).context.styles[0]
    segments = [{"type": "text", "prompt": f"a {style} person walks", "duration_frames": 91}]
    notes = client.generate(server, request(server, segments=segments))["extensions"]["MMCP_motion"].get(
        "notes", []
    )
    assert any(style in note["message"] for note in notes)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"model": "other"}, "unknown_model"),
        ({"protocol_version": "9.0"}, "version_unsupported"),
        ({"constraints": [{"type": "ground_height", "points": [[0, 0, 0]]}]}, "unsupported_constraint"),
        ({"constraints": [{"type": "effector_target", "joint": "Tail", "frames": [3], "positions": [[0, 1, 0]]}]}, "unknown_joint"),  # noqa: E501
        ({"constraints": [{"type": "root_path", "frames": [999], "positions_xz": [[0, 0]]}]}, "frame_out_of_range"),
        ({"segments": [{"type": "unconditioned", "duration_frames": 100000}], "constraints": []}, "invalid_options"),
        ({"segments": [], "constraints": []}, "schema_validation"),
        ({"options": {"loop": True}}, "invalid_options"),
        ({"timing": {"fps": 0.001}}, "invalid_options"),
        ({"skeleton": {"joints": [{"name": "a", "parent": "b", "rest_translation": [0, 0, 0], "rest_rotation": [0, 0, 0, 1]}]}}, "invalid_skeleton"),  # noqa: E501
        ({"skeleton": {"joints": [{"name": "a", "parent": None, "rest_translation": [0, 0, 0], "rest_rotation": [0, 0, 0, 1]}]}}, "invalid_options"),  # noqa: E501
    ],
)  # fmt: skip
def test_a_bad_request_is_an_error_object(server: str, change: dict[str, Any], code: str) -> None:
    status, answer = post(server, json.dumps(request(server, **change)).encode())
    assert 400 <= status < 500 and code in answer["error"]["code"], answer
    assert "Traceback" not in json.dumps(answer)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"requests": 3}', b"x" * 2_000_000, b"x" * 30_000_000]
)
def test_what_is_no_request_is_an_error_object(server: str, body: bytes) -> None:
    status, answer = post(server, body)
    assert 400 <= status < 500 and answer["error"]["code"]


@pytest.mark.parametrize("size", [2_000_000, 20_000_000])
@pytest.mark.parametrize("pieces", [False, True])
def test_a_body_over_the_limit_is_read_before_the_answer(server: str, size: int, pieces: bool) -> None:
    """A client that sends all before it reads gets the answer, and no reset connection."""
    host, _, port = server.removeprefix("http://").rpartition(":")
    body = b"x" * size
    for _ in range(5):
        with socket.create_connection((host, int(port)), timeout=60) as link:
            length = "Transfer-Encoding: chunked" if pieces else f"Content-Length: {size}"
            link.sendall(
                f"POST /generate HTTP/1.1\r\nHost: x\r\n{length}\r\nConnection: close\r\n\r\n".encode()
            )
            link.sendall(b"%x\r\n%s\r\n0\r\n\r\n" % (size, body) if pieces else body)
            answer = b"".join(iter(lambda: link.recv(65536), b""))
        assert answer.startswith(b"HTTP/1.1 413") and b"payload_too_large" in answer


def test_a_body_that_waits_for_consent_is_refused_at_once(server: str) -> None:
    host, _, port = server.removeprefix("http://").rpartition(":")
    with socket.create_connection((host, int(port)), timeout=60) as link:
        head = "POST /generate HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\nExpect: 100-continue\r\n\r\n"
        link.sendall(head.encode())
        assert link.recv(65536).startswith(b"HTTP/1.1 413")


def test_connections_that_stall_are_refused_by_an_error_object(server: str) -> None:
    host, _, port = server.removeprefix("http://").rpartition(":")
    head = b"POST /generate HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n"
    body = json.dumps(request(server, constraints=[])).encode()
    with ExitStack() as links:
        for _ in range(AT_ONCE):
            links.enter_context(socket.create_connection((host, int(port)))).sendall(head)
        for _ in range(200):
            status, answer = post(server, body)
            if status != 200:  # all have arrived
                break
        assert status == 503 and answer["error"]["code"] == "resource_exhausted"
    for _ in range(200):
        status, answer = post(server, body)
        if status == 200:
            break
    assert status == 200, answer


@pytest.mark.parametrize(("address", "status"), [("nothing", 404), ("generate", 405)])
def test_an_unknown_address_or_method_is_an_error_object(server: str, address: str, status: int) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{server}/{address}")
    with caught.value as answer:
        assert answer.code == status and json.loads(answer.read())["error"]["code"]


def test_a_figure_without_legs_is_told_to_be_a_humanoid(server: str) -> None:
    rest = {"rest_rotation": [0, 0, 0, 1]}
    joints = [
        {"name": "body", "parent": None, "rest_translation": [0, 0.5, 0], **rest},
        {"name": "wheel", "parent": "body", "rest_translation": [0.5, 0, 0], **rest},
    ]
    body = request(server, skeleton={"joints": joints})
    status, answer = post(server, json.dumps(body).encode())
    assert status == 400 and "send the skeleton of a humanoid" in answer["error"]["message"]


def test_one_frame_is_a_pose(server: str, caplog: pytest.LogCaptureFixture) -> None:
    segments = [{"type": "unconditioned", "duration_frames": 1}]
    status, _ = post(server, json.dumps(request(server, segments=segments, constraints=[])).encode())
    assert status == 200 and not caplog.records


def test_many_clients_at_once_get_what_each_would_get_alone(server: str) -> None:
    body = request(server, segments=[{"type": "unconditioned", "duration_frames": 10}], constraints=[])
    bodies = [json.dumps(body | {"options": {"seed": seed % 4}}).encode() for seed in range(40)]
    alone = [post(server, each)[1]["buffers"] for each in bodies[:4]]
    with ThreadPoolExecutor(8) as pool:
        for seed, (status, answer) in enumerate(pool.map(lambda each: post(server, each), bodies)):
            assert status == 200 and answer["buffers"] == alone[seed % 4]


def test_a_port_in_use_is_one_line(server: str) -> None:
    done = CliRunner().invoke(cli, ["serve", "--port", server.rpartition(":")[2]])
    assert done.exit_code == 1 and "cannot be listened at (Address already in use" in done.output
    assert len(done.output.splitlines()) == 1 and "--port" in done.output


@pytest.mark.parametrize("host", ["", " ", "nosuch.invalid", "x" * 70, "198.51.100.1"])
def test_a_host_that_is_none_of_this_machine_is_one_line(host: str) -> None:
    from moglow.cli.actions.serve import _listener

    with pytest.raises(LinkError, match=r"address of this machine") as caught:
        _listener(host, 8000)
    assert len(str(caught.value).splitlines()) == 1
