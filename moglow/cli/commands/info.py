"""`moglow info`: the settings and sizes of a recipe, a checkpoint or a preset."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from moglow.cli.options import CHANNELS
from moglow.cli.terminal import say

EXAMPLE = """\b
Examples:
  moglow info runs/open
  moglow info data/open/recipe.toml --corpus open.corpus
  moglow info --preset paper --pose 63 --control 3
  moglow info --models
"""


@click.command(epilog=EXAMPLE)
@click.argument(
    "source", required=False, metavar="[RECIPE|CHECKPOINT]", type=click.Path(exists=True, path_type=Path)
)
@click.option(
    "--corpus",
    type=click.Path(exists=True, path_type=Path),
    help="A recipe's corpus, for the number of channels.",
)
@click.option("--preset", help="A preset in place of a file.")
@click.option("--model", default="moglow", show_default=True, help="The model of --preset.")
@click.option(
    "--pose", type=CHANNELS, default=63, show_default=True, help="Number of pose channels, without a file."
)
@click.option(
    "--control",
    type=CHANNELS,
    default=3,
    show_default=True,
    help="Number of control channels, without a file.",
)
@click.option("--models", is_flag=True, help="Lists the models and presets there are.")
@click.option("--json", "as_json", is_flag=True, help="Prints JSON.")
def command(
    source: Path | None,
    corpus: Path | None,
    preset: str | None,
    model: str,
    pose: int,
    control: int,
    models: bool,
    as_json: bool,
) -> None:
    """Shows the content of a recipe, a checkpoint or a preset.

    Prints architecture, parameters, sizes, origin, styles and control range.
    """
    from moglow.evaluation.model_card import checkpoint_card, list_models, preset_card, recipe_card

    if models:
        cards = list_models()
    elif preset is not None:
        cards = [preset_card(model, preset, pose=pose, control=control)]
    elif source is None:
        raise click.UsageError("name a recipe or a checkpoint, or give --preset or --models")
    elif source.suffix == ".toml":
        cards = [recipe_card(source, corpus, pose=pose, control=control)]
    else:
        cards = [checkpoint_card(source)]
    if as_json:
        say(json.dumps(cards if models else cards[0], indent=1))
    else:
        say("\n\n".join("\n".join(lines(card)) for card in cards))


def lines(card: Mapping[str, Any], above: str = "") -> Iterator[str]:
    """Yields the lines of a card: one for each value of a table, and the number of entries of a list of tables.

    >>> list(lines({"fps": 30.0, "seen": {"turn": 3.5}, "rates": [{"rate": 0.2}]}))
    ['fps                  30', 'seen turn            3.5', 'rates                1 (see --json)']
    """
    for name, value in card.items():
        label = f"{above} {name}".strip()
        if isinstance(value, Mapping):
            yield from lines(value, label)
            continue
        texts = [f"{value:.5g}" if isinstance(value, float) else str(value)]
        if isinstance(value, Sequence) and value and isinstance(value[0], Mapping):
            texts = [f"{len(value)} (see --json)"]
        elif isinstance(value, Sequence) and value and not isinstance(value, str):
            texts = list(map(str, value)) if isinstance(value[0], str) else [", ".join(map(str, value))]
        yield from (f"{label if not row else '':<20} {text}" for row, text in enumerate(texts))
