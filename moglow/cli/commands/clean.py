"""`moglow clean`: finds, lists and mends bad frames of takes; all other lines of a file are unchanged."""

from pathlib import Path

import click

from moglow.cli.options import SEED, scheduler_option
from moglow.cli.terminal import make_console, say, tracked

EXAMPLE = """\b
Examples:
  moglow clean take.bvh
  moglow clean take.bvh -o fixed.bvh
  moglow clean take.bvh -o fixed.bvh --html before_after.html
  moglow clean take.bvh --json > damage.json
  moglow clean mocap/ -o cleaned/ --scheduler local:8
"""


@click.command(epilog=EXAMPLE)
@click.argument("source", metavar="TAKE|FOLDER", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    help="Writes the mended BVH file, never over TAKE; for a folder, a folder.",
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
@scheduler_option("Cleans the files of a folder")
def command(
    source: Path,
    out: Path | None,
    html: Path | None,
    as_json: bool,
    checkpoint: Path | None,
    no_model: bool,
    map_file: Path | None,
    seed: int,
    scheduler: str | None,
) -> None:
    """Finds, lists and mends the damage in the motion file TAKE, or in all motion files below a folder.

    Damage is: spikes, swapped limbs, frozen joints, feet below the floor, teleports, and wrong rates of a part or of
    the whole file. Frames that are unlikely under the model are listed only. Without -o nothing is written. For a BVH
    file, -o writes a BVH file with the same lines for good frames and the same numbers for good joints; for other
    formats it writes any that moglow export writes. For a folder, -o is a folder with a BVH file for each file; the
    exit code is 1 if a file cannot be used, and the others are still cleaned.
    """
    import json

    from moglow.cli.actions.clean import Cleaning
    from moglow.cli.actions.clean_folder import FolderOrder, clean_folder, folder_table, targets
    from moglow.files.atomic import refuse_overwriting
    from moglow.workers.opening import open_workers

    if source.is_dir():
        if html:
            raise click.UsageError("--html is for one take; give a file")
        order = FolderOrder(map_file, checkpoint, not no_model, seed)
        pairs = targets(source, out)
        with open_workers(scheduler) as workers:
            cleaned = clean_folder(pairs, order, workers)
            found = list(tracked(cleaned, "clean", total=len(pairs), quiet=as_json))
        if as_json:
            say(json.dumps([each.to_json() for each in found], indent=1))
        else:
            make_console(wide=True).print(folder_table(found, source))
        if any(each.error for each in found):
            raise click.exceptions.Exit(1)
        return
    if scheduler:
        raise click.UsageError("--scheduler is for the files of a folder; give one")
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
