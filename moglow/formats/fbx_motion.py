"""Motion from FBX files of Mixamo, Maya, MotionBuilder, Blender and Unreal. Needs numpy alone.

A node's transform relative to its parent is T·Roff·Rp·Rpre·R·Rpost⁻¹·Rp⁻¹·Soff·Sp·S·Sp⁻¹, where T, R and S are animated
by curves. The curves of the first layer of an animation are sampled at the file's rate.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from moglow.errors import MotionFileError
from moglow.formats.bones import Bones, compose, matrices_to_poses, rate_of
from moglow.formats.fbx_curve import FbxCurve
from moglow.formats.fbx_file import Record, read_records
from moglow.formats.node_tree import NodeTree, rest_pose
from moglow.maths.rotations import IDENTITY, Array, euler_to_quat, quat_conjugate, quat_multiply, quat_rotate

_TICKS, _NEW_TICKS = 46186158000, 141120000  # per second, before and since version 8.0
_RATES = {0: 30, 1: 120, 2: 100, 3: 60, 4: 50, 5: 48, 6: 30, 7: 30, 8: 29.97, 9: 29.97, 10: 25, 11: 24,
          13: 23.976, 15: 96, 16: 72, 17: 59.94, 18: 119.88}  # fmt: skip
_CUSTOM = 14
_ORDERS = ("XYZ", "XZY", "YZX", "YXZ", "ZXY", "ZYX")  # the rotation about the first axis is applied first
_UNSCALED = 2  # the inheritance type without the parent's own scale
_BONES, _SHOWN = ("LimbNode", "Limb", "Root"), ("Mesh", "Camera", "Light", "LodGroup", "CameraSwitcher")
T = TypeVar("T")
_MOVES = {"Lcl Translation": 0.0, "Lcl Rotation": 0.0, "Lcl Scaling": 1.0}
_MOST = 5e7  # poses; with more, the time range is damaged


def fbx_clips(path: Path) -> tuple[str, ...]:
    """Returns the names of the animations with curves."""
    return tuple(_checked(path, lambda: _Scene(path).stacks))


def read_fbx(path: Path, chosen: str | None) -> Bones:
    """Reads the animation with this name, or the only one; a file without animations has one frame, its pose."""
    return _checked(path, lambda: _Scene(path).bones(chosen))


def _checked(path: Path, work: Callable[[], T]) -> T:
    try:
        return work()
    except (AttributeError, IndexError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise MotionFileError(
            f"{path}: not whole: {type(error).__name__} {error} in its objects; export it again"
        ) from error


class _Scene:
    """The objects of a file and their connections."""

    def __init__(self, path: Path) -> None:
        self.path = path
        version, top = read_records(path)
        header = top.first("FBXHeaderExtension").first("OtherFlags").first("TCDefinition").value
        self.second = _NEW_TICKS if version >= 8000 and header != 127 else _TICKS
        self.settings = top.first("GlobalSettings").properties()
        self.objects = {
            each.values[0]: each for each in top.first("Objects").children if len(each.values) > 2
        }
        self.defaults = {
            kind.value: kind.first("PropertyTemplate").properties()
            for kind in top.first("Definitions").all("ObjectType")
        }
        self.below: dict[int, list[tuple[int, str]]] = defaultdict(list)
        for link in top.first("Connections").all("C"):
            child, parent, *name = link.values[1:]
            self.below[parent].append((child, str(name[0]) if name else ""))
        self.ids = [number for number, each in self.objects.items() if each.name == "Model"]
        self.places = {number: place for place, number in enumerate(self.ids)}
        above = [-1] * len(self.ids)
        for parent, place in self.places.items():
            for child, link_name in self.below[parent]:
                if child in self.places and not link_name:
                    above[self.places[child]] = place
        self.tree = NodeTree.of(above)

    @cached_property
    def stacks(self) -> dict[str, int]:
        """Returns the animations with curves, by name."""
        found = {
            _name(each): number
            for number, each in self.objects.items()
            if each.name == "AnimationStack" and self._curves(number)
        }
        moving = {
            name: number for name, number in found.items() if self._span(number)[1] > self._span(number)[0]
        }
        return moving or found

    def bones(self, chosen: str | None) -> Bones:
        """Returns the bones in the frames of an animation."""
        names = ", ".join(list(self.stacks)[:12]) or "none"
        if chosen is not None and chosen not in self.stacks:
            raise MotionFileError(f"{self.path}: has no animation {chosen!r}; it has {names}")
        if chosen is None and len(self.stacks) > 1:
            raise MotionFileError(
                f"{self.path}: has {len(self.stacks)} animations ({names}); "
                f"choose one: {self.path}#{next(iter(self.stacks))}"
            )
        stack = self.stacks[chosen] if chosen is not None else next(iter(self.stacks.values()), None)
        curves: dict[tuple[int, str], dict[str, FbxCurve | float]] = {}
        times: Array = np.zeros(1)
        fps = self._rate()
        if stack is not None:
            curves = self._curves(stack)
            times, fps = self._times(stack, fps)
        joints = self._joints()
        rest = self._posed({}, np.zeros(1))
        positions, rotations = self._posed(curves, times)
        bound = {
            self.places[model]: tuple(each[0] for each in matrices_to_poses(matrix[None]))
            for model, matrix in self._bound().items()
        }
        rest_positions, rest_rotations = rest_pose(self.tree, joints, bound, rest[0][0], rest[1][0])
        turn = self._axes()
        known = {joint: number for number, joint in enumerate(joints)}
        above = [self.tree.nearest(joint, known) for joint in joints]

        def turned(places: Array) -> Array:
            return places @ turn.T

        def axes(quats: Array) -> Array:
            return np.concatenate([quats[..., :1], quats[..., 1:] @ turn.T], axis=-1)

        return Bones(
            names=tuple(_name(self.objects[self.ids[joint]]) or f"node{joint}" for joint in joints),
            parents=tuple(-1 if parent is None else known[parent] for parent in above),
            rest_positions=turned(rest_positions),
            rest_rotations=axes(rest_rotations),
            positions=turned(positions[:, joints]),
            rotations=axes(rotations[:, joints]),
            fps=fps,
            unit=float(self._setting("UnitScaleFactor", 1.0)) / 100.0,
            up="Y",
        )

    def _setting(self, name: str, default: Any) -> Any:
        values = self.settings.get(name)
        return values[0] if values else default

    def _rate(self) -> float:
        mode = int(self._setting("TimeMode", 0))
        rate = float(self._setting("CustomFrameRate", 30.0)) if mode == _CUSTOM else _RATES.get(mode, 30)
        return float(rate) if 1 <= rate <= 1000 else 30.0

    def _axes(self) -> Array:
        """Returns the rotation from the file's axes to Y up, +Z towards the viewer."""
        rows = []
        for name, default in (("CoordAxis", 0), ("UpAxis", 1), ("FrontAxis", 2)):
            rows.append(self._setting(f"{name}Sign", 1) * np.eye(3)[int(self._setting(name, default))])
        turn = np.array(rows, float)
        if abs(np.linalg.det(turn)) < 0.5:
            raise ValueError("two axes of the world are the same")
        return turn if np.linalg.det(turn) > 0 else turn * np.array([[-1.0], [1.0], [1.0]])

    def _curves(self, stack: int) -> dict[tuple[int, str], dict[str, FbxCurve | float]]:
        """Returns the curves by axis for each animated model and property; a number for an axis without a curve."""
        found: dict[tuple[int, str], dict[str, FbxCurve | float]] = {}
        targets = {
            node: (model, name)
            for model in self.ids
            for node, name in self.below[model]
            if name in _MOVES and self._kind(node) == "AnimationCurveNode"
        }
        for layer, _ in self.below[stack]:
            for node, _ in self.below[layer] if self._kind(layer) == "AnimationLayer" else ():
                if node not in targets or targets[node] in found:
                    continue
                axes: dict[str, FbxCurve | float] = {
                    name[2:]: float(values[0])
                    for name, values in self.objects[node].properties().items()
                    if name in ("d|X", "d|Y", "d|Z") and values
                }
                for curve, name in self.below[node]:
                    if self._kind(curve) == "AnimationCurve" and name[:2] == "d|":
                        axes[name[2:]] = FbxCurve.of(self.objects[curve], self.second)
                if any(isinstance(axis, FbxCurve) for axis in axes.values()):
                    found[targets[node]] = axes
        return found

    def _kind(self, number: int) -> str:
        return self.objects[number].name if number in self.objects else ""

    def _span(self, stack: int) -> tuple[float, float]:
        """Returns the times of the first and last frame in seconds, as declared in the file or those of the keys."""
        properties = self.objects[stack].properties()
        start, stop = (properties.get(name) for name in ("LocalStart", "LocalStop"))
        if start and stop and stop[0] > start[0]:
            return float(start[0]) / self.second, float(stop[0]) / self.second
        keys = self._keys(stack)
        return float(keys[0]), float(keys[-1])

    def _keys(self, stack: int) -> Array:
        keys = [axis.times for axes in self._curves(stack).values() for axis in axes.values()
                if isinstance(axis, FbxCurve)]  # fmt: skip
        return np.unique(np.concatenate(keys))

    def _times(self, stack: int, fps: float) -> tuple[Array, float]:
        """Returns the times of the frames and their rate, the file's or, if no key is on its frames, the keys'."""
        start, stop = self._span(stack)
        keys = self._keys(stack)
        keys = keys[(keys > start - 1e-4) & (keys < stop + 1e-4)]
        ticks = (keys - start) * fps
        if len(keys) > 1 and np.mean(np.abs(ticks - np.round(ticks)) > 0.05) > 0.5:
            start, fps = float(keys[0]), rate_of(keys)
        frames = int(np.floor((stop - start) * fps + 0.02)) + 1
        if frames * len(self.ids) > _MOST:
            raise ValueError(f"{frames} frames of {len(self.ids)} nodes")
        return start + np.arange(frames) / fps, fps

    def _posed(
        self, curves: dict[tuple[int, str], dict[str, "FbxCurve | float"]], times: Array
    ) -> tuple[Array, Array]:
        """Returns world positions ``(T, N, 3)`` and rotations ``(T, N, 4)`` of all nodes in the file's coordinates."""
        shape = (len(times), len(self.ids))
        places, turns, scales = np.empty((*shape, 3)), np.empty((*shape, 4)), np.empty((*shape, 3))
        unscaled = []
        for place, number in enumerate(self.ids):
            known = {**self.defaults.get("Model", {}), **self.objects[number].properties()}
            moves = []
            for name, default in _MOVES.items():
                still = _vector(known, name, default)
                axes = curves.get((number, name), {})
                moved = [axes.get(axis, still["XYZ".index(axis)]) for axis in "XYZ"]
                values = [
                    axis.at(times) if isinstance(axis, FbxCurve) else np.full(len(times), axis)
                    for axis in moved
                ]
                moves.append(np.stack(values, axis=-1))
            order, before, after = "XYZ", IDENTITY, IDENTITY
            if known.get("RotationActive", [0])[0]:
                order = _ORDERS[int(known.get("RotationOrder", [0])[0]) % len(_ORDERS)]
                before = _turn(_vector(known, "PreRotation"), "XYZ")
                after = _turn(_vector(known, "PostRotation"), "XYZ")
            turns[:, place] = quat_multiply(
                quat_multiply(before, _turn(moves[1], order)), quat_conjugate(after)
            )
            scales[:, place] = moves[2]
            pivot, shift = _vector(known, "RotationPivot"), _vector(known, "RotationOffset")
            size_pivot, size_shift = _vector(known, "ScalingPivot"), _vector(known, "ScalingOffset")
            inner = size_shift + size_pivot - pivot - moves[2] * size_pivot
            places[:, place] = moves[0] + shift + pivot + quat_rotate(turns[:, place], inner)
            if int(known.get("InheritType", [0])[0]) == _UNSCALED:
                unscaled.append(place)
        return compose(self.tree, places, turns, scales, unscaled=unscaled)

    def _joints(self) -> list[int]:
        """Returns the bones and the nodes between them; in a file without bones, the nodes without geometry."""
        kinds = [str(self.objects[number].values[2]) for number in self.ids]
        bones = [place for place, kind in enumerate(kinds) if kind in _BONES]
        plain = [place for place, kind in enumerate(kinds) if kind not in _SHOWN]
        if not bones and len(plain) < 2:
            raise MotionFileError(f"{self.path}: has no skeleton; export it with its armature")
        return self.tree.figure(self.tree.between(bones or plain))

    def _bound(self) -> dict[int, Array]:
        """Returns the matrices of models in the bind pose of a skin, or in a declared bind pose."""
        found = {}
        for each in self.objects.values():
            if each.name == "Pose" and each.values[2] == "BindPose":
                for node in each.all("PoseNode"):
                    found[node.first("Node").value] = node.first("Matrix").value
        for number, each in self.objects.items():
            if each.name == "Deformer" and each.values[2] == "Cluster":
                for model, _ in self.below[number]:
                    found[model] = each.first("TransformLink").value
        return {model: np.asarray(matrix, float).reshape(4, 4).T
                for model, matrix in found.items() if model in self.places and matrix is not None}  # fmt: skip


def _name(record: Record) -> str:
    """Returns the name of an object, which is ``Hips\\0\\1Model`` in binary files and ``Model::Hips`` in text."""
    name = str(record.values[1]).partition("\x00")[0]
    return name.rpartition("::")[2] if "::" in name else name


def _vector(known: dict[str, list[Any]], name: str, default: float = 0.0) -> Array:
    values = known.get(name, ())
    return np.array(values[:3], float) if len(values) >= 3 else np.full(3, default)


def _turn(degrees: Array | Sequence[float], order: str) -> Array:
    """Returns the rotation by angles about X, Y and Z, applied in an order, the first axis first."""
    angles = np.radians(np.asarray(degrees, float))
    last_first = order[::-1]
    return euler_to_quat(angles[..., ["XYZ".index(axis) for axis in last_first]], last_first)
