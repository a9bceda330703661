"""`moglow generate`: a path in, motion out."""

from pathlib import Path

import click

EXAMPLE = """\b
Examples:
  moglow generate --control path.csv -o walk.bvh
  moglow generate --control circle:r=2 -o circle.glb --takes 4 --rank
  moglow generate --control path.csv -o mine.bvh --skeleton my_rig.bvh
"""


@click.command(epilog=EXAMPLE)
@click.option(
    "--control",
    default="figure8",
    show_default=True,
    metavar="FILE|PRESET",
    help="The path: a CSV file (t,x,z[,heading][,style]; x,z; forward,sideways,turn) or a preset such as circle:r=2.",
)
@click.option(
    "-o", "--out", required=True, type=click.Path(path_type=Path), help=".bvh, .glb, .npz or .csv, by suffix."
)
@click.option("--checkpoint", type=click.Path(path_type=Path), help="A trained model, or a run's folder.")
@click.option("--takes", type=click.IntRange(1), default=1, show_default=True, help="How many motions.")
@click.option("--rank", is_flag=True, help="Numbers the takes by quality, the best first.")
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="The same seed, the same motion."
)
@click.option("--temperature", type=click.FloatRange(0, 2), help="0 is the calmest, 1 as varied as the data.")
@click.option("--style", help="A style the model was trained with; moglow info names them.")
@click.option("--fps", type=click.FloatRange(0, min_open=True), help="Frames a second of what is written.")
@click.option("--unit", type=click.Choice(["cm", "m"]), help="Unit of a BVH file.")
@click.option(
    "--skeleton", type=click.Path(path_type=Path), help="Puts the motion on the skeleton of this BVH file."
)
@click.option(
    "--foot-lock/--no-foot-lock", default=True, show_default=True, help="Holds planted feet in place."
)
@click.option("--in-place", is_flag=True, help="Holds the hips above the origin.")
@click.option("--fit", is_flag=True, help="Slows a path down where it is faster than the model has seen.")
@click.option("--strict", is_flag=True, help="Refuses such a path.")
def command(control: str, out: Path, checkpoint: Path | None, rank: bool, **options: object) -> None:
    """Makes motion that follows a path, beside it a .json with its figures.

    Without --control it walks a figure of eight.
    """
    from moglow.cli.takes import make_takes

    for line in make_takes(control, out, checkpoint, rank=rank, **options):  # type: ignore[arg-type]
        click.echo(line)
