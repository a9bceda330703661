"""Implements `moglow blender`: builds a scene and reports its files and warnings."""

from collections.abc import Iterator
from math import degrees
from pathlib import Path

from moglow.blender.program import find_blender
from moglow.blender.scene_job import BlenderScene, build_scene, seam
from moglow.files.atomic import refuse_overwriting
from moglow.formats.read import read_motion, split_name
from moglow.paths.csv_files import read_path

SMOOTH = 0.05
"""The largest jump in metres at which a loop causes no warning."""


def make_scene(
    source: Path,
    out: Path,
    film: Path | None,
    control: str | None,
    *,
    character: Path | None,
    body: bool,
    loop: bool,
    size: tuple[int, int],
    blender: Path | None,
) -> Iterator[str]:
    """Builds the scene and yields a line for each file and each warning."""
    scene = BlenderScene(out, film, size=size, character=character, body=body, loop=loop)
    refuse_overwriting(filter(None, (out, film)), (split_name(source)[0], control, character))
    clip = read_motion(source)
    path = read_path(control, fps=clip.fps) if control else None
    built = build_scene(clip, scene, find_blender(blender), path=path)
    jump, turn = seam(clip)
    if loop and jump > SMOOTH:
        yield (
            f"warning: {source}: each round begins with a jump of {100 * jump:.0f} cm and {degrees(turn):.0f} degrees; "
            "a loop needs a clip that ends in the pose that it begins with"
        )
    if built.constrained:
        yield (
            f"warning: {character}: {built.constrained} of its bones have constraints, which act on top of the motion; "
            "mute them, or give the skeleton that is skinned"
        )
    yield f"{out}: {built.bones} bones, {len(clip)} frames at {clip.fps:g} fps, by Blender {built.version}"
    if film:
        yield f"{film}: {size[0]} × {size[1]}, rendered by {built.engine.removeprefix('BLENDER_').title()}"
