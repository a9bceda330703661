#!/usr/bin/env python
"""Measures which damage `moglow clean` finds and how well it mends it, in held-out clips damaged at known frames.

scripts/benchmarks/cleaning/run.py --data ../shared/data/locomotion --results runs/cleaning.jsonl --out docs/cleaning.md

Each line of the results is one damaged clip, or one sound clip; lines that are there already are not measured again.
The tables of the document show how often damage was found, precision and recall of its frames, and the distance of
mended joints from the sound ones.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from moglow.bvh.read import read_bvh
from moglow.checkpoint import Checkpoint
from moglow.cleaning.frozen import Frozen
from moglow.cleaning.gaps import fill_gaps
from moglow.cleaning.injection import KINDS, SHORTEST, DamagedClip, inject
from moglow.cleaning.mend import Mended, mend
from moglow.errors import ClipError
from moglow.maths.rotations import Array
from moglow.maths.signals import Flags
from moglow.motion.clip import Clip
from moglow.sampling.generate import PRETRAINED
from moglow.sampling.infill import Infill
from moglow.scoring.strangeness import find_unlikely
from moglow_viewer.pictures.sheet import write_sheet
from moglow_viewer.scene.scene import Scene
from moglow_viewer.scene.shown_motion import ShownMotion

SAMPLE = Path(__file__).resolve().parents[3] / "data" / "samples" / "walk.bvh"
SETS = ("open_cmu69", "open_snu_walk", "open_cmu_120fps")
SECONDS = 12.0
"""The longest part of a clip that is used, from its beginning."""
NAMES = {"lost": "frozen", "leap": "teleport"}
"""The names that `moglow clean` has for kinds of injected damage, where they differ."""
TITLES = {
    "spike": "spike: a joint turned away for 1 to 3 frames",
    "swap": "swap: both arms or legs exchanged",
    "frozen": "frozen: a limb held still",
    "lost": "lost: the whole figure held still",
    "floor": "floor: a foot below the floor",
    "teleport": "teleport: the body displaced for a while",
    "leap": "leap: the body displaced from a frame on",
    "rate": "rate: a stretch 2 or 3 times too fast or slow",
    "fps": "fps: the whole file 3 or 4 times too fast or slow",
}
RESAMPLES = 2000
"""Resamples from which an interval is computed."""


def held_out(data: Path) -> Iterator[tuple[str, Clip]]:
    """Yields name and clip of the held-out files that are long enough, cut to `SECONDS`."""
    splits = json.loads((data / "splits.json").read_text("utf-8"))
    for name in SETS:
        for file in splits[name]["val"]:
            clip = read_bvh(data / name / file)[: round(SECONDS * 240)]
            clip = clip[: round(SECONDS * clip.fps)]
            if clip.duration >= SHORTEST + 0.05:
                yield f"{name}/{file}", clip


def measure(damaged: DamagedClip, own: Flags, infill: Infill) -> dict[str, Any]:
    """Returns how much of the damage is found, and the distance from the sound clip before and after mending.

    Frames ``own`` ``(T,)`` with damage of the recording itself do not count.
    """
    mended = mend(damaged.clip)
    frozen = any(isinstance(each.damage, Frozen) for each in mended.found)  # only this kind uses the model
    results = {"curve": mended, "model": mend(damaged.clip, fill=infill) if frozen else mended}
    kind = NAMES.get(damaged.kind, damaged.kind)
    flagged, named = np.zeros((2, len(damaged.clip)), bool)
    for each in mended.found:
        frames = slice(each.damage.start, each.damage.stop)
        flagged[frames] = True
        named[frames] |= each.damage.kind == kind
    bad, counted = damaged.frames, ~own if len(own) == len(flagged) else np.ones(len(flagged), bool)
    overlap = float((named & bad).sum() / max((named | (bad & counted)).sum(), 1))
    line = {
        "found": bool(overlap >= 0.5),
        "hits": int((flagged & bad).sum()),
        "misses": int((~flagged & bad).sum()),
        "false": int((flagged & ~bad & counted).sum()),
        "damaged": _error(damaged.clip, damaged, bad),
        "interpolated": _error(_interpolated(damaged), damaged, bad),
    }
    return line | {name: _mended_error(result, damaged) for name, result in results.items()}


def _interpolated(damaged: DamagedClip) -> Clip | None:
    """Returns all joints interpolated over the bad frames, whose place is given; None where this is impossible."""
    try:
        return (
            fill_gaps(damaged.clip, damaged.frames, longest=np.inf)
            if damaged.kind not in ("rate", "fps")
            else None
        )
    except ClipError:
        return None


def _mended_error(result: Mended, damaged: DamagedClip) -> float | None:
    sound = damaged.sound
    if len(result.clip) != len(sound) or abs(result.clip.fps / sound.fps - 1) > 1e-3:
        return None
    bad = damaged.frames if len(damaged.frames) == len(sound) else np.ones(len(sound), bool)
    return _error(result.clip, damaged, bad)


def _error(clip: Clip | None, damaged: DamagedClip, frames: Flags) -> float | None:
    """Returns the mean distance in cm of all joints and tips from those of the sound clip in some frames."""
    if clip is None or len(clip) != len(damaged.sound):
        return None
    away = np.linalg.norm(_points(clip) - _points(damaged.sound), axis=-1)
    return round(100 * float(away[frames].mean()), 4)


def _points(clip: Clip) -> Array:
    return np.concatenate([clip.world_positions, clip.end_positions()], axis=1)


def run(data: Path, results: Path, seeds: Sequence[int]) -> None:
    """Adds the missing lines to the results."""
    results.parent.mkdir(parents=True, exist_ok=True)
    done = {(line["file"], line["kind"], line["seed"]) for line in read(results)}
    infill = Infill.of(Checkpoint.read(PRETRAINED), generator=torch.Generator().manual_seed(0))
    for seed in seeds:
        for number, (file, clip) in enumerate(held_out(data)):
            wanted = [kind for kind in KINDS if (file, kind, seed) not in done]
            if not wanted:
                continue
            sound = mend(clip)
            own = np.zeros(len(clip), bool)
            for each in sound.found:
                own[each.damage.start : each.damage.stop] = True
            if (file, "none", 0) not in done:
                kinds = [each.damage.kind for each in sound.found]
                unlikely = find_unlikely(infill.checkpoint, infill.model, clip)
                _add(
                    results,
                    file=file,
                    kind="none",
                    seed=0,
                    minutes=len(clip) / clip.fps / 60,
                    alarms=kinds,
                    unlikely=len(unlikely),
                )
                done.add((file, "none", 0))
            for kind in wanted:
                try:
                    damaged = inject(
                        clip, kind, generator=np.random.default_rng([seed, list(KINDS).index(kind), number])
                    )
                except ClipError:
                    continue
                fresh = replace(infill, generator=torch.Generator().manual_seed(seed))
                line = measure(damaged, own, fresh)
                _add(results, file=file, kind=kind, seed=seed, **line)


def _add(results: Path, **line: Any) -> None:
    with results.open("a", encoding="utf-8") as out:
        out.write(json.dumps(line) + "\n")


def read(results: Path) -> list[dict[str, Any]]:
    """Returns the lines of the results."""
    return [json.loads(line) for line in results.read_text("utf-8").splitlines()] if results.exists() else []


def table(lines: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yields the lines of the table, with a row for each kind of injected damage."""
    heads = "damage, injected, found, precision, recall, damaged, interpolated, by rules and curves, with the model"
    yield f"| {' | '.join(heads.split(', '))} |"
    yield "|---" * 9 + "|"
    for kind, title in TITLES.items():
        own = [line for line in lines if line["kind"] == kind]
        if not own:
            continue
        hits, misses, false = (sum(line[key] for line in own) for key in ("hits", "misses", "false"))
        cells = [title, str(len(own)), f"{sum(line['found'] for line in own) / len(own):.0%}"]
        cells += [f"{hits / max(hits + false, 1):.2f}", f"{hits / max(hits + misses, 1):.2f}"]
        cells += [_mean(own, key) for key in ("damaged", "interpolated", "curve", "model")]
        yield f"| {' | '.join(cells)} |"


def _mean(lines: Sequence[dict[str, Any]], key: str) -> str:
    """Returns the mean with its interval, and the number of clips whose length was not restored."""
    known = [line for line in lines if line[key] is not None]
    if not known or (key == "damaged" and not any(line[key] for line in known)):
        return "–"
    files = sorted({line["file"] for line in known})
    sums = np.array(
        [[sum(x), len(x)] for x in ([line[key] for line in known if line["file"] == file] for file in files)]
    )
    sampled = np.random.default_rng(0).integers(len(files), size=(RESAMPLES, len(files)))
    means = sums[sampled, 0].sum(1) / sums[sampled, 1].sum(1)
    low, high = np.quantile(means, [0.025, 0.975])
    lost = f", {len(lines) - len(known)} of another length" if len(known) < len(lines) else ""
    return f"{sums[:, 0].sum() / sums[:, 1].sum():.2f} [{low:.2f}, {high:.2f}]{lost}"


def alarms(lines: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yields the lines of the table of damage found in clips as recorded: false alarms, or damage of the recordings."""
    sound = [line for line in lines if line["kind"] == "none"]
    minutes = sum(line["minutes"] for line in sound)
    yield f"| damage | found in {minutes:.1f} minutes as recorded | a minute |"
    yield "|---|---|---|"
    for kind in sorted({alarm for line in sound for alarm in line["alarms"]}):
        count = sum(line["alarms"].count(kind) for line in sound)
        yield f"| {kind} | {count} | {count / minutes:.2f} |"
    unlikely = sum(line["unlikely"] for line in sound)
    yield f"| unlikely (by the model) | {unlikely} | {unlikely / minutes:.2f} |"


def draw(file: Path, picture: Path) -> None:
    """Draws a sheet of a walk whose leg is frozen for 0.6 s: damaged, and mended."""
    clip = read_bvh(file)
    damaged = inject(clip, "frozen", generator=np.random.default_rng(2))
    infill = Infill.of(Checkpoint.read(PRETRAINED), generator=torch.Generator().manual_seed(0))
    bad = np.flatnonzero(damaged.frames)
    shown = slice(int(bad[0]) - 3, int(bad[-1]) + 4)
    takes = [
        replace(damaged.clip[shown], name="before"),
        replace(mend(damaged.clip, fill=infill).clip[shown], name="after"),
    ]
    write_sheet(*(Scene((ShownMotion(take),)) for take in takes), path=picture)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data", type=Path, help="the folder of the open data sets; without it nothing is measured"
    )
    parser.add_argument("--results", type=Path, default=Path("runs/cleaning.jsonl"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1], help="of the damage (default: 0 1)")
    parser.add_argument(
        "--picture", type=Path, help="write a .png of a walk of data/samples, before and after"
    )
    parser.add_argument("--out", type=Path, help="replace the tables of this document")
    options = parser.parse_args()
    if options.data:
        run(options.data, options.results, options.seeds)
    if options.picture:
        draw(SAMPLE, options.picture)
    lines = read(options.results)
    text = "\n".join([*table(lines), "", *alarms(lines)])
    print(text)
    if options.out:
        before, mark, rest = options.out.read_text("utf-8").partition("<!-- figures -->\n")
        after = rest.partition("<!-- end of figures -->")[2]
        options.out.write_text(f"{before}{mark}{text}\n<!-- end of figures -->{after}", "utf-8")


if __name__ == "__main__":
    main()
