"""`moglow redo`: generates some frames of a motion file again."""

from pathlib import Path
from typing import Any

import click

from moglow.cli.edit_options import edit_options
from moglow.cli.terminal import say

EXAMPLE = """\b
Examples:
  moglow redo take.bvh --frames 90:150 -o other.bvh
  moglow redo take.bvh --frames 90:150 --joints arms --takes 4 -o other.bvh
"""


@click.command(epilog=EXAMPLE)
@click.argument("take", type=click.Path(path_type=Path))
@click.option(
    "--frames",
    required=True,
    metavar="START:STOP",
    help="The frames to replace, counted from 0; STOP is the first one that is kept.",
)
@click.option(
    "--joints",
    multiple=True,
    metavar="NAMES",
    help="Replaces only these joints: arms, left_arm, legs, spine, head, or names of joints, separated by commas.",
)
@edit_options(out_required=False)
def command(take: Path, frames: str, joints: tuple[str, ...], out: Path | None, **options: Any) -> None:
    """Replaces a stretch of the motion file TAKE by new motion, on its own path.

    A BVH file keeps every line outside of the stretch, and every number of other joints, to the byte. Pose and velocity
    are continuous at both ends of the stretch. Several takes are numbered by their scores, the best first. Without -o
    they are written beside TAKE, as TAKE_redo.
    """
    if not take.name:
        raise click.UsageError(f"{take}: is a folder; name a motion file")
    from moglow.takes.edit_files import write_redo

    names = [name.strip() for each in joints for name in each.split(",")]
    target = out or take.with_stem(f"{take.stem}_redo")
    for line in write_redo(take, frames, target, joints=names, **options):
        say(line)
