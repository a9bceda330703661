"""`moglow classify`: the style of motion and its probability."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from moglow.cli.terminal import make_console, say, tracked

if TYPE_CHECKING:
    from rich.table import Table

    from moglow.scoring.classifier import StyleProbabilities

EXAMPLE = """\b
Examples:
  moglow classify clips/ --checkpoint runs/styles
  moglow classify walk.bvh run.bvh
  moglow classify clips/ --checkpoint runs/styles --json > styles.json
"""


@click.command(epilog=EXAMPLE)
@click.argument("clips", metavar="CLIP|FOLDER...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--checkpoint", type=click.Path(path_type=Path), help="A model trained with styles, or a run's folder."
)
@click.option("--json", "as_json", is_flag=True, help="Prints a JSON list.")
def command(clips: tuple[Path, ...], checkpoint: Path | None, as_json: bool) -> None:
    """Finds the most likely style of each motion file.

    Works with any model that has styles and a likelihood: the result is the style under which the motion is likeliest,
    with probabilities. Clips of another skeleton are first retargeted to the model's. The exit code is 1 if a file
    cannot be used; the other files are still shown.
    """
    from moglow.checkpoint import Checkpoint
    from moglow.cleaning.inspect import motion_files
    from moglow.errors import MoglowError
    from moglow.formats.read import read_motion
    from moglow.sampling.generate import PRETRAINED
    from moglow.scoring.classifier import Classifier

    files = [file for source in clips for file in motion_files(source)]
    classifier = Classifier.of(Checkpoint.read(checkpoint or PRETRAINED))
    found: list[StyleProbabilities] = []
    errors: dict[str, str] = {}
    quiet = as_json or len(files) < 2
    for file in tracked(files, "classify", quiet=quiet):
        try:
            found.append(classifier.classify(replace(read_motion(file), name=str(file))))
        except MoglowError as error:
            errors[str(file)] = str(error)
    if len(files) == len(errors) == 1:
        raise MoglowError(errors[str(files[0])])
    if as_json:
        rows: list[dict[str, Any]] = [verdict.to_json() for verdict in found]
        rows += [{"file": name, "error": message} for name, message in errors.items()]
        say(json.dumps(rows, indent=1))
    else:
        make_console(wide=True).print(_table(found, classifier.context.styles))
        if not classifier.calibrated:
            say("warning: how sure is a guess: training measured no held-out styles", err=True)
        for message in errors.values():
            say(f"error: {message}", err=True)
    if errors:
        raise click.exceptions.Exit(1)


def _table(found: "Sequence[StyleProbabilities]", styles: Sequence[str]) -> "Table":
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("file", overflow="fold")
    table.add_column("style")
    for heading in ("sure", "seconds", *styles):
        table.add_column(heading, justify="right")
    for verdict in found:
        shares = (f"{verdict.probabilities[style]:.2f}" for style in styles)
        table.add_row(
            verdict.name, verdict.style, f"{verdict.confidence:.0%}", f"{verdict.seconds:.1f}", *shares
        )
    return table
