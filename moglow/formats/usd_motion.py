"""Motion from a USD file: a UsdSkel skeleton and its animation. Needs `pxr` of usd-core."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import shorten
from typing import Any

import numpy as np

from moglow.errors import MotionFileError
from moglow.formats.bones import Bones, matrices_to_poses, rate_of
from moglow.maths.rotations import Array

_MOST = 5e7  # poses; with more, the times are damaged


def usd_clips(path: Path) -> tuple[str, ...]:
    """Returns the names of the animations of the file's skeletons."""
    with _opened(path) as stage:
        return tuple(_moving(_skeletons(path, stage)))


def read_usd(path: Path, chosen: str | None) -> Bones:
    """Reads the animation with this name, or the only one; a file without animations has one frame, its pose."""
    with _opened(path) as stage:  # prims are valid only as long as their stage
        return _bones(path, stage, chosen)


def _bones(path: Path, stage: Any, chosen: str | None) -> Bones:
    from pxr import Usd, UsdGeom

    skeletons = _skeletons(path, stage)
    moving = _moving(skeletons)
    names = ", ".join(list(moving)[:12]) or "none"
    if chosen is not None and chosen not in moving:
        raise MotionFileError(f"{path}: has no animation {chosen!r}; it has {names}")
    if chosen is None and len(moving) > 1:
        raise MotionFileError(
            f"{path}: has {len(moving)} animated figures ({names}); choose one: {path}#{next(iter(moving))}"
        )
    query = moving[chosen] if chosen is not None else next(iter(moving.values()), skeletons[0])
    codes, times, fps = _times(path, query, stage.GetTimeCodesPerSecond())
    joints = [str(joint) for joint in query.GetJointOrder()]
    parents = list(query.GetTopology().GetParentIndices())
    poses = np.empty((len(times), len(joints), 4, 4))
    world = np.empty((len(times), 4, 4))
    for frame, time in enumerate(times):
        code = Usd.TimeCode(float(time) if codes else Usd.TimeCode.Default().GetValue())
        world[frame] = _columns(UsdGeom.XformCache(code).GetLocalToWorldTransform(query.GetPrim()))
        local = query.ComputeJointSkelTransforms(code)
        if local is None or len(local) != len(joints):
            raise MotionFileError(
                f"{path}: the joints of {query.GetPrim().GetName()} have no poses; export it again"
            )
        poses[frame] = world[frame] @ _columns(local)
    rest = _columns(query.GetJointWorldBindTransforms())
    if rest.shape != poses[0].shape or np.abs(np.linalg.det(rest[:, :3, :3])).min() < 1e-12:
        rest = world[0] @ _columns(query.ComputeJointSkelTransforms(Usd.TimeCode.Default(), True))
    if sum(parent < 0 for parent in parents) != 1:  # an additional root at the skeleton's transform
        parents = [-1, *(parent + 1 for parent in parents)]
        joints = [query.GetPrim().GetName(), *joints]
        poses, rest = np.concatenate([world[:, None], poses], 1), np.concatenate([world[:1], rest])
    positions, rotations = matrices_to_poses(poses)
    rest_positions, rest_rotations = matrices_to_poses(rest)
    return Bones(
        names=tuple(joint.rpartition("/")[2] for joint in joints),
        parents=tuple(parents),
        rest_positions=rest_positions,
        rest_rotations=rest_rotations,
        positions=positions,
        rotations=rotations,
        fps=fps,
        unit=float(UsdGeom.GetStageMetersPerUnit(stage)),
        up=str(UsdGeom.GetStageUpAxis(stage)),
    )


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Yields the stage of a file; USD reads values when they are needed, so errors of the block are the file's too."""
    try:
        from pxr import Tf, Usd, UsdUtils
    except ModuleNotFoundError as error:  # so that a USD file in a folder does not end what reads the others
        raise MotionFileError(f"{path}: needs pxr: pip install 'moglow[usd]'") from error
    if not path.is_file():
        raise MotionFileError(f"{path}: cannot be read (No such file or directory); check the path")
    silent = UsdUtils.CoalescingDiagnosticDelegate()  # the library would print warnings of its own
    try:
        yield Usd.Stage.Open(str(path))
    except (Tf.ErrorException, RuntimeError) as error:
        try:
            text = str(error)
        except UnicodeDecodeError:  # it quotes bytes of the file
            text = ""
        found = re.findall(r" : '(.*)", text)
        reason = shorten(found[0].strip(" '"), 200) if found else "it cannot be opened"
        raise MotionFileError(f"{path}: not a whole USD file ({reason}); get or export it again") from error
    finally:
        del silent


def _skeletons(path: Path, stage: Any) -> list[Any]:
    """Returns the skeleton query of each skeleton with joints."""
    from pxr import Usd, UsdSkel

    cache = UsdSkel.Cache()
    for prim in stage.Traverse():
        if prim.IsA(UsdSkel.Root):
            cache.Populate(UsdSkel.Root(prim), Usd.PrimDefaultPredicate)
    queries = [
        cache.GetSkelQuery(UsdSkel.Skeleton(prim)) for prim in stage.Traverse() if prim.IsA(UsdSkel.Skeleton)
    ]
    found = [query for query in queries if query and len(query.GetJointOrder())]
    if not found:
        raise MotionFileError(f"{path}: has no skeleton (UsdSkel); export it with its armature")
    return found


def _moving(skeletons: list[Any]) -> dict[str, Any]:
    """Returns skeletons by the name of their animation, or by their own path if two have the same."""
    found: dict[str, Any] = {}
    for query in skeletons:
        animation = query.GetAnimQuery()
        if animation:
            name = animation.GetPrim().GetName()
            found[name if name not in found else str(query.GetPrim().GetPath())] = query
    return found


def _times(path: Path, query: Any, per_second: float) -> tuple[bool, Array, float]:
    """Returns whether the skeleton is animated, the time codes of its frames, and the frame rate."""
    animation = query.GetAnimQuery()
    samples = np.array(animation.GetJointTransformTimeSamples() if animation else [], float)
    if not len(samples):
        return False, np.zeros(1), 30.0
    fps = rate_of(samples / per_second)
    frames = int(np.floor((samples[-1] - samples[0]) / per_second * fps + 0.02)) + 1
    if frames * len(query.GetJointOrder()) > _MOST:
        raise MotionFileError(f"{path}: {frames} frames by its time samples; export it again")
    return True, samples[0] + np.arange(frames) * per_second / fps, fps


def _columns(matrices: Any) -> Array:
    """Returns matrices ``(..., 4, 4)`` that act on columns, given USD's, which act on rows."""
    return np.swapaxes(np.array(matrices, float), -1, -2)
