"""A self-contained HTML page on which a figure is steered; it contains the model, and the browser samples each frame.

It shares styles and scripts with the page of clips, and contains ports to JavaScript: `model.js` of `moglow.sampling`,
`body.js` of the feet-first chart, `steering.js` of `moglow.paths.steering` and `drawn.js` of `moglow.paths.pace`. Tests
compare each port with its original. Needs numpy alone.
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
from moglow.motion.skeleton import Skeleton
from moglow.paths.control_path import SMOOTHING
from moglow.paths.pace import Pace
from moglow.paths.steering import Steering
from moglow.sampling.generate import HOTTEST
from moglow_viewer.pages.clip_page import bones_of, toes_of
from moglow_viewer.pages.single_page import fill_page, save_page
from moglow_viewer.play.packed_model import pack_model

STYLES = ("pages/page.css", "play/play.css")
SHARED_SCRIPTS = (
    *("pages/motion.js", "pages/scene.js", "pages/look.js", "pages/keys.js"),
    *("play/model.js", "play/body.js", "play/steering.js"),
)
"""The scripts of all pages that sample, in front of their own."""
SCRIPTS = (
    *SHARED_SCRIPTS,
    *("play/drawn.js", "play/live.js", "play/recording.js", "play/hands.js", "play/pins.js", "play/play.js"),
)


def write_play_page(
    checkpoint: Checkpoint,
    path: str | Path,
    *,
    temperature: float,
    style: str | None = None,
    seed: int = 0,
    title: str = "moglow play",
) -> None:
    """Writes a page on which the user steers a figure by a checkpoint's model.

    ``temperature`` and ``style`` are initial values that can be changed on the page. The same seed and input give the
    same motion.
    """
    page = make_play_page(checkpoint, temperature=temperature, style=style, seed=seed, title=title)
    save_page(page, path)


def make_play_page(
    checkpoint: Checkpoint, *, temperature: float, style: str | None, seed: int, title: str
) -> str:
    """Returns the page as text; see `write_play_page`."""
    chart = checkpoint.context.encoding.chart
    data = model_facts(checkpoint, temperature=temperature, style=style, seed=seed)
    assert isinstance(chart, FeetFirstChart), "model_facts raises an error for other charts"
    data |= {"pace": asdict(Pace()) | {"smoothing": SMOOTHING}, "bvh": bvh_facts(chart.body)}
    return fill_page("play/play.html", title=title, styles=STYLES, scripts=SCRIPTS, data=data)


def model_facts(
    checkpoint: Checkpoint, *, temperature: float, style: str | None, seed: int
) -> dict[str, Any]:
    """Returns the facts with which a page moves figures: the model, the figure, its steering and initial values."""
    if not 0 <= temperature <= HOTTEST:
        raise ExportError(f"temperature {temperature:g}: expected a number from 0 to {HOTTEST:g}; try 0.8")
    checkpoint.context.style_vector(style)  # raises an error that names the styles for an unknown one
    model, chart = pack_model(checkpoint), checkpoint.context.encoding.chart
    assert isinstance(chart, FeetFirstChart), "pack_model raises an error for other charts"
    return {
        "model": model,
        "figure": figure_facts(chart),
        "steering": asdict(Steering(checkpoint.control_range, checkpoint.context.fps)),
        "temperature": temperature,
        "style": style,
        "seed": seed,
    }


def figure_facts(chart: FeetFirstChart) -> dict[str, Any]:
    """Returns the figure's facts: joints, end sites, bones with their radii, toes, size, and contact thresholds."""
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
        "spine": skeleton.anatomy.roles.get("spine"),
        "bones": bones,
        "toes": toes_of(skeleton),
        "size": round(float(np.linalg.norm(tips - points[hips], axis=-1).max()), 3),
        "lengths": leg_lengths(skeleton).tolist(),
        "contact": asdict(ContactSpec()),
        "arms": arms_of(skeleton),
    }


def arms_of(skeleton: Skeleton) -> list[dict[str, Any]]:
    """Returns the arms that can reach: the side, and the joints of upper arm, forearm and hand."""
    roles = skeleton.anatomy.roles
    parts = {
        side: [f"{side}_{part}" for part in ("upper_arm", "forearm", "hand")] for side in ("left", "right")
    }
    return [
        {"side": side, "joints": [roles[role] for role in names]}
        for side, names in parts.items()
        if roles.keys() >= set(names)
    ]


def bvh_facts(body: RotationChart) -> dict[str, Any]:
    """Returns the facts of the page's BVH files: the hierarchy as text, joints in order, and joints with a position."""
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
