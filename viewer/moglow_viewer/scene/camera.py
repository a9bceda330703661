"""The camera: following the figures, orbiting the whole track, or from above. Needs numpy alone."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from moglow.maths.rotations import Array
from moglow.paths.control_path import ControlPath
from moglow_viewer.scene.shown_motion import ShownMotion

LENS = np.pi / 7
"""The field of view, narrow so that perspective distorts bodies little."""
FARTHEST_UP = np.pi / 2 - 1e-3


@dataclass(frozen=True, eq=False)
class View:
    """Eye, target and up vector of a view, all ``(3,)``; ``radius`` (m) is the extent of the visible floor."""

    eye: Array
    target: Array
    up: Array
    radius: float

    def floor_point(self, across: float, up: float) -> Array | None:
        """Returns the place ``(2,)`` on the floor at a point of the picture, or None above the horizon.

        The point is relative to the picture's middle, in halves of its height.

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
    """Mode, direction in radians, and zoom of a view. Turning and zooming return another camera.

    >>> camera = Camera.before(0.0)
    >>> camera.look("top").pitch > camera.pitch, camera.look("top").look("follow") == camera
    (True, True)
    """

    mode: str = "follow"
    yaw: float = 0.65
    pitch: float = 0.26
    zoom: float = 1.0
    tilted: tuple[float, float] = (0.65, 0.26)
    """Yaw and pitch to return to from `top`."""

    @classmethod
    def before(cls, heading: float) -> "Camera":
        """Returns a camera in front of a figure with a heading, a little to its side."""
        return cls(yaw=heading + 0.65, tilted=(heading + 0.65, 0.26))

    def look(self, mode: str) -> "Camera":
        """Returns the camera in another mode: "follow", "orbit" around the whole track, or "top"."""
        tilted = self.tilted if self.mode == "top" else (self.yaw, self.pitch)
        # From above, +Z is up in the picture and +X is left, as for a figure that faces +Z.
        yaw, pitch = (np.pi, FARTHEST_UP) if mode == "top" else tilted
        return replace(self, mode=mode, yaw=float(yaw), pitch=float(pitch), zoom=1.0, tilted=tilted)

    def turned(self, yaw: float, pitch: float) -> "Camera":
        """Returns the camera turned by angles; from above only the yaw changes."""
        if self.mode == "top":
            return replace(self, yaw=self.yaw + yaw)
        up = float(np.clip(self.pitch + pitch, -0.05, FARTHEST_UP))
        return replace(self, yaw=self.yaw + yaw, pitch=up)

    def zoomed(self, factor: float) -> "Camera":
        return replace(self, zoom=float(np.clip(self.zoom * factor, 0.1, 12.0)))

    def view(
        self,
        motions: Sequence[ShownMotion],
        offsets: Sequence[Array],
        seconds: float,
        aspect: float,
        path: ControlPath | None = None,
    ) -> View:
        """Returns the view of motions at offsets ``(3,)``, at a time, in a picture of this aspect ratio."""
        aim = self._following if self.mode == "follow" else self._overview
        return self.aimed(*aim(motions, offsets, seconds, path, aspect), aspect)

    def aimed(self, target: Array, reach: float, aspect: float) -> View:
        """Returns the view of a target ``(3,)`` at the distance that shows a sphere of radius ``reach`` around it."""
        distance = reach / np.tan(LENS / 2) / min(1.0, aspect) / self.zoom
        turn, tilt = (np.sin(self.yaw), np.cos(self.yaw)), (np.sin(self.pitch), np.cos(self.pitch))
        back = np.array([tilt[1] * turn[0], tilt[0], tilt[1] * turn[1]])
        up = np.array([-tilt[0] * turn[0], tilt[1], -tilt[0] * turn[1]])
        return View(target + distance * back, target, up, float(np.clip(2 * distance, 8.0, 120.0)))

    def _following(
        self,
        motions: Sequence[ShownMotion],
        offsets: Sequence[Array],
        seconds: float,
        path: ControlPath | None,
        aspect: float,
    ) -> tuple[Array, float]:
        places = np.array([m.track_at(seconds) + o for m, o in zip(motions, offsets, strict=True)])
        target: Array = places.mean(0)
        apart = np.linalg.norm((places - target)[:, [0, 2]], axis=-1) / max(1.0, 0.8 * aspect)
        sizes = np.array([motion.size for motion in motions])
        return target, float((1.12 * sizes + apart).max())

    def _overview(
        self,
        motions: Sequence[ShownMotion],
        offsets: Sequence[Array],
        seconds: float,
        path: ControlPath | None,
        aspect: float,
    ) -> tuple[Array, float]:
        ways = [m.track[:, [0, 2]] + o[[0, 2]] for m, o in zip(motions, offsets, strict=True)]
        if path:
            ways += [path.positions + offset[[0, 2]] for offset in offsets]
        low, high = (bound(np.concatenate(ways), axis=0) for bound in (np.min, np.max))
        size = max(motion.size for motion in motions)
        x, z = (low + high) / 2
        height = 0.0 if self.mode == "top" else size / 2
        wide, long = self._spans(high - low)
        return np.array([x, height, z]), max(wide / max(aspect, 1.0), long) / 2 + 0.8 * size

    def _spans(self, box: Array) -> tuple[float, float]:
        """Returns the extent of a box on the floor ``(2,)`` across the picture and up in it."""
        across, along = abs(np.cos(self.yaw)), abs(np.sin(self.yaw))
        wide, deep = box @ [across, along], box @ [along, across]
        return float(wide), float(deep * max(np.sin(self.pitch), 0.35))
