#!/usr/bin/env python
"""Measures walks over grounds, motion that follows footprints, and cycles, and writes the page about them.

scripts/benchmarks/ground/run.py --seeds 4 --out docs/ground.md

Grounds: stairs of 10 to 20 cm up and down, slopes up to 15 degrees up and down, rough ground of 8 cm, each with some
seeds, compared with the same seeds on a flat floor; feet are measured at heel, ball and tip. Footprints: those of a
walk are edited and followed, and the footprints of the result are compared with the requested ones. Cycles: evenness of
their speed, and smoothness of their seam.
"""

import argparse
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from moglow.checkpoint import Checkpoint
from moglow.footsteps.following import follow_footprints
from moglow.footsteps.footprints import Footprint, footprints
from moglow.footsteps.soles import feet_of
from moglow.footsteps.standing import stand_on
from moglow.ground.reading import read_ground
from moglow.maths.rotations import Array
from moglow.measures.metrics import bone_stretch, jerk
from moglow.measures.on_ground import OnGround, on_ground
from moglow.motion.clip import Clip
from moglow.motion.clip_stream import joined
from moglow.motion.foot_lock import bent_toes, lock_feet
from moglow.paths.control_path import ControlPath
from moglow.paths.csv_files import read_path
from moglow.paths.laps import laps_around
from moglow.sampling.generate import LOCK, PRETRAINED
from moglow.sampling.loops import Loop, make_loop
from moglow.sampling.on_ground import walk_over
from moglow.sampling.sampler import Sampler, Track

GROUNDS = (
    "flat",
    *(f"stairs:rise={sign * rise},run=0.29,steps=8" for rise in (0.1, 0.15, 0.17, 0.2) for sign in (1, -1)),
    *(f"slope:angle={angle}" for angle in (5, 10, 15, -5, -10, -15)),
    *(f"rough:height=0.08,seed={seed}" for seed in (0, 1)),
)
PATH = "line:length=6"
LOOPS = (
    *(
        (f"line:speed={speed},length={length}", 1)
        for speed, length in ((0.8, 8), (1.3, 8), (2, 14), (2.5, 20))
    ),
    *(("line:speed=1.3,length=8", strides) for strides in (2, 4)),
    *((control, 1) for control in ("back", "side", "side:speed=-0.5")),
    *((control, None) for control in ("circle:r=2", "figure8", "square", "stand")),
)
EDITS: dict[str, Callable[[int, Footprint], Footprint]] = {
    "unchanged": lambda k, each: each,
    "one 15 cm aside": lambda k, each: replace(each, x=each.x + 0.15 * (k == 5)),
    "steps 20 cm wider": lambda k, each: replace(each, x=each.x + 0.1 * (1 - 2 * each.leg)),
    "steps 15 % longer": lambda k, each: replace(each, z=1.15 * each.z),
    "a third slower": lambda k, each: replace(each, on=4 / 3 * each.on, off=4 / 3 * each.off),
    "one 0.1 s later": lambda k, each: replace(each, on=each.on + 0.1 * (k == 5)),
    "toes 17° out": lambda k, each: replace(each, heading=each.heading + 0.3 * (1 - 2 * each.leg)),
    "the whole walk turned by 30°": lambda k, each: _turned(each, np.pi / 6),
}
HEAD = """# Ground, footprints and cycles in figures

Made by `scripts/benchmarks/ground/run.py` with the model inside the package, {seeds} seeds each, on one core of
{machine}. [The guide](guides/ground-and-cycles.md) shows the commands.
"""
ON_GROUND = """## Ground

Six metres straight ahead. *Foothold*: distance of a planted foot's ball from its height over the ground, mean and 95th
percentile over contacts of the worst seed. *Penetration*: depth of heel, ball or tip below the ground, 99th percentile
over frames. *Slide*: of the toe nearest to the ground. *Knee*: flexion, 0° is straight. *Seconds* of processor time.

| ground | foothold, cm | penetration, cm | slide, cm/s | knee | jerk, m/s³ | bones | seconds |
|---|---|---|---|---|---|---|---|"""
IN_PRINTS = """## Footprints

The footprints of a walk are edited and followed; those of the result are compared with the requested ones. Figures are
of the worst seed.

| edit | place, cm | time, frames | heading | jerk to before |
|---|---|---|---|---|"""
IN_LOOPS = """## Cycles

*Evenness*: half the range of the hips' speed, averaged over a step (side-steps: over a stride), relative to the path's
speed. *Seam*: largest acceleration of a joint within two frames of the seam, relative to the largest one elsewhere.
*Apart*: mean distance of the joints in the two frames that are joined. Figures are of the worst seed; *seconds* of
processor time.

| path | strides | length, s | evenness | seam | apart, cm | slide, cm/s | seconds |
|---|---|---|---|---|---|---|---|"""


@dataclass(frozen=True)
class Over:
    """A walk over a ground."""

    figures: OnGround
    jerk: float
    stretch: float
    seconds: float


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--checkpoint", type=Path, default=PRETRAINED)
    words.add_argument("--seeds", type=int, default=4)
    words.add_argument("--out", type=Path)
    given = words.parse_args()
    model = Checkpoint.read(given.checkpoint)
    sampler = Sampler.of(model, temperature=0.7)
    machine = platform.processor() or platform.machine()
    lines = [HEAD.format(seeds=given.seeds, machine=machine)]
    for part in (ground_table, print_table, loop_table):
        for line in part(sampler, model, range(given.seeds)):
            print(line, flush=True)
            lines.append(line)
    if given.out:
        given.out.write_text("\n".join(lines) + "\n", "utf-8")


def ground_table(sampler: Sampler, model: Checkpoint, seeds: Sequence[int]) -> Iterator[str]:
    yield ON_GROUND
    for ground in GROUNDS:
        walks = [over(sampler, model, ground, seed) for seed in seeds]
        figures = [walk.figures for walk in walks]
        knee = min(f.straightest for f in figures), max(f.most_bent for f in figures)
        yield (
            f"| {ground} | {100 * max(f.foothold_mean for f in figures):.1f}, "
            f"{100 * max(f.foothold_p95 for f in figures):.1f} "
            f"| {100 * max(f.penetration for f in figures):.1f} "
            f"| {100 * np.mean([f.slide.mean for f in figures]):.2f} | {knee[0]:.0f}° to {knee[1]:.0f}° "
            f"| {np.mean([walk.jerk for walk in walks]):.0f} "
            f"| {'rigid' if max(walk.stretch for walk in walks) < 1e-9 else 'stretched'} "
            f"| {np.mean([walk.seconds for walk in walks]):.1f} |"
        )
    yield ""


def over(sampler: Sampler, model: Checkpoint, ground: str, seed: int) -> Over:
    surface, began = read_ground(ground), time.process_time()
    way = walk_over(sampler, model, Track(read_path(PATH, fps=sampler.fps), seed), surface)
    stood = stand_on(bent_toes(lock_feet(way.clip, spec=LOCK)), surface)
    seconds = time.process_time() - began
    soles = stood.soles.points(*feet_of(stood.clip))
    figures = on_ground(stood.clip, surface, stood.planted, stood.soles.standing, soles)
    return Over(figures, jerk(stood.clip.world_positions, stood.clip.fps), bone_stretch(stood.clip), seconds)


def print_table(sampler: Sampler, model: Checkpoint, seeds: Sequence[int]) -> Iterator[str]:
    yield IN_PRINTS
    clips = [
        bent_toes(lock_feet(sampler.generate(read_path(PATH, fps=sampler.fps), seed=seed), spec=LOCK))
        for seed in seeds
    ]
    for name, edit in EDITS.items():
        errors, ratios = [], []
        for clip in clips:
            requested = [edit(k, each) for k, each in enumerate(footprints(clip))]
            done = follow_footprints(clip, requested).clip
            errors += [_error(each, footprints(done), clip.fps) for each in requested]
            ratios.append(jerk(done.world_positions, clip.fps) / jerk(clip.world_positions, clip.fps))
        place, late, heading = np.abs(errors).max(0)
        yield f"| {name} | {100 * place:.1f} | {late:.0f} | {np.degrees(heading):.1f}° | {max(ratios):.2f} |"
    yield ""


def _error(requested: Footprint, found: Sequence[Footprint], fps: float) -> tuple[float, float, float]:
    """Returns the difference in metres, frames and radians of the footprint nearest in time from the requested one."""
    own = [each for each in found if each.leg == requested.leg]
    near = min(own, key=lambda each: abs(each.on - requested.on) + abs(each.off - requested.off))
    late = max(abs(near.on - requested.on), abs(near.off - requested.off)) * fps
    away = float(np.hypot(near.x - requested.x, near.z - requested.z))
    return away, round(late, 3), float(near.heading - requested.heading)


def _turned(each: Footprint, angle: float) -> Footprint:
    cosine, sine = np.cos(angle), np.sin(angle)
    x, z = each.x * cosine + each.z * sine, each.z * cosine - each.x * sine
    return replace(each, x=float(x), z=float(z), heading=each.heading + angle)


def loop_table(sampler: Sampler, model: Checkpoint, seeds: Sequence[int]) -> Iterator[str]:
    yield IN_LOOPS
    for control, strides in LOOPS:
        rows = []
        for seed in seeds:
            path, began = read_path(control, fps=sampler.fps), time.process_time()
            loop = make_loop(sampler, model, Track(path, seed), spec=LOCK, strides=strides)
            seconds = time.process_time() - began
            rows.append((loop.path.duration, *_seam(loop), loop.blended, loop.measured.slide.mean, seconds))
        length, even, seam, apart, slide, lasting = np.array(rows).T
        moving = f"{100 * even.max():.1f} %" if control != "stand" else ""
        yield (
            f"| {control} | {strides or ''} | {length.mean():.2f} | {moving} | {seam.max():.2f} "
            f"| {100 * apart.max():.1f} | {100 * slide.max():.1f} | {lasting.mean():.1f} |"
        )
    yield ""


def _seam(loop: Loop) -> tuple[float, float]:
    """Returns the evenness of the speed, and the relative acceleration at the seam."""
    clip, frames = loop.finished(), len(loop.path) - 1
    shown = _again(clip, loop.path, 3)
    forward, left, _ = np.abs(loop.path.velocities()).mean(0)
    stride = frames // loop.strides if loop.strides else min(frames, round(1.15 * clip.fps))
    step = stride // 2 if forward > left else stride  # every second side-step only closes the feet
    requested = laps_around(loop.path, 1, 1).positions[: len(shown)]
    way, path = (
        np.linalg.norm(places[step:] - places[:-step], axis=-1)[frames : 2 * frames]
        for places in (shown.ground_positions(), requested)
    )
    share = way / np.maximum(path, 1e-6)
    even = float(np.ptp(share) / 2)
    change = np.linalg.norm(np.diff(shown.world_positions, 2, axis=0), axis=-1).max(-1)
    seam = change[frames - 2 : frames + 2].max()
    elsewhere = change[frames + 2 : 2 * frames - 2].max()
    return even, float(seam / elsewhere)


def _again(clip: Clip, path: ControlPath, times: int) -> Clip:
    """Returns the loop repeated, each repetition starting at the end of the previous one."""
    laps, turn, end = [], float(path.headings[-1] - path.headings[0]), path.positions[0]
    for lap in range(times):
        way: Array = path.moved(heading=turn * lap).positions
        x, z = end - way[0]
        laps.append(clip[:-1].moved(heading=turn * lap).moved((x, 0.0, z)))
        end = end + way[-1] - way[0]
    return joined(laps)


if __name__ == "__main__":
    main()
