"""A loop or a transition of the set of a game character, with its entry in the list of the set."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from moglow.footsteps.footprints import foot_names
from moglow.maths.signals import Flags, runs
from moglow.motion.clip import Clip
from moglow.motion.contacts import contacts
from moglow.paths.control_path import ControlPath
from moglow.sampling.loops import Loop, touchdowns
from moglow.sampling.transitions import Transition


@dataclass(frozen=True, eq=False)
class Piece:
    """A loop or a transition of the set, with its name, kind and figures."""

    name: str
    kind: str
    motion: Loop | Transition
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def path(self) -> ControlPath:
        return self.motion.path

    def whole(self) -> tuple[Clip, int]:
        """Returns the motion with the frames before and after it, and the frame in which it begins."""
        if isinstance(self.motion, Loop):
            return self.motion.rounds, self.motion.first
        return self.motion.whole, self.motion.first

    def entry(self) -> dict[str, Any]:
        """Returns the entry in the list of the set, in seconds, metres and degrees."""
        clip, first = self.whole()
        rows, frames = self.path.velocities()[1:], len(self.path) - 1
        turned = float(np.degrees(self.path.headings[-1] - self.path.headings[0]))
        planted = contacts(clip)
        entry = {
            "name": self.name,
            "kind": self.kind,
            "seconds": round(frames / clip.fps, 4),
            "distance_m": round(self.path.length, 4),
            "turned_degrees": round(turned, 2),
            "contacts_s": stands_in(planted, first, frames, clip, again=isinstance(self.motion, Loop)),
            **self.about,
        }
        if self.kind == "cycle":
            forward, left, turn = rows.mean(0)
            entry["velocity"] = {
                "forward_m_s": round(float(forward), 4),
                "left_m_s": round(float(left), 4),
                "turn_degrees_s": round(float(np.degrees(turn)), 3),
            }
            downs = [[t - first for t in touchdowns(clip, leg) if 0 <= t - first < frames] for leg in (0, 1)]
            names = foot_names(clip.skeleton)
            entry["phase_down"] = {
                name: round(float(down[0]) / frames, 4)
                for name, down in zip(names, downs, strict=False)
                if down
            }
        elif isinstance(self.motion, Transition):
            origin = self.path.moved(-self.path.positions[0])
            places = np.column_stack([origin.positions, np.degrees(origin.headings - origin.headings[0])])
            entry["root_x_z_degrees"] = places.round(4).tolist()
        return entry


def stands_in(
    planted: Flags, first: int, frames: int, clip: Clip, *, again: bool
) -> dict[str, list[list[float]]]:
    """Returns the start and end of each contact, for each foot.

    For a motion that repeats ``again``, these are the contacts that begin in it; the last one may end in the next
    repetition. A foot that is always planted has one contact, from start to end.
    """
    out: dict[str, list[list[float]]] = {}
    for leg, name in enumerate(foot_names(clip.skeleton)):
        stands = [(a - first, b - 1 - first) for a, b in runs(planted[:, leg])]
        if again and not planted[first : first + frames + 1, leg].all():
            inside = [(a, b) for a, b in stands if 0 <= a < frames]
        else:
            inside = [(max(a, 0), min(b, frames)) for a, b in stands if a <= frames and b >= 0]
        out[name] = [[round(a / clip.fps, 4), round(b / clip.fps, 4)] for a, b in inside]
    return out
