"""`moglow blender`: motion as a scene in Blender."""

from pathlib import Path

import click

from moglow.cli.options import read_size
from moglow.cli.terminal import say

EXAMPLE = """\b
Examples:
  moglow blender walk.bvh walk.blend
  moglow blender walk.bvh walk.blend --control path.csv --render walk.mp4
  moglow blender walk.bvh hero_walk.fbx --character hero.fbx
  moglow blender --install
"""


def install(ctx: click.Context, option: click.Parameter, value: bool) -> None:
    """Installs bpy and exits; the option is eager, so that the arguments are not required."""
    if value and not ctx.resilient_parsing:
        from moglow.blender.program import install_bpy

        say(f"{install_bpy().program}: has bpy")
        ctx.exit()


@click.command(epilog=EXAMPLE)
@click.argument("source", metavar="IN", type=click.Path(path_type=Path))
@click.argument("out", metavar="OUT", type=click.Path(path_type=Path))
@click.option(
    "--control", metavar="FILE|PRESET", help="Draws the requested path; by default the path walked."
)
@click.option(
    "--character",
    type=click.Path(path_type=Path),
    help="Puts the motion on the armature in this .blend, .fbx or .glb file.",
)
@click.option(
    "--body/--no-body", default=True, show_default=True, help="Gives the figure a body of capsules."
)
@click.option("--loop", is_flag=True, help="Repeats the motion, each time from where the last one ended.")
@click.option("--render", type=click.Path(path_type=Path), help="Renders a film, .mp4, or a still, .png.")
@click.option(
    "--size",
    callback=read_size,
    default="960x540",
    show_default=True,
    metavar="WxH",
    help="Of the film, in pixels.",
)
@click.option(
    "--blender",
    type=click.Path(path_type=Path),
    help="Blender, or a Python that has bpy; else MOGLOW_BPY_PYTHON, an installed one, or that of --install.",
)
@click.option(
    "--install", is_flag=True, is_eager=True, expose_value=False, callback=install,
    help="Fetches bpy (about 400 MB) into an environment of its own, and ends.",
)  # fmt: skip
def command(source: Path, out: Path, render: Path | None, control: str | None, **options: object) -> None:
    """Builds a Blender scene from the motion file IN.

    OUT is a .blend, or a .fbx or .glb of the figure alone. A scene has the armature and its action, named after IN,
    at IN's rate, a body, the path, a floor of square metres and a camera that follows the figure.
    """
    from moglow.cli.actions.blender import make_scene

    for line in make_scene(source, out, render, control, **options):  # type: ignore[arg-type]
        say(line)
