"""One frame of a MoGlow as an ONNX graph, for programs without Python; its inputs and outputs contain the state.

The graph computes the same as `Sampler.step` for one figure: the context, a sample of the flow, the pose in metres and
radians, and the decoded pose. Its metadata contains the other values that a caller needs. Needs onnx.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
from onnx import ModelProto, TensorProto, checker, helper, numpy_helper

from moglow import __version__
from moglow.checkpoint import Checkpoint
from moglow.encodings.chart import PLANTED
from moglow.encodings.encoding import NEAREST, TINY
from moglow.encodings.feet_first import FeetFirstChart
from moglow.errors import CheckpointError
from moglow.files.atomic import replacing
from moglow.sampling.fast.folded import Folded
from moglow.sampling.fast.numpy_moglow import NumpyMoGlow
from moglow.sampling.onnx_body import Body
from moglow.sampling.onnx_nodes import Nodes

OPSET = 17
WEIGHTS = ("float32", "float16", "int8")
"""The types in which weights can be stored; the arithmetic is float32."""


def write_onnx(checkpoint: Checkpoint, path: str | Path, *, weights: str = "float32") -> ModelProto:
    """Writes the step of a checkpoint to ``path``, with weights stored as one of `WEIGHTS`, and returns the model."""
    if weights not in WEIGHTS:
        raise CheckpointError(f"weights as {weights!r}: expected one of {', '.join(WEIGHTS)}")
    if checkpoint.model != "moglow" or not NumpyMoGlow.covers(checkpoint.config):
        raise CheckpointError(
            f"{path}: a {checkpoint.model} model cannot be exported; train one of model moglow"
        )
    model = _Frame(checkpoint, weights).model()
    checker.check_model(model)
    with replacing(path) as file:
        file.write(model.SerializeToString())
    return model


class _Frame:
    """The graph of a checkpoint's frame."""

    def __init__(self, checkpoint: Checkpoint, weights: str) -> None:
        self.checkpoint, self.context = checkpoint, checkpoint.context
        self.folded = Folded.of(checkpoint.config, checkpoint.weights)
        self.graph = Nodes(weights)
        self.cells = sum(len(step.cells) for step in self.folded.steps)

    def model(self) -> ModelProto:
        graph, context, folded = self.graph, self.context, self.folded
        spec, dim, hidden = context.spec, folded.pose_dim, folded.hidden
        history, ahead = spec.history, spec.lookahead
        coming = self._standard(graph, "velocities")
        seen = graph.joined("controls", coming, axis=1)
        parts = [
            graph.reshaped("poses", 1, history * dim),
            graph.reshaped(seen, 1, 3 * (history + 1 + ahead)),
        ]
        if spec.flags:
            parts.append(graph.constant(np.ones((1, history))))
        if context.labels:
            parts.append("label")
        target = self._sampled(graph.joined(*parts))
        pose = self._pose(target)
        graph.scaled(pose, context.pose_deviation, context.pose_mean, out="pose")
        kept = graph.part("poses", 1, history, axis=1)
        graph.joined(kept, graph.reshaped(pose, 1, 1, dim), axis=1, out="poses_after")
        graph.op("Identity", graph.part(seen, 1, 1 + history, axis=1), out="controls_after")
        state = {
            "poses": [1, history, dim], "controls": [1, history, 3],
            "h": [self.cells, 1, hidden], "c": [self.cells, 1, hidden],
        }  # fmt: skip
        given = state | {
            "velocities": [1, 1 + ahead, 3], "label": [1, context.labels],
            "noise": [1, dim + folded.degrees], "temperature": [1],
        }  # fmt: skip
        if not context.labels:
            del given["label"]
        made = {"pose": [1, dim]} | {f"{name}_after": shape for name, shape in state.items()}
        if self.decodes:
            Body(context.encoding, graph).decode("pose", "place")
            given["place"] = [1, 3]
            made |= {"rotations": [1, len(context.encoding.skeleton), 4], "position": [1, 3]}
        whole = helper.make_graph(
            graph.nodes,
            "frame",
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in given.items()],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in made.items()],
            [numpy_helper.from_array(values, name) for name, values in graph.constants.items()],
        )
        opset = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(
            whole, producer_name="moglow", producer_version=__version__, opset_imports=opset
        )
        model.ir_version = 8
        helper.set_model_props(model, {"moglow": json.dumps(self._facts())})
        return model

    def _facts(self) -> dict[str, Any]:
        """Returns the metadata: rates, names, and the start of motions."""
        context = self.context
        facts = {
            "fps": context.fps,
            "history": context.spec.history,
            "lookahead": context.spec.lookahead,
            "channels": list(context.encoding.names),
            "labels": [*context.performers, *context.styles],
            "usual_label": np.asarray(context.label_vector(None)).tolist(),
            "postures": np.asarray(context.postures).tolist(),
            "control_mean": np.asarray(context.control_mean).tolist(),
            "control_deviation": np.asarray(context.control_deviation).tolist(),
            "skeleton": context.encoding.skeleton.to_json(),
        }
        if isinstance(chart := context.encoding.chart, FeetFirstChart):
            facts |= {"bones": chart.body.bones.tolist(), "carrier": chart.body.carrier}
        return facts

    @property
    def decodes(self) -> bool:
        """Whether the graph decodes poses; for other encodings its output is the channels."""
        return isinstance(self.context.encoding.chart, FeetFirstChart)

    def _standard(self, graph: Nodes, velocities: str) -> str:
        shifted = graph.op("Sub", velocities, graph.constant(self.context.control_mean))
        return graph.op("Div", shifted, graph.constant(self.context.control_deviation))

    def _sampled(self, context: str) -> str:
        """Returns the target, by the steps of the flow from the last to the first, with the memories of their cells."""
        graph, folded = self.graph, self.folded
        given = context
        for weight, bias in folded.encoder:
            given = graph.affine(given, weight, bias)
            given = graph.op("Mul", given, graph.op("Sigmoid", given))
        given = graph.affine(given, folded.given, folded.given_bias)
        x = self._latent()
        kept, dim, hidden = folded.pose_dim // 2, folded.pose_dim, folded.hidden
        moved = dim - kept
        memories: dict[int, tuple[str, str]] = {}
        for k in range(len(folded.steps) - 1, -1, -1):
            step = folded.steps[k]
            first = graph.part(x, 0, kept)
            signal = first
            for depth, (weight, bias) in enumerate(step.cells):
                cell = k * len(step.cells) + depth
                before = [
                    graph.reshaped(graph.part(name, cell, cell + 1, axis=0), 1, hidden) for name in "hc"
                ]
                gates = graph.op("MatMul", graph.joined(signal, before[0]), graph.matrix(weight))
                more = (
                    graph.constant(bias) if depth else graph.part(given, 4 * k * hidden, 4 * (k + 1) * hidden)
                )
                gates = graph.op("Tanh", graph.op("Add", gates, more))
                enter, keep, show = (
                    graph.scaled(graph.part(gates, i * hidden, (i + 1) * hidden), 0.5, 0.5) for i in range(3)
                )
                new = graph.op("Mul", enter, graph.part(gates, 3 * hidden, 4 * hidden))
                memory = graph.op("Add", graph.op("Mul", keep, before[1]), new)
                signal = graph.op("Mul", show, graph.op("Tanh", memory))
                memories[cell] = signal, memory
            signal = graph.affine(signal, step.head, step.head_bias)
            scale = graph.op(
                "Sigmoid", graph.op("Add", graph.part(signal, moved, 2 * moved), graph.constant(2.0))
            )
            scale = graph.op("Add", scale, graph.constant(folded.scale_floor))
            second = graph.op("Div", graph.part(x, kept, dim), scale)
            second = graph.op("Sub", second, graph.part(signal, 0, moved))
            x = graph.op("MatMul", graph.joined(first, second), graph.constant(step.unmix))
            x = graph.op("Sub", x, graph.constant(step.shift))
        for index, name in enumerate(("h_after", "c_after")):
            rows = [graph.reshaped(memories[cell][index], 1, 1, hidden) for cell in range(self.cells)]
            graph.joined(*rows, axis=0, out=name)
        return x

    def _latent(self) -> str:
        """Returns the latent of the noise: normal, or Student's t with the root of a chi-square variable."""
        graph, folded = self.graph, self.folded
        x = graph.op("Mul", graph.part("noise", 0, folded.pose_dim), "temperature")
        if not folded.degrees:
            return x
        rest = graph.part("noise", folded.pose_dim, folded.pose_dim + folded.degrees)
        square = graph.op("ReduceSumSquare", rest, axes=[-1], keepdims=1)
        ratio = graph.op("Div", graph.constant(float(folded.degrees)), square)
        return graph.op("Mul", x, graph.op("Sqrt", ratio))

    def _pose(self, target: str) -> str:
        """Returns the standardised pose: the target plus the channels that are carried from the previous pose."""
        graph, context, dim = self.graph, self.context, self.folded.pose_dim
        last = graph.reshaped(graph.part("poses", -1, 2**31, axis=1), 1, dim)
        physical = graph.scaled(last, context.pose_deviation, context.pose_mean)
        now = graph.reshaped(graph.part("velocities", 0, 1, axis=1), 1, 3)
        step = graph.op("Mul", now, graph.constant(1.0 / context.fps))
        forward, sideways, turn = (graph.part(step, i, i + 1) for i in range(3))
        half = graph.op("Mul", turn, graph.constant(0.5))
        cosine, sine, near, aside = (graph.op(kind, of) for of in (turn, half) for kind in ("Cos", "Sin"))
        slices = [context.encoding.slice(group) for group in PLANTED]
        x, z, yaw = (graph.part(physical, part.start, part.stop) for part in slices)

        def less(a: str, b: str) -> str:
            return graph.op("Sub", a, b)

        def times(a: str, b: str) -> str:
            return graph.op("Mul", a, b)

        new_x = less(
            less(times(cosine, x), times(sine, z)), less(times(near, sideways), times(aside, forward))
        )
        ahead = graph.op("Add", times(aside, sideways), times(near, forward))
        new_z = less(graph.op("Add", times(sine, x), times(cosine, z)), ahead)
        new_x, new_z = self._within_reach(physical, new_x, new_z)
        rest = graph.part(physical, slices[-1].stop, dim)
        carried = graph.joined(new_x, new_z, less(yaw, turn), rest)
        carried = graph.op("Sub", carried, graph.constant(context.pose_mean))
        carried = graph.op("Div", carried, graph.constant(context.pose_deviation))
        own = graph.op("Mul", target, graph.constant(context.scale))
        pose = graph.op("Add", own, graph.op("Mul", carried, graph.constant(context.weights)))
        if not context.spec.momentum:
            return pose
        before = graph.reshaped(graph.part("poses", -2, -1, axis=1), 1, dim)
        moved = graph.op("Mul", less(last, before), graph.constant(context.momentum))
        return graph.op("Add", pose, moved)

    def _within_reach(self, pose: str, x: str, z: str) -> tuple[str, str]:
        """Returns x and z of the toes, moved towards the hips of a pose as in `Encoding.carry`."""
        graph, encoding = self.graph, self.context.encoding
        slices = [encoding.slice(group) for group in ("hips_x", "hips_z", "hips_height", "toe_height")]
        if any(part.stop == part.start for part in slices):
            return x, z
        hips_x, hips_z, hips, toe = (graph.part(pose, part.start, part.stop) for part in slices)
        apart = [graph.op("Sub", x, hips_x), graph.op("Sub", z, hips_z)]
        down = graph.op("Sub", hips, toe)
        square = graph.op("Sub", graph.constant(encoding.chart.reaches**2), graph.op("Mul", down, down))
        level = graph.op("Max", square, graph.constant(NEAREST**2))
        far = graph.op("Add", *(graph.op("Mul", each, each) for each in apart))
        far = graph.op("Add", far, graph.constant(TINY))
        share = graph.op("Sqrt", graph.op("Min", graph.op("Div", level, far), graph.constant(1.0)))
        near_x, near_z = (graph.op("Mul", share, each) for each in apart)
        return graph.op("Add", hips_x, near_x), graph.op("Add", hips_z, near_z)
