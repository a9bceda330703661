#!/usr/bin/env python3
"""Times the windows of `moglow view` and `moglow play` on the current display.

.venv/bin/python scripts/benchmarks/speed/window.py --takes 2 --joints 31
xvfb-run .venv/bin/python scripts/benchmarks/speed/window.py --play --against ../other-checkout

The number of updates a second depends on the other load of the machine. The cost of an update does not: it is measured
in milliseconds of processor time on all threads, in total and for drawing alone; draw/s is the number of drawings that
one processor can make in a second. With --against, windows of two checkouts take turns; compare figures of one run.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median, quantiles
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
SAMPLES = ("walk", "turns", "spin", "sidestep")
WARM = 10  # updates before the clock starts, in which shaders are compiled


def halved(clip: Any, joints: int) -> Any:
    """Returns the same motion of a figure with more joints, by cutting its first bones in two."""
    from dataclasses import replace

    import numpy as np

    skeleton, parts = clip.skeleton, max(0, joints - len(clip.skeleton))
    names: list[str] = []
    parents: list[int] = []
    source: list[int] = []  # the joint whose half, or whole, each one is
    place: dict[int, int] = {-1: -1}
    cut = set(range(1, len(skeleton))[:parts])
    for joint, (name, parent) in enumerate(zip(skeleton.names, skeleton.parents, strict=True)):
        for half in ("Half", "") if joint in cut else ("",):
            names.append(name + half)
            parents.append(place[parent] if half or joint not in cut else len(names) - 2)
            source.append(joint)
        place[joint] = len(names) - 1
    share = np.array([0.5 if joint in cut else 1.0 for joint in source])[:, None]
    turned = clip.rotations[:, source].copy()
    turned[:, [k for k, name in enumerate(names) if name.endswith("Half")]] = [1.0, 0.0, 0.0, 0.0]
    ends = tuple((place[joint], tip) for joint, tip in skeleton.end_sites)
    longer = replace(
        skeleton,
        names=tuple(names),
        parents=tuple(parents),
        offsets=skeleton.offsets[source] * share,
        end_sites=ends,
        layout=None,
    )
    return replace(clip, skeleton=longer, positions=clip.positions[:, source] * share, rotations=turned)


def clips(arguments: argparse.Namespace, folder: Path) -> list[Path]:
    """Returns the files to play: those of the command line, or the samples with the requested number of joints."""
    if arguments.clips:
        return [clip.resolve() for clip in arguments.clips]
    from moglow.bvh.read import read_bvh
    from moglow.bvh.write import write_bvh

    files = []
    for name in SAMPLES[: arguments.takes]:
        files.append(folder / f"{name}.bvh")
        write_bvh(halved(read_bvh(ROOT / "data/samples" / f"{name}.bvh"), arguments.joints), files[-1])
    return files


def watched(window: Any, seconds: float) -> dict[str, Any]:
    """Opens a window, lets it play, closes it, and returns the cost of its updates."""
    wall: list[float] = []
    cpu_of_drawing: list[float] = []
    since: dict[str, float] = {}
    tick, draw = window.tick, window.draw

    def timed_draw(*words: Any) -> None:
        start, cpu = time.perf_counter(), time.process_time()
        draw(*words)
        wall.append(1e3 * (time.perf_counter() - start))
        cpu_of_drawing.append(1e3 * (time.process_time() - cpu))

    def timed_tick(*words: Any) -> None:
        tick(*words)
        now = time.perf_counter()
        if not since and window.drawn >= WARM:
            since.update(wall=now, cpu=time.process_time(), drawn=window.drawn)
            wall.clear()
            cpu_of_drawing.clear()
        if since and now - since["wall"] > seconds:
            since.setdefault("cpu_end", time.process_time())
            since.setdefault("wall_end", now)
            window.plotter.iren.interactor.TerminateApp()

    steps: list[float] = []
    if hasattr(window, "walker"):
        window.walker = Timed(window.walker, steps)
    window.tick, window.draw = timed_tick, timed_draw
    window.open()
    updates = len(wall)
    return {
        "updates": updates / (since["wall_end"] - since["wall"]),
        "cpu": 1e3 * (since["cpu_end"] - since["cpu"]) / updates,
        "draw": median(cpu_of_drawing),
        "p50": median(wall),
        "p95": quantiles(wall, n=20)[-1],
    } | ({"step": median(steps)} if steps else {})


class Timed:
    """A walker whose steps are timed, in milliseconds."""

    def __init__(self, walker: Any, times: list[float]) -> None:
        self.walker, self.times = walker, times

    def __getattr__(self, name: str) -> Any:
        return getattr(self.walker, name)

    def step(self, *given: Any) -> Any:
        start = time.perf_counter()
        live = self.walker.step(*given)
        self.times.append(1e3 * (time.perf_counter() - start))
        return live


def work(arguments: argparse.Namespace) -> None:
    """Runs as a worker: opens one window and writes its figures."""
    if arguments.play:
        from moglow.checkpoint import Checkpoint
        from moglow.sampling.generate import PRETRAINED
        from moglow_viewer.play.live import Hands, Walker
        from moglow_viewer.play.play_window import PlayWindow

        checkpoint = Checkpoint.read(PRETRAINED)
        walker = Walker.of(checkpoint, temperature=0.7, style=None, seed=0)
        window: Any = PlayWindow(checkpoint, walker, folder=Path.cwd())
        window.hands = Hands(frozenset({"W", "LEFT"}))
        window.plotter.window_size = arguments.size
        joints = [len(checkpoint.context.encoding.skeleton)]
    else:
        from moglow_viewer.scene.scene import Sources
        from moglow_viewer.window.window import ViewWindow

        window = ViewWindow(Sources(tuple(arguments.clips), arguments.control), size=arguments.size)
        joints = [len(motion.clip.skeleton) for motion in window.scene.motions]
    figures: dict[str, Any] = {"joints": joints, "size": list(window.plotter.window_size)}
    window.plotter.show(interactive_update=True, auto_close=False)
    found = re.search(r"renderer string: *(.*)", window.plotter.ren_win.ReportCapabilities())
    figures["renderer"] = found.group(1) if found else "unknown"
    print(json.dumps(figures | watched(window, arguments.seconds)))


def run(arguments: argparse.Namespace, tree: Path, files: list[Path]) -> dict[str, Any]:
    """Returns the figures of a window of one checkout."""
    paths = os.pathsep.join([str(tree), str(tree / "viewer")])
    command = [
        sys.executable,
        __file__,
        "--worker",
        "--seconds",
        str(arguments.seconds),
        "--size",
        *map(str, arguments.size),
    ]
    command += ["--play"] if arguments.play else [*map(str, files)]
    command += ["--control", arguments.control] if arguments.control else []
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(done.stderr.strip().splitlines()[-1])
    return dict(json.loads(done.stdout.splitlines()[-1]))


def compare(arguments: argparse.Namespace) -> None:
    from moglow.evaluation.speed import machine
    from scripts.benchmarks.speed import tables

    trees = {"this": ROOT} | ({"against": arguments.against.resolve()} if arguments.against else {})
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in trees}
    with tempfile.TemporaryDirectory() as folder:
        files = [] if arguments.play else clips(arguments, Path(folder))
        for _ in range(arguments.rounds):
            for name, tree in trees.items():
                rows[name].append(run(arguments, tree, files))
    first = rows["this"][0]
    width, height = first["size"]
    print(machine())
    print(
        f"{'play' if arguments.play else 'view'}, {width}×{height}, joints {first['joints']}, {first['renderer']}"
    )
    print(f"{'':8} {'updates/s':>9} {'cpu ms':>7} {'drawing':>7} {'draw/s':>7} {'ms p50':>7} {'p95':>6}")
    for name, row in rows.items():
        updates, cpu, drawing, p50, p95 = (
            median(each[key] for each in row) for key in ("updates", "cpu", "draw", "p50", "p95")
        )
        print(f"{name:8} {updates:9.1f} {cpu:7.2f} {drawing:7.2f} {1e3 / drawing:7.1f} {p50:7.2f} {p95:6.2f}")
    middle = {
        key: median(each[key] for each in rows["this"])
        for key in ("updates", "cpu", "draw", "p50", "p95", "step")
        if key in first
    }
    labels = {
        "updates": "pictures/s",
        "p50": "ms a picture",
        "p95": "95 %, ms",
        "draw": "processor ms a picture",
    }
    labels |= {"cpu": "processor ms, all threads", "step": "ms a frame of the model"}
    name = "`moglow play`, a frame of the model 30 times a second" if arguments.play else "`moglow view`"
    about = f"{name}, {width}×{height}, {first['renderer']}"
    tables.write(
        arguments.json, about, {"window": {labels[key]: middle[key] for key in labels if key in middle}}
    )
    print(f"load average {os.getloadavg()[0]:.1f}; the figures are medians of {arguments.rounds} rounds")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clips", nargs="*", type=Path, help="files to play instead of the samples")
    parser.add_argument("--control", help="the requested path, as in moglow view")
    parser.add_argument("--takes", type=int, choices=range(1, 5), default=1)
    parser.add_argument("--joints", type=int, default=31)
    parser.add_argument("--play", action="store_true", help="the window of moglow play, walking in a circle")
    parser.add_argument("--size", nargs=2, type=int, default=(960, 640), metavar=("W", "H"))
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--against", type=Path, metavar="CHECKOUT", help="another checkout, which takes turns"
    )
    parser.add_argument("--json", type=Path, help="writes the figures of this checkout")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    (work if arguments.worker else compare)(arguments)


if __name__ == "__main__":
    main()
