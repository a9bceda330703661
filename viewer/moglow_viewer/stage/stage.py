"""The stage: a floor in metres, light, a camera, and the figures on it with their shadows, ways and footprints."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyvista as pv
from numpy.typing import NDArray

from moglow.maths.rotations import Array
from moglow_viewer.scene.camera import LENS, Camera, View
from moglow_viewer.scene.palette import colour, side_colours
from moglow_viewer.scene.scene import Scene
from moglow_viewer.stage.figure import Figure
from moglow_viewer.stage.floor import Floor
from moglow_viewer.stage.graphics import DISPLAYED, need_drawing
from moglow_viewer.stage.marks import Asked, Footprints, Trails, Way
from moglow_viewer.stage.terrain import terrain_actors

Picture = NDArray[np.uint8]

# Where light comes from, its colour and strength: a key light opposite the shadows, a cool one from behind; and
# a little from the eye, so that no side is black.
LIGHTS = (
    ((0.9, 2.2, 1.0), "#fffaf2", 0.72),
    ((-0.9, 0.7, -0.6), "#dbe8ff", 0.35),
)
EYE_LIGHT = 0.42


class Stage:
    """A drawing of a scene; `show` moves it to a time, `picture` reads what is drawn."""

    def __init__(self, plotter: Any) -> None:
        self.plotter = plotter
        plotter.ren_win.SetMultiSamples(1)  # off-screen pictures are drawn twice as large instead
        if plotter.ren_win.IsA(DISPLAYED):
            plotter.ren_win.SetFrameBlitModeToBlitToCurrent()  # colours to the screen, not depths as well
        plotter.renderer.SetUseOIT(
            False
        )  # marks lie one over the other in the order in which they are put there
        plotter.background_color = colour("ground").tolist()
        for place, tint, strength in LIGHTS:
            light = pv.Light(position=place, color=tint, light_type="scene light", intensity=strength)
            light.positional = False
            plotter.add_light(light)
        plotter.add_light(pv.Light(light_type="headlight", intensity=EYE_LIGHT))
        self.floor = Floor()
        plotter.renderer.AddActor(self.floor.actor)
        self.actors: list[Any] = []

    @classmethod
    def off_screen(cls, size: tuple[int, int]) -> "Stage":
        """A stage that nobody sees but through `picture`; an error where there is nothing to draw with."""
        need_drawing()
        return cls(pv.Plotter(off_screen=True, window_size=list(size), lighting="none"))

    def put(self, scene: Scene, *, trails: float = 0.0) -> None:
        """Puts a scene on the stage, instead of the one before; trails show so many seconds of the feet's ways."""
        for actor in self.actors:
            self.plotter.renderer.RemoveActor(actor)
        self.scene, self.offsets = scene, scene.offsets()
        self.figures: list[Figure] = []
        self.marks: list[list[Way | Footprints | Trails]] = []
        self.asked: list[Asked] = []
        for number, (motion, offset) in enumerate(zip(scene.motions, self.offsets, strict=True)):
            colours, ink = side_colours(scene.tint(number)), colour("accent")
            if scene.tint(number) is not None:
                ink = colours[0]
            self.figures.append(Figure(motion, colours, offset))
            marks: list[Way | Footprints | Trails] = [Footprints(motion), Way(motion, ink)]
            self.marks.append([*marks, *([Trails(motion, colours, seconds=trails)] if trails else [])])
            if scene.asked and (scene.beside or not number):
                self.asked.append(Asked(scene.asked, motion.size, scene.ground))
        self.actors = [actor for figure in self.figures for actor in figure.actors]
        self.floor.actor.SetVisibility(scene.ground is None)
        if scene.ground is not None:
            self.actors += terrain_actors(scene.ground, *scene.area)
        for marks, offset in zip(self.marks, self.offsets, strict=True):
            self.actors += _placed(marks, offset)
        for asked, offset in zip(self.asked, self.offsets, strict=False):
            self.actors += _placed([asked], offset)
        for actor in self.actors:
            self.plotter.renderer.AddActor(actor)

    def show(
        self,
        seconds: float,
        camera: Camera,
        *,
        look: str = "capsules",
        hidden: Sequence[int] = (),
        paths: bool = True,
        below: int = 0,
    ) -> None:
        """Moves everything to where it is at a time; draws nothing yet. So many pixels at the bottom are covered."""
        scene = self.scene
        for number, (figure, marks) in enumerate(zip(self.figures, self.marks, strict=True)):
            figure.pose(seconds, look=look, shown=number not in hidden)
            for mark in marks:
                mark.show(seconds)
                for actor in mark.actors:
                    actor.SetVisibility(paths and number not in hidden)
        for asked, offset in zip(self.asked, self.offsets, strict=False):
            asked.show(seconds, offset)
            for actor in asked.actors:
                actor.SetVisibility(paths)
        width, height = self.plotter.window_size
        seen = [k for k in range(len(scene.motions)) if k not in hidden] or range(len(scene.motions))
        view = camera.view(
            [scene.motions[k] for k in seen],
            [self.offsets[k] for k in seen],
            seconds,
            width / max(height - below, 1),
            scene.asked,
        )
        self.aim(view, below)

    def show_floor(self, camera: Camera) -> None:
        """Shows the bare floor, where there is no scene to show."""
        self.aim(
            View(np.array([3.0, 1.9, 5.0]), np.array([0.0, 0.9, 0.0]), np.array([0.0, 1.0, 0.0]), 14.0), 0
        )

    def aim(self, view: View, below: int) -> None:
        """Puts the eye where a view has it."""
        eye, height = self.plotter.camera, self.plotter.window_size[1]
        eye.SetPosition(*view.eye)
        eye.SetFocalPoint(*view.target)
        eye.SetViewUp(*view.up)
        free = max(height - below, 1) / height
        eye.SetViewAngle(float(np.degrees(2 * np.arctan(np.tan(LENS / 2) / free))))
        eye.SetWindowCenter(0.0, free - 1.0)  # the middle of what is free
        away = float(np.linalg.norm(view.eye - view.target))
        eye.SetClippingRange(max(0.05, away / 20), away + 1.5 * view.radius)
        eye.is_set = True  # else pyvista sets it before the first drawing
        self.floor.aim(view)

    def picture(self) -> Picture:
        """What is drawn: red, green and blue ``(height, width, 3)``."""
        if not self.plotter._rendered:  # the first drawing makes the window
            self.plotter.show(auto_close=False, interactive=False)
        self.plotter.render()
        return np.asarray(self.plotter.screenshot(return_img=True))

    def close(self) -> None:
        self.plotter.close()


def _placed(marks: Sequence[Way | Footprints | Trails | Asked], offset: Array) -> list[Any]:
    actors = [actor for mark in marks for actor in mark.actors]
    for actor in actors:
        actor.SetPosition(*offset)
    return actors
