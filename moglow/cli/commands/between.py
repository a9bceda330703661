"""`moglow between`: fills the gap between two motion files."""

from pathlib import Path
from typing import Any

import click

from moglow.cli.edit_options import edit_options
from moglow.cli.options import Number
from moglow.cli.terminal import say

EXAMPLE = """\b
Examples:
  moglow between a.bvh b.bvh --seconds 1.2 -o ab.bvh
  moglow between a.bvh b.bvh --seconds 1.2 -o ab.bvh --takes 4
  moglow between a.bvh b.bvh --seconds 1 --move -o ab.bvh
"""


@click.command(epilog=EXAMPLE)
@click.argument("first", type=click.Path(path_type=Path))
@click.argument("second", type=click.Path(path_type=Path))
@click.option(
    "--seconds",
    type=Number(0, 1e6, above=True),
    required=True,
    help="Time from the last frame of FIRST to the first frame of SECOND.",
)
@click.option(
    "--move", is_flag=True, help="Moves SECOND to where FIRST leads, rather than leaving it in place."
)
@edit_options(out_required=True)
def command(first: Path, second: Path, out: Path, **options: Any) -> None:
    """Fills the gap between the motion files FIRST and SECOND.

    Writes one motion: FIRST, the new frames, SECOND. The figure follows the path that both ends imply, in the given
    time. Both ends are exact in pose and continuous in velocity. SECOND is put on the skeleton of FIRST if it has
    another one. Several takes are numbered by their scores, the best first.
    """
    from moglow.takes.edit_files import write_between

    for line in write_between(first, second, out, **options):
        say(line)
