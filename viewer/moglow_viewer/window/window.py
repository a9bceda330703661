"""The window of `moglow view`: keys, mouse, timeline, messages; it reloads files that change."""

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
"""Milliseconds between checks of the clock; with one check per picture, a small delay would cost a whole picture."""
RATE = 60
"""Pictures per second, as on common screens."""
WATCH = 0.5
"""Seconds between checks of the files."""
SIZE = (960, 640)
NAMED = {
    "space": "Space", "Left": "←", "Right": "→", "Home": "Home", "End": "End",
    "bracketleft": "[", "bracketright": "]", "question": "?",
}  # fmt: skip
"""Keys by the system's names where these differ."""


def pause_after(seconds: float) -> float:
    """Returns the seconds for input events after a picture that took some seconds to draw.

    Without them a slow machine falls behind its input: only one event is handled between two late ticks, and a held key
    makes thirty a second.

    >>> pause_after(0.01), pause_after(1.0)
    (0.002, 0.02)
    """
    return min(0.2 * seconds, 0.02)


def after(due: float, began: float, done: float) -> float:
    """Returns the time of the next picture, after one that was due at a time and drawn between two times.

    >>> [round(60 * after(3 / 60, began / 60, done / 60), 6) for began, done in ((3.1, 3.6), (3.1, 4.1), (9.0, 9.5))]
    [4.0, 4.3, 9.6]
    """
    return max(due + 1 / RATE, done + pause_after(done - began))


class ViewWindow:
    """A window that plays scenes; `open` shows it and returns when it is closed."""

    scene: Scene | None = None

    def __init__(self, sources: Sources, *, look: str = "capsules", size: tuple[int, int] = SIZE) -> None:
        if not has_display():
            raise ExportError(
                "there is no display for a window; write a page or a film instead", setting="html"
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
        for event, handler in (
            ("KeyPressEvent", self._key),
            ("LeftButtonPressEvent", self._grip),
            ("MouseMoveEvent", self._drag),
            ("LeftButtonReleaseEvent", self._release),
            ("MouseWheelForwardEvent", lambda *_: self.change(self.viewing.zoomed(1.15))),
            ("MouseWheelBackwardEvent", lambda *_: self.change(self.viewing.zoomed(1 / 1.15))),
            ("TimerEvent", lambda *_: self.tick()),
            ("ExposeEvent", lambda *_: self.change(self.viewing)),
        ):
            interactor.AddObserver(event, handler)
        interactor.CreateRepeatingTimer(TICK)
        interactor.Start()
        self.plotter.close()

    def read(self) -> None:
        """Reads the files; an error is shown in the window, which keeps the previous scene."""
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
        """Sets the state of the view."""
        before, self.viewing, self.stale = self.viewing, viewing, True
        if before.beside != viewing.beside:
            self.put()
        if (before.help, before.hidden) != (viewing.help, viewing.hidden):
            self.size = (0, 0)  # the panels will be laid out again

    def tick(self) -> None:
        """Checks the clock and the files, and draws if anything has changed."""
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
        """Draws the window at a wall-clock time."""
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

    # ---- input ----

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
        """Saves the picture as a PNG file, named after the first clip and its frame."""
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
        """Shows the frame under a point of the timeline, at any height of the pointer."""
        player, now = self.viewing.player, perf_counter()
        share = self.dashboard.share(place[0])
        frame = round(share * (player.frames - 1))
        self.change(replace(self.viewing, player=player.sought(now, frame / player.fps)))

    def _release(self, interactor: Any, event: str) -> None:
        if self.scrubbing and self.was_playing:
            self.change(replace(self.viewing, player=self.viewing.player.toggled(perf_counter())))
        self.grip, self.scrubbing = None, False
