"""From a checkpoint and a path to finished takes with their figures. Floor 11; numpy alone.

`Sampler` draws poses; here they become clips a person would keep: feet held, put on a rig, scored, ranked.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from moglow.checkpoint import Checkpoint
from moglow.clip import Clip
from moglow.contacts import toe_points
from moglow.control import ControlPath
from moglow.errors import ControlError
from moglow.feet import lock_feet
from moglow.metrics import Slide, jerk, path_error, toe_slide
from moglow.sampling import Sampler

PRETRAINED = Path(__file__).parent / "pretrained" / "locomotion.safetensors"
"""The model inside the package."""

TEMPERATURE = 0.7
"""Below 1 motion is calmer and feet hold better; at 1 it is as varied, and as restless, as the data."""


@dataclass(frozen=True, eq=False)
class Take:
    """One motion along a path: the clip, which take of which seed, and what there is to say about it."""

    clip: Clip
    seed: int
    number: int
    path: ControlPath
    slide_before: Slide
    slide: Slide

    @property
    def figures(self) -> dict[str, Any]:
        """The figures as plain numbers: metres and seconds."""
        error = path_error(self.clip.ground_positions(), self.path.positions)
        return {
            "take": self.number,
            "path_error_m": {
                "mean": round(error.mean, 4),
                "p95": round(error.p95, 4),
                "worst": round(error.worst, 4),
            },
            "foot_slide_m_s": {
                "sampled": {
                    "median": round(self.slide_before.median, 4),
                    "mean": round(self.slide_before.mean, 4),
                },
                "written": {"median": round(self.slide.median, 4), "mean": round(self.slide.mean, 4)},
            },
            "jerk_m_s3": round(jerk(self.clip.world()[0], self.clip.fps), 1),
        }


def generate(
    checkpoint: Checkpoint,
    path: ControlPath,
    *,
    seed: int = 0,
    takes: int = 1,
    temperature: float = TEMPERATURE,
    foot_lock: bool = True,
    name: str = "",
) -> Iterator[Take]:
    """Yields takes of a path, one after the other; the same seed and number give the same motion."""
    sampler = Sampler.of(checkpoint, temperature=temperature)
    path = path.resample(sampler.fps)
    for number in range(takes):
        drawn = sampler.generate(path, seed=seed, take=number, name=name)
        clip = lock_feet(drawn) if foot_lock else drawn
        before, after = (toe_slide(toe_points(each), each.fps) for each in (drawn, clip))
        yield Take(clip, seed, number, path, before, after)


def ranked(takes: Sequence[Take]) -> list[Take]:
    """The takes, best first: those whose feet slid least when they were drawn, since a lock hides it only so far."""
    return sorted(takes, key=lambda take: (take.slide_before.mean, take.number))


def within_range(
    checkpoint: Checkpoint, path: ControlPath, *, fit: bool, strict: bool
) -> tuple[ControlPath, list[str]]:
    """The path to walk and what to say about it, where it asks for more than the model has seen.

    With ``fit`` it is slowed down until it fits, with ``strict`` it is refused, else it is walked as it is.
    """
    warnings = list(checkpoint.control_range.warnings(path))
    if not warnings:
        return path, []
    if strict:
        raise ControlError(f"path: {'; '.join(warnings)}; slow it down, or let --fit do it")
    if not fit:
        return path, [f"{each}; --fit slows the path down" for each in warnings]
    slowed = checkpoint.control_range.slowed(path)
    return slowed, [f"slowed from {path.duration:.1f} s to {slowed.duration:.1f} s: {'; '.join(warnings)}"]


def styled(path: ControlPath, style: str | None) -> ControlPath:
    """The path in one style throughout, or as it is."""
    return path if style is None else replace(path, styles=(style,) * len(path))
