"""A clip as a scene in Blender: a job for a Blender in another process, and the files that it writes.

The job is a folder. `moglow.blender.inside.scene` reads it inside Blender and writes the files and an answer into it.
The files are moved to their final places when they are complete.
"""

import json
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from moglow.blender.program import Blender
from moglow.errors import ExportError
from moglow.files.atomic import replacing, try_output
from moglow.maths.rotations import quat_angle
from moglow.motion.clip import Clip
from moglow.paths.control_path import ControlPath

SCENES, FILMS = (".blend", ".fbx", ".glb"), (".mp4", ".png")
CHARACTERS = (".blend", ".fbx", ".glb", ".gltf")
ENGINES = ("BLENDER_WORKBENCH", "CYCLES")
"""Render engines in the order of trying: the first is ten times as fast, but Blender crashes in it without OpenGL."""


@dataclass(frozen=True)
class BlenderScene:
    """A scene to build for a clip: the file ``out``, and a ``film`` of it (.mp4) or a still picture (.png)."""

    out: Path
    film: Path | None = None
    size: tuple[int, int] = (960, 540)  # of the film; even numbers, as its encoder needs
    character: Path | None = None  # that gets the motion; without one a figure is made
    body: bool = True  # of capsules, for a figure
    loop: bool = False  # the motion repeats without end

    def __post_init__(self) -> None:
        _check_suffix(self.out, SCENES, "a scene is")
        if self.film:
            _check_suffix(self.film, FILMS, "a film is")
            if not all(side > 0 and side % 2 == 0 for side in self.size):
                raise ExportError(
                    f"{self.film}: a film of {self.size} pixels; give even numbers, such as 960x540"
                )
        if self.character:
            _check_suffix(self.character, CHARACTERS, "a character is")
            if not self.character.is_file():
                raise ExportError(f"{self.character}: no such file; give a character that Blender opens")


@dataclass(frozen=True)
class BuiltScene:
    """A report on a scene: Blender's version, the number of bones and of those with constraints, the render engine."""

    version: str
    bones: int
    constrained: int
    engine: str


def build_scene(
    clip: Clip, scene: BlenderScene, blender: Blender, *, path: ControlPath | None = None
) -> BuiltScene:
    """Builds a scene of a clip and its path (by default the clip's own) in Blender, and writes its files."""
    path = (path or ControlPath.from_clip(clip)).resample(clip.fps)
    for file in filter(None, (scene.out, scene.film)):
        try_output(file)  # raises before the work if the folder does not exist
    with tempfile.TemporaryDirectory(prefix="moglow-") as name:
        folder = Path(name)
        job = _write_job(folder, clip, path, scene)
        for engine in ENGINES:
            answer = _answer(folder, job | {"engine": engine}, blender)
            if answer or not scene.film:
                break
        if not answer:
            raise ExportError(_last_words(folder, blender))
        if "error" in answer:
            raise ExportError(answer["error"])
        _bring(folder / job["out"], scene.out)
        if scene.film:
            _bring(folder / job["film"], scene.film)
    return BuiltScene(answer["blender"], answer["bones"], answer["constrained"], engine if scene.film else "")


def seam(clip: Clip) -> tuple[float, float]:
    """Returns the largest distance (m) and angle (rad) of a joint between the last pose of a loop and its first.

    >>> from moglow.motion.skeleton import Skeleton
    >>> seam(Clip.at_rest(Skeleton(("Hips", "Head"), (-1, 0), [[0, 1, 0], [0, 0.6, 0]]), frames=5))
    (0.0, 0.0)
    """
    first, last = clip[:1].at_origin(), clip[-1:].at_origin()
    away = np.linalg.norm(first.world_positions - last.world_positions, axis=-1).max()
    turn = np.max(quat_angle(first.world_rotations, last.world_rotations))
    return float(away), float(turn)


def _write_job(folder: Path, clip: Clip, path: ControlPath, scene: BlenderScene) -> dict[str, Any]:
    np.savez(
        folder / "motion.npz",
        positions=clip.positions,
        rotations=clip.rotations,
        path=path.positions,
        headings=path.headings,
    )
    package = Path(__file__).resolve().parents[1]
    return {
        "import_from": [str(package.parent)],
        "script": str(package / "blender" / "inside" / "scene.py"),
        "skeleton": clip.skeleton.to_json(),
        "fps": clip.fps,
        "name": (clip.name or "motion").encode("utf-8", "replace").decode(),
        "out": "scene" + scene.out.suffix.lower(),
        "film": "film" + scene.film.suffix.lower() if scene.film else "",
        "size": scene.size,
        "character": str(scene.character.resolve()) if scene.character else "",
        "body": scene.body,
        "loop": scene.loop,
    }


def _answer(folder: Path, job: dict[str, Any], blender: Blender) -> dict[str, Any] | None:
    """Runs Blender on a job; returns its answer, or None if it stopped without one."""
    (folder / "job.json").write_text(json.dumps(job), "utf-8")
    with open(folder / "log.txt", "ab") as log:
        command = blender.command(Path(job["script"]), folder)
        subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False)
    answer = folder / "answer.json"
    return json.loads(answer.read_text("utf-8")) if answer.exists() else None


def _bring(made: Path, file: Path) -> None:
    with replacing(file) as target, open(made, "rb") as source:
        shutil.copyfileobj(source, target)


def _last_words(folder: Path, blender: Blender) -> str:
    log = (folder / "log.txt").read_text("utf-8", "replace")
    if "No module named 'bpy'" in log:
        return f"{blender.program}: this Python has no bpy; pip install it there, or name Blender's program"
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    last = lines[-1] if lines else "none"
    return f"{blender.program}: Blender stopped before it was done; its last line of output: {last[:300]}"


def _check_suffix(file: Path, known: tuple[str, ...], noun: str) -> None:
    if file.suffix.lower() not in known:
        raise ExportError(f"{file}: {noun} one of {', '.join(known)}")
