"""Renders of a scene, as a film or a still picture: by Workbench with a GPU or EGL, else by Cycles on the CPU."""

from pathlib import Path
from typing import Any

import bpy

WORKBENCH, CYCLES = "BLENDER_WORKBENCH", "CYCLES"
ENGINES = (WORKBENCH, CYCLES)
"""Render engines in the order of trying: the first is ten times as fast, but Blender crashes in it without OpenGL."""
SAMPLES = 16


def render(scene: Any, file: Path, *, engine: str, size: tuple[int, int]) -> None:
    """Renders all frames to an .mp4, or the middle one to a .png."""
    scene.render.engine = engine
    scene.render.resolution_x, scene.render.resolution_y = size
    scene.render.resolution_percentage = 100
    scene.render.filepath = str(file)
    scene.render.use_file_extension = False
    scene.view_settings.view_transform = "Standard"
    if engine == WORKBENCH:
        shading = scene.display.shading
        shading.light, shading.color_type = "STUDIO", "MATERIAL"
        shading.show_shadows = shading.show_cavity = True
        scene.display.render_aa = "8"
    else:
        scene.cycles.samples, scene.cycles.use_denoising = SAMPLES, False
    settings = scene.render.image_settings
    if file.suffix.lower() == ".png":
        scene.frame_set((scene.frame_start + scene.frame_end) // 2)
        settings.file_format = "PNG"
        bpy.ops.render.render(write_still=True)
        return
    if hasattr(settings, "media_type"):  # Blender 5.0
        settings.media_type = "VIDEO"
    settings.file_format = "FFMPEG"
    scene.render.ffmpeg.format, scene.render.ffmpeg.codec = "MPEG4", "H264"
    scene.render.ffmpeg.constant_rate_factor = "MEDIUM"
    bpy.ops.render.render(animation=True)
