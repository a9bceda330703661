"""Writes the motions of takes in turn, while the finished ones are flushed to disk."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from moglow.checkpoint import Checkpoint, likelihood_terms, real_figures
from moglow.errors import ClipError, ControlError, MoglowError
from moglow.files.finishing import Finishing
from moglow.files.locks import locked_in_turn
from moglow.formats.export import export_blocks, root_options
from moglow.motion.clip import Clip
from moglow.sampling.generate import StreamedMotion
from moglow.takes.directions import price_lines
from moglow.takes.existing import THERE
from moglow.takes.orders import Order, Wish, named
from moglow.takes.sidecars import agrees, describe, refuse_foreign, start_motion

if TYPE_CHECKING:
    from moglow.directing.pinned import Pinned
    from moglow.sampling.loops import Loop
    from moglow.takes.footed import Footed

Made: TypeAlias = "StreamedMotion | Loop | Footed | Pinned"
"""An object with the figures of a motion, which are complete once its blocks have been read."""
Passed: TypeAlias = Callable[[int, int, int], None]
"""A callback with the numbers of frames of finished motions, of all motions, and of the current motion."""
Written: TypeAlias = tuple[Sequence[str], dict[str, str]]
"""The lines about a motion, and the reason why a path was not followed."""
FINISHING = 4
"""Number of motions that a process flushes to disk while it makes the next one."""


def write_in_turn(
    orders: Sequence[Order],
    wish: Wish,
    making: "Iterator[tuple[Iterator[Clip], Made | None]]",
    model: Checkpoint,
    passed: Passed,
) -> Iterator[Written]:
    """Writes each motion while its file is locked, and yields lines about it, none if it is ranked later.

    Implausible motion is not written; its path and the reason are yielded beside the lines, and the others are made.
    """
    total, so_far = sum(len(order.path) for order in orders), 0
    about = {"real_motion": real_figures(model), "likelihood_is": likelihood_terms(model)}
    options: dict[str, Any] = {"unit": wish.unit} if wish.unit else {}
    most = FINISHING if len(orders) > 1 else 0
    turns = locked_in_turn((order.target for order in orders), held=most + 1)
    with closing(turns), Finishing[Written](most) as finishing:
        for order in orders:
            next(turns)
            (blocks, made), known = next(making), refuse_foreign(order.target, overwrite=wish.overwrite)
            if known and not wish.overwrite and agrees(known, order.settings):
                line = f"{order.target}: {THERE}"  # another process made it meanwhile
                ended = partial(_lines, wish, known, line)
            else:
                counted = _Counted(blocks, partial(passed, so_far, total))
                write = partial(
                    export_blocks, counted, **options, **root_options(order.target, wish.root_motion)
                )
                describe_made = partial(_figures, order, counted, made, about)
                try:
                    finish = start_motion(order.target, write, describe_made)
                except (ClipError, ControlError) as error:
                    yield from finishing.add(partial(_nothing, order, error))
                    continue
                ended = partial(_finished, wish, order, finish)
            so_far += len(order.path)
            yield from finishing.add(ended)
        yield from finishing.rest()


def _finished(wish: Wish, order: Order, finish: Callable[[], Mapping[str, Any]]) -> Written:
    """Finishes a motion and returns the lines about it."""
    try:
        known = finish()
    except (ClipError, ControlError) as error:
        return _nothing(order, error)
    return _lines(wish, known, describe(order.target, known))


def _lines(wish: Wish, known: Mapping[str, Any], line: str) -> Written:
    return () if wish.rank else (line, *price_lines(known)), {}


def _nothing(order: Order, error: MoglowError) -> Written:
    """Returns the reason why a path was not followed."""
    control = order.settings["control"]
    return (), {control: named(error, control)}


def _figures(
    order: Order, counted: "_Counted", made: "Made | None", about: Mapping[str, Any]
) -> dict[str, Any]:
    """Returns the figures of a motion after all of its blocks have been read."""
    assert made is not None, "only motions have blocks"
    length = {"fps": counted.fps, "frames": counted.frames}
    return {**order.settings, "warnings": list(order.warnings), **length, **made.figures, **about}


class _Counted:
    """Blocks whose frames are counted while they are read."""

    def __init__(self, blocks: Iterable[Clip], passed: Callable[[int], None]) -> None:
        self._blocks, self._passed = blocks, passed
        self.frames, self.fps = 0, 0.0

    def __iter__(self) -> Iterator[Clip]:
        for block in self._blocks:
            self.frames, self.fps = self.frames + len(block), block.fps
            self._passed(self.frames)
            yield block
