"""What pytest leaves out when it looks for doctests: files that only some machines can import."""

from importlib.util import find_spec

collect_ignore = [] if find_spec("triton") else ["moglow/fused_kernels.py", "moglow/fused_cells.py"]
