"""`moglow inspect`: the content of motion files and their damage."""

import json
from pathlib import Path

import click

from moglow.cli.options import scheduler_option
from moglow.cli.terminal import make_console, say, tracked

EXAMPLE = """\b
Examples:
  moglow inspect walk.bvh
  moglow inspect mocap/ --json > report.json
  moglow inspect mocap/ --scheduler local:8
  moglow inspect pack.glb#Walk
  moglow inspect dog.bvh --map dog.toml

\b
A map file names joints that were not found or were found wrongly:
  [roles]
  left_foot = "Ankle_L"
  [partners]
  "Antenna_A" = "Antenna_B"
"""


@click.command(epilog=EXAMPLE)
@click.argument("source", type=click.Path(path_type=Path))
@click.option(
    "--map", "map_file", type=click.Path(path_type=Path), help="A TOML file that names roles and partners."
)
@scheduler_option("Inspects the files of a folder")
@click.option("--json", "as_json", is_flag=True, help="Prints the reports as a JSON list.")
def command(source: Path, map_file: Path | None, scheduler: str | None, as_json: bool) -> None:
    """Reports skeleton, unit, axes, rate and damage of motion files.

    SOURCE is a file (.bvh, .glb, .gltf, .vrm, .vrma, .fbx, .usd, .amc) or a folder. The report gives the skeleton
    and its roles with their certainty, unit, axes, rate, length, speed, turning and foot slide. Damage is listed
    with frames and reasons: everything that moglow clean finds by rules (spikes, swapped limbs, frozen joints, feet
    below the floor, teleports, wrong rates), and joints that jump and stay, repeated frames, a floor off zero and
    bones that stretch. The exit code is 1 if a file cannot be used; the other files are still shown.
    """
    from moglow.anatomy.anatomy import read_map
    from moglow.cleaning.inspect import inspect_with, motion_files
    from moglow.cli.actions.tables import overview, sheet
    from moglow.errors import MoglowError
    from moglow.formats.read import files_of
    from moglow.workers.opening import open_workers

    overrides = read_map(map_file) if map_file else {}
    files = motion_files(source)
    with open_workers(scheduler) as workers:
        found = workers.results(inspect_with, overrides, files, files_of)
        quiet = as_json or len(files) < 2
        reports = list(tracked(found, "inspect", total=len(files), quiet=quiet))
    if as_json:
        say(json.dumps([report.to_json() for report in reports], indent=1))
    elif len(files) > 1 or source.is_dir():
        make_console(wide=True).print(overview(reports, str(source)))
    elif reports[0].error:
        raise MoglowError(reports[0].error)
    else:
        make_console(wide=True).print(sheet(reports[0]))
    if any(report.error for report in reports):
        raise click.exceptions.Exit(1)
