"""Where the eye is: following the figures, around the whole way, or above it. Stands above the library; numpy alone."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from moglow.maths.rotations import Array
from moglow.paths.control_path import ControlPath
from moglow_viewer.scene.shown_motion import Motion

LENS = np.pi / 7
"""The field of view: a long lens, so that bodies keep their shape."""
FARTHEST_UP = np.pi / 2 - 1e-3


@dataclass(frozen=True, eq=False)
class View:
    """An eye, what it looks at, and what is up for it: all ``(3,)``; ``radius`` (m) is how far it sees the floor."""

    eye: Array
    target: Array
    up: Array
    radius: float

    def floor_point(self, across: float, up: float) -> Array | None:
        """The place ``(2,)`` on the floor seen at a place of the picture, from its middle in halves of its height.

        None where the sky is.

        >>> view = View(np.array([0.0, 2.0, -2.0]), np.zeros(3), np.array([0.0, 1.0, 1.0]) / 2**0.5, 10.0)
        >>> view.floor_point(0.0, 0.0).round(6).tolist(), view.floor_point(0.0, 9.0)
        ([0.0, 0.0], None)
        """
        ahead = (self.target - self.eye) / np.linalg.norm(self.target - self.eye)
        ray = ahead + np.tan(LENS / 2) * (across * np.cross(ahead, self.up) + up * self.up)
        if ray[1] > -1e-3:
            return None
        place: Array = (self.eye - self.eye[1] / ray[1] * ray)[[0, 2]]
        return place


@dataclass(frozen=True)
class Camera:
    """A way to look: mode, direction in radians, and zoom. Turning and zooming return another camera.

    >>> camera = Camera.before(0.0)
    >>> camera.look("top").pitch > camera.pitch, camera.look("top").look("follow") == camera
    (True, True)
    """

    mode: str = "follow"
    yaw: float = 0.65
    pitch: float = 0.26
    zoom: float = 1.0
    tilted: tuple[float, float] = (0.65, 0.26)
    """Yaw and pitch that `top` comes back to."""

    @classmethod
    def before(cls, heading: float) -> "Camera":
        """In front of a figure that faces a heading, a little to its side."""
        return cls(yaw=heading + 0.65, tilted=(heading + 0.65, 0.26))

    def look(self, mode: str) -> "Camera":
        """The same from another place: "follow", "orbit" around the whole way, or "top"."""
        tilted = self.tilted if self.mode == "top" else (self.yaw, self.pitch)
        # From above, +Z points up the picture and +X, the left of who looks along +Z, to the left.
        yaw, pitch = (np.pi, FARTHEST_UP) if mode == "top" else tilted
        return replace(self, mode=mode, yaw=float(yaw), pitch=float(pitch), zoom=1.0, tilted=tilted)

    def turned(self, yaw: float, pitch: float) -> "Camera":
        """Turned by angles; from above it only spins."""
        if self.mode == "top":
            return replace(self, yaw=self.yaw + yaw)
        up = float(np.clip(self.pitch + pitch, -0.05, FARTHEST_UP))
        return replace(self, yaw=self.yaw + yaw, pitch=up)

    def zoomed(self, factor: float) -> "Camera":
        return replace(self, zoom=float(np.clip(self.zoom * factor, 0.1, 12.0)))

    def view(
        self,
        motions: Sequence[Motion],
        offsets: Sequence[Array],
        seconds: float,
        aspect: float,
        asked: ControlPath | None = None,
    ) -> View:
        """Aims at motions that stand at offsets ``(3,)``, at a time, in a picture of this width by height."""
        aim = self._following if self.mode == "follow" else self._overview
        return self.aimed(*aim(motions, offsets, seconds, asked, aspect), aspect)

    def aimed(self, target: Array, reach: float, aspect: float) -> View:
        """Looks at a target ``(3,)``, so far away that what is within reach of it can be seen."""
        distance = reach / np.tan(LENS / 2) / min(1.0, aspect) / self.zoom
        turn, tilt = (np.sin(self.yaw), np.cos(self.yaw)), (np.sin(self.pitch), np.cos(self.pitch))
        back = np.array([tilt[1] * turn[0], tilt[0], tilt[1] * turn[1]])
        up = np.array([-tilt[0] * turn[0], tilt[1], -tilt[0] * turn[1]])
        return View(target + distance * back, target, up, float(np.clip(2 * distance, 8.0, 120.0)))

    def _following(
        self,
        motions: Sequence[Motion],
        offsets: Sequence[Array],
        seconds: float,
        asked: ControlPath | None,
        aspect: float,
    ) -> tuple[Array, float]:
        places = np.array([m.track_at(seconds) + o for m, o in zip(motions, offsets, strict=True)])
        target: Array = places.mean(0)
        apart = np.linalg.norm((places - target)[:, [0, 2]], axis=-1) / max(1.0, 0.8 * aspect)
        sizes = np.array([motion.size for motion in motions])
        return target, float((1.12 * sizes + apart).max())

    def _overview(
        self,
        motions: Sequence[Motion],
        offsets: Sequence[Array],
        seconds: float,
        asked: ControlPath | None,
        aspect: float,
    ) -> tuple[Array, float]:
        ways = [m.track[:, [0, 2]] + o[[0, 2]] for m, o in zip(motions, offsets, strict=True)]
        if asked:
            ways += [asked.positions + offset[[0, 2]] for offset in offsets]
        low, high = (bound(np.concatenate(ways), axis=0) for bound in (np.min, np.max))
        size = max(motion.size for motion in motions)
        x, z = (low + high) / 2
        height = 0.0 if self.mode == "top" else size / 2
        wide, long = self._spans(high - low)
        return np.array([x, height, z]), max(wide / max(aspect, 1.0), long) / 2 + 0.8 * size

    def _spans(self, box: Array) -> tuple[float, float]:
        """How far a box on the floor ``(2,)`` reaches across the picture and up it."""
        across, along = abs(np.cos(self.yaw)), abs(np.sin(self.yaw))
        wide, deep = box @ [across, along], box @ [along, across]
        return float(wide), float(deep * max(np.sin(self.pitch), 0.35))
