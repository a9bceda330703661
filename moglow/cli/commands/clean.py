"""`moglow clean`: finds, lists and mends bad frames of a take; all other lines of the file are unchanged."""

from pathlib import Path

import click

from moglow.cli.options import SEED
from moglow.cli.terminal import make_console, say

EXAMPLE = """\b
Examples:
  moglow clean take.bvh
  moglow clean take.bvh -o fixed.bvh
  moglow clean take.bvh -o fixed.bvh --html before_after.html
  moglow clean take.bvh --json > damage.json
"""


@click.command(epilog=EXAMPLE)
@click.argument("source", metavar="TAKE", type=click.Path(path_type=Path))
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), help="Writes the mended BVH file; never over TAKE."
)
@click.option(
    "--html", type=click.Path(path_type=Path), help="Writes a page that plays the take before and after."
)
@click.option("--json", "as_json", is_flag=True, help="Prints the damage as JSON.")
@click.option("--checkpoint", type=click.Path(path_type=Path), help="A trained model, or a run's folder.")
@click.option(
    "--no-model", is_flag=True, help="Uses rules and curves only: faster, but long gaps are mended less well."
)
@click.option(
    "--map", "map_file", type=click.Path(path_type=Path), help="Names the roles of TAKE's joints (TOML)."
)
@click.option(
    "--seed",
    type=SEED,
    default=0,
    show_default=True,
    help="The same seed gives the same result.",
)
def command(
    source: Path,
    out: Path | None,
    html: Path | None,
    as_json: bool,
    checkpoint: Path | None,
    no_model: bool,
    map_file: Path | None,
    seed: int,
) -> None:
    """Finds, lists and mends the damage in the motion file TAKE.

    Damage is: spikes, swapped limbs, frozen joints, feet below the floor, teleports, and wrong rates of a part or of
    the whole file. Frames that are unlikely under the model are listed only. Without -o nothing is written. For a BVH
    file, -o writes a BVH file with the same lines for good frames and the same numbers for good joints; for other
    formats it writes any that moglow export writes.
    """
    import json

    from moglow.cli.actions.clean import Cleaning
    from moglow.files.atomic import refuse_overwriting

    refuse_overwriting(filter(None, (out, html)), (source, map_file, checkpoint))
    cleaning = Cleaning.of(source, map_file=map_file, checkpoint=checkpoint, model=not no_model, seed=seed)
    if out:
        cleaning.write(out)
    if html:
        cleaning.show(html)
    if as_json:
        say(json.dumps(cleaning.to_json(out), indent=1))
    else:
        make_console(wide=True).print(cleaning.table())
        for line in cleaning.messages(out, html):
            say(line)
