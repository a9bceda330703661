"""Nodes and constants of an ONNX graph that is being built. Values are identified by strings. Needs onnx."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper

from moglow.maths.quat_matrices import quaternion_tables

SMALL = 1024
"""Number of values below which a constant is always stored in float32."""


class Nodes:
    """The nodes of a graph. ``weights`` is the type of large matrices in the file: float32, float16 or int8."""

    def __init__(self, weights: str = "float32") -> None:
        self.weights = weights
        self.nodes: list[Any] = []
        self.constants: dict[str, NDArray[Any]] = {}

    def constant(self, values: Any, dtype: str = "float32") -> str:
        name = f"k{len(self.constants)}"
        self.constants[name] = np.asarray(values, dtype)
        return name

    def matrix(self, values: NDArray[Any]) -> str:
        """Returns a matrix whose columns are stored in the type of the weights and converted to float32."""
        if values.size < SMALL or self.weights == "float32":
            return self.constant(values)
        if self.weights == "float16":
            return self.op("Cast", self.constant(values, "float16"), to=TensorProto.FLOAT)
        scale = np.maximum(np.abs(values).max(0), 1e-12) / 127
        levels = self.constant(np.round(values / scale), "int8")
        zero = self.constant(np.zeros(len(scale)), "int8")
        return self.op("DequantizeLinear", levels, self.constant(scale), zero, axis=1)

    def op(self, kind: str, *inputs: str, out: str | None = None, **attributes: Any) -> str:
        name = out or f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def part(self, value: str, start: int, stop: int, axis: int = -1) -> str:
        """Returns the columns from ``start`` to ``stop``."""
        numbers = (self.constant([number], "int64") for number in (start, stop, axis))
        return self.op("Slice", value, *numbers)

    def taken(self, value: str, numbers: Any) -> str:
        """Returns the columns with the given indices, in their shape."""
        return self.op("Gather", value, self.constant(numbers, "int64"), axis=1)

    def joined(self, *values: str, axis: int = -1, out: str | None = None) -> str:
        return self.op("Concat", *values, axis=axis, out=out)

    def reshaped(self, value: str, *shape: int, out: str | None = None) -> str:
        return self.op("Reshape", value, self.constant(shape, "int64"), out=out)

    def summed(self, value: str, *axes: int) -> str:
        return self.op("ReduceSum", value, self.constant(axes, "int64"), keepdims=1)

    def affine(self, value: str, weight: Any, bias: Any) -> str:
        return self.op("Add", self.op("MatMul", value, self.matrix(weight)), self.constant(bias))

    def scaled(self, value: str, scale: Any, shift: Any, out: str | None = None) -> str:
        return self.op("Add", self.op("Mul", value, self.constant(scale)), self.constant(shift), out=out)

    # ---- rotations: quaternions (1, 4), w first, and vectors (1, 3) ----

    def product(self, a: str, b: str) -> str:
        """Returns the rotation by b followed by the rotation by a."""
        pairs = self.op("Mul", self.reshaped(a, 4, 1), self.reshaped(b, 1, 4))
        return self.op("MatMul", self.reshaped(pairs, 1, 16), self.constant(quaternion_tables()[0]))

    def conjugate(self, a: str) -> str:
        return self.op("Mul", a, self.constant([[1.0, -1.0, -1.0, -1.0]]))

    def rotated(self, a: str, vector: str) -> str:
        pairs = self.op("Mul", self.reshaped(a, 4, 1), self.reshaped(a, 1, 4))
        turned = self.op("MatMul", self.reshaped(pairs, 1, 16), self.constant(quaternion_tables()[1]))
        return self.op("MatMul", vector, self.reshaped(turned, 3, 3))
