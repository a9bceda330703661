"""Converts exceptions to error messages: one line on standard error and an exit code.

The code is 2 for a wrong option or argument, 130 for Ctrl-C and 1 for all other errors. An exception that is caused
neither by the input nor by the machine is a bug in moglow and keeps its traceback.
"""

import os
import sys
from types import TracebackType
from typing import Self

import click

from moglow.cli.extras import missing_extra
from moglow.cli.terminal import one_line
from moglow.errors import MoglowError
from moglow.files.system_errors import advice, reason

MACHINE = {
    "MemoryError": "not enough memory for this request; request fewer frames or takes, or give a smaller file",
    "OutOfMemoryError": "not enough memory on the GPU; reduce the batch or the number of takes, or use --device cpu",
    "RecursionError": "the input is nested too deeply; give a simpler file",
    "BrokenProcessPool": "a worker process was killed, perhaps for lack of memory; try again with fewer processes",
}
"""Messages for errors of the machine, by the name of the exception or of one of its base classes."""


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
    """A context manager that converts exceptions caused by the user or the machine to a `Failure`."""

    def __init__(self, ctx: click.Context | None = None) -> None:
        self.ctx = ctx

    @property
    def command(self) -> str:
        """The name of the running command, or "moglow" if it is unknown."""
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
    """Converts an exception to a `Failure` of a command; returns None for one that is not converted."""
    if isinstance(error, Failure | BrokenPipeError) or _asks_for_help(error):
        return None  # on a broken pipe (`moglow … | head`), click ends without a message
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
    """Returns the message of a system error: the file name, the reason and what to do.

    >>> describe(OSError(36, "File name too long", "walk.bvh"))
    'walk.bvh: File name too long; give a shorter name'
    """
    if not isinstance(error.filename, str | bytes):
        return reason(error)
    return f"{os.fsdecode(error.filename)}: {reason(error)}; {advice(error)}"


def flush_output() -> int:
    """Flushes standard output at the end of a command; returns 0, or 1 if this fails.

    Otherwise Python flushes it at exit and prints a traceback if the pipe is closed or the disk is full.
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
    """Returns whether an error is the one that click ≥ 8.2 raises to show the help of a command without arguments."""
    return type(error).__name__ == "NoArgsIsHelpError"
