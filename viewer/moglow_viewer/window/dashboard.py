"""The panels of a window: names, table, timeline with strips, status, keys, messages."""

from collections.abc import Sequence
from textwrap import wrap
from typing import Any

from PIL import Image, ImageDraw

from moglow_viewer.pictures.lettering import font, ink, shortened, strip_chart, table, write
from moglow_viewer.scene.figures import figure_table, measure
from moglow_viewer.scene.scene import Scene
from moglow_viewer.scene.strips import Strip, strips
from moglow_viewer.stage.overlay import Overlay
from moglow_viewer.window.viewing import KEYS, MORE, Viewing

MARGIN, STATUS, STATUS_WIDTH, ROW = 14, 34, 560, 38
"""Pixels: margin of the timeline, height of the status line, its width, and height of each kind of strip."""
READ = 15
"""Updates of the status per second while motion plays; more could not be read."""


class Dashboard:
    """The panels of a window; `lay` draws the static parts, `update` those that change from frame to frame."""

    def __init__(self, renderer: Any) -> None:
        self.panel, self.names, self.table, self.cursor, self.status, self.help, self.message = (
            Overlay(renderer, layer) for layer in range(7)
        )
        self.strips: list[Strip] = []
        self.rows: list[list[str]] = []
        self.size = (0, 0)

    def of(self, scene: Scene | None) -> None:
        """Sets the scene; call `lay` after it."""
        self.scene = scene
        self.strips = strips(scene) if scene else []
        self.rows = []
        if scene:
            figures = [{**measure(m.clip, scene.path), **m.figures} for m in scene.motions[:4]]
            self.rows = figure_table(figures)

    @property
    def height(self) -> int:
        """Height of the panel at the bottom in pixels."""
        kinds = len({strip.label for strip in self.strips})
        return STATUS + max(1, kinds) * ROW + 8

    def on_timeline(self, y: float) -> bool:
        """Returns whether a point, in pixels below the window's top, is on the timeline."""
        return self.size[1] - self.height <= y < self.size[1] - STATUS

    def share(self, x: float) -> float:
        """Returns the share of the duration at a point, in pixels from the window's left edge."""
        return min(max((x - MARGIN) / max(self.size[0] - 2 * MARGIN, 1), 0.0), 1.0)

    def lay(self, size: tuple[int, int], viewing: Viewing, message: str) -> None:
        """Draws the static parts for a window of this size."""
        self.size = size
        width, height = size
        panel = Image.new("RGBA", (width, self.height), ink("panel"))
        ImageDraw.Draw(panel).line([(0, 0), (width, 0)], fill=ink("line"))
        if self.strips and self.scene:
            chart = strip_chart(
                self.strips,
                (width, self.height - STATUS - 4),
                seconds=self.scene.duration,
                margin=MARGIN,
            )
            panel.alpha_composite(chart, (0, 4))
        else:
            middle = (self.height - STATUS) // 2
            ImageDraw.Draw(panel).line(
                [(MARGIN, middle), (width - MARGIN, middle)], fill=ink("grid"), width=2
            )
        self.cursor.show(Image.new("RGBA", (3, self.height - STATUS - 4), ink("accent")))
        if width > STATUS_WIDTH + 100:
            write(
                panel,
                (width - MARGIN, self.height - STATUS + 8),
                "? for keys",
                size=14,
                tint="soft",
                anchor="ra",
            )
        self.panel.show(panel, 0, height - self.height)
        self._name(viewing)
        figures = table(self.rows, title="Figures") if self.rows else None
        self.table.show(figures, width - (figures.width if figures else 0) - 16, 16)
        keys = _keys() if viewing.help else None
        self.help.show(keys, *_middle(keys, width, height - self.height))
        words = _notice(message, width) if message else None
        self.message.show(words, *_middle(words, width, (height - self.height) // 3))

    def _name(self, viewing: Viewing) -> None:
        motions = self.scene.motions[:9] if self.scene else ()
        if not motions:
            return self.names.show(None)
        names = Image.new("RGBA", (self.size[0] // 2, 24 * len(motions) + 4), (0, 0, 0, 0))
        for number, motion in enumerate(motions):
            text = motion.clip.name or f"take {number + 1}"
            text = text if len(motions) == 1 else f"{number + 1}  {text}"
            assert self.scene
            tint = self.scene.tint(number)
            own = "soft" if number in viewing.hidden else "ink" if tint is None else 0.75 * tint
            fitting = shortened(text, names.width - 8, size=15, bold=True)
            wide = write(names, (0, 24 * number), fitting, size=15, bold=True, tint=own)
            if number in viewing.hidden:
                line = [(0, 24 * number + 11), (wide, 24 * number + 11)]
                ImageDraw.Draw(names).line(line, fill=ink("soft"), width=2)
        return self.names.show(names, 18, 16)

    def update(self, viewing: Viewing, now: float) -> None:
        """Moves the cursor and updates the status."""
        player, (width, height) = viewing.player, self.size
        seconds = player.shown(now)
        share = seconds / player.duration if player.duration else 0.0
        self.cursor.place(MARGIN + share * (width - 2 * MARGIN) - 1, height - self.height + 4)
        when = int(now * READ) if player.playing else seconds
        content = when, player, viewing.camera.mode
        self.status.update(content, lambda: _status(viewing, now), MARGIN, height - STATUS + 6)


def _status(viewing: Viewing, now: float) -> Image.Image:
    player = viewing.player
    line = Image.new("RGBA", (STATUS_WIDTH, 22), ink("panel"))
    x = write(line, (0, 3), "❚❚" if player.playing else "▶", size=13) + 14
    words = f"{player.shown(now):.2f} / {player.duration:.2f} s"
    x += write(line, (x, 2), words, size=14, bold=True) + 14
    words = f"frame {player.frame(now) + 1} / {player.frames} · {player.fps:g} fps · {player.speed:g}×"
    words += f" · {'loop' if player.loop else 'once'} · {viewing.camera.mode}"
    write(line, (x, 2), words, size=14, tint="soft")
    return line


def _keys() -> Image.Image:
    rows = [(name, text) for name, (text, _) in KEYS.items()] + list(MORE)
    return table([(text, name) for name, text in rows], size=14, title="Keys")


def _notice(message: str, width: int) -> Image.Image:
    letters = font(15)
    fitting = max(20, int(0.8 * width / letters.getlength("n")))
    lines = wrap(message, fitting)
    notice = Image.new(
        "RGBA", (round(max(map(letters.getlength, lines))) + 40, 24 * len(lines) + 28), (0, 0, 0, 0)
    )
    box = (0, 0, notice.width - 1, notice.height - 1)
    ImageDraw.Draw(notice).rounded_rectangle(box, 8, fill=ink("panel"), outline=ink("skating"), width=2)
    for row, text in enumerate(lines):
        write(notice, (20, 14 + 24 * row), text, size=15)
    return notice


def _middle(picture: Image.Image | None, width: int, height: int) -> Sequence[float]:
    return ((width - picture.width) / 2, max(8, (height - picture.height) / 2)) if picture else (0, 0)
