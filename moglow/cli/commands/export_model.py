"""`moglow export-model`: a model for programs without Python."""

from pathlib import Path

import click

from moglow.cli.terminal import say

EXAMPLE = """\b
Examples:
  moglow export-model model.onnx
  moglow export-model small.onnx --weights float16
  moglow export-model mine.onnx --checkpoint runs/first
  moglow export-model moglow.js
  moglow export-model model.json
"""


@click.command(epilog=EXAMPLE)
@click.argument("out", metavar="OUT.onnx|OUT.json|OUT.js", type=click.Path(path_type=Path))
@click.option("--checkpoint", type=click.Path(path_type=Path), help="A trained model, or a run's folder.")
@click.option(
    "--weights",
    type=click.Choice(("float32", "float16", "int8")),
    help="How an ONNX file stores the weights, by default as float32; float16 is exact for the shipped model.",
)
def command(out: Path, checkpoint: Path | None, weights: str | None) -> None:
    """Writes a model for engines and browsers, by the suffix of the file.

    .onnx is one frame as a graph: the last poses, velocities and noise go in, the next pose and the rotations of its
    joints come out. ONNX Runtime runs it in C++, C#, Java, Rust and browsers. .js is moglow.js, an ES module with types
    that makes figures walk on a web page; .json holds the weights for it.
    """
    from moglow.checkpoint import Checkpoint
    from moglow.files.atomic import refuse_overwriting
    from moglow.sampling.generate import PRETRAINED

    kind = out.suffix.lower()
    if kind not in {".onnx", ".json", ".js", ".mjs"}:
        raise click.UsageError(f"{out}: a model is written as .onnx, .json or .js; name the file so")
    if weights and kind != ".onnx":
        raise click.UsageError(f"{out}: --weights is for .onnx files; leave it out")
    refuse_overwriting(out, [checkpoint])
    if kind in {".js", ".mjs"}:
        if checkpoint:
            raise click.UsageError(
                f"{out}: the module has no weights; write them with --checkpoint to a .json file"
            )
        from moglow_viewer.module.javascript import write_module

        written = [*write_module(out)]
    else:
        model, written = Checkpoint.read(checkpoint or PRETRAINED), [out]
        if kind == ".json":
            from moglow_viewer.module.weights import write_weights

            write_weights(model, out)
        else:
            from moglow.sampling.onnx_graph import write_onnx

            write_onnx(model, out, weights=weights or "float32")
    for file in written:
        size = file.stat().st_size
        say(f"{file}: {size / 1e6:.1f} MB" if size >= 1e5 else f"{file}: {size / 1e3:.0f} kB")
