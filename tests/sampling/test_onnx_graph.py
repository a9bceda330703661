"""The ONNX graph samples and decodes what the numpy sampler does, frame by frame, in onnxruntime and in a browser."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from moglow.checkpoint import Checkpoint
from moglow.errors import CheckpointError
from moglow.maths.rotations import Array
from moglow.paths.steering import Moving, Steering, walked
from moglow.sampling.fast.arithmetic import NumpyArithmetic
from moglow.sampling.generate import PRETRAINED
from moglow.sampling.sampler import Past, Sampler
from tests.support.serving import serving

pytest.importorskip("onnx", reason="needs onnx: pip install '.[onnx]'")
runtime = pytest.importorskip("onnxruntime", reason="needs onnxruntime")

from moglow.sampling.onnx_graph import write_onnx  # noqa: E402

CLOSE = 1e-4  # metres and radians of a pose
JOINTS = 2e-4  # metres: a knee that is nearly straight doubles the rounding of single precision
FRAMES = 300
STATE = ("poses", "controls", "h", "c")
DOCS = Path(__file__).resolve().parents[2] / "docs"


class Walk:
    """A walk as inputs of a graph, the first state and those of each frame, and the poses of the numpy sampler."""

    def __init__(self, checkpoint: Checkpoint, frames: int = FRAMES) -> None:
        self.checkpoint, context, random = checkpoint, checkpoint.context, np.random.default_rng(1)
        sampler, ahead = (
            Sampler.of(checkpoint, temperature=0.7, arithmetic=NumpyArithmetic()),
            context.spec.lookahead,
        )
        swaying = np.cumsum(0.02 * random.normal(size=(frames + ahead, 3)), axis=0)
        velocities = (swaying + np.array([1.0, 0.0, 0.3])).astype(np.float32)
        label = np.asarray(context.label_vector(None), np.float32)[None]
        coming = context.standardize_control(velocities[None, : ahead + 1])
        past = sampler.start(coming, label, [np.random.default_rng(0)])
        self.first, self.frames = state_of(past), list[dict[str, NDArray[Any]]]()
        self.states, self.poses, self.places = [self.first], list[Array](), list[Array]()
        place: Array = np.zeros(3)
        for frame in range(frames):
            coming = velocities[None, frame : frame + 1 + ahead]
            noise = random.standard_normal((1, sampler.model.noise_dim), dtype=np.float32)
            place = walked(place, velocities[frame], context.fps)
            given = {"velocities": coming, "label": label, "noise": noise, "place": place[None]}
            given["temperature"] = np.array([0.7])
            self.frames.append({name: np.asarray(value, "f4") for name, value in given.items()})
            past, pose, _ = sampler.step(past, context.standardize_control(coming), noise, label)
            self.states.append(state_of(past))
            self.poses.append(pose[0])
            self.places.append(place)

    def differences(self, answers: list[dict[str, Any]]) -> tuple[float, float]:
        """Returns the largest difference of poses, and of joints in metres."""
        encoding, chart = self.checkpoint.context.encoding, self.checkpoint.context.encoding.chart
        poses, places = np.array(self.poses, float), np.array(self.places)
        ours, _ = encoding.skeleton.forward_kinematics(
            *encoding.decode_frames(poses, places[:, :2], places[:, 2])
        )
        body = chart.body  # type: ignore[attr-defined]
        local = np.repeat(body.bones[None], len(answers), axis=0)
        local[:, body.carrier] = [np.reshape(each["position"], 3) for each in answers]
        turns = np.array([np.reshape(each["rotations"], (-1, 4)) for each in answers], float)
        theirs, _ = encoding.skeleton.forward_kinematics(local, turns)
        away = poses - [np.reshape(each["pose"], -1) for each in answers]
        return float(np.abs(away).max()), float(np.abs(ours - theirs).max())


def state_of(past: Past) -> dict[str, NDArray[Any]]:
    h, c = (np.asarray(part).reshape(part.shape[0], 1, -1) for part in past.memory)
    return {"poses": past.poses, "controls": past.controls, "h": h, "c": c}


def answers_of(file: Path, walk: Walk, *, own_state: bool = True) -> list[dict[str, Any]]:
    """Returns the outputs of onnxruntime, from its own state or from that of the numpy sampler before each frame."""
    session = runtime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    names, outputs = ([each.name for each in of()] for of in (session.get_inputs, session.get_outputs))
    state, answers = walk.first, list[dict[str, Any]]()
    for given, before in zip(walk.frames, walk.states, strict=False):
        every = given | (state if own_state else before)
        answer = dict(
            zip(
                outputs,
                session.run(None, {name: np.asarray(every[name], "f4") for name in names}),
                strict=True,
            )
        )
        state = {name: answer[f"{name}_after"] for name in STATE}
        answers.append(answer)
    return answers


@pytest.fixture(scope="module")
def walk() -> Walk:
    return Walk(Checkpoint.read(PRETRAINED))


def test_three_hundred_frames_are_those_of_numpy(tmp_path: Path, walk: Walk) -> None:
    write_onnx(walk.checkpoint, tmp_path / "model.onnx")
    poses, joints = walk.differences(answers_of(tmp_path / "model.onnx", walk))
    assert poses < CLOSE and joints < JOINTS, (poses, joints)


def test_the_rounding_of_smaller_weights_is_bounded(tmp_path: Path) -> None:
    """The shipped weights are halves, so these are exact; eight bits are the same frame to two millimetres."""
    walk, sizes = Walk(Checkpoint.read(PRETRAINED), frames=40), {}
    for weights, joints in (("float32", JOINTS), ("float16", JOINTS), ("int8", 2e-3)):
        file = tmp_path / f"{weights}.onnx"
        write_onnx(walk.checkpoint, file, weights=weights)
        sizes[weights] = file.stat().st_size
        away = walk.differences(answers_of(file, walk, own_state=False))[1]
        assert away < joints, (weights, away)
    assert sizes["float16"] < 0.6 * sizes["float32"] and sizes["int8"] < 0.35 * sizes["float32"]
    with pytest.raises(CheckpointError, match="float16"):
        write_onnx(walk.checkpoint, tmp_path / "no.onnx", weights="int4")
    assert not (tmp_path / "no.onnx").exists()


def test_the_listing_of_the_docs_generates_a_walk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The listing is run as it stands; the sampler gives the same poses for the same noise."""
    (listing,) = re.findall(r"```python\n(.*?)```", (DOCS / "engine.md").read_text(), re.DOTALL)
    checkpoint = Checkpoint.read(PRETRAINED)
    write_onnx(checkpoint, tmp_path / "model.onnx")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(compile(listing, "engine.md", "exec"), names)

    context, sampler = (
        checkpoint.context,
        Sampler.of(checkpoint, temperature=0.7, arithmetic=NumpyArithmetic()),
    )
    label, steering = context.label_vector(None)[None], Steering(checkpoint.control_range, context.fps)
    assert names["RESPONSE"] == pytest.approx(steering.response, abs=5e-4)
    still = context.standardize_control(np.zeros((1, 1, 3), np.float32))
    past = Past(
        np.repeat(context.posture(label)[:, None], context.spec.history, 1),
        np.repeat(still, context.spec.history, 1),
        sampler.model.initial_state(),
    )
    random, moving = np.random.default_rng(0), Moving()
    place: Array = np.zeros(3)
    pose: Any = None
    warm_up = round(2 * context.fps)
    for frame in range(warm_up + 90):
        wanted = np.array([1.2, 0.0, 0.5]) if frame >= warm_up else np.zeros(3)
        coming = steering.ahead(moving, wanted, 1 + context.spec.lookahead)
        moving = steering.step(moving, wanted)
        place = walked(place, moving.velocities, context.fps)
        noise = random.standard_normal((1, sampler.model.noise_dim)).astype(np.float32)
        controls = context.standardize_control(np.asarray(coming, np.float32)[None])
        past, pose, _ = sampler.step(past, controls, noise, label)
    positions, rotations = context.encoding.decode_frames(
        np.asarray(pose[0], float), place[:2], np.asarray(place[2])
    )
    carrier = names["facts"]["carrier"]
    at, turns = names["frames"][-1]
    assert np.abs(at - positions[carrier]).max() < 1e-3
    assert np.abs((turns * rotations).sum(-1)).min() > 1 - 1e-5
    assert np.linalg.norm(place[:2]) > 2.0  # it has gone somewhere


# ---- in a browser ----


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """A folder with a model and onnxruntime-web over HTTP, on this machine."""
    modules = Path(os.environ.get("MOGLOW_NODE_MODULES", "node_modules")).resolve() / "onnxruntime-web"
    if not modules.is_dir():
        pytest.skip("needs MOGLOW_NODE_MODULES=…/node_modules with onnxruntime-web")
    (tmp_path / "ort").symlink_to(modules / "dist")
    (tmp_path / "index.html").write_text("<!doctype html><title>onnx</title>")
    with serving(tmp_path) as address:
        yield address


IN_BROWSER = """
const [first, frames, done] = arguments;
(async () => {
  const ort = await import("/ort/ort.wasm.min.mjs");
  ort.env.wasm.numThreads = 1;
  const session = await ort.InferenceSession.create("/model.onnx", { executionProviders: ["wasm"] });
  const tensor = ([values, shape]) => new ort.Tensor("float32", Float32Array.from(values), shape);
  const named = (all) => Object.fromEntries(Object.entries(all).map(([name, each]) => [name, tensor(each)]));
  let state = named(first);
  const answers = [];
  for (const frame of frames) {
    const given = { ...named(frame), ...state };
    const answer = await session.run(Object.fromEntries(session.inputNames.map((name) => [name, given[name]])));
    for (const name of Object.keys(state)) state[name] = answer[`${name}_after`];
    answers.push(Object.fromEntries(["pose", "rotations", "position"].map((name) => [name, [...answer[name].data]])));
  }
  return JSON.stringify(answers);
})().then(done, (error) => done(`failed: ${error}`));
"""


@pytest.mark.render
def test_a_browser_computes_the_same(tmp_path: Path, walk: Walk, browser: Any, served: str) -> None:
    write_onnx(walk.checkpoint, tmp_path / "model.onnx")
    browser.get(f"{served}/index.html")
    browser.set_script_timeout(120)

    def spelled(arrays: dict[str, NDArray[Any]]) -> dict[str, Any]:
        return {name: [array.ravel().tolist(), list(array.shape)] for name, array in arrays.items()}

    answer = browser.execute_async_script(
        IN_BROWSER, spelled(walk.first), [spelled(frame) for frame in walk.frames]
    )
    assert not answer.startswith("failed"), answer
    poses, joints = walk.differences(json.loads(answer))
    assert poses < CLOSE and joints < JOINTS, (poses, joints)
