#!/usr/bin/env python3
"""Times `moglow generate` from a cold start to closed BVH files, of one take and of many, beside another checkout.

    scripts/benchmarks/speed/generate.py --takes 1,64 --rounds 3 --against ../moglow-before

Each run is a process of its own; the checkouts take turns. The command prints the machine, then for each number of
takes the best wall-clock and processor seconds, frames a second by both, and the ratios of the checkouts.
"""

import argparse
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from scripts.benchmarks.speed import tables

HERE = Path(__file__).resolve().parents[3]
FPS = 30


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--takes", default="1,64", help="numbers of takes, separated by commas")
    parser.add_argument("--seconds", type=float, default=20.0, help="length of a take")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="writes the figures of this checkout")
    parser.add_argument("--against", type=Path, help="the folder of another checkout, timed in turns")
    given = parser.parse_args()
    trees = [HERE, *([given.against.resolve()] if given.against else [])]
    print(
        f"{processor()}, {os.cpu_count()} cores, Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}"
    )
    rows = {}
    for takes in map(int, given.takes.split(",")):
        frames = takes * round(given.seconds * FPS)
        best = {tree: (float("inf"), float("inf")) for tree in trees}
        for _ in range(given.rounds):
            for tree in trees:
                times = timed(tree, takes, given.seconds)
                best[tree] = min(best[tree][0], times[0]), min(best[tree][1], times[1])
        for tree, (wall, busy) in best.items():
            print(
                f"{takes} takes, {tree.name}: {wall:.2f} s, {frames / wall:,.0f} frames/s; "
                f"{busy:.2f} processor seconds, {frames / busy:,.0f} frames/s"
            )
        wall, busy = best[HERE]
        rows[f"{takes} takes" if takes > 1 else "1 take"] = {
            "s": wall,
            "frames/s": frames / wall,
            "processor s": busy,
            "frames per processor s": frames / busy,
        }
        if len(trees) > 1:
            ours, theirs = best[trees[0]], best[trees[1]]
            clock, work = theirs[0] / ours[0], theirs[1] / ours[1]
            print(f"{takes} takes: {clock:.1f} x by the clock, {work:.1f} x by the processor")
    about = (
        f"`moglow generate`, {given.seconds:g} s a take, feet locked, from a cold start to closed BVH files"
    )
    tables.write(given.json, about, rows)


def timed(tree: Path, takes: int, seconds: float) -> tuple[float, float]:
    """Returns the wall-clock and the processor seconds of one run of a checkout."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "path.csv"
        rows = [f"{k / FPS:.5f},0,{k / FPS:.5f}" for k in range(round(seconds * FPS))]
        path.write_text("\n".join(["t,x,z", *rows]))
        words = ("generate", "--control", str(path), "-o", f"{folder}/out/{{}}.bvh", "--takes", str(takes))
        before, start = busy_seconds(), time.perf_counter()
        run([sys.executable, "-m", "moglow", *words], tree, folder)
        return time.perf_counter() - start, busy_seconds() - before


def run(command: Sequence[str], tree: Path, folder: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # compiled modules are kept, as in an installation
    subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)


def busy_seconds() -> float:
    """Returns the processor seconds of the finished child processes."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()


if __name__ == "__main__":
    main()
