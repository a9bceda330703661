"""The decoding of a pose as nodes of an ONNX graph: rotations of all joints and the position of one. Needs onnx.

The computation is that of `FeetFirstChart.decode` and its leg solver, for one figure in float32.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from moglow.encodings.encoding import Encoding
from moglow.encodings.feet_first import FeetFirstChart
from moglow.sampling.onnx_nodes import Nodes


class Body:
    """Adds the decoding of an encoding to a graph."""

    def __init__(self, encoding: Encoding, graph: Nodes) -> None:
        assert isinstance(encoding.chart, FeetFirstChart)
        self.graph, self.reduction = graph, encoding.reduction
        self.parents = encoding.skeleton.parents
        self.constants: dict[str, NDArray[Any]] = encoding.chart.constants()
        self.hips, self.legs = int(self.constants["hips"][0]), len(self.constants["soles"])

    def decode(self, pose: str, place: str) -> None:
        """Adds the outputs ``rotations`` ``(1, J, 4)`` and ``position`` ``(1, 3)`` of a pose at a place on the path."""
        graph, constants = self.graph, self.constants
        values = self._restored(pose)
        start = 7 * self.legs
        at = graph.taken(values, [start + 1, start, start + 2])
        tilts = self._tilts(values)
        turns = self._turns(values)
        frames = self._frames(at, tilts[-1], turns)
        for leg in range(self.legs):
            self._leg(leg, values, tilts[leg], frames[int(constants["leg_joints"][3][leg])], turns)
        half = graph.scaled(graph.part(place, 2, 3), 0.5, 0.0)
        nothing = graph.constant([[0.0]])
        facing = graph.joined(graph.op("Cos", half), nothing, graph.op("Sin", half), nothing)
        turns[self.hips] = graph.product(facing, tilts[-1])
        moved = graph.op("Add", graph.rotated(facing, at), graph.joined(
            graph.part(place, 0, 1), nothing, graph.part(place, 1, 2)
        ))  # fmt: skip
        graph.op("Sub", moved, graph.constant(constants["lift"][None]), out="position")
        rows = graph.joined(*(turns[joint] for joint in range(len(self.parents))), axis=0)
        graph.reshaped(rows, 1, len(self.parents), 4, out="rotations")

    def _restored(self, pose: str) -> str:
        """Returns all values of the chart ``(1, F)`` from the channels of the model."""
        graph, reduction, curves = self.graph, self.reduction, self.reduction.curves
        known = graph.part(pose, 0, len(reduction.kept))
        if len(curves):
            count = curves.coefficients.shape[-1]
            causes = graph.reshaped(graph.taken(pose, curves.causes), len(curves), 2, 1)
            lowest, highest = (graph.constant(limit[..., None]) for limit in (curves.lowest, curves.highest))
            causes = graph.op("Min", graph.op("Max", causes, lowest), highest)
            powers = graph.op("Pow", causes, graph.constant(np.arange(count)[None, None]))
            first = graph.reshaped(graph.part(powers, 0, 1, axis=1), len(curves), count, 1)
            terms = graph.op("Mul", first, graph.part(powers, 1, 2, axis=1))
            terms = graph.op("Mul", terms, graph.constant(curves.coefficients))
            known = graph.joined(known, graph.reshaped(graph.summed(terms, 1, 2), 1, len(curves)))
        return graph.op(
            "Add",
            graph.op("MatMul", known, graph.constant(reduction.matrix)),
            graph.constant(reduction.constant[None]),
        )

    def _mapped(self, name: str, vectors: str, rows: slice = slice(None)) -> str:
        """Returns the products ``(K, m)`` of constant matrices ``(K, m, n)`` and vectors ``(K, n)``."""
        matrices = self.constants[name][rows]
        column = self.graph.reshaped(vectors, len(matrices), matrices.shape[-1], 1)
        turned = self.graph.op("MatMul", self.graph.constant(matrices), column)
        return self.graph.reshaped(turned, len(matrices), matrices.shape[-2])

    def _turns(self, values: str) -> dict[int, str]:
        """Returns local rotations, from rotation vectors or the mean, of the joints except the hips and the legs."""
        graph, moving = self.graph, self.constants["moving"]
        solved = {self.hips, *map(int, moving), *map(int, self.constants["leg_joints"][:3].ravel())}
        means = {
            joint: graph.constant(mean[None])
            for joint, mean in enumerate(self.constants["means"])
            if joint not in solved
        }
        if not len(moving):
            return means
        start = 7 * self.legs + 6
        vectors = graph.reshaped(graph.part(values, start, start + 3 * len(moving)), len(moving), 3)
        half = graph.scaled(graph.op("Sqrt", graph.summed(graph.op("Mul", vectors, vectors), 1)), 0.5, 1e-12)
        share = graph.op("Div", graph.op("Sin", half), graph.scaled(half, 2.0, 0.0))
        turns = graph.joined(graph.op("Cos", half), graph.op("Mul", vectors, share))
        rows = self._mapped("turn_matrices", turns)
        return means | {int(joint): graph.part(rows, k, k + 1, axis=0) for k, joint in enumerate(moving)}

    def _tilts(self, values: str) -> list[str]:
        """Returns the rotations of the feet and, as the last one, of the hips from yaw, roll and pitch."""
        graph, count = self.graph, self.legs + 1
        half = graph.reshaped(
            graph.scaled(graph.taken(values, self.constants["tilt_numbers"]), 0.5, 0.0), count, 3, 1
        )
        waves = graph.joined(graph.op("Cos", half), graph.op("Sin", half))
        yaw, roll, pitch = (
            graph.reshaped(graph.part(waves, k, k + 1, axis=1), count, *shape)
            for k, shape in enumerate(((2, 1, 1), (1, 2, 1), (1, 1, 2)))
        )
        factors = graph.reshaped(graph.op("Mul", graph.op("Mul", yaw, roll), pitch), count, 8)
        rows = self._mapped("turned_matrix", factors)
        return [graph.part(rows, k, k + 1, axis=0) for k in range(count)]

    def _frames(self, at: str, turn: str, turns: dict[int, str]) -> dict[int, tuple[str, str]]:
        """Returns positions and rotations of the joints from the hips to the legs, in the path's frame."""
        graph, frames = self.graph, {self.hips: (at, turn)}
        for joint in map(int, self.constants["trunk"]):
            above, facing = frames[self.parents[joint]]
            bone = graph.constant(self.constants["bones"][joint][None])
            frames[joint] = (
                graph.op("Add", above, graph.rotated(facing, bone)),
                graph.product(facing, turns[joint]),
            )
        return frames

    def _leg(self, leg: int, values: str, foot: str, frame: tuple[str, str], turns: dict[int, str]) -> None:
        """Adds the two-bone inverse kinematics of a leg, which is straight if the foot is out of reach."""
        graph, constants, own = self.graph, self.constants, slice(leg, leg + 1)
        base, carrying = frame
        toe = graph.taken(values, constants["toe_numbers"][leg])
        ankle = graph.op("Sub", toe, graph.rotated(foot, graph.constant(constants["soles"][own])))
        line = graph.rotated(graph.conjugate(carrying), graph.op("Sub", ankle, base))
        line = graph.op("Sub", line, graph.constant(constants["sockets"][own]))
        distance = graph.op("Sqrt", graph.summed(graph.op("Mul", line, line), 1))
        direction = graph.op("Div", line, graph.scaled(distance, 1.0, 1e-12))
        half = graph.scaled(graph.taken(values, constants["swivel_numbers"][leg]), 0.5, 0.0)
        way = graph.joined(graph.constant([[1.0]]), direction)
        factors = graph.joined(*(graph.op("Mul", way, graph.op(wave, half)) for wave in ("Cos", "Sin")))
        swing = self._mapped("swing_matrix", factors, own)
        length = graph.op("Sqrt", graph.summed(graph.op("Mul", swing, swing), 1))
        swing = graph.op("Div", swing, length)
        bones = constants["lengths"][:, leg]
        nearest, farthest = graph.constant([[abs(bones[0] - bones[1])]]), graph.constant([[bones.sum()]])
        reach = graph.op("Min", graph.op("Max", distance, nearest), farthest)
        thigh, shin = (self._corner(float(a), float(b), reach) for a, b in (bones, bones[::-1]))
        upper = graph.product(swing, self._bone(0, leg, thigh))
        lower = graph.product(swing, self._bone(1, leg, shin))
        (a, b), (c, d) = ([graph.part(angle, k, k + 1) for k in range(2)] for angle in (thigh, shin))

        def times(x: str, y: str) -> str:
            return graph.op("Mul", x, y)

        both = graph.joined(
            graph.op("Sub", times(a, c), times(b, d)), graph.op("Add", times(a, d), times(b, c))
        )
        hip, knee, foot_joint = (int(row[leg]) for row in constants["leg_joints"][:3])
        turns[hip], turns[knee] = upper, self._mapped("knee_matrix", both, own)
        above = graph.conjugate(graph.product(carrying, lower))
        turns[foot_joint] = self._mapped("ankle_matrix", graph.product(above, foot), own)

    def _bone(self, which: int, leg: int, angle: str) -> str:
        matrix = self.constants["bone_matrix"].reshape(2, self.legs, 4, -1)[which, leg]
        return self.graph.op("MatMul", angle, self.graph.constant(matrix.T))

    def _corner(self, own: float, other: float, reach: str) -> str:
        """Returns cosine and sine of half the angle between a bone and the line from hip to ankle."""
        graph = self.graph
        far, near = graph.scaled(reach, 1.0, own), graph.scaled(reach, -1.0, own)
        cosine = graph.scaled(graph.op("Mul", far, far), 1.0, -(other**2))
        sine = graph.scaled(graph.op("Mul", near, near), -1.0, other**2)
        parts = graph.op("Max", graph.joined(cosine, sine), graph.constant([[0.0, 0.0]]))
        return graph.op("Sqrt", graph.op("Div", parts, graph.scaled(reach, 4 * own, 0.0)))
