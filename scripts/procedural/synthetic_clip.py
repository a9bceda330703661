"""The result of a procedural mover: a clip with the exact contacts of its toes. Also lead-ins of paths."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from moglow.maths.rotations import Array
from moglow.maths.signals import smooth_gaussian
from moglow.motion.clip import Clip
from moglow.paths.control_path import ControlPath

LEAD = 2.0
"""Seconds of motion before the start of a path and after its end, so that it can begin and end in full stride."""


@dataclass(frozen=True, eq=False)
class SyntheticClip:
    """A clip, its path and the exact contacts ``(T, L)`` of the ``toes``."""

    clip: Clip
    path: ControlPath
    toes: tuple[str, ...]
    contacts: NDArray[np.bool_]

    def cut(self, start: int, stop: int) -> "SyntheticClip":
        """Returns a range of frames."""
        clip, path = self.clip[start:stop], self.path[start:stop]
        return replace(self, clip=clip, path=path, contacts=self.contacts[start:stop])

    def intervals(self) -> dict[str, list[list[int]]]:
        """Returns the first and last frame of every contact of each toe."""
        out: dict[str, list[list[int]]] = {}
        for toe, stands in zip(self.toes, self.contacts.T, strict=True):
            edges = np.flatnonzero(np.diff(np.concatenate([[0], stands.astype(int), [0]])))
            out[toe] = [[int(first), int(after) - 1] for first, after in edges.reshape(-1, 2)]
        return out


def with_lead(path: ControlPath) -> tuple[ControlPath, int]:
    """Returns the path extended at both ends with its velocities there, and the number of added frames."""
    frames = round(LEAD * path.fps)
    velocities = path.velocities()
    onward = ControlPath.from_velocities(np.repeat(velocities[-1:], frames + 1, axis=0), path.fps)
    inward = ControlPath.from_velocities(np.repeat(velocities[:1], frames + 1, axis=0), path.fps)
    plain = replace(path, styles=None)
    backward = plain.reversed().then(inward.reversed()).reversed()
    return backward.then(onward), frames


def drift(shape: Sequence[int], *, seconds: float, fps: float, generator: np.random.Generator) -> Array:
    """Returns slow random motion ``(T, ...)`` of about unit size, for idle movement."""
    noise = smooth_gaussian(generator.normal(size=tuple(shape)), seconds * fps)
    out: Array = noise * np.sqrt(2 * np.sqrt(np.pi) * seconds * fps)
    return out
