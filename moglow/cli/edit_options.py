"""The options that `moglow between`, `moglow blend` and `moglow redo` share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from moglow.cli.options import SEED, Number, Whole

OPTIONS = (
    click.option(
        "--takes", type=Whole(1, 1_000_000), default=1, show_default=True, help="Number of motions."
    ),
    click.option(
        "--seed",
        type=SEED,
        default=0,
        show_default=True,
        help="The same seed gives the same motion.",
    ),
    click.option(
        "--style", help="A style the model was trained with, for the new motion; moglow info names them."
    ),
    click.option("--temperature", type=Number(0, 2), help="0 is calmest, 1 as varied as the recordings."),
    click.option("--checkpoint", type=click.Path(path_type=Path), help="A trained model, or a run's folder."),
)


def edit_options(*, out_required: bool) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Adds the options to a command."""
    out = click.option(
        "-o",
        "--out",
        required=out_required,
        type=click.Path(path_type=Path),
        help="The file to write; several takes are numbered.",
    )

    def added(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed((out, *OPTIONS)):
            command = option(command)
        return command

    return added
