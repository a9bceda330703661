"""Detection of OpenGL, in a separate process, because rendering without OpenGL ends the process."""

import os
import subprocess
import sys
from functools import cache

from moglow.errors import ExportError

# Makes a window as rendering does and prints its class.
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
    """Returns the class of window that rendering uses, "" without OpenGL; macOS and Windows always have one."""
    if not sys.platform.startswith("linux"):
        return "native"
    try:
        tried = subprocess.run([sys.executable, "-c", TRY], capture_output=True, text=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return ""
    words = tried.stdout.split()
    return words[1] if tried.returncode == 0 and words[:1] == ["window"] and words[2] == "1" else ""


def need_drawing() -> None:
    """Raises ExportError without OpenGL."""
    kind = drawing()
    if not kind:
        raise ExportError(
            "no OpenGL was found; install Mesa (apt-get install libosmesa6, or libegl1 with libgl1-mesa-dri), "
            "or write a page, which needs none",
            setting="html",
        )
    if kind not in {"native", DISPLAYED}:
        os.environ["VTK_DEFAULT_OPENGL_WINDOW"] = kind  # prevents further tries and warnings by VTK


def has_display() -> bool:
    """Returns whether a window can be opened."""
    return drawing() in {"native", DISPLAYED}
