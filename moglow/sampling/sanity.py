"""Refuses motion that is impossible for a body, before it is written. Needs numpy alone.

Given controls far from its training data, a model may leave the manifold of poses altogether, and then walks with legs
metres apart. Such poses are far from all poses of the training data in most of their channels at once.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from moglow.corpus.context import Context
from moglow.errors import ClipError
from moglow.maths.rotations import Array
from moglow.maths.signals import Flags
from moglow.motion.clip import Clip

FAR = 1e3
"""Bound of sampled poses in standard deviations, so that motion along impossible controls stays finite. Recordings and
plausible sampled motion are below 15; `refuse_wild` rejects motion beyond that."""
FAREST = 8.0
"""Root mean square of a pose's channels, in standard deviations of the training data. Recordings stay below 2, running
and side-stepping at twice the recorded speed below 4; where a model breaks down it is beyond 10."""
FASTEST = 40.0
"""Metres a second of any joint beside the hips; a sprinter's foot reaches 15."""
STRETCH = 0.1
"""Share of its length by which a bone may change; retargeting moves the ends of a spine a little."""
HIGHEST = 4.0
"""Legs' lengths by which any joint may be away from the hips in height."""


def bounded(xp: Any, pose: Any) -> Any:
    """Returns standardised poses, bounded to `FAR`; NaN becomes `FAR` too."""
    if xp is np:
        return np.fmax(np.fmin(pose, np.float32(FAR)), np.float32(-FAR))
    return xp.nan_to_num(pose, nan=FAR).clip(-FAR, FAR)


def refuse_wild(poses: Array, context: Context, start: int) -> None:
    """Raises `ClipError` if poses ``(T, D)``, which begin at frame ``start``, are far from all training data."""
    wild = is_wild(poses, context)
    if wild.any():
        second = (start + int(np.argmax(wild))) / context.fps
        raise ClipError(
            f"path: the model loses the figure at {second:.1f} s: its poses are far from all of the training data, and "
            "nothing is written; let the path be slowed down, or walk it more slowly"
        )


def is_wild(poses: Array, context: Context) -> Flags:
    """Returns which of the poses ``(T, D)`` are far from all training data ``(T,)``."""
    statistics = (np.asarray(value, float) for value in (context.pose_mean, context.pose_deviation))
    mean, deviation = statistics
    wild: Flags = ~(np.sqrt(np.square((poses - mean) / deviation).mean(axis=1)) <= FAREST)
    return wild


def possible_blocks(blocks: Iterator[Clip]) -> Iterator[Clip]:
    """Yields blocks of motion as they are; raises `ClipError` at one with impossible bones, heights or speeds."""
    start = 0.0
    for block in blocks:
        refuse_impossible(block, start)
        start += len(block) / block.fps
        yield block


def refuse_impossible(clip: Clip, start: float = 0.0) -> None:
    """Raises `ClipError` for motion, which begins at second ``start``, with impossible bones, heights or speeds."""
    if reason := why_impossible(clip):
        raise ClipError(
            f"path: the motion from {start:.1f} s on is impossible for a body ({reason}); nothing is written"
        )


def why_impossible(clip: Clip) -> str:
    """Returns the reason why a clip is impossible for a body; empty if it is possible.

    >>> from moglow.motion.skeleton import Skeleton
    >>> clip = Clip.at_rest(Skeleton(("Hips", "Head"), (-1, 0), [[0, 0.9, 0], [0, 0.6, 0]]), frames=3)
    >>> why_impossible(clip)
    ''
    >>> clip.positions[1, 1] = [0, 9, 0]
    >>> why_impossible(clip)
    'the bone to Head is 9.0 m long instead of 0.6 m'
    """
    skeleton, hips = clip.skeleton, clip.skeleton.hips
    positions = clip.positions
    if not (np.isfinite(positions).all() and np.isfinite(clip.rotations).all()):
        return "a value is not finite"
    trunk = hips  # what leads to the hips moves the figure, all other bones are rigid
    rigid = np.ones(len(skeleton), bool)
    while trunk >= 0:
        rigid[trunk], trunk = False, skeleton.parents[trunk]
    lengths, usual = np.linalg.norm(positions, axis=-1), skeleton.bone_lengths
    off = np.where(rigid, np.abs(lengths - usual) - STRETCH * np.maximum(usual, usual.mean()), 0.0)
    if off.max() > 0:
        frame, joint = np.unravel_index(int(off.argmax()), off.shape)
        length = f"{lengths[frame, joint]:.1f} m long instead of {usual[joint]:.1f} m"
        return f"the bone to {skeleton.names[joint]} is {length}"
    places = clip.world()[0] - clip.world()[0][:, [hips]]
    speeds = np.linalg.norm(np.diff(places, axis=0), axis=-1) * clip.fps
    if speeds.max(initial=0.0) > FASTEST:
        name = skeleton.names[int(speeds.max(axis=0).argmax())]
        return f"{name} moves at {speeds.max():.0f} m/s beside the hips"
    reach = HIGHEST * max(float(np.abs(skeleton.rest_positions).max()), 1e-6)
    if np.abs(places[..., 1]).max() > reach:
        name = skeleton.names[int(np.abs(places[..., 1]).max(axis=0).argmax())]
        return f"{name} is {np.abs(places[..., 1]).max():.1f} m above or below the hips"
    return ""
