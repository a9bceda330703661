"""Motion from a glTF file: a skeleton, its rest pose and one of its animations. Needs numpy alone."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from moglow.errors import MotionFileError
from moglow.formats.bones import Bones, compose, matrices_to_poses, rate_of
from moglow.formats.gltf_file import GltfFile, Json
from moglow.formats.node_tree import NodeTree, rest_pose
from moglow.formats.vrm_bones import ROLE_OF
from moglow.maths.rotations import (
    Array,
    quat_angle,
    quat_normalize,
    quat_slerp,
    quat_to_matrix,
)

_PATHS = ("translation", "rotation", "scale")
_SAME_SIZE = 0.01  # largest relative difference of bone lengths in poses of one skeleton


def gltf_clips(path: Path) -> tuple[str, ...]:
    """Returns the names of a file's animations; the name of an unnamed one is its number."""
    return _names(GltfFile.read(path).objects("animations"))


def read_gltf(path: Path, chosen: str | None) -> Bones:
    """Reads the animation with this name, or the only one; a file without animations has one frame, its pose."""
    file = GltfFile.read(path)
    try:
        return _Scene(file).bones(_animation(file, chosen))
    except (
        AttributeError,
        IndexError,
        KeyError,
        TypeError,
        ValueError,
        OverflowError,
        RecursionError,
    ) as error:
        raise MotionFileError(
            f"{path}: not whole: {type(error).__name__} {error} in its nodes, skins or animations; export it again"
        ) from error


def _names(animations: Sequence[Json]) -> tuple[str, ...]:
    return tuple(str(each.get("name") or number) for number, each in enumerate(animations))


def _animation(file: GltfFile, chosen: str | None) -> Json:
    animations = file.objects("animations")
    names = _names(animations)
    if chosen is not None:
        if chosen not in names:
            raise MotionFileError(
                f"{file.path}: has no animation {chosen!r}; it has {', '.join(names[:12]) or 'none'}"
            )
        return animations[names.index(chosen)]
    if len(animations) > 1:
        raise MotionFileError(
            f"{file.path}: has {len(names)} animations ({', '.join(names[:12])}); choose one: {file.path}#{names[0]}"
        )
    return animations[0] if animations else {}


class _Scene:
    """The nodes of a file, parents first, with their meshes and skins."""

    def __init__(self, file: GltfFile) -> None:
        self.file = file
        self.nodes = file.objects("nodes")
        above = [-1] * len(self.nodes)
        for number, node in enumerate(self.nodes):
            for child in node.get("children", ()):
                if above[child] >= 0 or child < 0:
                    raise ValueError(f"node {child} has two parents")
                above[child] = number
        self.tree = NodeTree.of(above)
        local = [self._local(self.nodes[node]) for node in range(len(self.nodes))]
        self.local = tuple(np.array([each[k] for each in local]).reshape(len(local), -1) for k in range(3))

    @staticmethod
    def _local(node: Json) -> tuple[Array, Array, Array]:
        """Returns a node's translation, rotation (w first) and scale."""
        if "matrix" in node:
            matrix = np.array(node["matrix"], float).reshape(4, 4).T
            place, turn = matrices_to_poses(matrix)
            return place, turn, np.diag(quat_to_matrix(turn).T @ matrix[:3, :3])
        turn = np.roll(np.array(node.get("rotation", (0, 0, 0, 1)), float), 1)
        place, scale = node.get("translation", (0, 0, 0)), node.get("scale", (1, 1, 1))
        return np.array(place, float), quat_normalize(turn), np.array(scale, float)

    def bones(self, animation: Json) -> Bones:
        """Returns the skeleton in the frames of an animation."""
        channels = list(self._channels(animation))
        joints, roles = self._joints({node for node, _, _ in channels})
        times = np.unique(np.concatenate([keys[0] for _, _, keys in channels] or [np.zeros(1)]))
        fps = rate_of(times)
        frames = int(np.floor((times[-1] - times[0]) * fps + 0.02)) + 1
        if frames * len(self.nodes) > 5e7:
            raise ValueError(f"{frames} frames of {len(self.nodes)} nodes")
        at = times[0] + np.arange(frames) / fps
        local = [np.repeat(values[None], frames, 0) for values in self.local]
        for node, path, keys in channels:
            local[_PATHS.index(path)][:, node] = _sampled(keys, path, at)
        positions, rotations = compose(self.tree, *local)
        rest_positions, rest_rotations = self._rest(joints)
        known = {joint: number for number, joint in enumerate(joints)}
        names = tuple(str(self.nodes[joint].get("name") or f"node{joint}") for joint in joints)
        above = [self.tree.nearest(joint, known) for joint in joints]
        return Bones(
            names=names,
            parents=tuple(-1 if parent is None else known[parent] for parent in above),
            rest_positions=rest_positions,
            rest_rotations=rest_rotations,
            positions=positions[:, joints],
            rotations=rotations[:, joints],
            fps=fps,
            unit=1.0,
            up="Y",
            roles={role: names[known[node]] for role, node in roles.items() if node in known},
        )

    def _channels(self, animation: Json) -> Iterator[tuple[int, str, tuple[Array, Array, str]]]:
        """Yields each animated node, the animated property, and the keys: times, values and interpolation."""
        samplers = animation.get("samplers", [])
        for channel in animation.get("channels", []):
            node, path = channel["target"].get("node"), channel["target"]["path"]
            if node is None or path not in _PATHS:
                continue  # a morph target, or a property of an extension
            sampler = samplers[channel["sampler"]]
            times, values = self.file.array(sampler["input"])[:, 0], self.file.array(sampler["output"])
            kind = sampler.get("interpolation", "LINEAR")
            if len(values) != len(times) * (3 if kind == "CUBICSPLINE" else 1):
                raise ValueError(f"{len(times)} times and {len(values)} values")
            yield node, path, (times, values, kind)

    def _joints(self, moved: set[int]) -> tuple[list[int], Mapping[str, int]]:
        """Returns the nodes of the figure, parents first, with a single root, and the roles declared in the file."""
        roles, humanoid_alone = self._humanoid()
        skins = [set(map(int, skin["joints"])) for skin in self.file.objects("skins")]
        if humanoid_alone:
            joints = set(roles.values())
        elif skins:
            joints = max(skins, key=lambda skin: (len(skin.intersection(moved)), len(skin)))
            while more := [skin for skin in skins if skin & joints and not skin <= joints]:
                joints |= set().union(*more)
        else:
            below = {
                node
                for node in self.tree.order
                if node in moved or self.tree.nearest(node, moved) is not None
            }
            joints = {node for node in below if not {"mesh", "camera"} & set(self.nodes[node])}
        if not joints:
            raise MotionFileError(
                f"{self.file.path}: has no skeleton: no skin, and no animation moves a node"
            )
        return self.tree.figure(joints), roles

    def _humanoid(self) -> tuple[Mapping[str, int], bool]:
        """Returns the nodes by role of a VRM file, and whether the file is a VRM animation, without other joints."""
        extensions = self.file.document.get("extensions", {})
        old = extensions.get("VRM", {}).get("humanoid", {}).get("humanBones", [])
        found = {each["bone"]: each["node"] for each in old if "node" in each}
        for name in ("VRMC_vrm", "VRMC_vrm_animation"):
            bones = extensions.get(name, {}).get("humanoid", {}).get("humanBones", {})
            found |= {bone: each["node"] for bone, each in bones.items()}
        roles = {ROLE_OF[bone]: node for bone, node in found.items() if bone in ROLE_OF}
        return roles, "VRMC_vrm_animation" in extensions and not self.file.objects("skins")

    def _rest(self, joints: Sequence[int]) -> tuple[Array, Array]:
        """Returns world positions and rotations in the bind pose; joints without one keep their local transforms."""
        positions, rotations = compose(self.tree, *self.local)
        bound: dict[int, tuple[Array, Array]] = {}
        for skin in self.file.objects("skins"):
            if "inverseBindMatrices" in skin and set(skin["joints"]) & set(joints):
                bound = self._bind_pose(skin, positions, rotations) | bound
        return rest_pose(self.tree, joints, bound, positions, rotations)

    def _bind_pose(self, skin: Json, positions: Array, rotations: Array) -> dict[int, tuple[Array, Array]]:
        """Returns the bind pose of a skin in the world.

        The file's matrices are relative to the mesh, whose transform in the world is not specified. It is that of the
        joints' root or the identity, whichever reproduces the bone lengths with the smaller rotation of the root.
        """
        inverse = self.file.array(skin["inverseBindMatrices"]).reshape(-1, 4, 4).transpose(0, 2, 1)
        joints: list[int] = skin["joints"]
        if len(inverse) != len(joints):
            raise ValueError(f"a skin has {len(joints)} joints and {len(inverse)} matrices")
        binds = np.linalg.inv(inverse)
        places = np.array(joints)
        root = min(joints, key=lambda joint: len(self.tree.line(joint)))
        frames: list[Array] = [np.eye(4)]
        if self.tree.above[root] >= 0:
            frames.append(self._matrix(self.tree.above[root]))
        pairs = [(k, joints.index(above)) for k, joint in enumerate(joints)
                 if (above := self.tree.nearest(joint, joints)) is not None]  # fmt: skip
        children, parents = [k for k, _ in pairs], [k for _, k in pairs]
        now = float(np.linalg.norm(positions[places[children]] - positions[places[parents]], axis=-1).sum())

        def unlike(frame: Array) -> tuple[bool, float]:
            where, turns = matrices_to_poses(frame @ binds)
            length = float(np.linalg.norm(where[children] - where[parents], axis=-1).sum())
            return (
                abs(length - now) > _SAME_SIZE * now,
                float(quat_angle(turns[joints.index(root)], rotations[root])),
            )

        where, turns = matrices_to_poses(min(frames, key=unlike) @ binds)
        return {joint: (where[k], turns[k]) for k, joint in enumerate(joints)}

    def _matrix(self, node: int) -> Array:
        """Returns the matrix from a node's space to the world."""
        matrix = np.eye(4)
        for each in reversed(self.tree.line(node)):
            place, turn, scale = (values[each] for values in self.local)
            step = np.eye(4)
            step[:3, :3], step[:3, 3] = quat_to_matrix(turn) * scale, place
            matrix = matrix @ step
        return matrix


def _sampled(keys: tuple[Array, Array, str], path: str, at: Array) -> Array:
    """Returns values at times ``(T,)``, constant before the first key and after the last; quaternions are w first."""
    times, values, kind = keys
    cubic = kind == "CUBICSPLINE"
    values = np.roll(values, 1, axis=-1) if path == "rotation" else values
    before = np.clip(np.searchsorted(times, at + 1e-6, side="right") - 1, 0, max(len(times) - 2, 0))
    after = np.minimum(before + 1, len(times) - 1)
    step = np.maximum(times[after] - times[before], 1e-9)
    share = np.clip((at - times[before]) / step, 0.0, 1.0)[:, None]
    points = values[1::3] if cubic else values
    if kind == "STEP":
        found = points[np.where(share[:, 0] > 1 - 1e-4, after, before)]
    elif cubic:
        leave, arrive = step[:, None] * values[2::3][before], step[:, None] * values[0::3][after]
        square, cube = share**2, share**3
        found = (2 * cube - 3 * square + 1) * points[before] + (cube - 2 * square + share) * leave
        found += (3 * square - 2 * cube) * points[after] + (cube - square) * arrive
    elif path == "rotation":
        return quat_slerp(quat_normalize(points[before]), quat_normalize(points[after]), share[:, 0])
    else:
        found = points[before] + share * (points[after] - points[before])
    return quat_normalize(found) if path == "rotation" else np.asarray(found)
