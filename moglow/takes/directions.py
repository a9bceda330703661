"""The directions of `moglow generate`: pins, reaches, looks and the continuation of a clip."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moglow.checkpoint import Checkpoint
from moglow.errors import ControlError, DeviceError
from moglow.files.atomic import file_digest
from moglow.motion.clip import Clip
from moglow.sampling.sampler import Track

if TYPE_CHECKING:
    from moglow.directing.pinned import Pinned
    from moglow.directing.pins import Direction
    from moglow.footsteps.footprints import Footprints
    from moglow.ground.surface import Ground


@dataclass(frozen=True)
class Directions:
    """Pins, reaches and looks, and the clip to continue."""

    given: "tuple[Direction, ...]" = ()
    continued: Path | None = None

    @classmethod
    def of_options(
        cls,
        *,
        pin: Sequence[str] = (),
        reach: Sequence[str] = (),
        look: Sequence[str] = (),
        pins: Sequence[Path] = (),
        start: str | None = None,
        end: str | None = None,
        continued: Path | None = None,
    ) -> "Directions":
        """Returns the directions that texts and files describe, as on the command line.

        >>> Directions.of_options(look=["0-2=1,1.6,3"]).given
        (Look(start=0.0, stop=2.0, point=(1.0, 1.6, 3.0)),)
        """
        if start is not None and continued is not None:
            raise ControlError("start: the continued clip begins the motion already; leave out one of them")
        if not (pin or reach or look or pins) and start is None and end is None:
            return cls((), continued)
        from moglow.directing.pin_files import read_pins
        from moglow.directing.pins import Look, Pin, Reach

        found: list[Direction] = [Pin.at(0.0, start, "start")] if start is not None else []
        found += [each for file in pins for each in read_pins(file)]
        found += [Pin.parse(text) for text in pin]
        found += [Reach.parse(text) for text in reach]
        found += [Look.parse(text) for text in look]
        found += [Pin.at(inf, end, "end")] if end is not None else []
        return cls(tuple(found), continued)

    def __bool__(self) -> bool:
        return bool(self.given or self.continued)

    @property
    def files(self) -> tuple[Path, ...]:
        """Returns the motion files that are read."""
        if not self.given:
            return (self.continued,) if self.continued else ()
        from moglow.directing.pins import Pin

        poses = [
            Path(each.pose)
            for each in self.given
            if isinstance(each, Pin) and not isinstance(each.pose, Clip)
        ]
        return (*poses, *([self.continued] if self.continued else []))

    def check(self, *, loop: bool, mirror: bool, device: str) -> None:
        """Raises an error for options that exclude each other."""
        others = {"loop": loop, "mirror": mirror}
        for name in (name for name, used in others.items() if self and used):
            raise ControlError(f"{name}: not with pins, looks or a continued clip; leave out one of them")
        if self and device == "cuda":
            raise DeviceError("pins are computed on the CPU; choose another device", setting="device")

    def settings(self) -> dict[str, Any]:
        """Returns the settings that determine the bytes of a motion; None without directions."""
        if not self:
            return {"directions": None}
        digest = sha256("".join(map(file_digest, self.files)).encode()).hexdigest()
        words = [repr(each) for each in self.given]
        return {
            "directions": words,
            "continues": self.continued and str(self.continued),
            "directions_sha256": digest,
        }

    def motions(
        self,
        model: Checkpoint,
        tracks: Sequence[Track],
        *,
        temperature: float,
        foot_lock: bool,
        rig: Clip | None,
        ground: "Ground | None" = None,
        prints: "Footprints | None" = None,
        implied: bool = False,
    ) -> "Iterator[Pinned]":
        """Yields the motions of tracks, in order, on a rig; feet follow ``prints``, which may imply the path."""
        from moglow.directing.pinned import Directing  # the import takes a while, and few motions need it

        directing = Directing(model, temperature, foot_lock)
        continued = read_whole(self.continued) if self.continued else None
        for track in tracks:
            yield directing.make(
                track.path,
                self.given,
                seed=track.seed,
                take=track.take,
                performer=track.performer,
                rig=rig,
                continued=continued,
                ground=ground,
                prints=prints,
                implied=implied,
            )


def read_whole(file: str | Path) -> Clip:
    """Returns the clip of a motion file of any format."""
    from moglow.formats.read import read_motion  # the import takes a while

    return read_motion(file)


def price_lines(figures: Mapping[str, Any]) -> list[str]:
    """Returns a line about the price of each pin of a motion."""
    return [f"  {each['says']}" for each in figures.get("pins", ())]
