#!/usr/bin/env python
"""Measures pins, reaches and in-betweens on held-out recordings, and writes the page about them.

scripts/benchmarks/directing/run.py --data ../shared/data/locomotion --pins 100 --gaps 20 --out docs/directing.md

Pins: a recording is cut; the motion goes on along the recording's own path, and a pose or a point of the recording half
a second to two seconds later is to be met. The same seed without a pin is made too. In-betweens: frames of a recording
are left out and made anew, beside interpolation and `moglow.sampling.infill`.
"""

import argparse
import csv
import os
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

import moglow
from moglow.checkpoint import Checkpoint
from moglow.cleaning.damage import interpolated
from moglow.directing.bridge import Bridge
from moglow.directing.joint_groups import joints_named
from moglow.directing.pinned import Directing
from moglow.directing.pins import Pin, Reach
from moglow.errors import MoglowError
from moglow.formats.read import read_motion
from moglow.maths.rotations import Array, quat_continuous, quat_slerp
from moglow.measures.metrics import jerk, toe_slide
from moglow.motion.clip import Clip
from moglow.motion.contacts import toe_points
from moglow.paths.control_path import ControlPath
from moglow.sampling.generate import PRETRAINED, TEMPERATURE
from moglow.sampling.ranking import scores

KINDS = ("whole body", "arms", "reach", "between")
BEFORE, AFTER, SHORTEST = 3.0, 1.2, 7.0
"""Seconds of a recording before a cut and after a pin, and of a recording that is used at least."""
AHEAD = (0.5, 2.0)
FPS = 30.0
"""At which in-betweens are compared, as at 30 frames a second in the protocol of LaFAN1."""
GAPS = (5, 15, 30, 45)
CONTROL = "line:length=10"
HEAD = """# Pins and in-betweens in figures

Made by `scripts/benchmarks/directing/run.py` with the model inside the package, on {cores} of {machine}, from {files}
held-out recordings with open licences. [The guide](guides/direct-it.md) shows the commands.
"""
IN_PINS = """## Pins

The motion goes on from three seconds of a recording along its path; the goal is a pose or a point of the recording 0.5
to 2 s later. *Error*: of the pinned joints, or of the reaching one, the largest of all pins. *Slide* and *jerk*: from
the cut to 0.5 s after the pin, as a share of the same seed without a pin, medians and in brackets the share of the
means. *Between* leads from one whole pose to another and on into the recording.

| goal | pins | error, m | slide, cm/s | without | jerk, m/s³ | without | price, nats | seconds |
|---|---|---|---|---|---|---|---|---|"""
IN_GAPS = """## In-betweens

Frames of a recording at 30 frames a second are made from what is before and after them. *L2P* and *L2Q*: the length of
the difference of all joints' places, as standardised by the recordings' own deviation, and of all joints' rotations in
the world, the mean over frames, as in the protocol of LaFAN1 (Harvey et al., 2020) but on these recordings. *NPSS*:
the normalised power spectrum similarity of the rotations. *Best of 4* is the take with the best score, which knows
nothing of the recording. Jerk in m/s³ and slide in cm/s are of the made frames.

| frames | gaps | method | L2P | L2Q | NPSS | slide | jerk |
|---|---|---|---|---|---|---|---|"""


class Pinning(NamedTuple):
    """One pin: what it missed by, and slide and jerk of the motion with it and without it."""

    error: float
    slide: tuple[float, float]
    jerk: tuple[float, float]
    nats: float
    seconds: float


@dataclass(frozen=True, eq=False)
class Cut:
    """A recording around a cut: ``clip`` and the frames of the cut and of the goal."""

    clip: Clip
    at: int
    goal: int


def recordings(data: Path) -> list[Path]:
    """The held-out recordings with open licences that are long enough."""
    with open(data / "manifest.csv", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "val"]
    return [
        data / row["file"]
        for row in rows
        if row["file"].startswith("open_") and float(row["seconds"]) >= SHORTEST
    ]


def cuts(files: Sequence[Path], count: int, generator: np.random.Generator) -> Iterator[Cut]:
    """Cuts at random moments of recordings, in turn; those in which the figure leaves the floor's plane are kept."""
    clips: dict[Path, Clip] = {}
    for number in range(count):
        file = files[number % len(files)]
        clip = clips.setdefault(file, read_motion(file))
        ahead = generator.uniform(*AHEAD)
        at = round(generator.uniform(BEFORE, clip.duration - AFTER - ahead) * clip.fps)
        first, goal = at - round(BEFORE * clip.fps), at + round(ahead * clip.fps)
        yield Cut(clip[first : goal + round(AFTER * clip.fps)], at - first, goal - first)


def pinned(model: Checkpoint, cut: Cut, kind: str, seed: int) -> Pinning:
    """Continues a recording towards a goal of it, and without the goal."""
    directing, clip, seconds = Directing(model, TEMPERATURE), cut.clip, (cut.goal - cut.at) / cut.clip.fps
    path = ControlPath.from_clip(clip)[cut.at :]
    before = clip[: cut.at + 1]
    start = time.process_time()
    if kind == "between":
        goal = clip[cut.goal :]
        made = Bridge.between(model.context, before, goal, cut.goal - cut.at).make(
            directing, seed=seed, take=0
        )
        prices, motion, end = made.prices, made.clip, len(made.clip) - 1
        missed = motion.world_positions[-1] - goal.world_positions[0]
    else:
        pose = Pin(seconds, clip, cut.goal, () if kind == "whole body" else ("arms",))
        hand = clip.skeleton.anatomy.roles["left_hand"]
        point = clip.world_positions[cut.goal, hand]
        asked = Reach(seconds, "left_hand", (point[0], point[1], point[2])) if kind == "reach" else pose
        done = directing.make(path, [asked], seed=seed, continued=before, rig=clip)
        prices, motion, end = done.prices, done.clip, round(seconds * model.context.fps)
        missed = _missed(motion, end, clip, cut.goal, pose.groups, None if kind != "reach" else (hand, point))
    taken = time.process_time() - start
    free = directing.make(path, [], seed=seed, continued=before, rig=clip).clip
    around = slice(0, end + round(0.5 * motion.fps))
    pair = [each[around] for each in (motion, free)]
    slides = [100 * toe_slide(toe_points(each), each.fps).mean for each in pair]
    jerks = [jerk(each.world_positions, each.fps) for each in (each.resample(FPS) for each in pair)]
    error = float(np.linalg.norm(missed, axis=-1).max())
    nats = max(0.0, prices[0].nats)
    return Pinning(error, (slides[0], slides[1]), (jerks[0], jerks[1]), nats, taken)


def _missed(
    made: Clip, end: int, clip: Clip, goal: int, groups: Sequence[str], point: tuple[int, Array] | None
) -> Array:
    """How far joints are from where the goal has them ``(J, 3)``."""
    if point is not None:
        return np.asarray((made.world_positions[end, point[0]] - point[1])[None])
    joints = list(joints_named(clip.skeleton, groups, place="benchmark"))
    rotations = made.rotations[end].copy()
    joints = [joint for joint in joints if joint]  # the root is turned as the path is
    rotations[joints] = clip.rotations[goal, joints]
    wanted, _ = made.skeleton.forward_kinematics(made.positions[end], rotations)
    return np.asarray(made.world_positions[end] - wanted)


def in_pins(model: Checkpoint, files: Sequence[Path], count: int, seed: int) -> Iterator[str]:
    """A row for each kind of goal."""
    yield IN_PINS
    generator = np.random.default_rng(seed)
    for kind in KINDS:
        rows = []
        for number, cut in enumerate(cuts(files, count // len(KINDS), generator)):
            try:
                rows.append(pinned(model, cut, kind, number))
            except MoglowError as error:
                print(f"<!-- {kind} {number}: {error} -->", flush=True)
        slides, jerks = np.array([row.slide for row in rows]), np.array([row.jerk for row in rows])
        slide, moved = slides.mean(0), jerks.mean(0)
        yield (
            f"| {kind} | {len(rows)} | {max(row.error for row in rows):.1e} | {slide[0]:.2f} "
            f"({slide[0] / slide[1]:.2f} ×) | {slide[1]:.2f} | {moved[0]:.0f} ({moved[0] / moved[1]:.2f} ×) | "
            f"{moved[1]:.0f} | {np.median([row.nats for row in rows]):.0f} | "
            f"{np.mean([row.seconds for row in rows]):.2f} |"
        )


def in_seconds(model: Checkpoint) -> Iterator[str]:
    """How long ten seconds with five pins take."""
    poses = moglow.generate("line:length=8", seed=1, checkpoint=model).clip
    pins = [
        Pin(time, poses, frame) for time, frame in ((1.5, 60), (3.1, 100), (4.8, 150), (6.4, 190), (8.2, 220))
    ]
    start, wall = time.process_time(), time.monotonic()
    made = moglow.generate(CONTROL, seed=2, checkpoint=model, pins=pins)
    spent, wall = time.process_time() - start, time.monotonic() - wall
    yield (
        f"\nTen seconds of a walk with five pins ({made.clip.duration:.1f} s) take {spent:.1f} s of processor time on "
        f"one core, here {wall:.1f} s with what else ran on the machine.\n"
    )


Method = Callable[[Clip, int, int], Sequence[Clip]]


def slerped(clip: Clip, start: int, stop: int) -> Sequence[Clip]:
    """Places on a line, rotations on the sphere."""
    share = (np.arange(start, stop) - start + 1) / (stop - start + 1)
    positions, rotations = clip.positions.copy(), quat_continuous(clip.rotations).copy()
    ends = positions[[start - 1, stop]]
    positions[start:stop] = ends[0] + share[:, None, None] * (ends[1] - ends[0])
    for k, each in enumerate(share):
        rotations[start + k] = quat_slerp(
            rotations[start - 1], rotations[stop], np.full(len(clip.skeleton), each)
        )
    return [replace(clip, positions=positions, rotations=rotations)]


def curved(clip: Clip, start: int, stop: int) -> Sequence[Clip]:
    """The curves of `moglow clean` without a model."""
    missing = np.zeros((len(clip), len(clip.skeleton)), bool)
    missing[start:stop] = True
    return [interpolated(clip, missing)]


def infilled(model: Checkpoint) -> Method:
    """`moglow.sampling.infill`."""
    import torch

    from moglow.sampling.infill import Infill

    fill = Infill.of(model, generator=torch.Generator().manual_seed(0))

    def method(clip: Clip, start: int, stop: int) -> Sequence[Clip]:
        missing = np.zeros((len(clip), len(clip.skeleton)), bool)
        missing[start:stop] = True
        return [fill(clip, missing)]

    return method


def bridged(model: Checkpoint, takes: int) -> Method:
    """`moglow between`: takes on the path that both ends imply, the best first."""
    directing = Directing(model, TEMPERATURE)

    def method(clip: Clip, start: int, stop: int) -> Sequence[Clip]:
        bridge = Bridge.between(model.context, clip[:start], clip[stop:], stop - start + 1)
        made = [bridge.make(directing, seed=0, take=take) for take in range(takes)]
        figures = [each.measured.figures for each in made]
        values = scores(
            [each["path_error_m"]["mean"] for each in figures],
            [each["foot_slide_m_s"]["written"]["mean"] for each in figures],
            [each["log_likelihood_nats"]["mean"] for each in figures],
            channels=model.context.pose_dim,
        )
        return [_filled(clip, made[k].clip, start, stop) for k in np.argsort(values, kind="stable")]

    return method


def _filled(clip: Clip, made: Clip, start: int, stop: int) -> Clip:
    positions, rotations = clip.positions.copy(), clip.rotations.copy()
    positions[start:stop], rotations[start:stop] = made.positions[1:-1], made.rotations[1:-1]
    return replace(clip, positions=positions, rotations=rotations)


def in_gaps(
    model: Checkpoint, files: Sequence[Path], count: int, takes: int, seed: int, *, infill: bool
) -> Iterator[str]:
    """Rows for each length of a gap and each method."""
    yield IN_GAPS
    methods: dict[str, Method] = {"slerp": slerped, "curves": curved}
    if infill:
        methods["infill"] = infilled(model)
    methods[f"between, best of {takes}"] = bridged(model, takes)
    for frames in GAPS:
        generator = np.random.default_rng(seed)
        found: dict[str, list[Array]] = {name: [] for name in (*methods, "recording")}
        for cut in cuts(files, count, generator):
            clip = cut.clip.resample(FPS)
            start = round(cut.at / cut.clip.fps * FPS)
            stop = start + frames
            clip = clip[: stop + round(0.8 * FPS)]
            if stop + 8 > len(clip):
                continue
            for name, method in methods.items():
                try:
                    made = method(clip, start, stop)[0]
                except MoglowError as error:
                    print(f"<!-- {name} {frames}: {error} -->", flush=True)
                    continue
                found[name].append(_compared(made, clip, start, stop))
            found["recording"].append(_compared(clip, clip, start, stop))
        for name, rows in found.items():
            values = np.mean(rows, axis=0)
            numbers = [f"{value:.{digits}f}" for value, digits in zip(values, (2, 2, 2, 1, 0), strict=True)]
            yield f"| {frames} | {len(rows)} | {name} | {' | '.join(numbers)} |"


def _compared(made: Clip, clip: Clip, start: int, stop: int) -> Array:
    """L2P, L2Q, NPSS, slide and jerk of a gap."""
    gap, around = slice(start, stop), slice(max(start - 3, 0), stop + 3)
    deviation = np.maximum(clip.world_positions.std(axis=0), 0.05)
    places = (made.world_positions[gap] - clip.world_positions[gap]) / deviation
    turns = _apart(made.world_rotations[gap], clip.world_rotations[gap])
    frames = len(places)
    return np.array(
        [
            np.linalg.norm(places.reshape(frames, -1), axis=-1).mean(),
            np.linalg.norm(turns.reshape(frames, -1), axis=-1).mean(),
            npss(made.world_rotations[gap], clip.world_rotations[gap]),
            100 * toe_slide(toe_points(made[around]), made.fps).mean,
            jerk(made.world_positions[around], made.fps),
        ]
    )


def _apart(made: Array, wanted: Array) -> Array:
    return np.asarray(np.where((made * wanted).sum(-1, keepdims=True) < 0, -made, made) - wanted)


def npss(made: Array, wanted: Array) -> float:
    """The normalised power spectrum similarity of rotations ``(T, J, 4)`` (Gopalakrishnan et al., 2019); 0 is equal."""
    made = np.where((made * wanted).sum(-1, keepdims=True) < 0, -made, made)
    powers = [np.abs(np.fft.fft(each.reshape(len(each), -1), axis=0)) ** 2 for each in (made, wanted)]
    totals = [power.sum(0) for power in powers]
    shares = [power / np.maximum(total, 1e-12) for power, total in zip(powers, totals, strict=True)]
    away = np.abs(np.cumsum(shares[0], 0) - np.cumsum(shares[1], 0)).sum(0)
    return float((away * totals[1]).sum() / max(totals[1].sum(), 1e-12))


def main() -> None:
    """Prints the page line by line, and writes it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data/locomotion"))
    parser.add_argument("--checkpoint", type=Path, default=PRETRAINED)
    parser.add_argument("--pins", type=int, default=100, help="in all; a quarter of each kind")
    parser.add_argument("--gaps", type=int, default=20, help="of each length")
    parser.add_argument("--takes", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-infill", action="store_true", help="leave out infill, which needs PyTorch")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    model, files = Checkpoint.read(asked.checkpoint), recordings(asked.data)
    cores = f"{os.cpu_count()} cores"
    lines = [HEAD.format(cores=cores, machine=platform.machine(), files=len(files))]
    print(lines[0], flush=True)
    parts = (
        in_seconds(model),
        in_pins(model, files, asked.pins, asked.seed),
        in_gaps(model, files, asked.gaps, asked.takes, asked.seed, infill=not asked.no_infill),
    )
    for line in (line for part in parts for line in part):
        print(line, flush=True)
        lines.append(line)
    if asked.out:
        asked.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
