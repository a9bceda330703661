"""The ONNX graph samples what the numpy sampler samples, frame by frame, in onnxruntime."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from moglow.checkpoint import Checkpoint
from moglow.paths.presets import preset
from moglow.sampling.generate import PRETRAINED
from moglow.sampling.sampler import Sampler

pytest.importorskip("onnx", reason="needs onnx: pip install '.[onnx]'")
runtime = pytest.importorskip("onnxruntime", reason="needs onnxruntime")

from moglow.sampling.onnx_graph import write_onnx  # noqa: E402

CLOSE = 1e-4  # metres and radians
FRAMES = 300


def test_three_hundred_frames_are_those_of_numpy(tmp_path: Path) -> None:
    checkpoint = Checkpoint.read(PRETRAINED)
    write_onnx(checkpoint, tmp_path / "model.onnx")
    session = runtime.InferenceSession(str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])
    facts: dict[str, Any] = json.loads(session.get_modelmeta().custom_metadata_map["moglow"])
    assert (
        facts["channels"] == list(checkpoint.context.encoding.names)
        and facts["fps"] == checkpoint.context.fps
    )

    sampler, context = Sampler.of(checkpoint, temperature=0.7), checkpoint.context
    path = preset("circle:r=2", fps=context.fps)
    velocities = path.velocities().astype(np.float32)
    while len(velocities) < FRAMES + context.spec.lookahead + 1:
        velocities = np.concatenate([velocities, velocities[::-1]])
    label = np.asarray(context.label_vector(None), np.float32)[None]
    assert facts["usual_label"] == label[0].tolist()
    poses = np.repeat((label @ np.array(facts["postures"], np.float32))[:, None], facts["history"], 1).astype(
        "f4"
    )
    past = sampler.start(
        context.standardize_control(velocities[None, : facts["lookahead"] + 1]),
        label,
        [np.random.default_rng(0)],
    )
    assert past.poses.shape == poses.shape
    h, c = (np.asarray(part).reshape(part.shape[0], 1, -1) for part in past.memory)
    state: dict[str, NDArray[Any]] = {"poses": past.poses, "controls": past.controls, "h": h, "c": c}
    random, worst = np.random.default_rng(1), 0.0
    for frame in range(FRAMES):
        coming = velocities[None, frame : frame + 1 + facts["lookahead"]]
        noise = random.standard_normal((1, sampler.model.noise_dim), dtype=np.float32)
        past, expected, _ = sampler.step(past, context.standardize_control(coming), noise, label)
        given = {
            **state,
            "velocities": coming,
            "label": label,
            "noise": noise,
            "temperature": np.array([0.7], "f4"),
        }
        names = {each.name for each in session.get_inputs()}
        pose, *after = session.run(
            None, {name: np.asarray(value, "f4") for name, value in given.items() if name in names}
        )
        state = dict(zip(("poses", "controls", "h", "c"), after, strict=True))
        worst = max(worst, float(np.abs(pose - expected).max()))
    assert worst < CLOSE, worst
