"""The page docs/directing.md, made from the results of `run.py`."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from scripts.benchmarks.directing.gaps import GAPS, means
from scripts.benchmarks.directing.pinning import KINDS

HOPS = 40.0
"""Slide in cm/s of a recording above which it has hops or other flights with low feet."""
STILL = 0.1
"""Slide in cm/s below which no ratio to it is computed."""
Row = dict[str, Any]
HEAD = """# Pins and in-betweens in figures

`scripts/benchmarks/directing/run.py` made these figures with the model inside the package. The recordings are the
held-out ones of the wide open corpus on the model's figure, at 30 frames a second; {files} of them occur below.
[The guide](guides/direct-it.md) shows the commands. The columns *pins* and *gaps* have the sizes of the samples;
means over fewer than twenty are rough.
"""
PINS = """## Pins

A recording is cut, and the motion continues on the recording's own path. The goal is a pose, the arms of a pose, or a
point for the left hand, taken from the recording {low:.1f} to {high:.1f} s after the cut. *Between* leads from one
whole pose to another. *Error* is that of the farthest joint over all pins. *Slide* and *jerk* are means from the cut to
0.5 s after the pin, and their ratio to the same seed without a pin. Slide is the horizontal speed of the lower toe,
also of a figure in the air; *recorded* is that of the recording in the same frames. *Price* is the median of what a
pin costs in nats more than usual, at least 0.

| goal | pins | error, m | slide, cm/s | without | ratio | recorded | jerk, m/s³ | without | ratio | price | CPU s |
|---|---|---|---|---|---|---|---|---|---|---|---|"""
GAPS_HEAD = """## In-betweens

Frames of a recording are removed and made from the frames before and after them. L2P, L2Q and NPSS are as in the
protocol of LaFAN1 (Harvey et al., 2020), but on these recordings: positions are divided by their standard deviation
over the recordings, so that only comparisons within the table are meaningful. Smaller is better, except that slide
(cm/s) and jerk (m/s³) should be those of the recording.

| frames | gaps | method | L2P | L2Q | NPSS | slide | jerk |
|---|---|---|---|---|---|---|---|"""


def read(results: Path) -> list[Row]:
    """Returns the rows of a file of results; none if there is no file."""
    return [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []


def written(results: Path) -> str:
    """Returns the page in Markdown."""
    rows = [row for row in read(results) if "error_message" not in row]
    files = {row["key"]["recording"] for row in rows if "recording" in row["key"]}
    lines = [HEAD.format(files=len(files))]
    for part in (_pins(rows), _apart(_of(rows, "apart")), _time(_of(rows, "time")), _gaps(_of(rows, "gaps"))):
        lines += part
    return "\n".join(lines) + "\n"


def _of(rows: Sequence[Row], stage: str) -> list[Row]:
    return [row for row in rows if row["key"]["stage"] == stage]


def _pins(rows: Sequence[Row]) -> Iterator[str]:
    pins = _of(rows, "pins")
    if not pins:
        return
    ahead = [row["ahead"] for row in pins]
    yield PINS.format(low=min(ahead), high=max(ahead))
    kinds = [(kind, [row for row in pins if row["key"]["kind"] == kind]) for kind in KINDS]
    recorded = {_place(row): row["slide"] for row in _of(rows, "recorded")}
    for kind, own in [*kinds, ("all", pins)]:
        if own:
            yield _pin_line(kind, own, recorded)
    yield ""
    hops = [row for row in pins if recorded.get(_place(row), 0.0) > HOPS]
    rest = [row for row in pins if row not in hops]
    if hops and rest:
        with_pins, without = np.mean([row["slide"] for row in rest], axis=0)
        yield (
            f"In {len(hops)} of the recordings the lower toe moves by more than {HOPS:.0f} cm/s there, as in hops. "
            f"The slide of the other {len(rest)} is {with_pins:.2f} cm/s with pins and {without:.2f} without, ratio "
            f"{with_pins / without:.2f}.\n"
        )


def _place(row: Row) -> tuple[str, int]:
    return row["key"]["kind"], row["key"]["number"]


def _pin_line(kind: str, rows: Sequence[Row], recorded: dict[tuple[str, int], float]) -> str:
    slide, jerk = (np.mean([row[name] for row in rows], axis=0) for name in ("slide", "jerk"))
    nats = np.median([row["nats"] for row in rows])
    seconds = np.mean([row["seconds"] for row in rows])
    ratio = f"{slide[0] / slide[1]:.2f}" if slide[1] > STILL else "–"
    known = [recorded[_place(row)] for row in rows if _place(row) in recorded]
    own = f"{np.mean(known):.2f}" if len(known) == len(rows) else "–"
    return (
        f"| {kind} | {len(rows)} | {max(row['error'] for row in rows):.1e} | {slide[0]:.2f} | {slide[1]:.2f} | "
        f"{ratio} | {own} | {jerk[0]:.0f} | {jerk[1]:.0f} | {jerk[0] / jerk[1]:.2f} | {nats:.0f} | "
        f"{seconds:.1f} |"
    )


def _apart(rows: Sequence[Row]) -> Iterator[str]:
    if not rows:
        return
    areas = {name: np.array([row[name] for row in rows]) for name in ("with", "without")}
    difference = areas["with"] - areas["without"]
    yield (
        f"A small net distinguishes one second around a pin from the recording (as in [the evaluation](evaluation.md), "
        f"{rows[0]['windows']} windows, {len(rows)} trainings, each tested on another third of the pins): area under "
        f"the curve {areas['with'].mean():.2f} with pins and {areas['without'].mean():.2f} without, difference "
        f"{difference.mean():+.2f} ± {difference.std(ddof=1) / np.sqrt(len(rows)):.2f}.\n"
    )


def _time(rows: Sequence[Row]) -> Iterator[str]:
    if not rows:
        return
    spent = [row["seconds"] for row in rows]
    yield (
        f"{rows[0]['duration']:.1f} s of a walk with five pins take {min(spent):.1f} s of processor time "
        f"({rows[0]['processor']}, one thread, the best of {len(rows)}).\n"
    )


def _gaps(rows: Sequence[Row]) -> Iterator[str]:
    if not rows:
        return
    yield GAPS_HEAD
    names = list(dict.fromkeys(row["key"]["method"] for row in rows))
    for frames in GAPS:
        own = [row for row in rows if row["key"]["frames"] == frames]
        made = [{row["key"]["number"] for row in own if row["key"]["method"] == name} for name in names]
        both = set.intersection(*made)
        for name in names:
            found = [row for row in own if row["key"]["method"] == name and row["key"]["number"] in both]
            if found:
                mean = means(found)
                yield (
                    f"| {frames} | {len(found)} | {name} | {mean['l2p']:.2f} | {mean['l2q']:.2f} | "
                    f"{mean['npss']:.2f} | {mean['slide']:.1f} | {mean['jerk']:.0f} |"
                )
