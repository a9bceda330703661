"""The `moglow` command: a group that imports its commands on demand and shows errors as one line.

Each command is a file with the attribute `command`. It parses options, calls one function and prints the result. It
imports that function inside its body, so that `moglow --help` starts fast.
"""

import io
import sys
from importlib import import_module
from typing import Any

import click

from moglow import __version__
from moglow.cli.failures import OneLine, flush_output
from moglow.compute.products import multiply_on_one_thread

SECTIONS: dict[str, dict[str, str]] = {
    "Make motion": {
        "generate": "moglow.cli.commands.generate",
        "cycles": "moglow.cli.commands.cycles",
        "play": "moglow.cli.commands.play",
        "stream": "moglow.cli.commands.stream",
        "serve": "moglow.cli.commands.serve",
    },
    "Edit motion": {
        "between": "moglow.cli.commands.between",
        "redo": "moglow.cli.commands.redo",
        "blend": "moglow.cli.commands.blend",
    },
    "Look at motion": {
        "inspect": "moglow.cli.commands.inspect",
        "classify": "moglow.cli.commands.classify",
        "view": "moglow.cli.commands.view",
    },
    "Convert it": {
        "clean": "moglow.cli.commands.clean",
        "export": "moglow.cli.commands.export",
        "export-model": "moglow.cli.commands.export_model",
        "blender": "moglow.cli.commands.blender",
    },
    "Learn from it": {
        "preprocess": "moglow.cli.commands.preprocess",
        "train": "moglow.cli.commands.train",
        "evaluate": "moglow.cli.commands.evaluate",
        "info": "moglow.cli.commands.info",
        "bench": "moglow.cli.commands.bench",
        "completion": "moglow.cli.commands.completion",
    },
}
MOVING = {*SECTIONS["Make motion"], *SECTIONS["Edit motion"]}
"""The commands that sample motion, whose products in numpy are small."""
COMMANDS: dict[str, str] = {name: module for section in SECTIONS.values() for name, module in section.items()}

EXAMPLE = """\b
Example:
  moglow generate --control path.csv -o walk.bvh
"""


class LazyGroup(click.Group):
    """A group that imports commands by name and lists them by section in the help."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = import_module(COMMANDS[cmd_name]).command
        assert isinstance(command, click.Command), f"{COMMANDS[cmd_name]}.command is not a click command"
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        if name in MOVING:
            multiply_on_one_thread()  # has an effect only before numpy is imported
        return name, command, rest

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(map(len, COMMANDS), default=0)
        for title, names in SECTIONS.items():
            commands = [(name, self.get_command(ctx, name)) for name in names]
            rows = [(name.ljust(width), c.get_short_help_str(200)) for name, c in commands if c]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)

    def make_context(self, *arguments: Any, **options: Any) -> click.Context:
        with OneLine():
            return super().make_context(*arguments, **options)

    def invoke(self, ctx: click.Context) -> object:
        with OneLine(ctx):
            return super().invoke(ctx)


@click.group(
    cls=LazyGroup,
    epilog=EXAMPLE,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="moglow", message="%(prog)s %(version)s")
def cli() -> None:
    """Your path, your skeleton: natural motion, as files that open right in Blender."""


def main() -> None:
    """Runs the command line and exits."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without "°" must not end the program
    code: object = 0
    try:
        cli()
    except SystemExit as ending:
        code = ending.code
    sys.exit(flush_output() or code)  # type: ignore[arg-type]
