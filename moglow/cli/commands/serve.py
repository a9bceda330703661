"""`moglow serve`: motion for other programs over HTTP."""

from pathlib import Path

import click

from moglow.cli.options import Number, Whole
from moglow.cli.terminal import say

EXAMPLE = """\b
Examples:
  moglow serve
  moglow serve --port 9000 --checkpoint runs/first
"""


@click.command(epilog=EXAMPLE)
@click.option("--port", type=Whole(1, 65535), default=8000, show_default=True, help="The port to listen at.")
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="The address to listen at; 0.0.0.0 admits other machines.",
)
@click.option("--checkpoint", type=click.Path(path_type=Path), help="A trained model, or a run's folder.")
@click.option("--temperature", type=Number(0, 2), help="0 is calmest, 1 as varied as the recordings.")
@click.option(
    "--workers",
    type=Whole(1, 64),
    default=2,
    show_default=True,
    help="Requests that are computed at once; others wait.",
)
@click.option(
    "--seconds",
    type=Number(1, 600),
    default=60.0,
    show_default=True,
    help="The longest motion of a request.",
)
def command(
    port: int, host: str, checkpoint: Path | None, temperature: float | None, workers: int, seconds: float
) -> None:
    """Serves motion by the Motion Model Context Protocol (MMCP).

    Proscenium for Blender, godot-kimodo and other clients send GET /capabilities and POST /generate: a path over the
    ground (root_path), poses (pose_keyframe), points for joints (effector_target), a style by name in the prompt, any
    humanoid skeleton; the answer is glTF. Stop it with Ctrl-C.
    """
    from moglow.checkpoint import Checkpoint
    from moglow.cli.actions.serve import serve
    from moglow.sampling.generate import PRETRAINED, TEMPERATURE

    model = Checkpoint.read(checkpoint or PRETRAINED)
    heat = TEMPERATURE if temperature is None else temperature
    serve(model, host, port, temperature=heat, workers=workers, seconds=seconds, say=say)
