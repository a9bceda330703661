"""What pytest leaves out when it looks for doctests: files that only some machines can import."""

from importlib.util import find_spec

collect_ignore = (
    []
    if find_spec("triton")
    else [
        *("moglow/fused_kernels.py", "moglow/fused_cells.py"),
        *("moglow/flows/stage_kernels.py", "moglow/flows/fused_stages.py"),
    ]
)
