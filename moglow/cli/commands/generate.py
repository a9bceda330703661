"""`moglow generate`: a path in, motion out."""

import sys
from pathlib import Path
from typing import Any

import click

EXAMPLE = """\b
Examples:
  moglow generate
  moglow generate --control path.csv -o walk.bvh
  moglow generate --control circle:r=2 -o circle.glb --takes 4 --rank
  moglow generate --control line -o cycle.glb --loop --in-place --takes 4 --rank
  moglow generate --control path.csv -o mine.bvh --skeleton my_rig.bvh
  moglow generate --control paths/ -o takes/ --takes 10 --shard 1/4
"""


@click.command(epilog=EXAMPLE)
@click.option(
    "--control",
    "controls",
    multiple=True,
    metavar="FILE|FOLDER|PRESET",
    help="The path: a CSV file (t,x,z[,heading][,style]; x,z; forward,sideways,turn), a folder of them or a preset "
    "such as circle:r=2; may be given again for more paths. A figure of eight if not given.",
)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    help=".bvh, .glb, .npz or .csv, by suffix; for several paths a folder, or a pattern such as 'takes/{}.glb'. "
    "Named after the path if not given.",
)
@click.option("--checkpoint", type=click.Path(path_type=Path), help="A trained model, or a run's folder.")
@click.option("--takes", type=click.IntRange(1), default=1, show_default=True, help="How many motions.")
@click.option("--rank", is_flag=True, help="Numbers the takes by path, feet and likelihood, the best first.")
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
@click.option(
    "--loop",
    is_flag=True,
    help="Closes the motion on itself: its last frame is its first, it may play for ever.",
)
@click.option("--in-place", is_flag=True, help="Holds the hips above the origin.")
@click.option("--fit", is_flag=True, help="Slows a path down where it is faster than the model has seen.")
@click.option("--strict", is_flag=True, help="Refuses such a path.")
@click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    show_default=True,
    help="auto is the CPU, which starts at once; a GPU is for hundreds of motions.",
)
@click.option(
    "--shard", metavar="I/N", help="Makes only part I of N; under torchrun each process takes its own."
)
@click.option("--overwrite", is_flag=True, help="Makes again what is there, with the same settings, already.")
def command(controls: tuple[str, ...], out: Path | None, **options: Any) -> None:
    """Makes motion that follows a path, beside it a .json with its figures.

    Without --control it walks a figure of eight, and without -o into a file named after the path: figure8.bvh.
    Several paths go to a folder, takes/. What is there already, made with the same settings, is not made again, so an
    interrupted batch goes on where it was.
    """
    from moglow.takes.make import Wish, make_takes

    with Passing(sys.stderr.isatty()) as passing:
        for line in make_takes(controls or ("figure8",), out, Wish(**options), passing.passed):
            passing.say(line)


class Passing:
    """A progress bar on a terminal, and nothing elsewhere."""

    def __init__(self, shown: bool) -> None:
        self.bar: Any = None
        if shown:
            from rich.console import Console
            from rich.progress import Progress

            self.bar = Progress(transient=True, console=Console(stderr=True))

    def __enter__(self) -> "Passing":
        if self.bar:
            self.bar.start()
            self.task = self.bar.add_task("generate", total=None)
        return self

    def passed(self, before: int, total: int, frames: int) -> None:
        """Shows how many of all frames are done."""
        if self.bar:
            self.bar.update(self.task, completed=before + frames, total=total)

    def say(self, line: str) -> None:
        """Prints a line, with the bar out of its way."""
        if self.bar:
            self.bar.stop()
        click.echo(line)
        if self.bar:
            self.bar.start()

    def __exit__(self, *_: object) -> None:
        if self.bar:
            self.bar.stop()
