"""What a sampler samples. Needs numpy alone."""

from dataclasses import dataclass

from moglow.paths.control_path import ControlPath


@dataclass(frozen=True, eq=False)
class Track:
    """A motion to sample: the path, at the sampler's rate, and the seed and take that determine the noise."""

    path: ControlPath
    seed: int = 0
    take: int = 0
    performer: str | None = None
    """The performer; by default the model's default performer."""
    steady: bool = False
    """Whether the take has the mean posture of its style, as loops have, and no posture of its own."""
