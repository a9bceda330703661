"""The Blender that runs scripts: an installed one, or the package bpy in a separate virtual environment.

Scripts run in another process; this module does not import bpy.
"""

import glob
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from moglow.errors import ExportError

VARIABLE = "MOGLOW_BPY_PYTHON"
"""Environment variable with the path of a Python that has bpy."""
PLACES = (
    "/Applications/Blender.app/Contents/MacOS/Blender",
    "C:/Program Files/Blender Foundation/Blender */blender.exe",
)
"""Locations of Blender that are not on the PATH."""
BPY = "bpy>=4.2"
PYTHONS = ("python3.11", "python3.13", "python3.12", sys.executable)
"""Pythons to try; each release of bpy supports one version of Python, most of them 3.11."""


@dataclass(frozen=True)
class Blender:
    """A program that runs scripts inside Blender: Blender itself, or a Python that has bpy."""

    program: Path

    @property
    def is_python(self) -> bool:
        return self.program.name.lower().startswith("python")

    def command(self, script: Path, folder: Path) -> list[str]:
        """Returns the command that runs a script on a folder.

        >>> Blender(Path("blender")).command(Path("scene.py"), Path("job"))[-4:]
        ['--python', 'scene.py', '--', 'job']
        """
        if self.is_python:
            return [str(self.program), str(script), str(folder)]
        flags = (
            "--background",
            "--factory-startup",
            "--disable-autoexec",
            "--python-exit-code",
            "1",
            "--python",
        )
        return [str(self.program), *flags, str(script), "--", str(folder)]


def find_blender(named: Path | None = None) -> Blender:
    """Returns the named Blender, or the first of the `candidates` that exists.

    >>> find_blender(Path("nowhere/blender"))
    Traceback (most recent call last):
    moglow.errors.ExportError: nowhere/blender: no such program; name Blender, or a Python that has bpy
    """
    for program in [str(named)] if named else candidates():
        if found := shutil.which(program):
            return Blender(Path(found))
        if named or program == os.environ.get(VARIABLE):
            place = f"{VARIABLE}={program}" if not named else program
            raise ExportError(f"{place}: no such program; name Blender, or a Python that has bpy")
    raise ExportError(
        "no Blender was found; install Blender 4.2 or newer, name its program, or let `moglow blender --install` "
        "fetch the package bpy (about 400 MB)",
        setting="blender",
    )


def candidates() -> Iterator[str]:
    """Yields programs that may be a Blender, the preferred one first."""
    if os.environ.get(VARIABLE):
        yield os.environ[VARIABLE]
    yield "blender"
    for pattern in PLACES:
        yield from sorted(glob.glob(pattern), reverse=True)
    yield str(python_of(own_environment()))


def own_environment() -> Path:
    """Returns the folder in the user's cache for the environment of `install_bpy`."""
    base = os.environ.get("LOCALAPPDATA") if os.name == "nt" else os.environ.get("XDG_CACHE_HOME")
    return Path(base or Path.home() / ".cache") / "moglow" / "bpy"


def python_of(environment: Path) -> Path:
    """Returns the Python of a virtual environment."""
    return environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def install_bpy() -> Blender:
    """Makes an environment with bpy, unless there is one, with the first Python that bpy supports."""
    environment = own_environment()
    python, reason = python_of(environment), "no Python 3.11 was found"
    if python.exists() and _runs([str(python), "-c", "import bpy"]) is None:
        return Blender(python)
    for maker in dict.fromkeys(filter(None, map(shutil.which, PYTHONS))):
        made = _runs([maker, "-m", "venv", "--clear", str(environment)])
        reason = made or _runs([str(python), "-m", "pip", "install", "--quiet", "--no-input", BPY]) or ""
        if not reason:
            return Blender(python)
    shutil.rmtree(environment, ignore_errors=True)
    raise ExportError(
        f"bpy could not be installed ({reason}); it needs Python 3.11: install that, or Blender from blender.org"
    )


def _runs(command: list[str]) -> str | None:
    """Returns None if a command succeeds, else the last line of its error output."""
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode == 0:
        return None
    lines = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
    reasons = [line for line in lines if "ERROR" in line] or lines
    return reasons[-1] if reasons else f"{command[0]} ended with {done.returncode}"
