"""Types of option values: bounded numbers in decimal digits, seeds, rates and sizes in pixels."""

import math
from collections.abc import Callable
from typing import Any, TypeVar

import click

from moglow.files.numbers import read_number, read_whole_number

Command = TypeVar("Command", bound="Callable[..., object] | click.Command")


def read_scheduler(ctx: click.Context, option: click.Parameter, text: str | None) -> str | None:
    """Checks the address of a scheduler; the callback of an option."""
    if text is not None:
        from moglow.errors import LinkError
        from moglow.workers.address import check_scheduler

        try:
            check_scheduler(text)
        except LinkError as error:
            raise click.BadParameter(str(error), ctx, option) from None
    return text


def scheduler_option(work: str) -> Callable[[Command], Command]:
    """Returns the option of a command for the workers that do its work."""
    return click.option(
        "--scheduler",
        metavar="ADDRESS|local:N",
        callback=read_scheduler,
        help=f"{work} on the workers of a Dask scheduler, tcp://host:8786, or in N processes of this machine.",
    )


class Whole(click.IntRange):
    """A whole number from ``least`` to ``most``.

    >>> Whole(1, 9).convert("3", None, None)
    3
    """

    def __init__(self, least: int, most: int) -> None:
        super().__init__(least, most)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        number = read_whole_number(value) if isinstance(value, str) else value
        if number is None:
            self.fail(f"{value!r} is not a whole number from {self.min} to {self.max}", param, ctx)
        return int(super().convert(number, param, ctx))


class Number(click.FloatRange):
    """A finite number from ``least``, or above it if ``above``, to ``most``.

    >>> Number(0, 2).convert("0.5", None, None)
    0.5
    """

    def __init__(self, least: float, most: float, *, above: bool = False) -> None:
        super().__init__(least, most, min_open=above)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = read_number(value) if isinstance(value, str) else float(value)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a number from {self.min:g} to {self.max:g}", param, ctx)
        return float(super().convert(number, param, ctx))


def read_size(ctx: click.Context, option: click.Parameter, text: str | None) -> tuple[int, int] | None:
    """Parses a size in pixels such as ``960x540`` to width and height; the callback of an option."""
    if text is None:
        return None
    sides = [read_whole_number(side) or 0 for side in text.lower().split("x")]
    if len(sides) != 2 or not all(SIDES[0] <= side <= SIDES[1] for side in sides):
        wanted = f"write it as 960x540, each side from {SIDES[0]} to {SIDES[1]} pixels"
        raise click.BadParameter(f"{text!r} is no size; {wanted}", ctx, option)
    return sides[0], sides[1]


SIDES = (16, 16_384)
SEED = Whole(0, 2**64 - 1)
RATE = Number(0, 10_000, above=True)
"""Frames a second."""
CHANNELS = Whole(1, 10_000)
