"""Contact sheets: a picture of motions, each as a row of moments with trails of the feet, and strips below."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from moglow.errors import ExportError
from moglow_viewer.pictures.film import Photographer, Shot, save_png
from moglow_viewer.pictures.lettering import font, ink, shortened, strip_chart, write
from moglow_viewer.scene.camera import Camera
from moglow_viewer.scene.figures import figure_table, measure
from moglow_viewer.scene.palette import colour
from moglow_viewer.scene.scene import Scene
from moglow_viewer.scene.shown_motion import ShownMotion
from moglow_viewer.scene.strips import Strip, strips

COLUMNS, TILE = 8, (240, 288)
"""Number of pictures in a row, the last one from above, and their size."""
HEAD, KIND, GAP = 40, 40, 6
"""Heights of the line over a motion's pictures and of each kind of strip under them; pixels between pictures."""
TRAIL = 1.2
"""Seconds of the feet's trails in a picture, about a stride."""
ASIDE, CLOSER = 0.45, 1.15
"""Radians by which the camera is farther to the side than in a window, to show the length of strides; and its zoom."""
FIGURES = ("length", "path error, mean", "foot slide, mean", "before the foot lock", "jerk")


def draw_sheet(*scenes: Scene, look: str = "capsules") -> Image.Image:
    """Returns the contact sheet of scenes: two rows of moments for a single motion, else one row each."""
    shown = [(motion, scene) for scene in scenes for motion in scene.motions]
    rows = 2 if len(shown) == 1 else 1
    parts = [
        _motion_part(motion, replace(scene, motions=(motion,), beside=False), rows, look)
        for motion, scene in shown
    ]
    width = COLUMNS * TILE[0] + (COLUMNS + 1) * GAP
    sheet = Image.new("RGB", (width, sum(part.height for part in parts) + GAP), ink("panel")[:3])
    top = 0
    for part in parts:
        sheet.paste(part, (0, top))
        top += part.height
    return sheet


def write_sheet(*scenes: Scene, path: str | Path, look: str = "capsules") -> Image.Image:
    """Writes the contact sheet of scenes as a PNG file, and returns it."""
    if Path(path).suffix.lower() != ".png":
        raise ExportError(f"{path}: a contact sheet ends in .png; name it so")
    sheet = draw_sheet(*scenes, look=look)
    save_png(sheet, path)
    return sheet


def moments(motion: ShownMotion, count: int) -> list[float]:
    """Returns the times of ``count`` pictures from the first frame to the last one, each the time of a frame.

    >>> from moglow.motion.clip import Clip
    >>> from moglow.motion.skeleton import Skeleton
    >>> still = ShownMotion(Clip.at_rest(Skeleton(("Hips",), (-1,), [[0.0, 0.9, 0.0]]), frames=31))
    >>> [round(seconds, 2) for seconds in moments(still, 3)]
    [0.0, 0.5, 1.0]
    """
    frames = np.linspace(0, len(motion.clip) - 1, count).round()
    return [float(frame) / motion.clip.fps for frame in frames]


def _motion_part(motion: ShownMotion, scene: Scene, rows: int, look: str) -> Image.Image:
    plotted = strips(scene)
    kinds = len({strip.label for strip in plotted})
    pictures = _pictures(motion, scene, rows * COLUMNS, look)
    width = COLUMNS * TILE[0] + (COLUMNS + 1) * GAP
    bottom = HEAD + rows * (TILE[1] + GAP)
    part = Image.new("RGB", (width, bottom + KIND * kinds + (14 if kinds else 0)), ink("panel")[:3])
    _write_head(part, motion, scene)
    for number, picture in enumerate(pictures):
        row, column = divmod(number, COLUMNS)
        part.paste(picture, (GAP + column * (TILE[0] + GAP), HEAD + row * (TILE[1] + GAP)))
    if kinds:
        _plot(part, plotted, motion, rows * COLUMNS - 1, bottom, KIND * kinds)
    return part


def _pictures(motion: ShownMotion, scene: Scene, count: int, look: str) -> list[Image.Image]:
    """Returns the pictures of the moments from the front, then that of the whole track from above."""
    camera = Camera.before(scene.front).turned(ASIDE, 0.0).zoomed(CLOSER)
    photographer = Photographer(scene, Shot(camera, look, TILE), trails=TRAIL)
    pictures = []
    for seconds in moments(motion, count - 1):
        picture = photographer.picture(seconds, lettered=False)
        write(picture, (8, 6), f"{seconds:.2f} s", size=13, bold=True, tint="soft")
        pictures.append(picture)
    photographer.shot = replace(photographer.shot, camera=camera.look("top"))
    pictures.append(photographer.picture(scene.duration, lettered=False))
    write(pictures[-1], (8, 6), "from above", size=13, bold=True, tint="soft")
    photographer.close()
    return pictures


def _write_head(part: Image.Image, motion: ShownMotion, scene: Scene) -> None:
    name = shortened(motion.clip.name or "motion", part.width / 3, size=17, bold=True)
    x = GAP + 4 + write(part, (GAP + 4, 10), name, size=17, bold=True) + 24
    figures = {**measure(motion.clip, scene.path), **motion.figures}
    for label, value in figure_table([figures]):
        if label in FIGURES:
            x += write(part, (x, 12), label, size=14, tint="soft") + 8
            x += write(part, (x, 12), value, size=14) + 22
    facts = f"{len(motion.clip)} frames, {motion.clip.fps:g} fps, {len(motion.clip.skeleton)} joints"
    if x + font(14).getlength(facts) < part.width - 2 * GAP:
        write(part, (part.width - GAP - 4, 12), facts, size=14, tint="soft", anchor="ra")


def _plot(
    part: Image.Image, plotted: list[Strip], motion: ShownMotion, shown: int, top: int, height: int
) -> None:
    """Draws the strips, with lines at the moments of the pictures."""
    width = part.width - 2 * GAP
    pen, seconds = ImageDraw.Draw(part), motion.clip.duration
    for moment in moments(motion, shown):
        x = GAP + 4 + moment / max(seconds, 1e-9) * (width - 8)
        pen.line([(x, top + 4), (x, top + height)], fill=ink(colour("line"))[:3])
    chart = strip_chart(plotted, (width, height), seconds=seconds, margin=4)
    part.paste(chart, (GAP, top), chart)
