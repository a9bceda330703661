"""Text, strip charts and tables as pixels. Needs only Pillow and numpy."""

from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image, ImageDraw, ImageFont

from moglow_viewer.scene.palette import colour
from moglow_viewer.scene.strips import Strip

SMOOTH = 2
"""Factor by which curves are drawn larger and then reduced, for smooth edges."""


@cache
def font(size: int, *, bold: bool = False) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Returns DejaVu Sans, which matplotlib contains and pyvista installs; else Pillow's default font."""
    found = find_spec("matplotlib")
    if found and found.origin:
        file = Path(found.origin).parent / f"mpl-data/fonts/ttf/DejaVuSans{'-Bold' if bold else ''}.ttf"
        if file.is_file():
            return ImageFont.truetype(str(file), size)
    return ImageFont.load_default(size)


def ink(name_or_colour: str | ArrayLike, opacity: float = 1.0) -> tuple[int, int, int, int]:
    """Returns a colour in Pillow's form.

    >>> ink("panel")
    (255, 255, 255, 255)
    """
    values = colour(name_or_colour) if isinstance(name_or_colour, str) else np.asarray(name_or_colour)
    red, green, blue, clear = (round(255 * float(value)) for value in (*values, opacity))
    return red, green, blue, clear


def write(
    picture: Image.Image,
    place: tuple[float, float],
    text: str,
    *,
    size: int = 15,
    bold: bool = False,
    tint: str | ArrayLike = "ink",
    anchor: str = "la",
) -> float:
    """Writes a line of text and returns its width in pixels; the anchor is Pillow's, by default left and ascender."""
    letters = font(size, bold=bold)
    ImageDraw.Draw(picture).text(place, text, fill=ink(tint), font=letters, anchor=anchor)
    return float(letters.getlength(text))


def shortened(text: str, width: float, *, size: int, bold: bool = False) -> str:
    """Returns the text, or as much of its beginning as fits into a width, with an ellipsis.

    >>> shortened("walk", 500, size=15), shortened("walk" * 50, 60, size=15)[-1]
    ('walk', '…')
    """
    letters = font(size, bold=bold)
    if letters.getlength(text) <= width:
        return text
    while text and letters.getlength(text + "…") > width:
        text = text[:-1]
    return text + "…"


def strip_chart(
    strips: Sequence[Strip], size: tuple[int, int], *, seconds: float, margin: int = 0
) -> Image.Image:
    """Returns a chart of curves over time, with one row for each kind.

    Curves of one kind share a scale and its label; the time axis has a margin at both ends.
    """
    width, height = size
    chart = Image.new("RGBA", (width * SMOOTH, height * SMOOTH), ink("panel", 0.0))
    pen = ImageDraw.Draw(chart, "RGBA")
    kinds = list(dict.fromkeys(strip.label for strip in strips))
    tall = height / max(len(kinds), 1)
    for row, kind in enumerate(kinds):
        same = [strip for strip in strips if strip.label == kind]
        low, high = min(strip.low for strip in same), max(strip.high for strip in same)
        bottom, top = (row + 1) * tall - 1, row * tall + 14
        for strip in same:
            times = np.arange(len(strip.values)) / strip.fps / max(seconds, 1e-9)
            x = margin + np.clip(times, 0, 1) * (width - 2 * margin)
            y = bottom - np.clip((strip.values - low) / (high - low), 0, 1) * (bottom - top)
            line = [(float(a) * SMOOTH, float(b) * SMOOTH) for a, b in zip(x, y, strict=True)]
            if len(line) < 2:
                continue
            floor = bottom * SMOOTH
            pen.polygon([(line[0][0], floor), *line, (line[-1][0], floor)], fill=ink(strip.ink, 0.12))
            pen.line(line, fill=ink(strip.ink, 0.95), width=round(1.3 * SMOOTH), joint="curve")
        pen.line(
            [(margin * SMOOTH, bottom * SMOOTH), ((width - margin) * SMOOTH, bottom * SMOOTH)],
            fill=ink("line"),
            width=SMOOTH,
        )
    chart = chart.resize(size, Image.Resampling.BOX)
    for row, kind in enumerate(kinds):
        high = max(strip.high for strip in strips if strip.label == kind)
        unit = next(strip.unit for strip in strips if strip.label == kind)
        write(chart, (margin, row * tall), f"{kind}, up to {high:.3g} {unit}", size=11, tint="soft")
    return chart


def table(rows: Sequence[Sequence[str]], *, size: int = 13, title: str = "") -> Image.Image:
    """Returns rows of a label and values on a panel with round corners."""
    letters, gap, line = font(size), 16, round(1.75 * size)
    columns = list(zip(*rows, strict=True))
    widths = [max(letters.getlength(cell) for cell in column) for column in columns]
    head = line + 4 if title else 0
    wide = max(sum(widths) + gap * (len(widths) - 1), font(size, bold=True).getlength(title)) + 2 * gap
    panel = Image.new("RGBA", (round(wide), round(len(rows) * line + head + gap)), (0, 0, 0, 0))
    box = (0, 0, panel.width - 1, panel.height - 1)
    ImageDraw.Draw(panel).rounded_rectangle(box, 8, fill=ink("panel", 0.93), outline=ink("line"))
    if title:
        write(panel, (gap, gap / 2 + 2), title, size=size, bold=True)
    for row, cells in enumerate(rows):
        y, x = gap / 2 + head + row * line + 3, float(gap)
        for column, cell in enumerate(cells):
            if column:
                write(panel, (x + widths[column], y), cell, size=size, anchor="ra")
            else:
                write(panel, (x, y), cell, size=size, tint="soft")
            x += widths[column] + gap
    return panel
