"""`moglow export-model`: a model for programs without Python."""

from pathlib import Path

import click

from moglow.cli.terminal import say

EXAMPLE = """\b
Examples:
  moglow export-model model.onnx
  moglow export-model mine.onnx --checkpoint runs/first
"""


@click.command(epilog=EXAMPLE)
@click.argument("out", metavar="OUT.onnx", type=click.Path(path_type=Path))
@click.option("--checkpoint", type=click.Path(path_type=Path), help="A trained model, or a run's folder.")
def command(out: Path, checkpoint: Path | None) -> None:
    """Writes one frame of a model as an ONNX graph.

    Inputs are the last poses and controls, the memory, the velocities to come, a label, noise and a temperature;
    outputs are the next pose and the same state after it. ONNX Runtime runs it in C++, C#, Java, Rust and browsers.
    """
    from moglow.checkpoint import Checkpoint
    from moglow.files.atomic import refuse_overwriting
    from moglow.sampling.generate import PRETRAINED
    from moglow.sampling.onnx_graph import write_onnx

    refuse_overwriting(out, [checkpoint])
    write_onnx(Checkpoint.read(checkpoint or PRETRAINED), out)
    say(f"{out}: {out.stat().st_size / 1e6:.1f} MB")
