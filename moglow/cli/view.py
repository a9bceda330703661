"""`moglow view`: motion to look at, as a page that any browser plays."""

from pathlib import Path

import click

EXAMPLE = """\b
Examples:
  moglow view walk.bvh --html walk.html
  moglow view take_1.bvh take_2.bvh --control path.csv --html takes.html
"""


@click.command(epilog=EXAMPLE)
@click.argument("clips", metavar="CLIP...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--html", type=click.Path(path_type=Path), help="Writes one page that needs nothing else.")
@click.option(
    "--control", metavar="FILE|PRESET", help="Draws the path that was asked for, as generate reads it."
)
def command(clips: tuple[Path, ...], html: Path | None, control: str | None) -> None:
    """Shows motion files, several in sync, on a page for any browser.

    Play, scrub, turn and zoom; steps coloured by how much the foot slides; figures from the .json beside each file.
    """
    from moglow.bvh_read import read_bvh
    from moglow.control_file import read_control
    from moglow.errors import ExportError
    from moglow_viewer.figures import read_figures
    from moglow_viewer.page import write_page

    if html is None:
        raise ExportError(
            "view: what there is to look at is a page; add --html walk.html and open it in a browser"
        )
    shown = [read_bvh(file) for file in clips]
    path = read_control(control, fps=shown[0].fps) if control else None
    write_page(shown, html, control=path, figures=[read_figures(file) for file in clips])
    click.echo(f"{html}: {html.stat().st_size / 1000:.0f} kB, open it in any browser")
