"""`moglow cycles`: loops and transitions for the animation of game characters."""

from pathlib import Path

import click

from moglow.cli.options import RATE, SEED, Number
from moglow.cli.terminal import say

EXAMPLE = """\b
Written files, each once with root motion and once in place (in_place/):
  idle
  walk, jog, run, back, back_jog, strafe_left, strafe_right, strafe_jog_left, strafe_jog_right
  turn_left_90, turn_right_90, turn_left_180, turn_right_180
  walk_start_left, walk_start_right, walk_stop_left, walk_stop_right; the same of jog and run

\b
Cycles begin as the left foot comes down. cycles.json lists speeds, contacts in seconds, when each
foot comes down, and the motions and frames that each start, stop or turn connects. Motions that
the model cannot make are left out, with a line each.

\b
Examples:
  moglow cycles -o set/
  moglow cycles -o set/ --format glb --speed walk=1.2 --speed run=3.5
  moglow cycles -o set/ --skeleton my_rig.bvh --fps 60
"""


@click.command(epilog=EXAMPLE)
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), help="The folder to write.")
@click.option("--format", "suffix", default="bvh", show_default=True, help="bvh, glb, npz or csv.")
@click.option("--checkpoint", type=click.Path(path_type=Path), help="A trained model, or a run's folder.")
@click.option(
    "--speed", "speeds", multiple=True, metavar="GAIT=M/S", help="Another speed of a gait. May be repeated."
)
@click.option("--seed", type=SEED, default=0, show_default=True, help="The same seed gives the same set.")
@click.option("--temperature", type=Number(0, 2), help="0 is calmest, 1 as varied as the recordings.")
@click.option("--style", help="A style the model was trained with; moglow info names them.")
@click.option("--performer", help="A performer of the model, or any; moglow info names them.")
@click.option("--fps", type=RATE, help="Frames a second of the written files.")
@click.option("--unit", type=click.Choice(["cm", "m"]), help="Unit of BVH files.")
@click.option(
    "--skeleton", type=click.Path(path_type=Path), help="Puts the motion on the skeleton of this BVH file."
)
@click.option("--overwrite", is_flag=True, help="Writes into a folder that holds other motion files.")
def command(
    out: Path,
    suffix: str,
    checkpoint: Path | None,
    speeds: tuple[str, ...],
    seed: int,
    temperature: float | None,
    style: str | None,
    performer: str | None,
    fps: float | None,
    unit: str | None,
    skeleton: Path | None,
    overwrite: bool,
) -> None:
    """Makes a set of cycles: idle, gaits, turns, starts and stops.

    They fit together: the last frame of each motion is the first of the one that follows it, in pose and in speed.
    """
    from moglow.checkpoint import Checkpoint
    from moglow.sampling.generate import PRETRAINED, TEMPERATURE
    from moglow.sampling.sampler import Sampler
    from moglow.takes.cycle_files import speeds_of, write_set
    from moglow.takes.single import read_rig

    wanted = speeds_of(speeds)
    model = Checkpoint.read(checkpoint or PRETRAINED)
    sampler = Sampler.of(model, temperature=TEMPERATURE if temperature is None else temperature)
    lines = write_set(
        out,
        sampler,
        model,
        suffix=f".{suffix.lower().lstrip('.')}",
        rig=read_rig(skeleton) if skeleton else None,
        fps=fps,
        unit=unit,
        seed=seed,
        speeds=wanted,
        style=style,
        performer=model.context.cast(performer, seed, 0),
        overwrite=overwrite,
        inputs=(skeleton, checkpoint),
    )
    for line in lines:
        say(line)
