"""The figures of a motion that is generated in blocks and not kept in memory. Needs numpy alone."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moglow.maths.rotations import Array
from moglow.measures.metrics import PathError, Slide, jerk, path_error, toe_slide
from moglow.motion.clip import Clip
from moglow.motion.contacts import toe_points
from moglow.paths.control_path import ControlPath


@dataclass(frozen=True, eq=False)
class Measured:
    """The figures of a motion along a path, in metres, seconds and nats."""

    path: PathError
    slide_before: Slide
    """Foot slide as sampled, before the feet were locked."""
    slide: Slide
    jerk: float
    nats: NDArray[np.float64]
    """Log-likelihood ``(T,)`` of each frame in standardised coordinates, NaN for a model without one."""

    @property
    def figures(self) -> dict[str, Any]:
        """The figures as plain numbers, as in a sidecar file."""
        before, after = (
            {"median": round(slide.median, 4), "mean": round(slide.mean, 4)}
            for slide in (self.slide_before, self.slide)
        )
        known = bool(np.isfinite(self.nats).all())
        return {
            "path_error_m": {
                "mean": round(self.path.mean, 4),
                "p95": round(self.path.p95, 4),
                "worst": round(self.path.worst, 4),
            },
            "foot_slide_m_s": {"sampled": before, "written": after},
            "jerk_m_s3": round(self.jerk, 1),
            "log_likelihood_nats": {
                "mean": round(float(self.nats.mean()), 2) if known else None,
                "per_frame": self.nats.round(1).tolist() if known else None,
            },
        }


class Tally:
    """Accumulates the figures of a motion from its blocks, each as sampled and as written.

    It keeps some numbers per frame, about ten megabytes for an hour at 30 frames a second.
    """

    def __init__(self) -> None:
        self._before: list[Array] = []
        self._after: list[Array] = []
        self._places: list[Array] = []
        self._nats: list[NDArray[np.float64]] = []
        self._jerk, self._frames, self._fps = 0.0, 0, 1.0
        self._last: Clip | None = None

    def sampled(self, clip: Clip, nats: NDArray[np.float64]) -> None:
        """Adds a block as it was sampled, with its log-likelihoods."""
        self._before.append(toe_points(clip))
        self._nats.append(nats)

    def written(self, clip: Clip) -> None:
        """Adds a block as it is written."""
        self._fps = clip.fps
        self._after.append(toe_points(clip))
        self._places.append(clip.ground_positions())
        around = clip if self._last is None else self._last.followed(clip)
        thirds = max(0, len(around) - 3)
        self._jerk += thirds * jerk(around.world_positions, clip.fps)
        self._frames += thirds
        self._last = around[-3:]

    def measured(self, path: ControlPath) -> Measured:
        """Returns the figures for the requested path."""
        before, after = (toe_slide(np.concatenate(toes), self._fps) for toes in (self._before, self._after))
        return Measured(
            path_error(np.concatenate(self._places), path.positions),
            before,
            after,
            self._jerk / max(self._frames, 1),
            np.concatenate(self._nats).astype(float),
        )
