"""`moglow stream`: sends a motion file to other programs in real time."""

from pathlib import Path

import click

from moglow.cli.options import Number
from moglow.cli.terminal import say

EXAMPLE = """\b
Examples:
  moglow stream walk.bvh --vmc 127.0.0.1:39539
  moglow stream cycle.glb --vmc studio:39539 --loop --fps 60
"""


@click.command(epilog=EXAMPLE)
@click.argument("source", metavar="CLIP", type=click.Path(path_type=Path))
@click.option(
    "--vmc",
    metavar="HOST:PORT",
    default="127.0.0.1:39539",
    show_default=True,
    help="Address of a program that receives the Virtual Motion Capture protocol.",
)
@click.option("--loop", is_flag=True, help="Plays the clip again and again, until Ctrl-C.")
@click.option("--fps", type=Number(1, 240), help="Frames a second; those of CLIP if not given.")
@click.option(
    "--map", "map_file", type=click.Path(path_type=Path), help="Names the roles of CLIP's joints (TOML)."
)
def command(source: Path, vmc: str, loop: bool, fps: float | None, map_file: Path | None) -> None:
    """Streams a motion file to avatars in other programs.

    Unity, Unreal, Godot, Blender, VSeeFace and Warudo take the Virtual Motion Capture protocol, most of them at port
    39539: one OSC bundle a frame, with the bones of the VRM humanoid.
    """
    from moglow.anatomy.anatomy import read_map
    from moglow.cli.actions.live import stream

    say(stream(source, vmc, loop=loop, fps=fps, overrides=read_map(map_file) if map_file else {}))
