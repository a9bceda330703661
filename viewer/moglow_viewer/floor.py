"""The floor: a line a metre, every fifth one stronger, fading with the distance, drawn by the graphics card."""

import numpy as np

from moglow.rotations import Array
from moglow_viewer.camera import View
from moglow_viewer.meshes import actor_of, mesh_of
from moglow_viewer.palette import colour

HALF = 5000.0  # metres from the middle to the edge: an hour's walk
WIDE = 40.0  # metres seen: from here on there is a line every five metres, and a strong one every 25

# How much of a pixel lies under a line: lines are as wide as a pixel, however far they are, and fade where they would
# come closer than that.
LINES = """
float lines(vec2 cell, vec2 pixel) {
  vec2 away = abs(fract(cell - 0.5) - 0.5);
  vec2 ink = clamp(0.95 - away / pixel, 0.0, 1.0) / (1.0 + 6.0 * pixel);
  return max(ink.x, ink.y);
}
"""
PAINT = """
  vec2 cell = place.xz / spacing;
  vec2 pixel = fwidth(cell);
  float ink = max(0.36 * lines(cell, pixel), 0.75 * lines(0.2 * cell, 0.2 * pixel));
  ink *= clamp(1.0 - distance(place.xz, middle.xz) / radius, 0.0, 1.0);
  gl_FragData[0] = vec4(mix(ground, line, ink), 1.0);
"""


class Floor:
    """The floor as an actor; `aim` moves what of it is seen."""

    def __init__(self) -> None:
        corners = HALF * np.array([[-1, 0, -1], [-1, 0, 1], [1, 0, 1], [1, 0, -1]])
        self.actor = actor_of(mesh_of(corners, np.arange(4)[None]))
        code = self.actor.GetShaderProperty()
        code.AddVertexShaderReplacement(
            "//VTK::PositionVC::Dec", True, "//VTK::PositionVC::Dec\nout vec3 place;\n", False
        )
        code.AddVertexShaderReplacement(
            "//VTK::PositionVC::Impl", True, "//VTK::PositionVC::Impl\nplace = vertexMC.xyz;\n", False
        )
        code.AddFragmentShaderReplacement(
            "//VTK::PositionVC::Dec", True, f"//VTK::PositionVC::Dec\nin vec3 place;\n{LINES}", False
        )
        code.AddFragmentShaderReplacement("//VTK::Light::Impl", True, f"//VTK::Light::Impl\n{PAINT}", False)
        self.values = code.GetFragmentCustomUniforms()
        self.values.SetUniform3f("ground", colour("ground").tolist())
        self.values.SetUniform3f("line", colour("grid").tolist())
        self._light(np.zeros(3), 8.0)  # each must be there before the first drawing

    def aim(self, view: View) -> None:
        """Puts the bright part of the grid where the camera looks."""
        self._light(view.target, view.radius)

    def _light(self, middle: Array, radius: float) -> None:
        self.values.SetUniform3f("middle", middle.tolist())
        self.values.SetUniformf("radius", radius)
        self.values.SetUniformf("spacing", 5.0 if radius > WIDE else 1.0)
