"""Writes a clip as a USD file: UsdSkel skeleton, animation and skinned body. Needs `pxr` of usd-core."""

import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from moglow.errors import ExportError
from moglow.files.atomic import replacing
from moglow.maths.rotations import Array, quat_continuous, quat_normalize
from moglow.motion.capsule_body import capsule_body
from moglow.motion.clip import Clip

_EARLIEST = 315619200  # seconds; the second day of 1980, near the earliest time in a package


def write_usd(clip: Clip, path: str | Path) -> None:
    """Writes `clip` to ``path`` (.usda, .usdc or .usdz), in metres, Y up, one time code per frame."""
    from pxr import UsdUtils

    with tempfile.TemporaryDirectory() as folder:
        suffix = Path(path).suffix.lower()
        whole = Path(folder, f"clip{'.usdc' if suffix == '.usdz' else suffix}")
        _stage(clip, whole)
        if suffix == ".usdz":
            packed = whole.with_suffix(".usdz")
            os.utime(
                whole, (_EARLIEST, _EARLIEST)
            )  # the package contains the time; a constant one makes the bytes reproducible
            if not UsdUtils.CreateNewUsdzPackage(str(whole), str(packed)):
                raise ExportError(f"{path}: the package could not be made; write .usdc instead")
            whole = packed
        data = whole.read_bytes()
    with replacing(path) as file:
        file.write(data)


def _stage(clip: Clip, path: Path) -> None:
    from pxr import Gf, Sdf, Usd, UsdGeom, UsdSkel, Vt

    stage = Usd.Stage.CreateNew(str(path))
    UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.y)
    UsdGeom.SetStageMetersPerUnit(stage, 1.0)
    stage.SetTimeCodesPerSecond(clip.fps)
    stage.SetFramesPerSecond(clip.fps)
    stage.SetStartTimeCode(0)
    stage.SetEndTimeCode(len(clip) - 1)
    root = UsdSkel.Root.Define(stage, "/Figure")
    stage.SetDefaultPrim(root.GetPrim())
    skeleton = UsdSkel.Skeleton.Define(stage, "/Figure/Skeleton")
    joints = _joint_paths(clip)
    rest = np.tile(np.eye(4), (len(joints), 1, 1))
    bind = rest.copy()
    rest[:, 3, :3], bind[:, 3, :3] = clip.skeleton.offsets, clip.skeleton.rest_positions
    skeleton.CreateJointsAttr(joints)
    skeleton.CreateRestTransformsAttr(_matrices(rest))
    skeleton.CreateBindTransformsAttr(_matrices(bind))
    animation = UsdSkel.Animation.Define(stage, f"/Figure/Skeleton/{_identifier(clip.name or 'motion')}")
    animation.CreateJointsAttr(joints)
    places, turns = animation.CreateTranslationsAttr(), animation.CreateRotationsAttr()
    animation.CreateScalesAttr(Vt.Vec3hArray([Gf.Vec3h(1, 1, 1)] * len(joints)))
    rotations = quat_normalize(quat_continuous(clip.rotations))
    for frame in range(len(clip)):
        places.Set(Vt.Vec3fArray.FromNumpy(clip.positions[frame].astype("f4")), frame)
        turns.Set(Vt.QuatfArray([Gf.Quatf(*map(float, quat)) for quat in rotations[frame]]), frame)
    binding = UsdSkel.BindingAPI.Apply(skeleton.GetPrim())
    binding.CreateAnimationSourceRel().SetTargets([Sdf.Path(animation.GetPath())])
    _add_body(clip, stage, skeleton)
    low, high = _extent(clip)
    root.CreateExtentAttr(Vt.Vec3fArray([Gf.Vec3f(*low), Gf.Vec3f(*high)]))
    stage.GetRootLayer().Save()


def _add_body(clip: Clip, stage: Any, skeleton: Any) -> None:
    """Adds the capsule body in the bind pose; each point is bound to one joint."""
    from pxr import Gf, Sdf, UsdGeom, UsdSkel, Vt

    body = capsule_body(clip.skeleton)
    points = body.points + clip.skeleton.rest_positions[body.joints]
    mesh = UsdGeom.Mesh.Define(stage, "/Figure/Body")
    mesh.CreatePointsAttr(Vt.Vec3fArray.FromNumpy(points.astype("f4")))
    mesh.CreateNormalsAttr(Vt.Vec3fArray.FromNumpy(body.normals.astype("f4")))
    mesh.SetNormalsInterpolation(UsdGeom.Tokens.vertex)
    mesh.CreateFaceVertexCountsAttr(Vt.IntArray([3] * len(body.triangles)))
    mesh.CreateFaceVertexIndicesAttr(Vt.IntArray.FromNumpy(body.triangles.astype("i4").ravel()))
    mesh.CreateSubdivisionSchemeAttr(UsdGeom.Tokens.none)
    mesh.CreateExtentAttr(
        Vt.Vec3fArray([Gf.Vec3f(*points.min(0).tolist()), Gf.Vec3f(*points.max(0).tolist())])
    )
    mesh.CreateDisplayColorAttr(Vt.Vec3fArray([Gf.Vec3f(0.62, 0.66, 0.70)]))
    binding = UsdSkel.BindingAPI.Apply(mesh.GetPrim())
    binding.CreateJointIndicesPrimvar(False, 1).Set(Vt.IntArray.FromNumpy(body.joints.astype("i4")))
    binding.CreateJointWeightsPrimvar(False, 1).Set(Vt.FloatArray([1.0] * len(points)))
    binding.CreateGeomBindTransformAttr(Gf.Matrix4d(1.0))
    binding.CreateSkeletonRel().SetTargets([Sdf.Path(skeleton.GetPath())])


def _joint_paths(clip: Clip) -> list[str]:
    """Returns each joint's path from the root, of unique names that USD permits."""
    paths: list[str] = []
    for name, parent in zip(clip.skeleton.names, clip.skeleton.parents, strict=True):
        plain = f"{paths[parent]}/{_identifier(name)}" if parent >= 0 else _identifier(name)
        path, number = plain, 2
        while path in paths:
            path, number = f"{plain}_{number}", number + 1
        paths.append(path)
    return paths


def _identifier(name: str) -> str:
    """Returns a name that USD permits: letters, digits and underscores, not starting with a digit."""
    plain = "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in name)
    return f"_{plain}" if not plain or plain[0].isdigit() else plain


def _matrices(rows: Array) -> Any:
    from pxr import Gf, Vt

    return Vt.Matrix4dArray([Gf.Matrix4d(matrix.tolist()) for matrix in rows])


def _extent(clip: Clip) -> tuple[list[float], list[float]]:
    """Returns the corners of the bounding box of all joints and frames, with a margin for the body."""
    places = clip.world()[0].reshape(-1, 3)
    return (places.min(0) - 0.3).tolist(), (places.max(0) + 0.3).tolist()
