"""The window of `moglow play`: the user steers a figure, or draws a path on the floor that it follows."""

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pyvista as pv
from PIL import Image

from moglow.checkpoint import Checkpoint
from moglow.errors import ExportError, MoglowError
from moglow.maths.rotations import Array, quat_normalize, wrap_angle
from moglow.motion.clip import Clip
from moglow.paths.control_path import ControlPath
from moglow_viewer.pictures.lettering import table, write
from moglow_viewer.play.gamepad import Gamepad
from moglow_viewer.play.live import Hands, Live, Walker
from moglow_viewer.play.recording import Recording, save
from moglow_viewer.scene.camera import Camera, View
from moglow_viewer.scene.palette import colour
from moglow_viewer.scene.scene import Scene
from moglow_viewer.scene.shown_motion import ShownMotion
from moglow_viewer.stage.graphics import has_display
from moglow_viewer.stage.marks import PathMarks, Trace
from moglow_viewer.stage.overlay import Overlay
from moglow_viewer.stage.stage import Stage
from moglow_viewer.window.window import SIZE, TICK, after

LAG, LINGER = 0.25, 0.05
"""Largest lag in seconds, beyond which model time is dropped; and seconds for which a released key counts as held,
since systems repeat keys by releasing them."""
KEPT = 900  # places of the track behind the figure, half a minute
HELP = (
    ("W A S D, ↑ ↓", "walk, side-step"), ("← →", "turn"), ("Shift", "hurry"), ("drag", "draws a path on the floor"),
    ("N", "another take of it"), ("R", "record, stop and save"), ("E", "save the path drawn, and its motion"),
    (", and .", "calmer, livelier"), ("Y", "another style"), ("right drag", "turns the camera"), ("wheel", "zooms"),
    ("?", "these keys"), ("Esc", "close"),
)  # fmt: skip
BUTTONS = {0: "N", 1: "R"}  # of a gamepad: the lower and the right one, usually A and B
PAD = (("sticks", "walk and turn"), ("trigger", "hurry"), ("A, B", "as N and R"))


class PlayWindow:
    """A window in which a figure is steered; `open` shows it and returns when it is closed."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        walker: Walker,
        *,
        folder: Path,
        send: Callable[[Live], None] = lambda live: None,
    ) -> None:
        if not has_display():
            raise ExportError("there is no display for a window; write a page instead", setting="html")
        self.checkpoint, self.walker, self.folder, self.send = checkpoint, walker, folder, send
        self.plotter: Any = pv.Plotter(window_size=list(SIZE), lighting="none", title="moglow play")
        self.stage = Stage(self.plotter)
        skeleton = checkpoint.context.encoding.skeleton
        self.stage.put(Scene((ShownMotion(Clip.at_rest(skeleton)),)))
        for mark in self.stage.marks[0]:
            for actor in mark.actors:
                actor.SetVisibility(False)  # a figure at rest has no track yet
        self.figure, self.size = self.stage.figures[0], self.stage.figures[0].motion.size
        self.figure.pose(0.0, look="capsules", shown=True)
        self.trace = Trace(colour("accent"), self.size, kept=KEPT)
        self.line = Trace(colour("asked"), self.size, kept=KEPT)
        for trace in (self.trace, self.line):
            self.plotter.renderer.AddActor(trace.mark.actor)
        self.status, self.help = (Overlay(self.plotter.renderer, layer) for layer in range(2))
        self.camera = Camera(yaw=np.pi, pitch=0.3)
        self.view: View | None = None
        self.hands, self.gone, self.gamepad = Hands(), dict[str, float](), Gamepad()
        self.live = self.before = walker.begin()
        self.fork: Live | None = None  # state at the start of the drawn path, for another take
        self.path_marks: PathMarks | None = None
        self.track: deque[Array] = deque(maxlen=KEPT)
        self.drawing: list[Array] = []
        self.recording: Recording | None = None
        self.grip: tuple[str, int, int] | None = None
        self.message, self.helping, self.drawn = "? for keys", True, 0
        self.clock, self.next = perf_counter(), 0.0

    def open(self) -> None:
        """Shows the window and works until it is closed."""
        self.plotter.show(interactive_update=True, auto_close=False)
        interactor = self.plotter.iren.interactor
        interactor.SetInteractorStyle(None)
        for event, handler in (
            ("KeyPressEvent", lambda interactor, _: self.press(interactor.GetKeySym() or "")),
            ("KeyReleaseEvent", lambda interactor, _: self.release(interactor.GetKeySym() or "")),
            ("LeftButtonPressEvent", lambda *_: self._grip("draw")),
            ("RightButtonPressEvent", lambda *_: self._grip("turn")),
            ("MouseMoveEvent", lambda *_: self._drag()),
            ("LeftButtonReleaseEvent", lambda *_: self._let_go()),
            ("RightButtonReleaseEvent", lambda *_: self._let_go()),
            ("MouseWheelForwardEvent", lambda *_: self._zoom(1.15)),
            ("MouseWheelBackwardEvent", lambda *_: self._zoom(1 / 1.15)),
            ("TimerEvent", lambda *_: self.tick(perf_counter())),
        ):
            interactor.AddObserver(event, handler)
        self.clock = perf_counter()
        interactor.CreateRepeatingTimer(TICK)
        interactor.Start()
        self.plotter.close()

    # ---- time ----

    def tick(self, now: float) -> None:
        """Makes the model frames that are due by the wall clock, and draws the figure between the last two."""
        if now + TICK / 2000 < self.next:
            return
        for key in [key for key, since in self.gone.items() if now - since > LINGER]:
            self.hands = self.hands.release(key)
            del self.gone[key]
        for button in self.gamepad.read(now):
            self.press(BUTTONS.get(button, ""))
        self.hands = replace(self.hands, pad=self.gamepad.stick)
        if now - self.clock > LAG:
            self.clock = now - 1 / self.walker.fps
        while now - self.clock >= 1 / self.walker.fps:
            self.clock += 1 / self.walker.fps
            self.walk()
        self.draw((now - self.clock) * self.walker.fps)
        self.next = after(self.next, now, perf_counter())

    def walk(self) -> None:
        """Makes one model frame."""
        self.before, self.live = self.live, self.walker.step(self.live, self.hands)
        self.send(self.live)
        self.track.append(self.live.place[:2])
        if self.recording:
            self.recording.add(self.live.place, self.walker.style)
        if self.live.route is None and self.path_marks:
            self._mark(None)

    def draw(self, share: float) -> None:
        """Draws the figure at a share between the last two frames, at most one frame behind the input."""
        near, far = self.before, self.live
        sign = np.sign(np.sum(near.rotations * far.rotations, axis=-1, keepdims=True))
        turned = quat_normalize((1 - share) * near.rotations + share * sign * far.rotations)
        self.figure.pose_at((1 - share) * near.positions + share * far.positions, turned, look="capsules")
        self.trace.show(list(self.track))
        width, height = self.plotter.window_size
        place = (1 - share) * near.place + share * far.place
        off = float(wrap_angle(np.asarray(place[2] + np.pi - self.camera.yaw)))
        if self.live.route is None and not self.grip:  # the camera does not turn while a path is followed
            self.camera = replace(self.camera, yaw=self.camera.yaw + 0.03 * off)
        target = np.array([place[0], 0.85 * self.size, place[1]])
        self.view = self.camera.aimed(target, 1.7 * self.size, width / height)
        self.stage.aim(self.view, 0)
        if self.path_marks and self.live.route:
            self.path_marks.show(self.live.done / self.live.route.fps, np.zeros(3))
        keys = (HELP + PAD if self.gamepad.there else HELP) if self.helping else ()
        rows = [(what, key) for key, what in keys]
        self.help.update(rows, lambda: table(rows, size=14, title="Keys"), 16, 16)
        status = self._status()
        self.status.update(status, lambda: _line(*status), 16, height - 38)
        self.drawn += 1
        self.plotter.ren_win.Render()

    def _status(self) -> tuple[str, str, bool]:
        style = self.walker.style or "default style"
        words = f"temperature {self.walker.temperature:.1f} · {style} · take {self.live.take + 1}"
        message = f"● {self.recording.seconds:.1f} s" if self.recording else self.message
        return words, message, self.recording is not None

    # ---- keys ----

    def press(self, symbol: str) -> None:
        """Handles a pressed key, by the system's name of it."""
        key = symbol.upper()
        self.gone.pop(key, None)
        self.hands = self.hands.press(key)
        if key in {"SHIFT_L", "SHIFT_R"}:
            self.hands = replace(self.hands, hurry=True)
        elif key == "ESCAPE":
            self.plotter.iren.interactor.TerminateApp()
        elif key == "QUESTION":
            self.helping = not self.helping
        elif key in {"COMMA", "PERIOD"}:
            warmer = self.walker.temperature + (0.1 if key == "PERIOD" else -0.1)
            self.walker = self.walker.heated(round(warmer, 2))
        elif key == "Y":
            known = [None, *self.walker.styles]
            following = known[(known.index(self.walker.style) + 1) % len(known)]
            self.walker = replace(self.walker, style=following)
        elif key == "N" and self.fork:
            self.fork = replace(self.fork, take=self.fork.take + 1)
            self.live = self.before = self.fork
            self.track.clear()
            self._mark(self.fork.route)
        elif key == "R":
            self._record()
        elif key == "E":
            self._export(self.fork.route if self.fork else None)

    def release(self, symbol: str) -> None:
        """Handles a released key."""
        if symbol.upper() in {"SHIFT_L", "SHIFT_R"}:
            self.hands = replace(self.hands, hurry=False)
        self.gone[symbol.upper()] = perf_counter()

    def follow(self, points: list[Array]) -> None:
        """Makes the figure follow a drawn line."""
        try:
            self.fork = self.live = self.walker.route(self.live, points)
            self._mark(self.live.route)
        except MoglowError as error:
            self.message = str(error)

    def _mark(self, route: ControlPath | None) -> None:
        if self.path_marks:
            for actor in self.path_marks.actors:
                self.plotter.renderer.RemoveActor(actor)
        self.path_marks = PathMarks(route, self.size) if route else None
        for actor in self.path_marks.actors if self.path_marks else ():
            self.plotter.renderer.AddActor(actor)

    def _record(self) -> None:
        if self.recording is None:
            self.recording = Recording(self.walker.fps)
            self.recording.add(self.live.place, self.walker.style)
            return
        path, self.recording = self.recording.path, None
        self._export(path)

    def _export(self, path: ControlPath | None) -> None:
        if path is None:
            self.message = "nothing to save; draw a path, or record with R"
            return
        try:
            files = save(path, self.checkpoint, self.walker, self.folder)
            self.message = f"saved {' and '.join(file.name for file in files)}"
        except MoglowError as error:
            self.message = str(error)
        self.clock = perf_counter()

    # ---- mouse ----

    def _grip(self, what: str) -> None:
        self.grip = (what, *self.plotter.iren.interactor.GetEventPosition())
        self.drawing = []

    def _drag(self) -> None:
        if self.grip is None:
            return
        what, *before = self.grip
        x, y = self.plotter.iren.interactor.GetEventPosition()
        self.grip = (what, x, y)
        if what == "turn":
            self.camera = self.camera.turned(-0.008 * (x - before[0]), -0.006 * (y - before[1]))
            return
        place = self._floor(x, y)
        if place is not None:
            self.drawing.append(place)
            self.line.show(self.drawing)

    def _floor(self, x: int, y: int) -> Array | None:
        width, height = self.plotter.window_size
        view = self.view
        return view.floor_point((2 * x - width) / height, 2 * y / height - 1) if view else None

    def _let_go(self) -> None:
        if self.grip and self.grip[0] == "draw" and self.drawing:
            self.follow(self.drawing)
        self.grip, self.drawing = None, []
        self.line.show([])

    def _zoom(self, factor: float) -> None:
        self.camera = self.camera.zoomed(factor)


def _line(words: str, message: str, recording: bool) -> Image.Image:
    line = Image.new("RGBA", (700, 26), (0, 0, 0, 0))
    x = write(line, (0, 4), words, size=14, tint="soft") + 18
    write(line, (x, 4), message, size=14, bold=recording, tint="skating" if recording else "ink")
    return line
