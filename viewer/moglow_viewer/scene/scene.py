"""What there is to look at: motions in sync and the path asked of them, as read from files. Numpy alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from moglow.bvh.read import read_bvh
from moglow.errors import MoglowError
from moglow.ground.reading import read_ground
from moglow.ground.surface import Ground
from moglow.maths.rotations import Array, heading_to_vector
from moglow.paths.control_path import ControlPath
from moglow.paths.csv_files import read_path
from moglow.takes.sidecars import read_figures
from moglow_viewer.scene.palette import colour, take_colour
from moglow_viewer.scene.shown_motion import Motion

CLIMBS, ASIDE = 0.1, 1.2
"""Metres from which on a figure climbs, and radians by which it is then seen from farther behind."""
AROUND = 1.2
"""Metres of ground shown around the figures' ways."""


@dataclass(frozen=True)
class Scene:
    """What is on the stage: motions in sync, the path that was asked of them, and how they stand there."""

    motions: tuple[Motion, ...]
    asked: ControlPath | None = None
    beside: bool = False
    """Side by side, each with a place of its own, instead of where their files put them."""

    @property
    def ground(self) -> Ground | None:
        """What the first figure walks over; figures side by side stand on a flat floor."""
        return None if self.beside else self.motions[0].ground

    @property
    def front(self) -> float:
        """The heading before which a camera stands: the first figure's, or one to its side where it climbs, since the
        ground ahead of it would hide its feet."""
        motion = self.motions[0]
        heading = float(motion.clip.headings()[0])
        if self.ground is None:
            return heading
        start, end = motion.floor_at(motion.clip.ground_positions()[[0, -1]])
        return heading + (ASIDE if end - start > CLIMBS else 0.0)

    @property
    def area(self) -> tuple[Array, Array]:
        """The corners (x, z) of the ground that is shown: around the ways of all figures."""
        ways = [motion.clip.ground_positions() for motion in self.motions]
        places = np.concatenate([*ways, *([self.asked.positions] if self.asked else [])])
        return places.min(0) - AROUND, places.max(0) + AROUND

    @property
    def duration(self) -> float:
        """Seconds from the first frame to the last one of the longest."""
        return max(motion.clip.duration for motion in self.motions)

    @property
    def fps(self) -> float:
        return self.motions[0].clip.fps

    def tint(self, number: int) -> Array | None:
        """The colour of a motion's figure and curves; None for one alone, which has a left and a right colour."""
        if len(self.motions) == 1:
            return None
        return colour("body") if self.motions[number].real else take_colour(number)

    def offsets(self) -> list[Array]:
        """How far ``(3,)`` each motion stands from where its file puts it: side by side, in a row from the left."""
        if not self.beside or len(self.motions) == 1:
            return [np.zeros(3)] * len(self.motions)
        ahead = heading_to_vector(self.motions[0].clip.headings()[0])
        left = np.array([ahead[1], -ahead[0]])
        offsets, edge = [], 0.0
        for motion in self.motions:
            ways = [motion.clip.ground_positions(), *([self.asked.positions] if self.asked else [])]
            across = np.concatenate(ways) @ left
            low, high = across.min() - 0.6 * motion.size, across.max() + 0.6 * motion.size
            offsets.append((edge - high) * left)
            edge -= high - low
        middle = np.mean([offsets[0], offsets[-1]], axis=0)
        return [np.array([x, 0.0, z]) for x, z in np.array(offsets) - middle]


@dataclass(frozen=True)
class Sources:
    """The files of a scene: clips, the path asked for as `read_path` takes it, and recordings to hold beside."""

    clips: tuple[Path, ...]
    control: str | None = None
    real: tuple[Path, ...] = ()
    beside: bool = False
    ground: str | None = None
    """As `read_ground` takes it; that of each clip's sidecar if not given."""

    def read(self) -> Scene:
        """Reads them all; an error names the file."""
        shared = read_ground(self.ground) if self.ground else None
        motions = []
        for file in self.clips:
            figures = read_figures(file)
            motions.append(Motion(read_bvh(file), figures, ground=shared or ground_of(figures)))
        motions += [Motion(read_bvh(file), real=True) for file in self.real]
        asked = read_path(self.control, fps=motions[0].clip.fps) if self.control else None
        return Scene(tuple(motions), asked, self.beside)

    def stamps(self) -> dict[Path, tuple[int, int]]:
        """When each file was changed last, and its size; a file that is not there has none."""
        watched = {*self.clips, *self.real, *(file.with_suffix(".json") for file in self.clips)}
        watched |= {Path(self.control)} if self.control else set()
        found = {}
        for file in watched:
            try:
                status = file.stat()
            except OSError:
                continue
            found[file] = status.st_mtime_ns, status.st_size
        return found


def ground_of(figures: Mapping[str, Any]) -> Ground | None:
    """The ground that a sidecar names; None where there is none, or its file is gone."""
    text = figures.get("ground")
    try:
        return read_ground(text) if isinstance(text, str) else None
    except MoglowError:
        return None
