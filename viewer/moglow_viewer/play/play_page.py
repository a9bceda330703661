"""One self-contained HTML page on which a figure is steered: the model is inside, the browser draws each frame from it.

Stands above the library; numpy alone. `play.html` is filled with the style and the scripts that it shares with the page
of takes, and with ports of what generation does here: `model.js` of `sampling` and `numpy_moglow`, `body.js` of the
feet-first chart, `steering.js` and `drawn.js` of `steering` and `following`. Tests hold each to its model.
"""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from moglow.bvh.portable import portable_layout
from moglow.bvh.write import spell
from moglow.checkpoint import Checkpoint
from moglow.encodings.feet_first import FeetFirstChart
from moglow.encodings.rotation import RotationChart
from moglow.errors import ExportError
from moglow.motion.clip import Clip
from moglow.motion.contacts import ContactSpec, leg_lengths
from moglow.paths.control_path import SMOOTHING
from moglow.paths.pace import Pace
from moglow.paths.steering import Steering
from moglow_viewer.pages.clip_page import bones_of, toes_of
from moglow_viewer.pages.single_page import fill_page, save_page
from moglow_viewer.play.packed_model import pack_model

STYLES = ("pages/page.css", "play/play.css")
SCRIPTS = (
    *(
        "pages/motion.js",
        "pages/scene.js",
        "pages/look.js",
        "play/model.js",
        "play/body.js",
        "play/steering.js",
    ),
    *("play/drawn.js", "play/live.js", "play/recording.js", "play/hands.js", "play/play.js"),
)

HOTTEST = 2.0
"""The highest temperature that the page sets."""


def write_play_page(
    checkpoint: Checkpoint,
    path: str | Path,
    *,
    temperature: float,
    style: str | None = None,
    seed: int = 0,
    title: str = "moglow play",
) -> None:
    """Writes a page on which whoever opens it steers a figure by a checkpoint's model.

    ``temperature`` and ``style`` are where it begins, both change live; the same seed and hands give the same motion.
    """
    page = make_play_page(checkpoint, temperature=temperature, style=style, seed=seed, title=title)
    save_page(page, path)


def make_play_page(
    checkpoint: Checkpoint, *, temperature: float, style: str | None, seed: int, title: str
) -> str:
    """The page as text; see `write_play_page`."""
    if not 0 <= temperature <= HOTTEST:
        raise ExportError(f"temperature {temperature:g}: expected a number from 0 to {HOTTEST:g}; try 0.7")
    checkpoint.context.style_vector(style)  # which says what styles there are, if this is none
    model, fps = pack_model(checkpoint), checkpoint.context.fps
    chart = checkpoint.context.encoding.chart
    assert isinstance(chart, FeetFirstChart), "pack_model refuses the others"
    data = {
        "model": model,
        "figure": figure_facts(chart),
        "steering": asdict(Steering(checkpoint.control_range, fps)),
        "pace": asdict(Pace()) | {"smoothing": SMOOTHING},
        "bvh": bvh_facts(chart.body),
        "temperature": temperature,
        "style": style,
        "seed": seed,
    }
    return fill_page("play/play.html", title=title, styles=STYLES, scripts=SCRIPTS, data=data)


def figure_facts(chart: FeetFirstChart) -> dict[str, Any]:
    """What there is to draw: joints and end sites, bones with their radii, toes, how large, and when a foot stands."""
    skeleton = chart.skeleton
    standing = Clip(skeleton, chart.body.bones[None], chart.body.means[None], 30.0)
    points = np.concatenate([standing.world_positions, standing.end_positions()], axis=1)[0]
    hips = skeleton.hips
    bones = bones_of(skeleton)
    tips = points[[int(bone[1]) for bone in bones]]
    return {
        "parents": skeleton.parents,
        "ends": skeleton.end_sites,
        "points": len(points),
        "hips": hips,
        "bones": bones,
        "toes": toes_of(skeleton),
        "size": round(float(np.linalg.norm(tips - points[hips], axis=-1).max()), 3),
        "lengths": leg_lengths(skeleton).tolist(),
        "contact": asdict(ContactSpec()),
    }


def bvh_facts(body: RotationChart) -> dict[str, Any]:
    """What the page's BVH files say: the hierarchy as text, its joints in order, and which of them move."""
    moving = sorted({0, body.carrier})
    bones = body.bones.copy()
    bones[moving] = 0.0
    skeleton = replace(
        body.skeleton, offsets=bones, layout=portable_layout(len(body.skeleton), moving=moving)
    )
    assert skeleton.layout is not None
    head, order = spell(skeleton, skeleton.layout)
    return {
        "head": head,
        "order": order,
        "moving": moving,
        "carrier": body.carrier,
        "bones": body.bones.tolist(),
    }
