#!/usr/bin/env python3
"""Runs all measurements of speed within ten minutes and writes their tables to docs/speed.md.

.venv/bin/python scripts/benchmarks/speed/run.py
.venv/bin/python scripts/benchmarks/speed/run.py --against earlier.json --parts sampling,bvh
.venv/bin/python scripts/benchmarks/speed/run.py --authors ../StyleGestures

Each part is one of the scripts beside this one, in a process of its own, and one after the other. A part for which no
time is left, or a program is missing, is listed with the reason. Figures of one run may be compared with each other,
and with --against with those of an earlier run on the same machine.
"""

import argparse
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from moglow.evaluation.speed import processor
from scripts.benchmarks.speed.tables import compared, difference, markdown, with_tables

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
RESULTS = HERE / "RESULTS.json"
PAGE = ROOT / "docs" / "speed.md"


@dataclass(frozen=True)
class Part:
    """A script with its options, and the modules and programs without which it cannot run."""

    script: str
    options: str
    modules: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    clock: bool = False
    """Whether it takes --cpu-time."""
    authors: bool = False
    """Whether it takes --authors."""

    def lack(self) -> str | None:
        """Returns what is missing in one line, or None."""
        for module in self.modules:
            if find_spec(module) is None:
                return f"not measured: needs the module {module}"
        for program in self.programs:
            if not (shutil.which(program) or (program == "Xvfb" and os.environ.get("DISPLAY"))):
                return f"not measured: needs the program {program}"
        return None


PARTS = {
    "bvh": Part("bvh_files", "--frames 20000 --joints 21 --runs 3"),
    "generate": Part("generate", "--takes 1,64 --rounds 1"),
    "sampling": Part(
        "sampling",
        "--preset paper --batch 1 --rounds 10 --variants port,numpy,native",
        modules=("torch",),
        clock=True,
        authors=True,
    ),
    "sampling-64": Part(
        "sampling",
        "--preset paper --batch 64 --rounds 2 --variants port,numpy,torch",
        modules=("torch",),
        clock=True,
        authors=True,
    ),
    "training": Part(
        "training",
        "--preset compact --batch 32 --frames 40 --threads 1 --rounds 4 "
        "--variants port,plain,plain+heap,plain+heap+bf16,compiled+heap,compiled+heap+bf16",
        modules=("torch",),
        clock=True,
    ),
    "window": Part("window", "--play --rounds 1 --seconds 5", modules=("pyvista",), programs=("Xvfb",)),
    "page": Part(
        "page", "--figures 1,25,100 --seconds 5", modules=("selenium",), programs=("chromium", "chromedriver")
    ),
}


def machine() -> dict[str, Any]:
    """Returns a description of this machine."""
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        memory = 0
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "memory GB": round(memory / 1e9),
        "Python": platform.python_version(),
        "numpy": _version("numpy"),
        "torch": _version("torch"),
    }


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "none"


def measured(name: str, given: argparse.Namespace, seconds: float) -> dict[str, Any]:
    """Returns the figures of a part, or the reason for which it has none."""
    part = PARTS[name]
    if missing := part.lack():
        return {"missing": missing}
    if seconds < 10:
        return {"missing": "not measured: no time was left"}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "part.json"
        command = [
            sys.executable,
            str(HERE / f"{part.script}.py"),
            *part.options.split(),
            "--json",
            str(file),
        ]
        command += ["--cpu-time"] if part.clock and given.cpu_time else []
        command += ["--authors", str(given.authors)] if part.authors and given.authors else []
        paths = os.pathsep.join([str(ROOT), str(ROOT / "viewer"), os.environ.get("PYTHONPATH", "")])
        with _display("Xvfb" in part.programs) as display:
            ended = _ended(command, {**os.environ, **display, "PYTHONPATH": paths}, seconds)
        if ended is not None:
            return {"missing": f"not measured: {ended}"}
        return dict(json.loads(file.read_text("utf-8")))


def _ended(command: Sequence[str], environment: Mapping[str, str], seconds: float) -> str | None:
    """Runs a command; returns None, or the reason for which it did not end well."""
    # Its workers are in its group, so that they end with it.
    with subprocess.Popen(
        command, env=dict(environment), text=True, stderr=subprocess.PIPE, start_new_session=True
    ) as running:
        try:
            _, said = running.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(running.pid, signal.SIGKILL)
            return f"took more than {seconds:.0f} s"
        except KeyboardInterrupt:
            os.killpg(running.pid, signal.SIGKILL)
            raise
    lines = said.strip().splitlines() or ["no message"]
    return None if running.returncode == 0 else lines[-1]


class _display:
    """A virtual display for a part, unless there is a display or the part needs none."""

    def __init__(self, needed: bool) -> None:
        self.needed = needed and not os.environ.get("DISPLAY")
        self.server: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> dict[str, str]:
        if not self.needed:
            return {}
        read, written = os.pipe()
        command = ["Xvfb", "-displayfd", str(written), "-screen", "0", "1280x800x24", "-nolisten", "tcp"]
        self.server = subprocess.Popen([*command, "-noreset"], pass_fds=[written], stderr=subprocess.DEVNULL)
        os.close(written)
        with os.fdopen(read) as number:
            return {"DISPLAY": f":{number.readline().strip()}"}

    def __exit__(self, *_: object) -> None:
        if self.server:
            self.server.terminate()
            self.server.wait()


def earlier(path: Path, here: Mapping[str, Any]) -> dict[str, Any]:
    """Returns earlier results of this machine; ends with one line for others."""
    try:
        found = dict(json.loads(path.read_text("utf-8")))
        apart = difference(found["machine"], here)
        found["parts"].items()
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        sys.exit(f"{path}: expected the results of this script, found none ({error!r}); give a RESULTS.json")
    if apart:
        sys.exit(
            f"{path}: results of another machine ({apart}); times of different machines are not compared"
        )
    return found


def chosen(text: str) -> list[str]:
    """Returns the named parts, in the order of all; ends with one line for an unknown name."""
    names = [name.strip() for name in text.split(",")]
    if unknown := [name for name in names if name not in PARTS]:
        sys.exit(f"--parts: there is no part {unknown[0]!r}; give some of {', '.join(PARTS)}")
    return [name for name in PARTS if name in names]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--parts", help=f"some of {', '.join(PARTS)}, separated by commas (default: all)")
    parser.add_argument("--minutes", type=float, default=10.0, help="the most that all parts take")
    parser.add_argument("--results", type=Path, default=RESULTS, help="the file of the figures")
    parser.add_argument("--page", type=Path, default=PAGE, help="the page whose tables are written")
    parser.add_argument("--against", type=Path, help="results of an earlier run of this machine")
    parser.add_argument("--authors", type=Path, help="a checkout of the authors' code, timed beside ours")
    parser.add_argument("--cpu-time", action="store_true", help="processor seconds, on a busy machine")
    given = parser.parse_args()
    here, names = machine(), chosen(given.parts) if given.parts else list(PARTS)
    before = earlier(given.against, here) if given.against else None
    print(", ".join(f"{key} {value}" for key, value in here.items()), flush=True)
    start, load = time.monotonic(), os.getloadavg()[0]
    parts = {}
    for number, name in enumerate(names):
        left = 60 * given.minutes - (time.monotonic() - start)
        most = left * min(1.0, 2.0 / (len(names) - number))  # so that something remains for the others
        print(f"\n{name} ({number + 1} of {len(names)}, {left:.0f} s left)", flush=True)
        parts[name] = measured(name, given, most)
        print(parts[name].get("missing") or "\n".join(markdown(parts[name]["rows"])), flush=True)
    minutes = (time.monotonic() - start) / 60
    results = {
        "machine": here,
        "load": [round(load, 1), round(os.getloadavg()[0], 1)],
        "minutes": round(minutes, 1),
        "parts": parts,
    }
    if before:
        print(
            "\npart         row                      figure                  before       now   now ÷ before"
        )
        print("\n".join(compared(before, results)))
    given.results.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    if set(names) == set(PARTS):
        given.page.write_text(with_tables(given.page.read_text("utf-8"), results), "utf-8")
        print(f"\n{given.results}, {given.page}: written")
    else:
        print(f"\n{given.results}: written; the page is written after a run of all parts")


if __name__ == "__main__":
    main()
