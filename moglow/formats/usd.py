"""Writes clips as a USD file: UsdSkel skeletons, animations and skinned bodies. Needs `pxr` of usd-core.

A clip is the figure ``/Figure``; the figures of a crowd are ``/Crowd/anna``, ``/Crowd/ben`` and so on, each complete.
"""

import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from moglow.errors import ExportError
from moglow.files.atomic import replacing
from moglow.formats.names import unique
from moglow.maths.rotations import Array, quat_continuous, quat_normalize
from moglow.motion.capsule_body import capsule_body
from moglow.motion.clip import Clip

_EARLIEST = 315619200  # seconds; the second day of 1980, near the earliest time in a package
DECIMALS = 6
"""Decimals of the time codes of a crowd: whole frames are whole numbers."""


def write_usd(clip: Clip, path: str | Path) -> None:
    """Writes `clip` to ``path`` (.usda, .usdc or .usdz), in metres, Y up, one time code per frame."""
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder, f"clip{_layer_suffix(path)}")
        stage = _new_stage(whole, clip.fps)
        stage.SetEndTimeCode(len(clip) - 1)
        stage.SetDefaultPrim(stage.DefinePrim("/Figure", "SkelRoot"))
        _add_figure(clip, stage, "/Figure", clip.name or "motion", np.arange(float(len(clip))))
        stage.GetRootLayer().Save()
        _replace(path, whole)


def write_usd_crowd(figures: Iterable[tuple[str, float, Clip]], path: str | Path) -> int:
    """Writes figures as one stage, and returns their number.

    ``figures`` are the name of each figure, the second in which its clip begins, and the clip. They are read one after
    another, and their frames are kept in a temporary file. The animation of a figure has the figure's name, changed to
    one that USD permits and that no other figure has.
    """
    with tempfile.TemporaryDirectory() as folder:
        kept, names, last = Path(folder, "crowd.usdc"), list[str](), 0.0
        stage, fps = None, 0.0
        for name, start, clip in figures:
            if stage is None:
                stage, fps = _new_stage(kept, clip.fps), clip.fps
                stage.SetDefaultPrim(stage.DefinePrim("/Crowd", "Xform"))
            names.append(unique(_identifier(name), names, "_"))
            codes = np.round((start + clip.times) * fps, DECIMALS)
            _add_figure(clip, stage, f"/Crowd/{names[-1]}", names[-1], codes)
            last = max(last, float(codes[-1]))
            stage.SetEndTimeCode(last)
            stage.GetRootLayer().Save()
        if stage is None:
            raise ExportError(f"{path}: no figures to write; give at least one")
        whole = Path(folder, f"whole{_layer_suffix(path)}")
        stage.GetRootLayer().Export(str(whole))  # without the gaps that saving after each figure leaves
        _replace(path, whole)
    return len(names)


def _layer_suffix(path: str | Path) -> str:
    """Returns the suffix of the file that holds the stage; a package contains a binary one."""
    suffix = Path(path).suffix.lower()
    return ".usdc" if suffix == ".usdz" else suffix


def _replace(path: str | Path, whole: Path) -> None:
    """Puts a complete file at the place of ``path``, as a package if the suffix is .usdz."""
    from pxr import UsdUtils

    if Path(path).suffix.lower() == ".usdz":
        packed = whole.with_suffix(".usdz")
        os.utime(
            whole, (_EARLIEST, _EARLIEST)
        )  # the package contains the time; a constant one makes the bytes reproducible
        if not UsdUtils.CreateNewUsdzPackage(str(whole), str(packed)):
            raise ExportError(f"{path}: the package could not be made; write .usdc instead")
        whole = packed
    with replacing(path) as file, open(whole, "rb") as made:
        shutil.copyfileobj(made, file)


def _new_stage(path: Path, fps: float) -> Any:
    """Returns a new stage in metres, Y up, one time code per frame."""
    from pxr import Usd, UsdGeom

    stage = Usd.Stage.CreateNew(str(path))
    UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.y)
    UsdGeom.SetStageMetersPerUnit(stage, 1.0)
    stage.SetTimeCodesPerSecond(fps)
    stage.SetFramesPerSecond(fps)
    stage.SetStartTimeCode(0)
    return stage


def _add_figure(clip: Clip, stage: Any, place: str, title: str, codes: Array) -> None:
    """Adds a figure with its animation, whose frames have the time codes ``codes``."""
    from pxr import Gf, Sdf, UsdSkel, Vt

    root = UsdSkel.Root.Define(stage, place)
    skeleton = UsdSkel.Skeleton.Define(stage, f"{place}/Skeleton")
    joints = _joint_paths(clip)
    rest = np.tile(np.eye(4), (len(joints), 1, 1))
    bind = rest.copy()
    rest[:, 3, :3], bind[:, 3, :3] = clip.skeleton.offsets, clip.skeleton.rest_positions
    skeleton.CreateJointsAttr(joints)
    skeleton.CreateRestTransformsAttr(_matrices(rest))
    skeleton.CreateBindTransformsAttr(_matrices(bind))
    animation = UsdSkel.Animation.Define(stage, f"{place}/Skeleton/{_identifier(title)}")
    animation.CreateJointsAttr(joints)
    places, turns = animation.CreateTranslationsAttr(), animation.CreateRotationsAttr()
    animation.CreateScalesAttr(Vt.Vec3hArray([Gf.Vec3h(1, 1, 1)] * len(joints)))
    rotations = quat_normalize(quat_continuous(clip.rotations))
    for frame, code in enumerate(codes.tolist()):
        places.Set(Vt.Vec3fArray.FromNumpy(clip.positions[frame].astype("f4")), code)
        turns.Set(Vt.QuatfArray([Gf.Quatf(*map(float, quat)) for quat in rotations[frame]]), code)
    binding = UsdSkel.BindingAPI.Apply(skeleton.GetPrim())
    binding.CreateAnimationSourceRel().SetTargets([Sdf.Path(animation.GetPath())])
    _add_body(clip, stage, skeleton, f"{place}/Body")
    low, high = _extent(clip)
    root.CreateExtentAttr(Vt.Vec3fArray([Gf.Vec3f(*low), Gf.Vec3f(*high)]))


def _add_body(clip: Clip, stage: Any, skeleton: Any, place: str) -> None:
    """Adds the capsule body in the bind pose; each point is bound to one joint."""
    from pxr import Gf, Sdf, UsdGeom, UsdSkel, Vt

    body = capsule_body(clip.skeleton)
    points = body.points + clip.skeleton.rest_positions[body.joints]
    mesh = UsdGeom.Mesh.Define(stage, place)
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
        paths.append(unique(plain, paths, "_"))
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
