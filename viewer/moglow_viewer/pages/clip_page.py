"""A self-contained HTML page that plays clips in any browser, without a server or a network. Needs numpy alone.

Positions are stored as integer millimetres: second differences in time as 16-bit numbers, deflated, in base64.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from moglow.errors import ClipError
from moglow.ground.surface import Ground, as_json, grid_surface
from moglow.maths.rotations import Array, heading_to_vector
from moglow.motion.clip import Clip
from moglow.motion.skeleton import Skeleton
from moglow.paths.control_path import ControlPath
from moglow_viewer.pages.single_page import fill_page, pack_bytes, save_page
from moglow_viewer.scene.figures import figure_table, measure
from moglow_viewer.scene.scene import Scene, ground_of
from moglow_viewer.scene.shown_motion import ShownMotion, bones

STYLES, SCRIPTS = (
    ("pages/page.css",),
    ("pages/motion.js", "pages/scene.js", "pages/look.js", "pages/keys.js", "pages/player.js"),
)
GROUND_SCRIPT = "pages/ground.js"
UNIT = 0.001
"""Resolution of positions in metres."""
ARROW = 0.35
"""Length in metres of the arrow of a requested heading."""
CELL, FACES = 0.04, 1500
"""Distance in metres between the heights of a ground, and the largest number of its triangles that are painted."""
LIFTED, FASTEST = 255, 254
"""A foot's byte in a frame: its speed in cm/s up to `FASTEST` while it is planted, else `LIFTED`."""


def write_page(
    clips: Sequence[Clip],
    path: str | Path,
    *,
    control: ControlPath | None = None,
    figures: Sequence[Mapping[str, Any]] | None = None,
    title: str | None = None,
    ground: Ground | None = None,
) -> None:
    """Writes a page that plays clips in sync over the requested path.

    ``figures`` is one mapping per clip, as in its sidecar; missing figures are measured. ``ground`` is the ground below
    the figures, by default that in the first sidecar. The same input gives the same bytes.

    >>> import tempfile
    >>> clip = Clip.at_rest(Skeleton(("Hips",), (-1,), [[0.0, 0.9, 0.0]]))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_page([clip], f"{folder}/still.html")
    ...     "default-src 'none'" in Path(folder, "still.html").read_text("utf-8")
    True
    """
    if not clips:
        raise ClipError(f"{path}: no clip to show; give at least one")
    save_page(make_page(clips, control=control, figures=figures, title=title, ground=ground), path)


def make_page(
    clips: Sequence[Clip],
    *,
    control: ControlPath | None = None,
    figures: Sequence[Mapping[str, Any]] | None = None,
    title: str | None = None,
    ground: Ground | None = None,
) -> str:
    """Returns the page as text; see `write_page`."""
    names = [clip.name or f"take {k}" for k, clip in enumerate(clips, start=1)]
    given = figures or [{}] * len(clips)
    ground = ground or ground_of(given[0])
    scripts = (SCRIPTS[0], GROUND_SCRIPT, *SCRIPTS[1:]) if ground else SCRIPTS
    motions = [ShownMotion(clip, ground=ground) for clip in clips]
    motion = {
        "takes": [_take(each, name) for each, name in zip(motions, names, strict=True)],
        "path": _path(control) if control else None,
        **({"ground": _ground(Scene(tuple(motions), control), ground)} if ground else {}),
        "figures": figure_table(
            [{**measure(clip, control), **each} for clip, each in zip(clips, given, strict=True)]
        ),
        "warnings": sorted({str(line) for each in given for line in each.get("warnings", ())}),
    }
    return fill_page(
        "pages/page.html", title=title or " · ".join(names[:3]), styles=STYLES, scripts=scripts, data=motion
    )


def pack_points(points: Array) -> dict[str, Any]:
    """Returns points ``(T, P, 3)`` in metres as JSON values; `motion.js` unpacks them.

    Second differences of smooth motion are small. Zigzag coding makes them positive, and the low bytes are stored
    before the high ones, which are nearly all zero.
    """
    frames, count, _ = points.shape
    origin = points[0].mean(0).round(3) if count else np.zeros(3)
    unit = UNIT
    while (steps := np.abs(_second_differences(points - origin, unit))).max(initial=0) > 32767:
        unit *= float(steps.max()) / 32000  # a lower resolution for large differences between frames
    steps = _second_differences(points - origin, unit)
    zigzag = np.where(steps < 0, -2 * steps - 1, 2 * steps).astype("<u2").reshape(frames, -1).T
    low_then_high = np.ascontiguousarray(zigzag).view("u1").reshape(-1, 2).T
    packed = pack_bytes(low_then_high)
    return {"frames": frames, "points": count, "unit": unit, "origin": origin.tolist(), "data": packed}


def _second_differences(points: Array, unit: float) -> Array:
    whole = np.rint(points / unit).astype(np.int64)
    before = np.zeros((2, *whole.shape[1:]), np.int64)
    return np.diff(np.concatenate([before, whole]), n=2, axis=0)


def _ground(scene: Scene, ground: Ground) -> dict[str, Any]:
    """Returns the ground around the figures' tracks: heights on a grid, row by row, and triangles."""
    low, high = scene.area
    cell = max(CELL, float((high - low).max()) / 400)
    x, z = (np.arange(a, b + cell, cell) for a, b in zip(low, high, strict=True))
    across, along = np.meshgrid(x, z)
    grid = np.stack([across, ground.heights(across, along), along], axis=-1)
    surface = ground.surface(low, high)
    if len(surface.faces) > FACES:
        sides = [np.linspace(a, b, round(np.sqrt(FACES / 2)) + 1) for a, b in zip(low, high, strict=True)]
        surface = grid_surface(sides[0], sides[1], ground)
    return {"front": round(scene.front, 3), "cell": cell, "heights": pack_points(grid), **as_json(surface)}


def _take(motion: ShownMotion, name: str) -> dict[str, Any]:
    clip = motion.clip
    feet = np.where(motion.planted, np.minimum(motion.foot_speed * 100, FASTEST).round(), LIFTED)
    return {
        "name": name,
        "fps": clip.fps,
        **pack_points(np.concatenate([clip.world_positions, clip.end_positions()], axis=1)),
        "bones": bones_of(clip.skeleton),
        "hips": motion.hips,
        "toes": toes_of(clip.skeleton),
        "feet": pack_bytes(feet),
        "slide": pack_bytes(np.minimum(motion.slide * 100, FASTEST).round()),
        "heading": round(float(clip.headings()[0]), 3),
    }


def bones_of(skeleton: Skeleton) -> list[list[int]]:
    """Returns each bone as its two points, the radii there in millimetres, and its side."""
    return [
        [bone.start, bone.end, round(1000 * bone.start_radius), round(1000 * bone.end_radius), bone.side]
        for bone in bones(skeleton)
    ]


def toes_of(skeleton: Skeleton) -> list[int]:
    """Returns the point of each leg's toe, as in `toe_points`: a joint, the foot's end site, or the ankle."""
    ends = {joint: len(skeleton) + end for end, (joint, _) in reversed([*enumerate(skeleton.end_sites)])}
    return [ends.get(leg.ankle, leg.ankle) if leg.toe is None else leg.toe for leg in skeleton.anatomy.legs]


def _path(control: ControlPath) -> dict[str, Any]:
    """Returns the path as two points per frame: the position, and the tip of an arrow along the heading."""
    ahead = control.positions + ARROW * heading_to_vector(control.headings)
    points = np.stack([control.positions, ahead], axis=1)  # (T, 2, 2)
    return {"fps": control.fps, **pack_points(np.insert(points, 1, 0.0, axis=-1))}
