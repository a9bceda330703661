"""`moglow export-model`: a model for programs without Python."""

from pathlib import Path

import click

EXAMPLE = """\b
Examples:
  moglow export-model model.onnx
  moglow export-model small.onnx --weights float16
  moglow export-model mine.onnx --checkpoint runs/first
"""


@click.command(epilog=EXAMPLE)
@click.argument("out", metavar="OUT.onnx", type=click.Path(path_type=Path))
@click.option("--checkpoint", type=click.Path(path_type=Path), help="A trained model, or a run's folder.")
@click.option(
    "--weights",
    type=click.Choice(("float32", "float16", "int8")),
    default="float32",
    show_default=True,
    help="How the weights are stored; float16 is exact for the shipped model.",
)
def command(out: Path, checkpoint: Path | None, weights: str) -> None:
    """Writes one frame of a model as an ONNX graph.

    Inputs are the last poses and controls, the memory, the velocities to come, a label, noise and a temperature;
    outputs are the next pose, the rotations of its joints, and the same state after it. ONNX Runtime runs it in C++, C#,
    Java, Rust and browsers.
    """
    from moglow.checkpoint import Checkpoint
    from moglow.files.atomic import refuse_overwriting
    from moglow.sampling.generate import PRETRAINED
    from moglow.sampling.onnx_graph import write_onnx

    refuse_overwriting(out, [checkpoint])
    write_onnx(Checkpoint.read(checkpoint or PRETRAINED), out, weights=weights)
    click.echo(f"{out}: {out.stat().st_size / 1e6:.1f} MB")
