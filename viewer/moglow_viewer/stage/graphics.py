"""What this machine can draw with: tried in a process of its own, because without OpenGL drawing ends the process."""

import os
import subprocess
import sys
from functools import cache

from moglow.errors import ExportError

# Makes the kind of window that drawing would make, draws nothing into it, and says which kind it is.
TRY = """
from vtkmodules.vtkRenderingCore import vtkRenderWindow, vtkRenderer
import vtkmodules.vtkRenderingOpenGL2
window = vtkRenderWindow()
window.SetOffScreenRendering(1)
window.AddRenderer(vtkRenderer())
window.Render()
print("window", window.GetClassName(), window.SupportsOpenGL())
"""
SECONDS = 60  # a busy machine is slow to start
DISPLAYED = "vtkXOpenGLRenderWindow"


@cache
def drawing() -> str:
    """The kind of window that drawing makes here, "" where there is none; macOS and Windows always have one."""
    if not sys.platform.startswith("linux"):
        return "native"
    try:
        tried = subprocess.run([sys.executable, "-c", TRY], capture_output=True, text=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return ""
    words = tried.stdout.split()
    return words[1] if tried.returncode == 0 and words[:1] == ["window"] and words[2] == "1" else ""


def need_drawing() -> None:
    """Refuses to draw where that would end the process."""
    kind = drawing()
    if not kind:
        raise ExportError(
            "no OpenGL to draw with was found; install Mesa (apt-get install libosmesa6, or libegl1 with "
            "libgl1-mesa-dri), or use --html, which needs none"
        )
    if kind not in {"native", DISPLAYED}:
        os.environ["VTK_DEFAULT_OPENGL_WINDOW"] = kind  # so that it does not try, and complain, anew


def has_display() -> bool:
    """Whether a window can be opened."""
    return drawing() in {"native", DISPLAYED}
