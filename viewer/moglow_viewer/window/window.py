"""The window of `moglow view`: keys, mouse, timeline, messages; it reads its files anew when they change."""

from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

import pyvista as pv

from moglow.errors import ExportError, MoglowError
from moglow_viewer.pictures.film import Shot, write_picture
from moglow_viewer.scene.camera import Camera
from moglow_viewer.scene.scene import Scene, Sources
from moglow_viewer.stage.graphics import has_display
from moglow_viewer.stage.stage import Stage
from moglow_viewer.window.dashboard import Dashboard
from moglow_viewer.window.player import Player
from moglow_viewer.window.viewing import Viewing

TICK = 2
"""Milliseconds between looks at the clock: with one look a picture, one a little late would be a whole one late."""
RATE = 60
"""Pictures a second, as a screen shows them."""
WATCH = 0.5
"""Seconds between looks at the files."""
SIZE = (960, 640)
NAMED = {
    "space": "Space", "Left": "←", "Right": "→", "Home": "Home", "End": "End",
    "bracketleft": "[", "bracketright": "]", "question": "?",
}  # fmt: skip
"""Keys that the system calls otherwise."""


def breath(took: float) -> float:
    """Seconds to listen to hands before drawing again what took so long: a slow machine must not fall behind them.

    The system hands over one event between two ticks of a clock that is late, and a held key makes thirty a second.

    >>> breath(0.01), breath(1.0)
    (0.002, 0.02)
    """
    return min(0.2 * took, 0.02)


def after(due: float, began: float, done: float) -> float:
    """When to draw again, after a picture that was due at a time and was drawn from then to then.

    >>> [round(60 * after(3 / 60, began / 60, done / 60), 6) for began, done in ((3.1, 3.6), (3.1, 4.1), (9.0, 9.5))]
    [4.0, 4.3, 9.6]
    """
    return max(due + 1 / RATE, done + breath(done - began))


class Window:
    """A window that plays scenes; `open` shows it and returns when it is closed."""

    scene: Scene | None = None

    def __init__(self, sources: Sources, *, look: str = "capsules", size: tuple[int, int] = SIZE) -> None:
        if not has_display():
            raise ExportError(
                "no display to open a window on; write a page with --html walk.html, or a film with --record walk.mp4"
            )
        self.sources, self.stamps, self.watched = sources, sources.stamps(), perf_counter()
        self.plotter: Any = pv.Plotter(window_size=list(size), lighting="none", title="moglow")
        self.stage = Stage(self.plotter)
        self.dashboard = Dashboard(self.plotter.renderer)
        self.viewing = Viewing(Player(0.0, 30.0), look=look, beside=sources.beside)
        self.message, self.saved = "", ""
        self.stale, self.size, self.drawn, self.next = True, (0, 0), 0, 0.0
        self.grip: tuple[int, int] | None = None
        self.scrubbing = self.was_playing = False
        self.read()

    def open(self) -> None:
        """Shows the window and works until it is closed."""
        self.plotter.show(interactive_update=True, auto_close=False)
        interactor = self.plotter.iren.interactor
        interactor.SetInteractorStyle(None)
        for event, heard in (
            ("KeyPressEvent", self._key),
            ("LeftButtonPressEvent", self._grip),
            ("MouseMoveEvent", self._drag),
            ("LeftButtonReleaseEvent", self._release),
            ("MouseWheelForwardEvent", lambda *_: self.change(self.viewing.zoomed(1.15))),
            ("MouseWheelBackwardEvent", lambda *_: self.change(self.viewing.zoomed(1 / 1.15))),
            ("TimerEvent", lambda *_: self.tick()),
            ("ExposeEvent", lambda *_: self.change(self.viewing)),
        ):
            interactor.AddObserver(event, heard)
        interactor.CreateRepeatingTimer(TICK)
        interactor.Start()
        self.plotter.close()

    def read(self) -> None:
        """Reads the files; what is wrong with them is said in the window, which keeps what it had."""
        now, first = perf_counter(), self.scene is None
        try:
            self.scene, self.message = self.sources.read(), ""
        except (MoglowError, OSError) as error:
            self.message = " ".join(str(error).split())
        else:
            self.put()
            player = self.viewing.player.of(self.scene.duration, self.scene.fps, now)
            self.viewing = replace(self.viewing, player=player)
            if first:
                camera = Camera.before(self.scene.front)
                self.viewing = replace(self.viewing, camera=camera, player=player.toggled(now))
        self.dashboard.of(self.scene)
        self.stale, self.size = True, (0, 0)

    def put(self) -> None:
        """Puts the scene on the stage, overlaid or side by side."""
        if self.scene:
            self.scene = replace(self.scene, beside=self.viewing.beside)
            self.stage.put(self.scene)

    def change(self, viewing: Viewing) -> None:
        """Takes up what the person has set."""
        before, self.viewing, self.stale = self.viewing, viewing, True
        if before.beside != viewing.beside:
            self.put()
        if (before.help, before.hidden) != (viewing.help, viewing.hidden):
            self.size = (0, 0)  # the panels are laid anew

    def tick(self) -> None:
        """Looks at the clock and the files, and draws if anything is to be seen."""
        now = perf_counter()
        if now + TICK / 2000 < self.next:
            return
        if now - self.watched > WATCH:
            self.watched = now
            stamps = self.sources.stamps()
            if stamps != self.stamps:
                self.stamps = stamps
                self.read()
        self.viewing = replace(self.viewing, player=self.viewing.player.ticked(now))
        if self.stale or self.viewing.player.playing or self.size != tuple(self.plotter.window_size):
            self.draw(now)
        self.next = after(self.next, now, perf_counter())

    def draw(self, now: float) -> None:
        """Draws the window as it is at a time on the wall."""
        viewing, size = self.viewing, tuple(self.plotter.window_size)
        if size != self.size:
            self.size = size
            self.dashboard.lay(size, viewing, self.message or self.saved)
        if self.scene:
            self.stage.show(
                viewing.player.shown(now),
                viewing.camera,
                look=viewing.look,
                hidden=sorted(viewing.hidden),
                paths=viewing.paths,
                below=self.dashboard.height,
            )
        else:
            self.stage.show_floor(viewing.camera)
        self.dashboard.update(viewing, now)
        self.stale = viewing.player.playing
        self.drawn += 1
        self.plotter.ren_win.Render()

    # ---- hands ----

    def _key(self, interactor: Any, event: str) -> None:
        symbol = interactor.GetKeySym() or ""
        key = NAMED.get(symbol, symbol.upper())
        if self.saved:
            self.saved, self.size = "", (0, 0)
        if key in {"Q", "ESCAPE"}:
            interactor.TerminateApp()
        elif key == "S":
            self.save()
        else:
            self.change(self.viewing.press(key, perf_counter()))

    def save(self) -> None:
        """Saves what is on the stage as a PNG file, named after the first clip and its frame."""
        if not self.scene:
            return
        now = perf_counter()
        name = self.sources.clips[0].stem
        path = Path(f"{name}_{self.viewing.player.frame(now):05d}.png")
        width, height = self.plotter.window_size
        shot = Shot(self.viewing.camera, self.viewing.look, (width, height - self.dashboard.height))
        try:
            write_picture(self.scene, path, seconds=self.viewing.player.shown(now), shot=shot)
            self.saved = f"saved {path}"
        except MoglowError as error:
            self.saved = str(error)
        self.stale, self.size = True, (0, 0)

    def _place(self, interactor: Any) -> tuple[int, int]:
        x, y = interactor.GetEventPosition()
        return x, self.plotter.window_size[1] - 1 - y

    def _grip(self, interactor: Any, event: str) -> None:
        self.grip, now = self._place(interactor), perf_counter()
        self.scrubbing = self.dashboard.on_timeline(self.grip[1])
        if self.scrubbing:
            player = self.viewing.player
            self.was_playing = player.playing
            self.viewing = replace(self.viewing, player=player.toggled(now) if player.playing else player)
            self._scrub(self.grip)

    def _drag(self, interactor: Any, event: str) -> None:
        if self.grip is None:
            return
        before, self.grip = self.grip, self._place(interactor)
        if self.scrubbing:
            self._scrub(self.grip)
        else:
            self.change(self.viewing.turned(self.grip[0] - before[0], before[1] - self.grip[1]))

    def _scrub(self, place: tuple[int, int]) -> None:
        """Shows the frame under a place on the timeline, however far above or below it the hand is by now."""
        player, now = self.viewing.player, perf_counter()
        share = self.dashboard.share(place[0])
        frame = round(share * (player.frames - 1))
        self.change(replace(self.viewing, player=player.sought(now, frame / player.fps)))

    def _release(self, interactor: Any, event: str) -> None:
        if self.scrubbing and self.was_playing:
            self.change(replace(self.viewing, player=self.viewing.player.toggled(perf_counter())))
        self.grip, self.scrubbing = None, False
