"""Measures of a motion on a ground: distance and depth of the feet, slide, knees. Needs numpy alone."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from moglow.ground.surface import Ground
from moglow.maths.rotations import Array
from moglow.maths.signals import Flags, runs
from moglow.measures.metrics import Slide, toe_slide
from moglow.motion.clip import Clip
from moglow.motion.contacts import legs_of, toe_points


@dataclass(frozen=True)
class OnGround:
    """The measures of a motion on a ground, in metres, metres per second and degrees."""

    foothold_mean: float
    """Distance of planted toes from their usual height over the ground: mean over contacts."""
    foothold_p95: float
    """The same distance: 95th percentile over contacts."""
    penetration: float
    """Depth of feet below the ground: 99th percentile over frames."""
    slide: Slide
    """Horizontal speed of the toe nearest to the ground."""
    straightest: float
    """Smallest flexion of a knee; 0 is a straight leg."""
    most_bent: float
    """Largest flexion of a knee."""

    @property
    def figures(self) -> dict[str, Any]:
        """Returns the figures as plain numbers, for a sidecar."""
        return {
            "foothold_error_m": {"mean": round(self.foothold_mean, 4), "p95": round(self.foothold_p95, 4)},
            "penetration_p99_m": round(self.penetration, 4),
            "knee_degrees": [round(self.straightest, 1), round(self.most_bent, 1)],
        }


def on_ground(clip: Clip, ground: Ground, planted: Flags, standing: Array, soles: Array) -> OnGround:
    """Measures a clip on a ground.

    Args:
        clip: the motion.
        ground: the ground.
        planted: whether each foot is planted (T, L).
        standing: heights (L,) of planted toe joints over the ground.
        soles: points (T, L, S, 3) of the feet that should be above the ground.
    """
    toes = above(toe_points(clip), ground)
    stands = [(leg, *run) for leg in range(planted.shape[1]) for run in runs(planted[:, leg])]
    off = np.array([abs(np.median(toes[a:b, leg, 1]) - standing[leg]) for leg, a, b in stands] or [0.0])
    depth = np.maximum(-above(soles, ground)[..., 1].min((1, 2)), 0.0)
    bends = knee_flexion(clip)
    return OnGround(
        float(off.mean()),
        float(np.quantile(off, 0.95)),
        float(np.quantile(depth, 0.99)),
        toe_slide(toes, clip.fps),
        float(bends.min()),
        float(bends.max()),
    )


def above(points: Array, ground: Ground) -> Array:
    """Returns points ``(..., 3)`` whose heights are relative to the ground."""
    out = points.copy()
    out[..., 1] -= ground.heights(points[..., 0], points[..., 2])
    return out


def knee_flexion(clip: Clip) -> Array:
    """Returns the flexion ``(T, L)`` of each knee in degrees; 0 is a straight leg."""
    world, out = clip.world_positions, []
    for leg in legs_of(clip.skeleton):
        thigh, shin = world[:, leg.knee] - world[:, leg.hip], world[:, leg.ankle] - world[:, leg.knee]
        cross = np.linalg.norm(np.cross(thigh, shin), axis=-1)
        out.append(np.degrees(np.arctan2(cross, (thigh * shin).sum(-1))))
    return np.stack(out, axis=-1)
