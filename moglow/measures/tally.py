"""The figures of a motion that passes in blocks, whose frames nobody keeps; numpy alone."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moglow.maths.rotations import Array
from moglow.measures.metrics import PathError, Slide, jerk, path_error, toe_slide
from moglow.motion.clip import Clip
from moglow.motion.clip_stream import joined
from moglow.motion.contacts import toe_points
from moglow.paths.control_path import ControlPath


@dataclass(frozen=True, eq=False)
class Measured:
    """What there is to say about a motion along a path: metres, seconds, nats."""

    path: PathError
    slide_before: Slide
    """Of the feet as they were drawn, before they were locked."""
    slide: Slide
    jerk: float
    nats: NDArray[np.float64]
    """Log-likelihood ``(T,)`` of each frame in standardised coordinates, not a number where the model has none."""

    @property
    def figures(self) -> dict[str, Any]:
        """The figures as plain numbers, for a sidecar."""
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
    """Takes blocks of a motion as they pass, first as drawn and then as written, and keeps some numbers a frame.

    An hour at 30 frames a second needs some ten megabytes.
    """

    def __init__(self) -> None:
        self._before: list[Array] = []
        self._after: list[Array] = []
        self._places: list[Array] = []
        self._nats: list[NDArray[np.float64]] = []
        self._jerk, self._frames, self._fps = 0.0, 0, 1.0
        self._last: Clip | None = None

    def drawn(self, clip: Clip, nats: NDArray[np.float64]) -> None:
        """Counts a block as it was drawn, with its likelihoods."""
        self._before.append(toe_points(clip))
        self._nats.append(nats)

    def written(self, clip: Clip) -> None:
        """Counts a block as it is handed on."""
        self._fps = clip.fps
        self._after.append(toe_points(clip))
        self._places.append(clip.ground_positions())
        around = clip if self._last is None else joined([self._last, clip])
        thirds = max(0, len(around) - 3)
        self._jerk += thirds * jerk(around.world()[0], clip.fps)
        self._frames += thirds
        self._last = around[-3:]

    def measured(self, path: ControlPath) -> Measured:
        """What it comes to, for the path that was asked for."""
        before, after = (toe_slide(np.concatenate(toes), self._fps) for toes in (self._before, self._after))
        return Measured(
            path_error(np.concatenate(self._places), path.positions),
            before,
            after,
            self._jerk / max(self._frames, 1),
            np.concatenate(self._nats).astype(float),
        )
