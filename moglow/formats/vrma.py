"""Writes a clip as a VRM animation for any VRM avatar. Needs numpy alone.

The file is a binary glTF whose nodes are the bones of the VRM humanoid. As the extension VRMC_vrm_animation requires,
the rest pose is a T-pose that faces +Z, bones are rotated, and only the hips are translated.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from moglow.errors import ExportError, SkeletonError
from moglow.formats.glb import Chunk, Json, w_last, write_document
from moglow.formats.vrm_bones import humanoid
from moglow.maths.rotations import Array, quat_conjugate, quat_continuous, quat_multiply, quat_rotate
from moglow.motion.canonical_pose import canonical_rotations
from moglow.motion.clip import Clip


def write_vrma(clip: Clip, path: str | Path) -> None:
    """Writes `clip` to `path` for VRM avatars."""
    try:
        bones, picked, parents = humanoid(clip.skeleton)
    except SkeletonError as error:
        raise ExportError(f"{path}: {error}", setting="map") from error
    places, turns = clip.world()
    chunk = Chunk()
    document: Json = {
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": _nodes(clip, bones, picked, parents),
        "animations": [_animation(clip, chunk, places[:, picked], turns[:, picked], parents)],
        "extensionsUsed": ["VRMC_vrm_animation"],
        "extensions": {
            "VRMC_vrm_animation": {
                "specVersion": "1.0",
                "humanoid": {"humanBones": {bone: {"node": number} for number, bone in enumerate(bones)}},
            }
        },
    }
    write_document(document, chunk, path)


def _nodes(clip: Clip, bones: Sequence[str], picked: Sequence[int], parents: Sequence[int]) -> list[Json]:
    """Returns the bones in the T-pose."""
    skeleton = clip.skeleton
    turns = canonical_rotations(skeleton, clip)
    places = np.zeros((len(skeleton), 3))
    for joint, above in enumerate(skeleton.parents[1:], start=1):
        places[joint] = places[above] + quat_rotate(turns[above], skeleton.offsets[joint])
    places[:, 1] -= places[:, 1].min()
    nodes: list[Json] = []
    for number, (bone, joint, above) in enumerate(zip(bones, picked, parents, strict=True)):
        place, turn = places[joint] * [0.0, 1.0, 0.0] if above < 0 else places[joint], turns[joint]
        if above >= 0:
            back = quat_conjugate(turns[picked[above]])
            place, turn = quat_rotate(back, places[joint] - places[picked[above]]), quat_multiply(back, turn)
        node: Json = {"name": bone, "translation": place.tolist(), "rotation": w_last(turn).tolist()}
        if children := [child for child, parent in enumerate(parents) if parent == number]:
            node["children"] = children
        nodes.append(node)
    return nodes


def _animation(clip: Clip, chunk: Chunk, places: Array, turns: Array, parents: Sequence[int]) -> Json:
    times = chunk.add_bounded(clip.times)
    samplers: list[Json] = []
    channels: list[Json] = []
    for number, above in enumerate(parents):
        local = (
            turns[:, number]
            if above < 0
            else quat_multiply(quat_conjugate(turns[:, above]), turns[:, number])
        )
        keys = {"rotation": w_last(quat_continuous(local))} | (
            {"translation": places[:, number]} if above < 0 else {}
        )
        for path, values in keys.items():
            samplers.append({"input": times, "output": chunk.add(values.astype("<f4"))})
            channels.append({"sampler": len(samplers) - 1, "target": {"node": number, "path": path}})
    return {"name": clip.name or "motion", "channels": channels, "samplers": samplers}
