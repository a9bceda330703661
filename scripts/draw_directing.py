#!/usr/bin/env python
"""Draws docs/direct_it.png, the picture of docs/guides/direct-it.md: `python scripts/draw_directing.py`.

Each row shows a motion before and after a direction: a pin, a reach, a pin in edited footprints, a clip that is
continued on stairs, a filled gap, and new motion of the arms.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

import moglow
from moglow.maths.rotations import Array
from moglow.motion.clip import Clip
from moglow_viewer.pictures.film import Photographer, Shot
from moglow_viewer.pictures.lettering import ink, write
from moglow_viewer.scene.camera import Camera
from moglow_viewer.scene.scene import Scene
from moglow_viewer.scene.shown_motion import ShownMotion

PICTURE = Path(__file__).resolve().parents[1] / "docs/direct_it.png"
COLUMNS, TILE, HEAD = 8, (144, 208), 26
SIDE, CLOSER = 1.2, 1.3
"""Radians from the front to the side, and zoom of the camera."""
COLOURS = 128
"""Number of colours of the file, which keep it small."""
STAIRS = "stairs:rise=0.17,run=0.29,steps=5,start=2.2"
Row = tuple[str, Clip, list[tuple[int, str]]]
"""A line of text, a motion, and the frames that are shown, with a note for some of them."""


def pin() -> Row:
    """Returns a walk that arrives in a pose with a high knee at 3 s."""
    skip = moglow.generate("line:length=5", seed=3, style="skip").clip
    frame = 45 + int(np.argmax(_knees(skip)[45:120]))
    walk = moglow.generate("line:length=7", seed=1, pins=[moglow.Pin(3.0, skip, frame)]).clip
    return (
        f"--pin 3.0=skip.bvh@{frame}: the walk arrives in the pose, its steps fit",
        walk,
        _around(90, 6, "pin"),
    )


def reach() -> Row:
    """Returns a walk in which the left hand is at a point at 3 s."""
    path = moglow.preset("line:length=7")
    x, z = path.resample(30).positions[90]
    point = (float(x) + 0.25, 1.65, float(z) + 0.35)
    walk = moglow.generate("line:length=7", seed=2, pins=[moglow.Reach(3.0, "left_hand", point)]).clip
    return "--reach 3.0=left_hand:x,1.65,z: the left hand reaches up", walk, _around(90, 6, "reach")


def steps() -> Row:
    """Returns a walk with a pin whose footprints were moved to the left, by half a metre in the end."""
    pose = moglow.generate("line:length=5", seed=8).clip
    pins = [moglow.Pin(3.0, pose, 80)]
    walk = moglow.generate("line:length=5", seed=2, pins=pins).clip
    prints = [replace(each, x=each.x + 0.1 * each.z) for each in moglow.footprints(walk)]
    moved = moglow.generate("line:length=5", seed=2, pins=pins, footprints=prints).clip
    return "--pin 3.0=pose.bvh@80 --footprints-in moved.csv", moved, _around(90, 8, "pin")


def going_on() -> Row:
    """Returns a walk on a floor that is continued on stairs."""
    walk = moglow.generate("line:length=5", seed=1).clip[:75]
    climb = moglow.generate("line:length=4", seed=4, continued=walk, ground=STAIRS).clip
    whole = replace(
        climb,
        positions=np.concatenate([walk.positions[:-1], climb.positions]),
        rotations=np.concatenate([walk.rotations[:-1], climb.rotations]),
    )
    frames = np.linspace(50, 190, COLUMNS).round().astype(int)
    shown = [(int(k), "made" if k >= len(walk) else "kept") for k in frames]
    return f"--continue walk.bvh --ground {STAIRS}", whole, shown


def gap() -> Row:
    """Returns two walks with a filled gap of a second."""
    first = moglow.generate("line:length=5", seed=1).clip[:90]
    second = moglow.generate("line:length=5", seed=4, style="sneak").clip[75:]
    edit = moglow.between(first, second, seconds=1.0, move=True)[0]
    frames = np.linspace(edit.start - 9, edit.stop + 9, COLUMNS).round().astype(int)
    shown = [(int(k), "made" if edit.start <= k < edit.stop else "kept") for k in frames]
    return "moglow between walk.bvh sneak.bvh --seconds 1 --move", edit.clip, shown


def redo() -> Row:
    """Returns a walk with new motion of the arms."""
    walk = moglow.generate("line:length=5", seed=1).clip
    edit = moglow.redo(walk, 60, 105, joints=["arms"], seed=3)[0]
    frames = np.linspace(edit.start - 6, edit.stop + 6, COLUMNS).round().astype(int)
    shown = [(int(k), "made" if edit.start <= k < edit.stop else "kept") for k in frames]
    return "moglow redo walk.bvh --frames 60:105 --joints arms", edit.clip, shown


ROWS: tuple[Callable[[], Row], ...] = (pin, reach, steps, going_on, gap, redo)


def _knees(clip: Clip) -> Array:
    """Returns the height ``(T,)`` of the higher knee."""
    knees = [leg.knee for leg in clip.skeleton.anatomy.legs]
    return np.asarray(clip.world_positions[:, knees, 1].max(axis=1))


def _around(frame: int, step: int, word: str) -> list[tuple[int, str]]:
    """Returns the frames before and after a frame, with a note for it."""
    return [(frame + step * k, "" if k else word) for k in range(3 - COLUMNS, 3)]


def _pictures(row: Row) -> Iterator[Image.Image]:
    words, clip, shown = row
    ground = moglow.read_ground(STAIRS) if STAIRS in words else None
    scene = Scene((ShownMotion(replace(clip, name=words), ground=ground),))
    side = 0.0 if ground else SIDE  # a figure that climbs is seen from its side already
    camera = Camera.before(scene.front).turned(side, 0.0).zoomed(CLOSER)
    photographer = Photographer(scene, Shot(camera, "capsules", TILE), trails=0.6)
    for frame, word in shown:
        picture = photographer.picture(frame / clip.fps, lettered=False)
        write(picture, (6, 4), f"{frame / clip.fps:.2f} s  {word}", size=12, bold=bool(word), tint="soft")
        yield picture
    photographer.close()


def draw() -> Image.Image:
    """Returns the picture of all rows."""
    width, height = TILE
    sheet = Image.new("RGB", (COLUMNS * width, len(ROWS) * (HEAD + height)), ink("panel")[:3])
    for number, make in enumerate(ROWS):
        row, top = make(), number * (HEAD + height)
        write(sheet, (6, top + 6), row[0], size=14, bold=True)
        for column, picture in enumerate(_pictures(row)):
            sheet.paste(picture, (column * width, top + HEAD))
    return sheet


if __name__ == "__main__":
    draw().quantize(COLOURS).save(PICTURE, optimize=True)
