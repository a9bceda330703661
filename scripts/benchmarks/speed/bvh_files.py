#!/usr/bin/env python3
"""Times reading and writing a long motion file; reports the best of several runs, which other programs disturb least.

.venv/bin/python scripts/benchmarks/speed/bvh_files.py --frames 20000 --joints 21
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from moglow.bvh.read import read_bvh
from moglow.bvh.write import write_bvh
from moglow.maths.rotations import expmap_to_quat
from moglow.motion.clip import Clip
from moglow.motion.skeleton import Skeleton
from scripts.benchmarks.speed import tables


def tumble(frames: int, joints: int) -> Clip:
    """Returns a clip of a chain of joints with smooth random rotations and a wandering root."""
    random = np.random.default_rng(0)
    names = tuple(f"Joint{j}" for j in range(joints))
    tip = ((joints - 1, (0.0, 0.1, 0.0)),)
    skeleton = Skeleton(names, tuple(range(-1, joints - 1)), np.tile([0.0, 0.1, 0.0], (joints, 1)), tip)
    positions = np.tile(skeleton.offsets, (frames, 1, 1))
    positions[:, 0] += np.cumsum(random.normal(0, 0.01, (frames, 3)), axis=0)
    rotations = expmap_to_quat(np.cumsum(random.normal(0, 0.02, (frames, joints, 3)), axis=0))
    return Clip(skeleton, positions, rotations, fps=60.0)


def best(work: Callable[[], object], runs: int) -> float:
    """Returns the shortest time of several calls of ``work``, in seconds."""
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=20000)
    parser.add_argument("--joints", type=int, default=21)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--json", type=Path, help="writes the figures")
    arguments = parser.parse_args()
    clip = tumble(arguments.frames, arguments.joints)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "tumble.bvh")
        write = best(lambda: write_bvh(clip, path, verbatim=False), arguments.runs)
        read = best(lambda: read_bvh(path), arguments.runs)
        verbatim = read_bvh(path)
        again = best(lambda: write_bvh(verbatim, path), arguments.runs)
        size = path.stat().st_size / 1e6
    about = f"{arguments.frames} frames of {3 * arguments.joints + 3} channels, {size:.1f} MB, {arguments.runs} runs"
    times = {"read": read, "write, portable": write, "write, verbatim": again}
    tables.write(
        arguments.json,
        about,
        {name: {"s": seconds, "frames/s": arguments.frames / seconds} for name, seconds in times.items()},
    )
    print(f"{arguments.frames} frames of {3 * arguments.joints + 3} channels, {size:.1f} MB")
    print(f"read {read:.3f} s, write portable {write:.3f} s, write verbatim {again:.3f} s")


if __name__ == "__main__":
    main()
