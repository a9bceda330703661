"""`moglow generate`: generates motion along a path."""

import sys
from pathlib import Path
from typing import Any

import click

from moglow.cli.options import RATE, SEED, Number, Whole, scheduler_option
from moglow.cli.terminal import make_progress, say

EXAMPLE = """\b
Columns of a path file, named by its first row:
  t,x,z[,heading][,style]           a position at a time: seconds, metres, degrees
  x,z[,heading][,style]             waypoints in metres, walked at a comfortable pace
  forward,sideways,turn[,style]     one row a frame: m/s, m/s, degrees/s
A column id besides names the figure of each row: a crowd.

\b
Conventions: Y is up. Heading 0 looks along +Z, heading 90 along +X, which is to the left.
Sideways and turn are positive to the left. A style holds until a row names another one.

\b
Examples:
  moglow generate
  moglow generate --control path.csv -o walk.bvh
  moglow generate --control circle:r=2 -o circle.glb --takes 4 --rank
  moglow generate --control line -o cycle.glb --loop --in-place --takes 4 --rank
  moglow generate --control path.csv -o mine.bvh --skeleton my_rig.bvh
  moglow generate --control line -o stairs.bvh --ground stairs:rise=0.17,run=0.29,steps=8
  moglow generate --control line -o walk.bvh --footprints steps.csv
  moglow generate --control line -o moved.bvh --footprints-in steps.csv
  moglow generate --control path.csv -o hero.glb --skeleton hero.fbx --root-motion
  moglow generate --control path.csv --pin 3.0=pose.bvh@17 --pin 4.2=crouch.bvh@0:arms -o out.bvh
  moglow generate --control line --reach 2.5=left_hand:0.4,1.3,2 --look 0-4=1,1.6,3 -o out.bvh
  moglow generate --control line --continue clip.bvh -o on.bvh
  moglow generate --control paths/ -o takes/ --takes 10 --shard 1/4
  moglow generate --control paths/ -o takes/ --takes 10 --scheduler local:8
  moglow generate --control crowd.csv -o crowd/
  moglow generate --control crowd.csv -o crowd.glb
  moglow generate --control crowd.csv -o crowd.usda
"""


MOST_TAKES = 100_000


class Generate(click.Command):
    """The command; its error for a positional argument names the option for a path."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        extra = super().parse_args(ctx, args)
        if extra and not ctx.resilient_parsing:
            ctx.fail(f"{extra[0]} stands alone; give a path as --control {extra[0]}, a file to write as -o")
        return extra


@click.command(cls=Generate, epilog=EXAMPLE, context_settings={"allow_extra_args": True})
@click.option(
    "--control",
    "controls",
    multiple=True,
    metavar="FILE|FOLDER|PRESET",
    help="The path: a CSV file (t,x,z[,heading][,style]; x,z; forward,sideways,turn), a folder of them or a preset "
    "such as circle:r=2. May be repeated for more paths. Default: a figure of eight.",
)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    help="The file to write: .bvh, .glb, .usda, .npz or .csv. For several paths a folder, or a pattern such as "
    "'takes/{}.glb'; .glb and .usda also hold a whole crowd. Default: named after the path.",
)
@click.option("--checkpoint", type=click.Path(path_type=Path), help="A trained model, or a run's folder.")
@click.option(
    "--takes",
    type=Whole(1, MOST_TAKES),
    default=1,
    show_default=True,
    help="Number of motions for each path.",
)
@click.option(
    "--rank",
    is_flag=True,
    help="Numbers the takes from best to worst, by path error, foot slide and likelihood.",
)
@click.option(
    "--seed",
    type=SEED,
    default=0,
    show_default=True,
    help="The same seed gives the same motion.",
)
@click.option("--temperature", type=Number(0, 2), help="0 is calmest, 1 as varied as the recordings.")
@click.option("--style", help="A style the model was trained with; moglow info names them.")
@click.option(
    "--performer",
    help="A performer the model was trained with, or any: another one for each take. moglow info names them.",
)
@click.option("--fps", type=RATE, help="Frames a second of the written file.")
@click.option("--unit", type=click.Choice(["cm", "m"]), help="Unit of a BVH file.")
@click.option(
    "--pin",
    multiple=True,
    metavar="TIME=FILE@FRAME[:JOINTS]",
    help="Puts the figure into the pose of a frame of a motion file at a time: 3.0=pose.bvh@17, or some of its joints: "
    "4.2=crouch.bvh@0:arms. The pose is placed on the path; with :world the figure stands where the file has it.",
)
@click.option(
    "--reach",
    multiple=True,
    metavar="TIME=JOINT:X,Y,Z",
    help="Puts a joint at a point of the world at a time: 2.5=left_hand:0.4,1.3,1.0, in metres.",
)
@click.option(
    "--look",
    multiple=True,
    metavar="START-STOP=X,Y,Z",
    help="Turns head and upper spine towards a point of the world during an interval: 0-4=1,1.6,3.",
)
@click.option(
    "--pins",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Reads pins, reaches and looks from a CSV or JSON file; the guide 'Direct it' describes its columns.",
)
@click.option("--start", metavar="FILE@FRAME", help="The pose of the first frame.")
@click.option("--end", metavar="FILE@FRAME", help="The pose of the last frame.")
@click.option(
    "--continue",
    "continued",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Continues the motion of a file on its skeleton, along the path moved to its end. With --ground the file must "
    "end on the ground.",
)
@click.option(
    "--skeleton", type=click.Path(path_type=Path), help="Puts the motion on the skeleton of this motion file."
)
@click.option(
    "--foot-lock/--no-foot-lock", default=True, show_default=True, help="Holds planted feet in place."
)
@click.option(
    "--loop",
    is_flag=True,
    help="Makes the last frame equal to the first, so that the motion can repeat.",
)
@click.option(
    "--strides",
    type=click.Choice(["1", "2", "4"]),
    callback=lambda _context, _option, text: text and int(text),
    help="With --loop: a cycle of so many strides, of a path walked at one velocity.",
)
@click.option(
    "--in-place", is_flag=True, help="Holds the hips above the origin; a loop is seen from its path."
)
@click.option(
    "--ground",
    metavar="SHAPE|FILE",
    help="The ground: stairs:rise=0.17,run=0.29,steps=8, slope:angle=10, rough:height=0.08, a height "
    "map (map.png:size=10,high=1) or a mesh (.obj, .glb).",
)
@click.option(
    "--footprints",
    type=click.Path(path_type=Path),
    help="Writes when and where each foot stands: t_on,t_off,foot,x,z,heading,height.",
)
@click.option(
    "--footprints-in",
    type=click.Path(path_type=Path),
    help="Makes the feet stand on the footprints of this file. Without --control they determine the path. With pins: a "
    "footprint up to 25 cm or 0.2 s off the foot of a pose is moved to it; beyond, an error names both.",
)
@click.option(
    "--root-motion",
    is_flag=True,
    help="Puts the way over the ground on a root bone above the hips, as game engines expect it.",
)
@click.option("--mirror", is_flag=True, help="Writes the mirror image, left and right exchanged.")
@click.option(
    "--as-asked",
    is_flag=True,
    help="Follows a path at its own speed. Without it, a path is slowed down where it is faster than the model can go.",
)
@click.option(
    "--strict", is_flag=True, help="Fails on a path that is faster or slower than the model can go."
)
@click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    show_default=True,
    help="auto is the CPU, which starts at once; a GPU is faster for hundreds of motions.",
)
@click.option(
    "--shard", metavar="I/N", help="Makes part I of N only; under torchrun each process makes its own part."
)
@scheduler_option("Makes the motions")
@click.option(
    "--overwrite",
    is_flag=True,
    help="Makes files again that exist with the same settings, and replaces files that moglow did not make.",
)
def command(controls: tuple[str, ...], out: Path | None, **options: Any) -> None:
    """Generates motion that follows a path.

    A sidecar beside each file, walk.bvh.json beside walk.bvh, records the settings, path error, foot slide and
    likelihood. Without --control and -o the command writes figure8.bvh. Several paths are written to the folder takes/.
    Files that exist with the same settings are not made again, so an interrupted batch can be restarted.
    """
    if options["strides"] and not options["loop"]:
        raise click.UsageError("--strides needs --loop")
    from moglow.compute.memory import keep_freed_memory
    from moglow.takes.directions import Directions
    from moglow.takes.footwork import Footwork
    from moglow.takes.make import make_takes
    from moglow.takes.orders import Wish

    follow = options.pop("footprints_in")
    footwork = Footwork(options.pop("ground"), follow, options.pop("footprints"))
    controls = controls or ((str(follow),) if follow else ("figure8",))
    words = ("pin", "reach", "look", "pins", "start", "end", "continued")
    directions = Directions.of_options(**{word: options.pop(word) for word in words})
    wish = Wish(**options, footwork=footwork, directions=directions)

    keep_freed_memory()  # arrays of some hundred kilobytes are allocated for each frame
    with Passing(sys.stderr.isatty()) as passing:
        for line in make_takes(controls, out, wish, passing.passed):
            passing.say(line)


class Passing:
    """A progress bar if standard error is a terminal, else nothing."""

    def __init__(self, shown: bool) -> None:
        self.bar: Any = None
        if shown:
            self.bar = make_progress(transient=True)

    def __enter__(self) -> "Passing":
        if self.bar:
            self.bar.start()
            self.task = self.bar.add_task("generate", total=None)
        return self

    def passed(self, before: int, total: int, frames: int) -> None:
        """Updates the number of frames done and of all frames."""
        if self.bar:
            self.bar.update(self.task, completed=before + frames, total=total)

    def say(self, line: str) -> None:
        """Prints a line while the bar is hidden."""
        if self.bar:
            self.bar.stop()
        say(line)
        if self.bar:
            self.bar.start()

    def __exit__(self, *_: object) -> None:
        if self.bar:
            self.bar.stop()
