"""Command lines with wrong values and files, for all commands, in this process."""

import os
import re
import warnings
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import click
from click.testing import CliRunner, Result

from moglow.cli.main import COMMANDS, cli
from moglow.sampling.generate import PRETRAINED
from scripts.fuzzing.mutations import Random
from scripts.fuzzing.search import Wrong
from scripts.fuzzing.targets import CSV, DATA, FOOTPRINTS, MAP, OBJ, PINS_CSV, PINS_JSON, PNG, SPLITS, sample
from scripts.fuzzing.values import FILES, NUMBERS, ODD, OTHERS, OUTPUTS, TEXTS, USUAL, WRONG

SEPARATOR = "\x1f"
NEVER = {"--help", "--install"}
"""Options that show help, or fetch from the network."""
CODES = (0, 1, 2)
USES = re.compile(r"; see [\w-]+[ \w-]* --help$")


@cache
def files() -> dict[str, bytes]:
    """Returns the files that command lines name."""
    walk = (DATA / "samples" / "walk.bvh").read_bytes()
    model = PRETRAINED.read_bytes()
    from scripts.fuzzing.targets import exported, recipes, shortened

    assert len(sample())
    return {
        "walk.bvh": shortened(walk),
        "rig.bvh": (DATA / "samples" / "figure.bvh").read_bytes(),
        "cut.bvh": walk[:3000],
        "empty.bvh": b"",
        "path.csv": CSV[0].encode(),
        "waypoints.csv": CSV[1].encode(),
        "cut.csv": CSV[0][:-9].encode(),
        "steps.csv": FOOTPRINTS.encode(),
        "pins.csv": PINS_CSV.encode(),
        "pins.json": PINS_JSON.encode(),
        "splits.json": SPLITS.encode(),
        "map.toml": MAP.encode(),
        "recipe.toml": recipes()[0],
        "cut.toml": recipes()[0][:40] + b"[",
        "cut.safetensors": model[:5000],
        "model.safetensors": model,
        "cut.corpus": model[:3000],
        "mesh.obj": OBJ.encode(),
        "map.png": PNG,
        "image.png": b"\x89PNG\r\n",
        "walk.glb": (exported(".glb") or [b""])[0],
        f"{ODD}.bvh": shortened(walk),
        "\udcff.bvh": shortened(walk),
        "walk.fbx": b"Kaydara FBX Binary  \x00",
        "walk.usd": b"PXR-USDC",
        "walk.amc": b":DEGREES\n1\nroot 1 2 3\n",
        "folder/walk.bvh": shortened(walk),
        "folder/cut.bvh": walk[:3000],
        "folder/path.csv": CSV[0].encode(),
    }


class CommandLines:
    """Command lines as a subject; they run in a folder with whole and with broken files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name, content in files().items():
            self._restore(name, content)
        if find_spec("torch"):
            import_module("torch")  # what stops its import half way leaves it broken
        (folder / "emptyfolder").mkdir(exist_ok=True)
        (folder / "loop.bvh").symlink_to("loop.bvh")
        os.mkfifo(folder / "pipe.bvh")
        self.there = set(self._listed())

    def _restore(self, name: str, content: bytes) -> None:
        file = self.folder / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(content)

    def _listed(self) -> Iterator[str]:
        for place, folders, names in os.walk(self.folder):
            for name in (*folders, *names):
                yield os.path.relpath(os.path.join(place, name), self.folder)

    def example(self, random: Random) -> bytes:
        """Returns a command line."""
        name = str(random.choice(list(COMMANDS)))
        words = [name, *self._words(name, random), *WRONG.get(name, ())]
        usual = USUAL.get(name, ())
        if usual and not any(word in words for word in usual[::2]):
            words += usual
        if random.random() < 0.05:
            words.insert(
                int(random.integers(1, len(words) + 1)), str(random.choice(["--nothing", "-x", *TEXTS]))
            )
        return SEPARATOR.join(words).encode("utf-8", "surrogateescape")

    def _words(self, name: str, random: Random) -> Iterator[str]:
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        for parameter in command.params:
            if isinstance(parameter, click.Argument):
                if random.random() < 0.93:
                    yield from (_value(parameter, random) for _ in range(max(1, parameter.nargs)))
            elif isinstance(parameter, click.Option) and not NEVER.intersection(parameter.opts):
                share = 0.85 if parameter.required else 1.6 / max(len(command.params), 4)
                if random.random() < share:
                    flags = [*parameter.opts, *parameter.secondary_opts]
                    yield str(random.choice(flags))
                    if not parameter.is_flag:
                        yield _value(parameter, random)

    def outcome(self, case: bytes) -> str:
        """Runs a command line."""
        words = case.decode("utf-8", "surrogateescape").split(SEPARATOR)
        before = Path.cwd()
        os.chdir(self.folder)
        try:
            with warnings.catch_warnings(record=True) as warned:
                warnings.simplefilter("always")
                result = CliRunner().invoke(cli, words)
            self._check(words, result)
            unexpected = [
                each for each in warned if not issubclass(each.category, DeprecationWarning | ResourceWarning)
            ]
            if unexpected:
                raise Wrong(f"warning: {unexpected[0].message}")
        finally:
            os.chdir(before)
            self._tidy()
        end = result.stderr.splitlines()[-1:] if result.exit_code else []
        return f"{words[0]}: code {result.exit_code}{' usage' if end and USES.search(end[0]) else ''}"

    def _check(self, words: list[str], result: Result) -> None:
        error = result.exception
        if error is not None and not isinstance(error, SystemExit):
            raise Wrong("traceback") from error
        if result.exit_code not in CODES:
            raise Wrong(f"exit code {result.exit_code}")
        if "\x1b" in result.output:
            raise Wrong("an escape sequence reaches the terminal")
        errors = [line for line in result.stderr.splitlines() if not line.startswith("warning: ")]
        if "Traceback" in result.stderr or "Warning:" in result.stderr:
            raise Wrong("a traceback or a warning is printed")
        if result.exit_code and not (errors or result.stdout):
            raise Wrong(f"no word: {words[0]}")
        if result.exit_code and not all(
            line.startswith("error: ") for line in errors
        ):  # of a folder one a file
            raise Wrong(f"no single line: {words[0]}: {errors[0][:60]}")
        if errors and (result.exit_code == 2) != bool(USES.search(errors[-1])):
            raise Wrong(f"code {result.exit_code} for {words[0]}: {errors[-1][:60]}")
        if errors and len(errors[-1]) > 1500:
            raise Wrong(f"a line of {len(errors[-1])} characters: {words[0]}")
        if "--overwrite" not in words:
            for name, content in files().items():
                file = self.folder / name
                if not file.is_file() or file.read_bytes() != content:
                    raise Wrong(f"{words[0]} changed a file that was there")

    def _tidy(self) -> None:
        """Removes what a command wrote, and puts back what it changed."""
        for name in sorted(set(self._listed()) - self.there, reverse=True):
            file = self.folder / name
            file.rmdir() if file.is_dir() and not file.is_symlink() else file.unlink(missing_ok=True)
        for name, content in files().items():
            file = self.folder / name
            if not file.is_file() or file.stat().st_size != len(content) or file.read_bytes() != content:
                self._restore(name, content)

    def smaller(self, case: bytes) -> Iterator[bytes]:
        """Yields command lines with fewer words."""
        words = case.split(SEPARATOR.encode())
        for size in (2, 1):
            for start in range(1, len(words)):
                yield SEPARATOR.encode().join([*words[:start], *words[start + size :]])

    def saved(self, case: bytes) -> tuple[str, bytes]:
        """Returns the words, one a line."""
        return ".args", case.replace(SEPARATOR.encode(), b"\n")


def _value(parameter: click.Parameter, random: Random) -> str:
    def one(values: tuple[str, ...]) -> str:
        return values[random.integers(len(values))]

    name, kind = parameter.name or "", parameter.type
    if name in OTHERS and random.random() < 0.9:
        return one(OTHERS[name])
    choices: list[Callable[[], str]] = [lambda: one(TEXTS)]
    if isinstance(kind, click.Choice):
        choices += [lambda: one(tuple(map(str, kind.choices)))] * 4
    elif isinstance(kind, click.IntRange | click.FloatRange) or kind in (click.INT, click.FLOAT):
        choices += [lambda: one(NUMBERS)] * 9
    elif isinstance(kind, click.Path):
        output = any(part in name for part in ("out", "html", "report", "record", "json_file", "screenshot"))
        choices += [lambda: one(OUTPUTS if output else FILES)] * 9
    return choices[random.integers(len(choices))]()
