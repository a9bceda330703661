#!/usr/bin/env python
"""Measures pins, reaches and in-betweens on held-out recordings.

    python scripts/benchmarks/directing/run.py --corpus FILE --results docs/directing.jsonl
        [--only STAGE …] [--pins 100] [--gaps 20] [--takes 1] [--minutes 8] [--page docs/directing.md]

FILE is made by `moglow preprocess data/open/wide.toml -o FILE`. The stages are `pins`, `recorded`, `gaps`,
`apart` and `time`.
Results that are in the file already are not measured again, and no measurement starts after the given number of
minutes: run the script again until it reports that nothing is left. `apart` needs all pins; it reads the windows that
`pins` writes beside the corpus.

Pins: a recording is cut; the motion continues on the recording's own path, and has to meet a pose or a point of the
recording that comes 0.5 to 2 s later. The same seed without a pin is made too. Gaps: frames of a recording are removed
and made from the others, by `moglow between`, by `moglow.sampling.infill` and by interpolation.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import moglow
from moglow.checkpoint import Checkpoint
from moglow.corpus.corpus import Corpus
from moglow.directing.pinned import Directing
from moglow.directing.pins import Pin
from moglow.errors import MoglowError
from moglow.evaluation.speed import processor
from moglow.sampling.generate import PRETRAINED, TEMPERATURE
from scripts.benchmarks.directing import gaps, pinning
from scripts.benchmarks.directing.page import read, written
from scripts.benchmarks.directing.recordings import Cut, cuts

STAGES = ("time", "gaps", "pins", "recorded", "apart")
TIMES = 3
"""How often the time of ten seconds with five pins is measured."""
FOLDS = 6
"""Number of nets that distinguish motion from recordings; each is tested on another third of the pins."""
STRIDE = 2
"""Number of frames from one frame of their input to the next."""
Key = dict[str, Any]
Job = tuple[Key, Callable[[], dict[str, Any]]]


@dataclass(frozen=True)
class Bench:
    """The measurements, as pairs of a key and a function that returns the values."""

    model: Checkpoint
    corpus: Corpus
    windows: Path
    pins: int
    gaps: int
    takes: int
    seed: int
    known: list[dict[str, Any]] = field(default_factory=list)

    def jobs(self, stage: str) -> Iterator[Job]:
        """Yields the measurements of a stage."""
        stages = {
            "pins": self._pins,
            "recorded": self._recorded,
            "gaps": self._gaps,
            "apart": self._apart,
            "time": self._times,
        }
        yield from stages[stage]()

    def _pins(self) -> Iterator[Job]:
        directing = Directing(self.model, TEMPERATURE)
        for number, kind, cut in self._cuts():

            def job(cut: Cut = cut, kind: str = kind, number: int = number) -> dict[str, Any]:
                done = pinning.pinned(directing, cut, kind, number)
                self.windows.mkdir(exist_ok=True, parents=True)
                named = dict(zip(("real", "with", "without"), _seen(done.windows), strict=True))
                np.savez_compressed(self._window(kind, number), **named)
                values = ("error", "slide", "jerk", "nats", "seconds")
                return {"ahead": cut.seconds, **{name: getattr(done, name) for name in values}}

            yield {"stage": "pins", "kind": kind, "number": number, "recording": cut.name}, job

    def _recorded(self) -> Iterator[Job]:
        for number, kind, cut in self._cuts():

            def job(cut: Cut = cut) -> dict[str, Any]:
                return {"slide": pinning.recorded_slide(cut)}

            yield {"stage": "recorded", "kind": kind, "number": number, "recording": cut.name}, job

    def _cuts(self) -> Iterator[tuple[int, str, Cut]]:
        """Yields the number, the kind and the cut of each pin."""
        kinds, share = pinning.KINDS, self.pins // len(pinning.KINDS)
        found = iter(cuts(self.corpus, share * len(kinds), self.seed))
        yield from (
            (number, kind, cut) for number in range(share) for kind, cut in zip(kinds, found, strict=False)
        )

    def _window(self, kind: str, number: int) -> Path:
        return self.windows / f"{kind.replace(' ', '_')}_{number}.npz"

    def _gaps(self) -> Iterator[Job]:
        found = list(cuts(self.corpus, self.gaps, self.seed + 1))
        deviation = gaps.spread(cuts(self.corpus, 100, self.seed + 1))
        methods = gaps.methods(self.model, TEMPERATURE, self.takes)
        for number, cut in enumerate(found):
            clip = gaps.centred(cut)
            for frames in gaps.GAPS:
                stop = cut.at + frames
                for name, method in methods.items():

                    def job(
                        clip: Any = clip, at: int = cut.at, stop: int = stop, method: Any = method
                    ) -> dict[str, Any]:
                        return gaps.compared(method(clip, at, stop), clip, at, stop, deviation)

                    key = {"stage": "gaps", "frames": frames, "number": number, "method": name}
                    yield {**key, "recording": cut.name}, job

    def _apart(self) -> Iterator[Job]:
        names = sorted(self.windows.glob("*.npz"))
        for fold in range(FOLDS if names else 0):
            yield {"stage": "apart", "seed": fold}, partial(_areas, names, fold)

    def _times(self) -> Iterator[Job]:
        for number in range(TIMES):
            yield {"stage": "time", "number": number}, self._time

    def _time(self) -> dict[str, Any]:
        """Measures the processor time of ten seconds with five pins."""
        poses = moglow.generate("line:length=8", seed=1, checkpoint=self.model).clip
        places = ((1.5, 60), (3.1, 100), (4.8, 150), (6.4, 190), (8.2, 220))
        pins = [Pin(at, poses, frame) for at, frame in places]
        start = time.process_time()
        made = moglow.generate("line:length=9", seed=2, checkpoint=self.model, pins=pins).clip
        spent = time.process_time() - start
        return {"seconds": spent, "duration": made.duration, "processor": processor()}


def _seen(clips: tuple[Any, ...]) -> list[Any]:
    from moglow.evaluation.discrimination import seen_joints

    return [seen_joints(clip) for clip in clips]


def _areas(files: list[Path], fold: int) -> dict[str, Any]:
    """Returns the areas under the curve of two nets; each window of a third of the pins is unseen in training."""
    from moglow.evaluation.discriminator import DiscriminatorSpec, area_under_curve, log_odds

    loaded = [dict(np.load(file)) for file in files]
    shortest = min(len(each["real"]) for each in loaded)
    parts = {
        name: np.stack([each[name][-shortest::STRIDE] for each in loaded])
        for name in ("real", "with", "without")
    }
    order = np.random.default_rng([fold // 3, 9]).permutation(len(files))
    unseen = np.zeros(len(files), bool)
    unseen[order[fold % 3 :: 3]] = True
    return {
        "windows": len(files),
        **{
            name: area_under_curve(
                *log_odds(parts["real"], parts[name], unseen, spec=DiscriminatorSpec(), seed=fold)
            )
            for name in ("with", "without")
        },
    }


def main() -> None:
    """Measures what is not in the results yet, appends it to them, and writes the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--windows", type=Path, help="folder for the windows around pins")
    parser.add_argument("--checkpoint", type=Path, default=PRETRAINED)
    parser.add_argument("--only", nargs="+", choices=STAGES)
    parser.add_argument("--pins", type=int, default=100, help="in all; a quarter of each kind")
    parser.add_argument("--gaps", type=int, default=20, help="of each length")
    parser.add_argument("--takes", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=8.0)
    parser.add_argument("--page", type=Path)
    asked = parser.parse_args()
    known = [row["key"] for row in read(asked.results)]
    bench = Bench(
        Checkpoint.read(asked.checkpoint),
        Corpus.open(asked.corpus),
        asked.windows or asked.corpus.with_suffix(".windows"),
        asked.pins,
        asked.gaps,
        asked.takes,
        asked.seed,
    )
    start, left = time.monotonic(), 0
    for stage in asked.only or STAGES:
        for key, job in bench.jobs(stage):
            if key in known:
                continue
            if time.monotonic() - start > 60 * asked.minutes:
                left += 1
                continue
            try:
                row = {"key": key, **job()}
            except MoglowError as error:
                row = {"key": key, "error_message": str(error)}
            with open(asked.results, "a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
            print(*key.values(), flush=True)
    print(f"{left} measurements are left" if left else "nothing is left")
    if asked.page:
        asked.page.write_text(written(asked.results), encoding="utf-8")


if __name__ == "__main__":
    main()
