"""Prints text on the terminal; names of files, joints and styles are escaped.

A name can contain square brackets, which rich interprets as markup, control characters, which a terminal interprets,
and invalid UTF-8, which Python decodes to surrogates. All output of the commands passes through this module.
"""

import sys
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, ProgressColumn
    from rich.text import Text

T = TypeVar("T")
WIDE = 160
"""The width in characters of a table that is written to a file or a pipe."""


def shown(text: str) -> str:
    r"""Escapes control characters, invisible characters and surrogates; newlines are kept.

    >>> shown("a\x1b[2Jb\udcff [/b] Läufer")
    'a\\x1b[2Jb\\udcff [/b] Läufer'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in "\n\u200d" or _is_blank(c) else _escaped(c) for c in text)


def one_line(text: str) -> str:
    r"""Returns a text escaped as by `shown`, in one line.

    >>> one_line("walk.bvh: line 3\n is odd")
    'walk.bvh: line 3 is odd'
    """
    return shown(" ".join(text.split()))


def say(text: str, *, err: bool = False) -> None:
    """Prints a text to standard output, or to standard error."""
    click.echo(shown(text), err=err)


def cell(text: str, style: str = "") -> "Text":
    """Returns a text for a table of rich, in a style of rich such as "yellow"."""
    from rich.text import Text

    return Text(shown(text), style=style)


def make_console(*, stderr: bool = False, wide: bool = False) -> "Console":
    """Returns a console of rich without markup; with ``wide``, output to a file or pipe has `WIDE` columns."""
    from rich.console import Console
    from rich.text import Text

    class PlainConsole(Console):
        def render_str(self, text: str, **options: Any) -> Text:
            return super().render_str(shown(text), **{**options, "markup": False, "emoji": False})

    width = WIDE if wide and not (sys.stdout and sys.stdout.isatty()) else None
    return PlainConsole(stderr=stderr, width=width, markup=False, emoji=False, highlight=False)


def make_progress(
    *columns: "str | ProgressColumn", console: "Console | None" = None, **options: Any
) -> "Progress":
    """Returns rich's progress bar on standard error; its description is not parsed as markup.

    A transient bar is disabled if standard error is not a terminal, since it would print an empty line.
    """
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    usual = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    console = console or make_console(stderr=True)
    hidden = options.get("transient", False) and not console.is_terminal
    disable = options.pop("disable", False) or hidden
    return Progress(*(columns or usual), console=console, disable=disable, **options)


def tracked(
    items: Iterable[T], description: str, *, total: int | None = None, quiet: bool = False
) -> Iterator[T]:
    """Yields the items and shows a progress bar on standard error if that is a terminal."""
    total = len(items) if total is None and isinstance(items, Sequence) else total
    with make_progress(transient=True, disable=quiet) as bar:
        yield from bar.track(items, total=total, description=shown(description))


def _is_blank(character: str) -> bool:
    return unicodedata.category(character) == "Zs"


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
