"""What pytest leaves out when it looks for doctests: files that only some machines can import."""

from importlib.util import find_spec
from pathlib import Path

collect_ignore = ["moglow/blender/inside", "moglow/blender/extension"]  # only Blender can import bpy
if not find_spec("triton"):
    files = Path(__file__).parent.glob("moglow/*/*/*.py")
    collect_ignore += [str(file) for file in files if "\nimport triton\n" in file.read_text(encoding="utf-8")]
