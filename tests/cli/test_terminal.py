"""Names are data: markup, control characters and bytes that are no UTF-8 are shown, never obeyed."""

import io
import os
import sys
from pathlib import Path

import pytest
from rich.table import Table

from moglow.cli.terminal import cell, make_console, make_progress, one_line, shown

NAMES = ["[/b]", "[red]x", "a\x1b[2Jb", "a\u202eb", "a\udcffb", "\x9b31m", ":smile:", "a\rb\x07"]


def seen(character: str) -> bool:
    return character.isprintable() or character in "\n "


@pytest.mark.parametrize("name", NAMES)
def test_whatever_is_shown_is_printable_and_says_the_same(name: str) -> None:
    assert all(map(seen, shown(name)))
    assert shown(name).encode().decode("unicode_escape").encode("utf-16", "surrogatepass") == name.encode(
        "utf-16", "surrogatepass"
    )


def test_plain_names_of_any_script_stay() -> None:
    for name in ("Läufer ü", "歩く.bvh", "a\u3000b", "👩\u200d🦰"):
        assert shown(name) == name
    assert one_line("a\n\t b") == "a b"


@pytest.mark.parametrize("name", NAMES)
def test_rich_shows_names_as_they_are(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    table = Table(title=name)
    table.add_column(name)
    table.add_row(name)
    table.add_row(cell(name, "yellow"))
    console = make_console(wide=True)
    console.print(table)
    console.print(name)
    printed = capsys.readouterr().out
    assert printed.count(one_line(name) if "\r" not in name else shown(name)) == 5
    assert all(map(seen, printed))


@pytest.mark.parametrize("name", NAMES)
def test_a_progress_bar_shows_names_as_they_are(name: str) -> None:
    console = make_console(stderr=True)
    console.file = out = io.StringIO()
    with make_progress(console=console) as bar:
        bar.add_task(shown(name), total=1)
    assert shown(name) in out.getvalue()


@pytest.mark.skipif(sys.platform != "linux", reason="file names are bytes on Linux only")
def test_a_file_whose_name_is_no_utf8_is_inspected(samples: Path, tmp_path: Path) -> None:
    from click.testing import CliRunner

    from moglow.cli.main import cli

    name = os.fsencode(tmp_path) + b"/w\xff[bold]\x1b[2J.bvh"
    with open(name, "wb") as file:
        file.write((samples / "walk.bvh").read_bytes())
    for arguments in (["inspect", os.fsdecode(name)], ["inspect", str(tmp_path)]):
        result = CliRunner().invoke(cli, arguments)
        assert result.exit_code == 0, result.output
        assert "w\\udcff[bold]\\x1b[2J" in result.output
