"""`moglow preprocess`: makes a corpus from a recipe or a folder of motion files."""

import json
import os
from pathlib import Path

import click

from moglow.cli.options import Whole, scheduler_option
from moglow.cli.terminal import make_progress, say, shown

EXAMPLE = """\b
Examples:
  moglow preprocess data/procedural/recipe.toml -o procedural.corpus
  moglow preprocess my_mocap/ -o mine.corpus
  moglow preprocess data/open/recipe.toml --data ~/mocap -o open.corpus --set features.contacts=true
  moglow preprocess /shared/mocap/ -o /shared/big.corpus --scheduler tcp://host:8786 --shards 64
"""


@click.command(epilog=EXAMPLE)
@click.argument("source", type=click.Path(exists=True, path_type=Path))
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), help="The corpus file to write."
)
@click.option("--data", type=click.Path(exists=True, file_okay=False), help="Where the recipe's folders lie.")
@click.option(
    "--set", "settings", multiple=True, metavar="SECTION.KEY=VALUE", help="Overrides a recipe's value."
)
@click.option("--workers", type=Whole(1, 1024), help="Processes that read files; all cores if not given.")
@scheduler_option("Reads and encodes files")
@click.option(
    "--shards",
    type=Whole(1, 100_000),
    help="Writes the frames to so many files in the folder OUTPUT.shards; OUTPUT is their index.",
)
@click.option("--json", "as_json", is_flag=True, help="Prints the summary as JSON.")
def command(
    source: Path,
    output: Path,
    data: str | None,
    settings: tuple[str, ...],
    workers: int | None,
    scheduler: str | None,
    shards: int | None,
    as_json: bool,
) -> None:
    """Makes a training corpus from a recipe or a folder of motion files.

    In a folder, sub-folders become styles, a tenth of the files is held out, and all clips are retargeted to the most
    common skeleton. Paths in a recipe are relative to it. The corpus is the same for any number of workers.
    """
    if workers and scheduler:
        raise click.UsageError("--workers counts processes without --scheduler; leave one of them out")
    from moglow.corpus.preprocess import preprocess
    from moglow.corpus.shards import size_of
    from moglow.corpus.sources import DataSpec
    from moglow.encodings.encoding import FeatureSpec
    from moglow.files.atomic import refuse_overwriting
    from moglow.files.locks import locked
    from moglow.files.tables import to_table
    from moglow.recipe import Recipe, read_recipe

    recipe = (
        Recipe(str(source), {}).overridden(settings) if source.is_dir() else read_recipe(source, settings)
    )
    base = source if source.is_dir() else source.parent
    data_spec = recipe.section("data", DataSpec).at(data)
    refuse_overwriting(output, [source])
    steps = preprocess(
        data_spec,
        recipe.section("features", FeatureSpec),
        output,
        base=base,
        workers=workers or os.cpu_count() or 1,
        scheduler=scheduler,
        shards=shards,
    )
    with locked(output), make_progress(transient=True, disable=as_json) as bar:
        task = bar.add_task("preprocess", total=None)
        for step in steps:
            bar.update(task, completed=step.done, total=step.total, description=shown(step.doing[-40:]))
    assert step.summary is not None, "preprocess ended without a summary"
    say(json.dumps(to_table(step.summary)) if as_json else str(step.summary))
    if not as_json:
        say(f"{output}: {size_of(output) / 1e6:.1f} MB")
