"""Implements the live links of `moglow stream` and `moglow play`: sends frames in real time, receives commands."""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

from moglow.checkpoint import Checkpoint
from moglow.errors import MoglowError
from moglow.formats.read import read_motion
from moglow.live.osc import Address, Message, Receiver
from moglow.live.paced import paced
from moglow.live.vmc import VmcFigure, VmcLink
from moglow_viewer.play.gamepad import Stick
from moglow_viewer.play.live import Hands, Live, Walker

WARNINGS = 100
"""Most warnings about received messages."""


def stream(source: Path, vmc: str, *, loop: bool, fps: float | None, overrides: Mapping[str, str]) -> str:
    """Sends a clip once, or repeatedly until interrupted; returns a line that describes the transmission."""
    clip = read_motion(source, overrides=overrides)
    clip = clip.resample(fps) if fps else clip
    positions, rotations = clip.world()
    link = VmcLink(VmcFigure.of(clip.skeleton, clip), Address.read(vmc))
    with link.sender:
        for frame in paced(clip.fps, None if loop else len(clip)):
            link.send(positions[frame % len(clip)], rotations[frame % len(clip)], frame / clip.fps)
    return f"{link.sender.address}: {link.sent} bundles at {clip.fps:g} a second"


def play(
    model: Checkpoint,
    *,
    temperature: float,
    style: str | None,
    seed: int,
    vmc: str | None,
    osc_in: str | None,
    say: Callable[[str], None],
) -> None:
    """Steers a figure in a window or by OSC messages; sends its poses if ``vmc`` is given."""
    walker = Walker.of(model, temperature=temperature, style=style, seed=seed)
    if osc_in:
        walk_by_osc(walker, osc_in, vmc, say=say)
        return
    from moglow_viewer.play.play_window import PlayWindow

    link = linked(walker, vmc) if vmc else None

    def send(live: Live) -> None:
        if link:
            link.send(live.positions, live.rotations, live.frame / walker.fps)

    with link.sender if link else nullcontext():
        PlayWindow(model, walker, folder=Path.cwd(), send=send).open()


def linked(walker: Walker, vmc: str) -> VmcLink:
    """Returns the link that sends a steered figure to an address."""
    return VmcLink(VmcFigure.of(walker.sampler.context.encoding.skeleton), Address.read(vmc))


def walk_by_osc(
    walker: Walker, osc_in: str, vmc: str | None, *, say: Callable[[str], None], frames: int | None = None
) -> int:
    """Steers a figure by OSC messages and sends its poses until interrupted; returns the number of poses sent."""
    with Receiver(Address.read(osc_in)) as receiver:
        link = linked(walker, vmc) if vmc else None
        to = f"; poses go to {link.sender.address}" if link else ""
        say(
            f"listening at {Address.read(osc_in)}: /moglow/move forward sideways turn, /moglow/style name{to}"
        )
        with link.sender if link else nullcontext():
            for live in walked(walker, receiver, frames, say):
                if link:
                    link.send(live.positions, live.rotations, live.frame / walker.fps)
    return link.sent if link else 0


def walked(
    walker: Walker, receiver: Receiver, frames: int | None, say: Callable[[str], None]
) -> Iterator[Live]:
    """Yields the figure frame by frame, steered by received messages; a stick keeps its last position.

    A program sends the same message many times a second, so each warning is given once.
    """
    live, hands, given = walker.begin(), Hands(), set[str]()

    def warn(text: str) -> None:
        if text not in given and len(given) < WARNINGS:
            given.add(text)
            say(f"warning: {text}")

    for _ in paced(walker.fps, frames):
        for message in receiver.received():
            try:
                hands, walker = obeyed(message, hands, walker)
            except MoglowError as error:
                warn(f"{message.address}: {error}")
        if receiver.damaged:
            warn("a packet arrived that is no OSC message; check the program that sends to this port")
        live = walker.step(live, hands)
        yield live


def obeyed(message: Message, hands: Hands, walker: Walker) -> tuple[Hands, Walker]:
    """Returns the input and the walker after a message; those of other programs' addresses have no effect."""
    if message.address == "/moglow/move":
        numbers = [float(value) for value in message.arguments if isinstance(value, int | float)]
        if len(numbers) != 3 or not all(map(math.isfinite, numbers)):
            raise MoglowError(f"expected forward, sideways and turn from -1 to 1, found {message.arguments}")
        forward, sideways, turn = (max(-1.0, min(1.0, number)) for number in numbers)
        return replace(hands, pad=Stick(forward, sideways, turn)), walker
    if message.address == "/moglow/style":
        name = str(message.arguments[0]) if message.arguments else ""
        if name and name not in walker.styles:
            raise MoglowError(f"no style {name!r}; the model has {', '.join(walker.styles) or 'none'}")
        return hands, replace(walker, style=name or None)
    if message.address == "/moglow/temperature":
        value = message.arguments[0] if message.arguments else None
        if not isinstance(value, int | float) or not math.isfinite(value):
            raise MoglowError(f"expected a number from 0 to 2, found {value!r}")
        return hands, walker.heated(float(value))
    if message.address.startswith("/moglow/"):
        raise MoglowError("unknown address; use /moglow/move, /moglow/style or /moglow/temperature")
    return hands, walker
