"""Motion as a strip of stick figures in SVG, for contact sheets on a page. Needs numpy alone."""

import math
from collections.abc import Mapping
from html import escape

import numpy as np

from moglow.maths.rotations import Array, heading_to_quat, quat_rotate
from moglow.measures.similarity import body_positions
from moglow.motion.clip import Clip
from moglow.motion.contacts import contacts
from moglow_viewer.scene.shown_motion import bones

POSES = 16
CELL, TALL, PIXELS = 58.0, 124.0, 60.0
"""Width and height of a cell in pixels, and pixels per metre."""
NAMED = 16.0
"""Height of the name over a strip, in pixels."""
HEAD = 6.0
"""Radius of a head in pixels."""
YAW, PITCH = math.radians(-58), math.radians(8)
"""Direction of view: from the side and a little above; at zero the figure faces the viewer."""
SIDES = {1: "left", -1: "right", 0: "body"}


STYLE = """.strip path { fill: none; stroke-width: 3.4; stroke-linecap: round; stroke: #8b96a2 }
.strip .left { stroke: #3b82c4 } .strip .right { stroke: #e07a4b } .strip circle { stroke: none }
.strip .head { fill: #8b96a2 } .strip circle.left { fill: #3b82c4 } .strip circle.right { fill: #e07a4b }
.floor { stroke: #98a3af } text { fill: #7d8894; font: 12px system-ui, sans-serif }"""
"""Colours for light and dark pages."""


def picture(clips: Mapping[str, Clip]) -> str:
    """Returns an SVG file with the named strips of clips below each other.

    >>> from moglow.motion.skeleton import Skeleton
    >>> still = Clip.at_rest(Skeleton(("Hips", "Head"), (-1, 0), [[0.0, 0.9, 0.0], [0.0, 0.6, 0.0]]), frames=40)
    >>> drawn = picture({"stand": still, "walk <fast>": still})
    >>> drawn.count('class="strip"'), "walk &lt;fast&gt;" in drawn
    (2, True)
    """
    rows, width = [], CELL * POSES
    for k, (name, clip) in enumerate(clips.items()):
        top = k * (NAMED + TALL) + NAMED
        placed = strip(clip).replace("<svg ", f'<svg y="{top:g}" width="{width:g}" height="{TALL:g}" ', 1)
        rows.append(f'<text x="4" y="{top - 3:g}">{escape(name)}</text>{placed}')
    box = f'viewBox="0 0 {width:g} {len(rows) * (NAMED + TALL):g}" width="{width:g}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {box}><style>{STYLE}</style>{"".join(rows)}</svg>\n'


def strip(clip: Clip) -> str:
    """Returns a strip of poses at even times, each seen from the figure's side, with a dot at planted feet.

    >>> from moglow.motion.skeleton import Skeleton
    >>> still = Clip.at_rest(Skeleton(("Hips", "Head"), (-1, 0), [[0.0, 0.9, 0.0], [0.0, 0.6, 0.0]]), frames=40)
    >>> strip(still).count("<path")
    16
    """
    frames = np.unique(np.linspace(0, len(clip) - 1, POSES).round().astype(int))
    points = _seen(clip, frames)
    skeleton = clip.skeleton
    planted = contacts(clip)[frames] if skeleton.anatomy.legs else np.zeros((len(frames), 0), bool)
    width, head = CELL * len(frames), skeleton.anatomy.roles.get("head")
    parts = [
        f'<svg class="strip" viewBox="0 0 {width:g} {TALL:g}" role="img" aria-label="{len(frames)} poses">'
        f'<line class="floor" x1="0" x2="{width:g}" y1="{TALL - 10:g}" y2="{TALL - 10:g}"/>'
    ]
    for cell, pose in enumerate(points):
        middle = CELL * (cell + 0.5)
        drawn: dict[str, list[str]] = {"right": [], "body": [], "left": []}  # the nearer side last
        for bone in bones(skeleton):
            start, end = (pose[k] * (1, -1) + (middle, TALL - 10) for k in (bone.start, bone.end))
            drawn[SIDES[bone.side]].append(f"M{start[0]:.1f} {start[1]:.1f}L{end[0]:.1f} {end[1]:.1f}")
        parts += [f'<path class="{side}" d="{"".join(lines)}"/>' for side, lines in drawn.items() if lines]
        if head is not None:
            x, y = pose[head] * (1, -1) + (middle, TALL - 10)
            parts.append(f'<circle class="head" cx="{x:.1f}" cy="{y - HEAD:.1f}" r="{HEAD:g}"/>')
        for leg, stands in zip(skeleton.anatomy.legs, planted[cell], strict=True):
            if stands:
                x = pose[leg.ankle if leg.toe is None else leg.toe][0] + middle
                parts.append(f'<circle class="{leg.side}" cx="{x:.1f}" cy="{TALL - 5:g}" r="2.4"/>')
    return "".join([*parts, "</svg>"])


def _seen(clip: Clip, frames: Array) -> Array:
    """Returns joints and end sites ``(N, P, 2)`` in pixels, to the right and up, from the ground below the hips."""
    ends = clip.end_positions()[frames].copy()
    ends[..., [0, 2]] -= clip.ground_positions()[frames][:, None]
    ends = quat_rotate(heading_to_quat(-clip.headings()[frames])[:, None], ends)
    places = np.concatenate([body_positions(clip)[frames], ends], axis=1)
    turned = quat_rotate(heading_to_quat(YAW), places)
    return PIXELS * np.stack(
        [turned[..., 0], turned[..., 1] * math.cos(PITCH) - turned[..., 2] * math.sin(PITCH)], axis=-1
    )
