"""A scene: motions in sync and their requested path, read from files. Needs numpy alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from moglow.errors import MoglowError
from moglow.formats.read import read_motion, split_name
from moglow.ground.reading import read_ground
from moglow.ground.surface import Ground
from moglow.maths.rotations import Array, heading_to_vector
from moglow.paths.control_path import ControlPath
from moglow.paths.csv_files import read_path
from moglow.takes.sidecars import read_sidecar, sidecars_of
from moglow_viewer.scene.palette import colour, take_colour
from moglow_viewer.scene.shown_motion import ShownMotion

CLIMBS, ASIDE = 0.1, 1.2
"""Height in metres from which a figure climbs, and angle in radians by which the camera is then farther behind."""
AROUND = 1.2
"""Margin in metres of the ground shown around the figures' tracks."""


@dataclass(frozen=True)
class Scene:
    """Motions in sync, the path that was requested, and their arrangement."""

    motions: tuple[ShownMotion, ...]
    path: ControlPath | None = None
    beside: bool = False
    """Side by side, instead of at the positions in their files."""

    @property
    def ground(self) -> Ground | None:
        """The ground below the first figure; None for figures side by side, which are on a flat floor."""
        return None if self.beside else self.motions[0].ground

    @property
    def front(self) -> float:
        """The heading that a camera faces: the first figure's or, if it climbs, one to its side, since the ground ahead
        would hide its feet."""
        motion = self.motions[0]
        heading = float(motion.clip.headings()[0])
        if self.ground is None:
            return heading
        start, end = motion.floor_at(motion.clip.ground_positions()[[0, -1]])
        return heading + (ASIDE if end - start > CLIMBS else 0.0)

    @property
    def area(self) -> tuple[Array, Array]:
        """The corners (x, z) of the shown ground, around the tracks of all figures."""
        ways = [motion.clip.ground_positions() for motion in self.motions]
        places = np.concatenate([*ways, *([self.path.positions] if self.path else [])])
        return places.min(0) - AROUND, places.max(0) + AROUND

    @property
    def duration(self) -> float:
        """Seconds from the first frame to the last one of the longest motion."""
        return max(motion.clip.duration for motion in self.motions)

    @property
    def fps(self) -> float:
        return self.motions[0].clip.fps

    def tint(self, number: int) -> Array | None:
        """Returns the colour of a motion's figure and curves; None for a single one, which has a colour per side."""
        if len(self.motions) == 1:
            return None
        return colour("body") if self.motions[number].real else take_colour(number)

    def offsets(self) -> list[Array]:
        """Returns the offset ``(3,)`` of each motion from its position in the file; side by side from the left."""
        if not self.beside or len(self.motions) == 1:
            return [np.zeros(3)] * len(self.motions)
        ahead = heading_to_vector(self.motions[0].clip.headings()[0])
        left = np.array([ahead[1], -ahead[0]])
        offsets, edge = [], 0.0
        for motion in self.motions:
            tracks = [motion.clip.ground_positions(), *([self.path.positions] if self.path else [])]
            across = np.concatenate(tracks) @ left
            low, high = across.min() - 0.6 * motion.size, across.max() + 0.6 * motion.size
            offsets.append((edge - high) * left)
            edge -= high - low
        middle = np.mean([offsets[0], offsets[-1]], axis=0)
        return [np.array([x, 0.0, z]) for x, z in np.array(offsets) - middle]


@dataclass(frozen=True)
class Sources:
    """The files of a scene: clips, the requested path as for `read_path`, and recordings to compare with."""

    clips: tuple[Path, ...]
    control: str | None = None
    real: tuple[Path, ...] = ()
    beside: bool = False
    ground: str | None = None
    """The ground, as for `read_ground`; by default that of each clip's sidecar."""

    def read(self) -> Scene:
        """Returns the scene of the files; an error names the file."""
        shared = read_ground(self.ground) if self.ground else None
        motions = []
        for file in self.clips:
            figures = read_sidecar(file)
            motions.append(ShownMotion(read_motion(file), figures, ground=shared or ground_of(figures)))
        motions += [ShownMotion(read_motion(file), real=True) for file in self.real]
        path = read_path(self.control, fps=motions[0].clip.fps) if self.control else None
        return Scene(tuple(motions), path, self.beside)

    def stamps(self) -> dict[Path, tuple[int, int]]:
        """Returns the modification time and size of each existing file."""
        watched = {
            *self.clips,
            *self.real,
            *(sidecar for file in self.clips for sidecar in sidecars_of(file)),
        }
        watched |= {Path(self.control)} if self.control else set()
        found = {}
        for file in watched:
            try:
                status = split_name(file)[0].stat()
            except OSError:
                continue
            found[file] = status.st_mtime_ns, status.st_size
        return found


def ground_of(figures: Mapping[str, Any]) -> Ground | None:
    """Returns the ground of a sidecar; None if it has none or its file does not exist."""
    text = figures.get("ground")
    try:
        return read_ground(text) if isinstance(text, str) else None
    except MoglowError:
        return None
