"""`moglow play`: a figure that walks under your hands."""

from pathlib import Path

import click

from moglow.cli.options import SEED, Number
from moglow.cli.terminal import say

EXAMPLE = """\b
Examples:
  moglow play
  moglow play --html play.html
  moglow play --html slow.html --style snu --temperature 0.5
"""


@click.command(epilog=EXAMPLE)
@click.option("--html", type=click.Path(path_type=Path), help="Writes a self-contained page.")
@click.option("--checkpoint", type=click.Path(path_type=Path), help="A trained model, or a run's folder.")
@click.option("--temperature", type=Number(0, 2), help="0 is calmest, 1 as varied as the recordings.")
@click.option("--style", help="A style the model was trained with; moglow info names them.")
@click.option(
    "--seed",
    type=SEED,
    default=0,
    show_default=True,
    help="The same seed and input give the same motion.",
)
def command(
    html: Path | None, checkpoint: Path | None, temperature: float | None, style: str | None, seed: int
) -> None:
    """Opens a figure that you steer, or that follows a path you draw.

    The window takes keys (? lists them), the mouse and, on Linux, a gamepad; R and E save the path and the motion in
    the current folder. The page of --html contains the model and runs in any browser without a network.
    """
    from moglow.checkpoint import Checkpoint
    from moglow.sampling.generate import PRETRAINED, TEMPERATURE
    from moglow_viewer.play.play_page import write_play_page

    file, heat = checkpoint or PRETRAINED, TEMPERATURE if temperature is None else temperature
    model = Checkpoint.read(file)
    if html is None:
        from moglow_viewer.play.live import Walker
        from moglow_viewer.play.play_window import PlayWindow

        PlayWindow(
            model, Walker.of(model, temperature=heat, style=style, seed=seed), folder=Path.cwd()
        ).open()
        return
    write_play_page(model, html, temperature=heat, style=style, seed=seed)
    say(f"{html}: {html.stat().st_size / 1e6:.1f} MB, open it in any browser and walk")
