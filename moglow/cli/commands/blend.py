"""`moglow blend`: generates the transition from one motion file to another."""

from pathlib import Path
from typing import Any

import click

from moglow.cli.edit_options import edit_options
from moglow.cli.options import Number
from moglow.cli.terminal import say

EXAMPLE = """\b
Examples:
  moglow blend a.bvh b.bvh --at 4.0 -o ab.bvh
  moglow blend a.bvh b.bvh --at 4.0 --seconds 0.6 -o ab.bvh --takes 4
"""


@click.command(epilog=EXAMPLE)
@click.argument("first", type=click.Path(path_type=Path))
@click.argument("second", type=click.Path(path_type=Path))
@click.option(
    "--at",
    type=Number(0, 1e6, above=True),
    required=True,
    help="Second of FIRST at which SECOND begins.",
)
@click.option(
    "--seconds",
    type=Number(0, 1e6, above=True),
    default=1.0,
    show_default=True,
    help="Duration of the sampled motion between them.",
)
@edit_options(out_required=True)
def command(first: Path, second: Path, out: Path, **options: Any) -> None:
    """Joins the motion files FIRST and SECOND with a transition.

    FIRST plays up to --at, where SECOND begins. The motion between them is sampled from the model, on a path that turns
    from that of FIRST to that of SECOND. SECOND is moved to the end of that path, and put on the skeleton of FIRST if
    it has another one. Several takes are numbered by their scores, the best first.
    """
    from moglow.takes.edit_files import write_blend

    for line in write_blend(first, second, out, **options):
        say(line)
