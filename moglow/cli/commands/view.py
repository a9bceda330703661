"""`moglow view`: shows motion in a window, as pictures and films, and on a page for any browser."""

from pathlib import Path

import click

from moglow.cli.options import Number, read_size
from moglow.cli.terminal import say

EXAMPLE = """\b
Examples:
  moglow view walk.bvh
  moglow view take_1.bvh take_2.bvh --control path.csv --real recording.bvh
  moglow view walk.bvh --html walk.html
  moglow view take_1.bvh take_2.bvh --control path.csv --html takes.html
  moglow view walk.bvh --sheet walk.png
  moglow view walk.bvh --record walk.mp4
  moglow view walk.bvh --screenshot walk.png --at 1.5
"""


@click.command(epilog=EXAMPLE)
@click.argument("clips", metavar="CLIP...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--html", type=click.Path(path_type=Path), help="Writes a self-contained page.")
@click.option("--record", type=click.Path(path_type=Path), help="Writes a film: .mp4 or .gif.")
@click.option("--screenshot", type=click.Path(path_type=Path), help="Writes one picture, a .png.")
@click.option("--at", type=Number(0, 1e6), default=0.0, metavar="SECONDS", help="Time of --screenshot.")
@click.option(
    "--sheet",
    type=click.Path(path_type=Path),
    help="Writes one .png of the whole motion: poses, trails, figures.",
)
@click.option(
    "--control", metavar="FILE|PRESET", help="Draws the requested path, in the form that generate reads."
)
@click.option(
    "--real", multiple=True, type=click.Path(path_type=Path), help="A recording, shown in grey with the rest."
)
@click.option(
    "--ground",
    metavar="SHAPE|FILE",
    help="Draws the ground, in the form that generate reads; by default the one that a clip was generated on.",
)
@click.option("--beside", is_flag=True, help="Puts several clips side by side.")
@click.option("--bones", is_flag=True, help="Draws sticks instead of bodies.")
@click.option("--size", metavar="WxH", callback=read_size, help="Pixels of --record and --screenshot.")
def command(
    clips: tuple[Path, ...],
    control: str | None,
    real: tuple[Path, ...],
    ground: str | None,
    beside: bool,
    **options: object,
) -> None:
    """Shows motion in a window, on a page, as a film or a picture.

    Several files play in sync. Footsteps are coloured by foot slide; figures are read from the .json beside each file.
    Without an option that writes a file, a window opens: Space plays, ? lists the keys, and files that change are
    reloaded. Pages, films and pictures need no display.
    """
    from moglow.cli.actions.view import look
    from moglow_viewer.scene.scene import Sources

    for line in look(Sources(clips, control, real, beside, ground), **options):  # type: ignore[arg-type]
        say(line)
