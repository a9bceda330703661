"""The optional modules and the extra of the package that installs each of them."""

EXTRA_OF = {
    **dict.fromkeys(("torch", "scipy"), "train"),
    **dict.fromkeys(("pyvista", "vtk", "vtkmodules", "PIL", "imageio_ffmpeg"), "view"),
    "pxr": "usd",
    "onnx": "onnx",
    **dict.fromkeys(("anywidget", "traitlets"), "notebook"),
    **dict.fromkeys(("motionmcp", "fastapi", "pydantic", "uvicorn"), "serve"),
    **dict.fromkeys(("dask", "distributed"), "cluster"),
    "tensorboard": "dev",
}


def missing_extra(error: ModuleNotFoundError) -> str | None:
    """Returns the missing module and how to install it, or None if no extra provides the module.

    >>> missing_extra(ModuleNotFoundError(name="torch"))
    "torch: pip install 'moglow[train]'"
    """
    package = (error.name or "").partition(".")[0]
    return f"{package}: pip install 'moglow[{EXTRA_OF[package]}]'" if package in EXTRA_OF else None
