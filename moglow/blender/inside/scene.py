"""The script behind `moglow blender`, which Blender runs on a job.

A job is a folder with ``job.json`` and ``motion.npz``. The script writes ``answer.json`` into it: a report on the
scene, or an error. The folder is the last argument, for Blender and for a Python that has bpy.
"""

import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

OLDEST = (4, 2, 0)


def main(folder: Path) -> None:
    """Does a job and writes the answer into its folder."""
    job = json.loads((folder / "job.json").read_text("utf-8"))
    sys.path.extend(job["import_from"])  # at the end: Blender's own numpy comes first
    answer = json.dumps(done(job, folder))
    (folder / "answer.json").write_text(answer, "utf-8")


def done(job: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Returns the report of a job, or its error."""
    import bpy

    if bpy.app.version < OLDEST:
        return {"error": f"this is Blender {bpy.app.version_string}; install 4.2 or newer"}
    from moglow.blender.inside.build import build
    from moglow.errors import MoglowError

    try:
        return build(job, folder)
    except MoglowError as error:
        return {"error": str(error)}


if __name__ == "__main__":
    try:
        main(Path(sys.argv[-1]))
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
    sys.stdout.flush()
    os._exit(0)  # all is written, and bpy sometimes hangs or crashes at a normal exit
