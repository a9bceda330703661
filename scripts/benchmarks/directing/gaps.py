"""In-betweening of held-out recordings by several methods, measured as in the protocol of LaFAN1."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np

from moglow.checkpoint import Checkpoint
from moglow.cleaning.damage import interpolated
from moglow.directing.bridge import Bridge
from moglow.directing.pinned import Directing
from moglow.maths.rotations import Array, quat_continuous, quat_slerp
from moglow.maths.signals import Flags
from moglow.measures.metrics import jerk, toe_slide
from moglow.motion.clip import Clip
from moglow.motion.contacts import toe_points
from moglow.takes.editing import ranked
from scripts.benchmarks.directing.recordings import Cut

GAPS = (5, 15, 30, 45)
"""Numbers of missing frames at 30 frames a second."""
KNOWN = 0.05
"""Smallest deviation of a coordinate in metres."""

Method = Callable[[Clip, int, int], Clip]
"""Returns a clip with the frames from ``start`` to before ``stop`` made from the others."""


def methods(model: Checkpoint, temperature: float, takes: int) -> dict[str, Method]:
    """Returns the compared methods by their names on the page."""
    return {
        "slerp": slerped,
        "curves": curved,
        "infill": infilled(model),
        "between" if takes == 1 else f"between, best of {takes}": bridged(model, temperature, takes),
    }


def slerped(clip: Clip, start: int, stop: int) -> Clip:
    """Interpolates positions linearly, and rotations on the sphere."""
    share = (np.arange(start, stop) - start + 1) / (stop - start + 1)
    positions, rotations = clip.positions.copy(), quat_continuous(clip.rotations).copy()
    ends = positions[[start - 1, stop]]
    positions[start:stop] = ends[0] + share[:, None, None] * (ends[1] - ends[0])
    for k, each in enumerate(share):
        rotations[start + k] = quat_slerp(
            rotations[start - 1], rotations[stop], np.full(len(clip.skeleton), each)
        )
    return replace(clip, positions=positions, rotations=rotations)


def curved(clip: Clip, start: int, stop: int) -> Clip:
    """Interpolates by the curves of `moglow clean` without a model."""
    return interpolated(clip, _missing(clip, start, stop))


def infilled(model: Checkpoint) -> Method:
    """Returns `moglow.sampling.infill` of a model."""
    import torch

    from moglow.sampling.infill import Infill

    fill = Infill.of(model, generator=torch.Generator().manual_seed(0))
    return lambda clip, start, stop: fill(clip, _missing(clip, start, stop))


def bridged(model: Checkpoint, temperature: float, takes: int) -> Method:
    """Returns `moglow between` of a model: the best of several takes."""
    directing = Directing(model, temperature)

    def method(clip: Clip, start: int, stop: int) -> Clip:
        bridge = Bridge.between(model.context, clip[:start], clip[stop:], stop - start + 1)
        made = [bridge.make(directing, seed=0, take=take) for take in range(takes)]
        best = made[ranked(model, made)[0][0]].clip
        positions, rotations = clip.positions.copy(), clip.rotations.copy()
        positions[start:stop], rotations[start:stop] = best.positions[1:-1], best.rotations[1:-1]
        return replace(clip, positions=positions, rotations=rotations)

    return method


def _missing(clip: Clip, start: int, stop: int) -> Flags:
    missing: Flags = np.zeros((len(clip), len(clip.skeleton)), bool)
    missing[start:stop] = True
    return missing


def centred(cut: Cut) -> Clip:
    """Returns the recording with the frame before the cut at the origin, facing +Z."""
    clip, last = cut.clip, cut.at - 1
    x, z = clip.ground_positions()[last]
    return clip.moved((-x, 0.0, -z)).moved(heading=-float(clip.headings()[last]))


def spread(found: Iterable[Cut]) -> Array:
    """Returns the standard deviation ``(J, 3)`` of joint positions after the cuts, in the frame of the figure there."""
    places = [centred(cut).world_positions[cut.at : cut.at + max(GAPS)] for cut in found]
    deviation: Array = np.maximum(np.concatenate(places).std(axis=0), KNOWN)
    return deviation


def compared(made: Clip, clip: Clip, start: int, stop: int, deviation: Array) -> dict[str, float]:
    """Returns L2P, L2Q, the parts of NPSS, and slide in cm/s and jerk in m/s³ of the frames of a gap."""
    gap, around = slice(start, stop), slice(max(start - 3, 0), stop + 3)
    places = (made.world_positions[gap] - clip.world_positions[gap]) / deviation
    turns = [np.asarray(each.world_rotations[gap]) for each in (made, clip)]
    turns[0] = np.where((turns[0] * turns[1]).sum(-1, keepdims=True) < 0, -turns[0], turns[0])
    frames = len(places)
    similarity, power = npss(*turns)
    return {
        "l2p": float(np.linalg.norm(places.reshape(frames, -1), axis=-1).mean()),
        "l2q": float(np.linalg.norm((turns[0] - turns[1]).reshape(frames, -1), axis=-1).mean()),
        "npss": similarity,
        "power": power,
        "slide": 100 * toe_slide(toe_points(made[around]), made.fps).mean,
        "jerk": jerk(made.world_positions[around], made.fps),
    }


def npss(made: Array, wanted: Array) -> tuple[float, float]:
    """Returns the normalised power spectrum similarity of rotations ``(T, J, 4)``, 0 if equal, and the total power.

    The similarity of several clips is their mean, weighted by the power (Gopalakrishnan et al., 2019).
    """
    powers = [np.abs(np.fft.fft(each.reshape(len(each), -1), axis=0)) ** 2 for each in (made, wanted)]
    totals = [power.sum(0) for power in powers]
    shares = [power / np.maximum(total, 1e-12) for power, total in zip(powers, totals, strict=True)]
    away = np.abs(np.cumsum(shares[0], 0) - np.cumsum(shares[1], 0)).sum(0)
    power = float(totals[1].sum())
    return float((away * totals[1]).sum() / max(power, 1e-12)), power


def means(rows: Sequence[dict[str, float]]) -> dict[str, float]:
    """Returns the means of the measures of several gaps."""
    found = {name: float(np.mean([row[name] for row in rows])) for name in ("l2p", "l2q", "slide", "jerk")}
    powers = np.array([row["power"] for row in rows])
    found["npss"] = float((powers * [row["npss"] for row in rows]).sum() / powers.sum())
    return found
