"""Files of users are read, and options and texts pass, in one place each."""

import ast
from pathlib import Path

import pytest

MOGLOW = Path(__file__).resolve().parents[2] / "moglow"
READING = {".read_text", ".read_bytes", "open", "json.loads", "json.load", "tomllib.loads", "np.load"}
"""Calls that read a file, or a description in it."""
OURS = {
    "blender/scene_job.py": "the folder of a job that this process made",
    "corpus/scratch.py": "files of this command and its workers",
    "corpus/sources.py": "what a child process answers",
    "evaluation/speed.py": "a file of this process, and /proc/cpuinfo",
    "files/compiled.py": "our own source, the library made of it, and /proc/cpuinfo",
    "formats/read.py": "the first bytes of a regular file",
    "formats/usd.py": "a file of this process",
    "takes/sidecars.py": "a regular file of bounded size",
    "training/folder.py": "the first line of a log",
    "workers/remote.py": "our own source",
}
CLICK = {".IntRange", ".FloatRange", "click.echo"}
DOORS = {"options.py", "terminal.py", "failures.py", "completion.py"}


def calls(file: Path) -> set[str]:
    """Returns the functions and methods that a module calls: as ``.echo`` of any object, and as they are spelled."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Call):
            found.add(ast.unparse(node.func))
            if isinstance(node.func, ast.Attribute):
                found.add(f".{node.func.attr}")
    return found


@pytest.mark.parametrize(
    "file", sorted(MOGLOW.rglob("*.py")), ids=lambda file: file.relative_to(MOGLOW).as_posix()
)
def test_input_comes_through_the_door(file: Path) -> None:
    name = file.relative_to(MOGLOW).as_posix()
    if not name.startswith(("files/", "blender/inside/")) and name not in OURS:
        assert not calls(file) & READING, f"{name}: read files by moglow.files.reading and .descriptions"
    if name.startswith("cli/") and file.name not in DOORS:
        assert not calls(file) & CLICK, (
            f"{name}: take options by moglow.cli.options, print by moglow.cli.terminal"
        )


def test_the_exceptions_are_there() -> None:
    assert all(calls(MOGLOW / name) & READING for name in OURS)
