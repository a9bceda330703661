"""What pytest leaves out when it looks for doctests: files that only some machines can import."""

from importlib.util import find_spec

collect_ignore = ["moglow/blender/inside", "moglow/blender/extension"]  # only Blender can import bpy
if not find_spec("triton"):
    collect_ignore += [
        *("moglow/sampling/fast/fused_kernels.py", "moglow/sampling/fast/fused_cells.py"),
        *("moglow/flows/schedules/stage_kernels.py", "moglow/flows/schedules/fused_stages.py"),
    ]
