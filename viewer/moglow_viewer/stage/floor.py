"""The floor: a line per metre, every fifth one stronger, fading with the distance, drawn by a shader."""

import numpy as np

from moglow.maths.rotations import Array
from moglow_viewer.scene.camera import View
from moglow_viewer.scene.palette import colour
from moglow_viewer.stage.meshes import Held, actor_of, mesh_of

CORNERS = np.array([[-1, 0, -1], [-1, 0, 1], [1, 0, 1], [1, 0, -1]])
WIDE = 40.0  # metres of visible floor from which there is a line every five metres, and a strong one every 25

# Coverage of a pixel by a line. Lines are one pixel wide at any distance, and fade where they would be closer.
LINES = """
vec2 lines(vec2 cell, vec2 pixel, vec2 pixels) {
  vec2 away = abs(cell - floor(cell + 0.5));
  return clamp(0.95 - away * pixels, 0.0, 1.0) / (1.0 + 6.0 * pixel);
}
"""
PLACES = """
  place = vertexMC.xz / spacing;
  away = (vertexMC.xz - middle.xz) / radius;
"""
PAINT = """
  vec2 pixel = fwidth(place);
  vec2 pixels = 1.0 / pixel;
  vec2 ink = max(0.36 * lines(place, pixel, pixels), 0.75 * lines(0.2 * place, 0.2 * pixel, 5.0 * pixels));
  float light = clamp(1.0 - length(away), 0.0, 1.0);
  gl_FragData[0] = vec4(mix(ground, line, max(ink.x, ink.y) * light), 1.0);
"""


class Floor:
    """The visible part of the floor as an actor; `aim` moves it."""

    def __init__(self) -> None:
        mesh = mesh_of(CORNERS, np.arange(4)[None])
        self.corners = Held.points(mesh)
        self.actor = actor_of(mesh)
        code = self.actor.GetShaderProperty()
        where, paint = "//VTK::PositionVC::Dec", "//VTK::Light::Impl"
        code.AddVertexShaderReplacement(where, True, f"{where}\nout vec2 place;\nout vec2 away;\n", False)
        code.AddVertexShaderReplacement(
            "//VTK::PositionVC::Impl", True, f"//VTK::PositionVC::Impl\n{PLACES}", False
        )
        code.AddFragmentShaderReplacement(
            where, True, f"{where}\nin vec2 place;\nin vec2 away;\n{LINES}", False
        )
        code.AddFragmentShaderReplacement(paint, True, f"{paint}\n{PAINT}", False)
        self.places, inks = code.GetVertexCustomUniforms(), code.GetFragmentCustomUniforms()
        inks.SetUniform3f("ground", colour("ground").tolist())
        inks.SetUniform3f("line", colour("grid").tolist())
        self._light(np.zeros(3), 8.0)  # each uniform must exist before the first rendering

    def aim(self, view: View) -> None:
        """Moves the floor to the target of a view."""
        self._light(view.target, view.radius)

    def _light(self, middle: Array, radius: float) -> None:
        self.corners.write(middle * [1, 0, 1] + radius * CORNERS)
        self.places.SetUniform3f("middle", middle.tolist())
        self.places.SetUniformf("radius", radius)
        self.places.SetUniformf("spacing", 5.0 if radius > WIDE else 1.0)
