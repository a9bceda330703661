"""The stage: a floor in metres, light, a camera, and figures with their shadows, tracks and footprints."""

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
from moglow_viewer.stage.marks import Footprints, HipTrack, PathMarks, Trails
from moglow_viewer.stage.terrain import terrain_actors

Picture = NDArray[np.uint8]

# Position, colour and strength of the lights: a key light opposite the shadows, a cool one from behind; and a little
# light from the camera, so that no side is black.
LIGHTS = (
    ((0.9, 2.2, 1.0), "#fffaf2", 0.72),
    ((-0.9, 0.7, -0.6), "#dbe8ff", 0.35),
)
EYE_LIGHT = 0.42


class Stage:
    """A rendered scene: `show` moves it to a time, `picture` renders and returns its pixels."""

    def __init__(self, plotter: Any) -> None:
        self.plotter = plotter
        plotter.ren_win.SetMultiSamples(1)  # off-screen pictures are rendered twice as large instead
        if plotter.ren_win.IsA(DISPLAYED):
            plotter.ren_win.SetFrameBlitModeToBlitToCurrent()  # copies colours to the screen, but not depths
        plotter.renderer.SetUseOIT(
            False
        )  # translucent marks are layered in the order in which they were added
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
        """Returns a stage without a window, read by `picture`; raises ExportError without OpenGL."""
        need_drawing()
        return cls(pv.Plotter(off_screen=True, window_size=list(size), lighting="none"))

    def put(self, scene: Scene, *, trails: float = 0.0) -> None:
        """Replaces the scene on the stage; ``trails`` is the length of the feet's trails in seconds, 0 for none."""
        for actor in self.actors:
            self.plotter.renderer.RemoveActor(actor)
        self.scene, self.offsets = scene, scene.offsets()
        self.figures: list[Figure] = []
        self.marks: list[list[HipTrack | Footprints | Trails]] = []
        self.paths: list[PathMarks] = []
        for number, (motion, offset) in enumerate(zip(scene.motions, self.offsets, strict=True)):
            colours, ink = side_colours(scene.tint(number)), colour("accent")
            if scene.tint(number) is not None:
                ink = colours[0]
            self.figures.append(Figure(motion, colours, offset))
            marks: list[HipTrack | Footprints | Trails] = [Footprints(motion), HipTrack(motion, ink)]
            self.marks.append([*marks, *([Trails(motion, colours, seconds=trails)] if trails else [])])
            if scene.path and (scene.beside or not number):
                self.paths.append(PathMarks(scene.path, motion.size, scene.ground))
        self.actors = [actor for figure in self.figures for actor in figure.actors]
        self.floor.actor.SetVisibility(scene.ground is None)
        if scene.ground is not None:
            self.actors += terrain_actors(scene.ground, *scene.area)
        for marks, offset in zip(self.marks, self.offsets, strict=True):
            self.actors += _placed(marks, offset)
        for path, offset in zip(self.paths, self.offsets, strict=False):
            self.actors += _placed([path], offset)
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
        """Moves everything to a time, without rendering; ``below`` is the number of covered pixels at the bottom."""
        scene = self.scene
        for number, (figure, marks) in enumerate(zip(self.figures, self.marks, strict=True)):
            figure.pose(seconds, look=look, shown=number not in hidden)
            for mark in marks:
                mark.show(seconds)
                for actor in mark.actors:
                    actor.SetVisibility(paths and number not in hidden)
        for path, offset in zip(self.paths, self.offsets, strict=False):
            path.show(seconds, offset)
            for actor in path.actors:
                actor.SetVisibility(paths)
        width, height = self.plotter.window_size
        visible = [k for k in range(len(scene.motions)) if k not in hidden] or range(len(scene.motions))
        view = camera.view(
            [scene.motions[k] for k in visible],
            [self.offsets[k] for k in visible],
            seconds,
            width / max(height - below, 1),
            scene.path,
        )
        self.aim(view, below)

    def show_floor(self, camera: Camera) -> None:
        """Shows the empty floor, without a scene."""
        self.aim(
            View(np.array([3.0, 1.9, 5.0]), np.array([0.0, 0.9, 0.0]), np.array([0.0, 1.0, 0.0]), 14.0), 0
        )

    def aim(self, view: View, below: int) -> None:
        """Sets the camera to a view."""
        eye, height = self.plotter.camera, self.plotter.window_size[1]
        eye.SetPosition(*view.eye)
        eye.SetFocalPoint(*view.target)
        eye.SetViewUp(*view.up)
        free = max(height - below, 1) / height
        eye.SetViewAngle(float(np.degrees(2 * np.arctan(np.tan(LENS / 2) / free))))
        eye.SetWindowCenter(0.0, free - 1.0)  # the middle of the part that is not covered
        away = float(np.linalg.norm(view.eye - view.target))
        eye.SetClippingRange(max(0.05, away / 20), away + 1.5 * view.radius)
        eye.is_set = True  # else pyvista resets it before the first rendering
        self.floor.aim(view)

    def picture(self) -> Picture:
        """Renders and returns red, green and blue ``(height, width, 3)``."""
        if not self.plotter._rendered:  # the first rendering makes the window
            self.plotter.show(auto_close=False, interactive=False)
        self.plotter.render()
        return np.asarray(self.plotter.screenshot(return_img=True))

    def close(self) -> None:
        self.plotter.close()


def _placed(marks: Sequence[HipTrack | Footprints | Trails | PathMarks], offset: Array) -> list[Any]:
    actors = [actor for mark in marks for actor in mark.actors]
    for actor in actors:
        actor.SetPosition(*offset)
    return actors
