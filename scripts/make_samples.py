#!/usr/bin/env python
"""Generates procedural motion, with feet that do not slide and exact contacts.

scripts/make_samples.py                             the clips of data/samples and their paths in data/controls
scripts/make_samples.py --out DIR --minutes 10      any amount: strolls, runs, turns, side-steps and stands

Each clip NAME.bvh has its contacts in NAME.contacts.json (first and last frame of every contact of every toe) and its
path in controls/NAME.csv. The same seed gives the same files.
"""

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from moglow.bvh.write import write_bvh
from moglow.paths.control_path import ControlPath
from moglow.paths.csv_files import write_path
from moglow.paths.pace import Pace, follow, round_corners
from moglow.paths.presets import preset
from scripts.procedural.figure import make_rest_clip
from scripts.procedural.gaits import Manner
from scripts.procedural.hound import trot
from scripts.procedural.synthetic_clip import SyntheticClip
from scripts.procedural.walker import walk
from scripts.procedural.wandering import wander

DATA = Path(__file__).resolve().parents[1] / "data"
FPS = 30.0
DECIMALS = 4
"""Decimals of the centimetres and degrees in the files, which keep planted toes in place to a few micrometres."""
CLIP_SECONDS = 30.0
MANNERS = {
    "usual": Manner(),
    "brisk": Manner(cadence=1.08, arms=1.35, bounce=1.3, lean=0.04, elbow=0.2),
    "tired": Manner(cadence=0.92, arms=0.55, roll=0.75, lean=0.09, crouch=0.015, sway=1.2, elbow=-0.1),
    "proud": Manner(arms=1.15, lean=-0.05, bounce=1.2, toe_out=0.16, sway=0.7),
    "stealthy": Manner(cadence=0.97, width=1.3, crouch=0.07, lean=0.14, arms=0.6, roll=0.6, elbow=0.5),
}

Mover = Callable[..., SyntheticClip]


@dataclass(frozen=True)
class Sample:
    """A sample: the mover, its path and its seed."""

    mover: Mover
    path: ControlPath
    seed: int


def make_committed() -> Iterator[tuple[str, SyntheticClip]]:
    """Yields the clips of data/samples."""
    samples = {
        "walk": Sample(walk, _along([(0, 0), (0, 2.2), (2.0, 4.0)], 1.2), 1),
        "run": Sample(walk, preset("line:speed=3,length=9", FPS), 2),
        "turns": Sample(walk, _along([(0, 0), (0, 1.8), (1.8, 1.8), (1.8, 3.6)], 1.1), 3),
        "spin": Sample(walk, preset("turn:angle=200", FPS), 4),
        "sidestep": Sample(walk, preset("side:length=1.2", FPS), 5),
        "backward": Sample(walk, preset("back:length=2.4", FPS), 6),
        "stop": Sample(walk, preset("line:length=2", FPS).then(preset("line:length=2", FPS)), 7),
        "trot": Sample(trot, _along([(0, 0), (0, 3.2), (2.2, 5.4)], 1.6), 8),
    }
    for name, sample in samples.items():
        yield name, sample.mover(sample.path, generator=np.random.default_rng(sample.seed))


def make_many(minutes: float, seed: int) -> Iterator[tuple[str, SyntheticClip]]:
    """Yields clips of wandering in every manner; each clip depends only on the seed and its number."""
    for number in range(max(1, round(minutes * 60 / CLIP_SECONDS))):
        generator = np.random.default_rng([seed, number])
        path = wander(min(CLIP_SECONDS, minutes * 60), fps=FPS, generator=generator)
        manner = list(MANNERS)[number % len(MANNERS)]
        yield f"{manner}_{number:04d}", walk(path, MANNERS[manner], generator=generator)


def write_sample(name: str, recording: SyntheticClip, samples: Path, controls: Path) -> None:
    """Writes a clip, its contacts and its path."""
    write_bvh(recording.clip, samples / f"{name}.bvh")
    shorten(samples / f"{name}.bvh")
    contacts = {"fps": recording.clip.fps, "frames": len(recording.clip), "contacts": recording.intervals()}
    (samples / f"{name}.contacts.json").write_text(
        json.dumps(contacts) + "\n", encoding="utf-8", newline="\n"
    )
    write_path(recording.path, controls / f"{name}.csv")


def shorten(file: Path) -> None:
    """Rounds all numbers of a motion block to `DECIMALS` decimals."""
    head, mark, motion = file.read_text(encoding="utf-8").partition("Frame Time: ")
    rate, *rows = motion.splitlines()
    short = [" ".join(_short(float(value)) for value in row.split()) for row in rows]
    file.write_text("\n".join([head + mark + rate, *short, ""]), encoding="utf-8", newline="\n")


def _short(value: float) -> str:
    text = f"{value:.{DECIMALS}f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _along(points: list[tuple[float, float]], speed: float) -> ControlPath:
    pace = Pace(speed)
    return follow(round_corners(points, speed / pace.turn)[0], fps=FPS, pace=pace).at_origin()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--out", type=Path, help="the folder to fill; without it, data/samples and data/controls"
    )
    parser.add_argument("--minutes", type=float, default=10.0, help="amount of motion (default: 10)")
    parser.add_argument("--seed", type=int, default=0, help="another seed gives other motion (default: 0)")
    options = parser.parse_args()
    samples = options.out or DATA / "samples"
    controls = samples / "controls" if options.out else DATA / "controls"
    for folder in (samples, controls):
        folder.mkdir(parents=True, exist_ok=True)
    if not options.out:
        write_bvh(make_rest_clip(), samples / "figure.bvh")
        shorten(samples / "figure.bvh")
    recordings = make_many(options.minutes, options.seed) if options.out else make_committed()
    for name, recording in recordings:
        write_sample(name, recording, samples, controls)
        print(f"{samples / name}.bvh: {recording.clip.duration:.1f} s")


if __name__ == "__main__":
    main()
