"""Errors as the user meets them: one line on standard error and an exit code.

The code is 2 for a wrong option or argument, 130 for Ctrl-C and 1 for everything else. An error that neither input nor
the machine causes is a bug of ours; it keeps its traceback.
"""

import os
import sys
from types import TracebackType
from typing import Self

import click

from moglow.cli.extras import missing_extra
from moglow.cli.terminal import one_line
from moglow.errors import MoglowError

MACHINE = {
    "MemoryError": "not enough memory for what was asked; ask for fewer frames or takes, or give a smaller file",
    "OutOfMemoryError": "not enough memory on the GPU; ask for less at once, or use --device cpu",
    "RecursionError": "the input is nested too deeply; give a simpler file",
    "BrokenProcessPool": "a worker process was killed, perhaps for lack of memory; try again with fewer processes",
}
"""Lines for errors of the machine, by the name of the exception or of one that it derives from."""


class Failure(click.ClickException):
    """An error shown to the user as one line on standard error.

    >>> Failure("walk.bvh: no MOTION").format_message()
    'walk.bvh: no MOTION'
    """

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(one_line(message))
        self.exit_code = exit_code  # type: ignore[misc]  # a class variable for click's own errors

    def show(self, file: object = None) -> None:
        click.echo(f"error: {self.format_message()}", err=True)


class OneLine:
    """A context in which every exception that a user or a machine can cause becomes a `Failure`."""

    def __init__(self, ctx: click.Context | None = None) -> None:
        self.ctx = ctx

    @property
    def command(self) -> str:
        """The command that is run, as far as it is known."""
        return f"moglow {(self.ctx and self.ctx.invoked_subcommand) or ''}".strip()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        failure = None if error is None else as_failure(error, self.command)
        if failure is not None:
            raise failure from error


def as_failure(error: BaseException, command: str) -> Failure | None:
    """Returns an exception as a failure of a command, or None for one that stays as it is."""
    if isinstance(error, Failure | BrokenPipeError) or _asks_for_help(error):
        return None  # of a broken pipe the reader has gone (`moglow … | head`): click ends without a message
    if isinstance(error, click.UsageError):
        command = error.ctx.command_path if error.ctx else command
        return Failure(f"{error.format_message().rstrip('.')}; see {command} --help", error.exit_code)
    if isinstance(error, click.ClickException):
        return Failure(error.format_message(), error.exit_code)
    if isinstance(error, KeyboardInterrupt):
        return Failure("interrupted", 130)
    if isinstance(error, MoglowError):
        option = f" (--{error.setting.replace('_', '-')})" if error.setting else ""
        return Failure(f"{error}{option}")
    if isinstance(error, ModuleNotFoundError) and (need := missing_extra(error)):
        return Failure(f"{command} needs {need}")
    if isinstance(error, UnicodeError):
        return Failure(f"a name or a text is not valid UTF-8 ({error.__class__.__name__}); rename the file")
    if isinstance(error, OSError):
        return Failure(describe(error))
    kinds = [kind.__name__ for kind in type(error).__mro__]
    if "RuntimeError" in kinds and "can't allocate memory" in str(error):  # torch on a CPU
        kinds.insert(0, "MemoryError")
    return next((Failure(MACHINE[kind]) for kind in kinds if kind in MACHINE), None)


def describe(error: OSError) -> str:
    """Returns the message of a system error, the file first.

    >>> describe(FileNotFoundError(2, "No such file or directory", "walk.bvh"))
    'walk.bvh: No such file or directory'
    """
    place = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else ""
    return f"{place}{error.strerror or error}"


def flush_output() -> int:
    """Flushes standard output at the end of a command; returns 0, or 1 if it could not be written.

    Python would do so while it ends, and then print a traceback for a pipe that was closed or a disk that is full.
    """
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
        return 0
    except (OSError, ValueError) as error:
        if sys.stdout is not None and not isinstance(error, BrokenPipeError):
            click.echo(f"error: standard output: {getattr(error, 'strerror', None) or error}", err=True)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1


def _asks_for_help(error: BaseException) -> bool:
    """Whether a command without arguments shows its help, which click raises as an error from 8.2 on."""
    return type(error).__name__ == "NoArgsIsHelpError"
