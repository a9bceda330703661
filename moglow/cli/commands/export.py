"""`moglow export`: a motion file in another format, at another rate, place or skeleton."""

from pathlib import Path
from typing import Any

import click

from moglow.cli.options import RATE
from moglow.cli.terminal import say
from moglow.files.numbers import read_whole_number

EXAMPLE = """\b
Examples:
  moglow export walk.bvh walk.glb
  moglow export pack.glb#Walk walk.bvh
  moglow export walk.bvh game.bvh --fps 60 --unit m --in-place
  moglow export walk.bvh mine.bvh --skeleton my_rig.bvh
  moglow export raw.bvh clean.bvh --despike --recorded-at 120
  moglow export walk.bvh run.bvh jump.bvh pack.glb --root-motion
  moglow export long.bvh step.csv --frames 120:180 --at-origin
"""


def read_frames(ctx: click.Context, option: click.Parameter, text: str | None) -> slice:
    """Parses a range of frames in Python's slice syntax: ``10:200``, ``:100``, ``-30:``; all frames by default."""
    try:
        start, stop = (_frame(part) for part in (text or ":").split(":"))
    except ValueError:
        raise click.BadParameter(
            f"{text!r} is no range of frames; write it as 10:200, :100 or -30:"
        ) from None
    return slice(start, stop)


def _frame(text: str) -> int | None:
    """Parses the number of a frame; returns None for an empty text."""
    if not text.strip():
        return None
    number = read_whole_number(text)
    if number is None:
        raise ValueError(text)
    return number


@click.command(epilog=EXAMPLE)
@click.argument("sources", metavar="IN...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.argument("out", metavar="OUT", type=click.Path(path_type=Path))
@click.option(
    "--frames", metavar="A:B", callback=read_frames, help="Keeps frames A to B of IN, B not included."
)
@click.option(
    "--skeleton", type=click.Path(path_type=Path), help="Retargets onto the skeleton of this motion file."
)
@click.option(
    "--map", "source_map", type=click.Path(path_type=Path), help="Names the roles of IN's joints (TOML)."
)
@click.option("--skeleton-map", type=click.Path(path_type=Path), help="The same for --skeleton.")
@click.option("--despike", is_flag=True, help="Mends rotations that jump away and come back within 0.1 s.")
@click.option(
    "--recorded-at",
    type=RATE,
    metavar="FPS",
    help="The true rate of IN, where its frame time is wrong; moglow inspect finds it.",
)
@click.option("--fps", type=RATE, help="Resamples to this many frames a second.")
@click.option("--at-origin", is_flag=True, help="Starts above the origin, facing +Z.")
@click.option("--in-place", is_flag=True, help="Holds the hips above the origin.")
@click.option(
    "--root-motion",
    is_flag=True,
    help="Puts the way over the ground on a root bone above the hips, as game engines expect it.",
)
@click.option("--mirror", is_flag=True, help="Exchanges left and right.")
@click.option(
    "--unit", type=click.Choice(["cm", "m"]), help="Unit of a BVH file; other formats are in metres."
)
@click.option(
    "--verbatim/--portable",
    default=None,
    help="A BVH file as IN spells its skeleton (the default if that can be), or as every program reads it.",
)
def command(sources: tuple[Path, ...], out: Path, **options: Any) -> None:
    """Converts motion files to BVH, GLB, VRMA, USD, NPZ or CSV.

    IN is .bvh, .glb, .gltf, .vrm, .vrma, .fbx, .usd or .amc; pack.glb#Walk names one of several clips. The suffix of
    OUT selects the format: .bvh; .glb, an animated body for Blender, browsers and game engines; .vrma, for VRM avatars;
    .usda, .usdc or .usdz; .npz, arrays for numpy; .csv, the joints' world positions in metres. Several INs become the
    animations of one .glb.
    """
    from moglow.cli.actions.export import convert

    say(convert(sources, out, **options))
