"""`moglow play`: steers a walking figure in real time."""

from pathlib import Path

import click

from moglow.cli.options import SEED, Number, Whole
from moglow.cli.terminal import say

EXAMPLE = """\b
Examples:
  moglow play
  moglow play --html play.html
  moglow play --vmc 127.0.0.1:39539
  moglow play --osc-in 9000 --vmc 127.0.0.1:39539
  moglow play --html slow.html --style snu --temperature 0.5
  moglow play --html crowd.html --figures 100
"""


@click.command(epilog=EXAMPLE)
@click.option("--html", type=click.Path(path_type=Path), help="Writes a self-contained page.")
@click.option("--figures", type=Whole(1, 1000), help="The page shows a crowd of that many figures.")
@click.option("--checkpoint", type=click.Path(path_type=Path), help="A trained model, or a run's folder.")
@click.option("--temperature", type=Number(0, 2), help="0 is calmest, 1 as varied as the recordings.")
@click.option("--style", help="A style the model was trained with; moglow info names them.")
@click.option("--performer", help="A performer the model was trained with; moglow info names them.")
@click.option(
    "--seed",
    type=SEED,
    default=0,
    show_default=True,
    help="The same seed and input give the same motion.",
)
@click.option(
    "--vmc",
    metavar="HOST:PORT",
    help="Sends the figure to avatars in other programs by the Virtual Motion Capture protocol.",
)
@click.option(
    "--osc-in",
    metavar="[HOST:]PORT",
    help="Steers by OSC messages that arrive at this port, without a window: /moglow/move forward sideways turn "
    "(-1 to 1, left positive), /moglow/style name, /moglow/temperature number.",
)
def command(
    html: Path | None,
    figures: int | None,
    checkpoint: Path | None,
    temperature: float | None,
    style: str | None,
    performer: str | None,
    seed: int,
    vmc: str | None,
    osc_in: str | None,
) -> None:
    """Opens a figure that you steer, or that follows a path you draw.

    The window takes keys (? lists them), the mouse and, on Linux, a gamepad; R and E save the path and the motion in
    the current folder. The page of --html contains the model and runs in any browser without a network; with --figures
    it shows a crowd that wanders, gathers where you click, and follows the keys. A port without a host is one of this
    machine; --osc-in 0.0.0.0:9000 takes messages from others too.
    """
    if html and (vmc or osc_in):
        raise click.UsageError("a page sends and takes no messages; leave out --html, or --vmc and --osc-in")
    if figures and not html:
        raise click.UsageError("a crowd is shown on a page: give --html crowd.html, or leave out --figures")
    from moglow.checkpoint import Checkpoint
    from moglow.files.atomic import refuse_overwriting
    from moglow.sampling.generate import PRETRAINED, TEMPERATURE

    if html:
        refuse_overwriting(html, [checkpoint])
    file, heat = checkpoint or PRETRAINED, TEMPERATURE if temperature is None else temperature
    model = Checkpoint.read(file).performed_by(performer, seed=seed)
    if html is None:
        from moglow.cli.actions.live import play

        play(model, temperature=heat, style=style, seed=seed, vmc=vmc, osc_in=osc_in, say=say)
        return
    from moglow_viewer.play.crowd_page import write_crowd_page
    from moglow_viewer.play.play_page import write_play_page

    if figures:
        write_crowd_page(model, html, figures=figures, temperature=heat, style=style, seed=seed)
    else:
        write_play_page(model, html, temperature=heat, style=style, seed=seed)
    say(f"{html}: {html.stat().st_size / 1e6:.1f} MB, open it in any browser and walk")
