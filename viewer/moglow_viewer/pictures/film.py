"""Pictures and films of a scene, rendered off-screen: PNG, mp4 and GIF, in real time."""

import io
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from moglow.errors import ExportError
from moglow.files.atomic import replacing
from moglow_viewer.pictures.lettering import shortened, write
from moglow_viewer.pictures.reels import REELS
from moglow_viewer.scene.camera import Camera
from moglow_viewer.scene.scene import Scene
from moglow_viewer.stage.stage import Picture, Stage

FINE = 2
"""Factor by which pictures are rendered larger and then reduced, for smooth edges."""


@dataclass(frozen=True)
class Shot:
    """Camera, look of the bodies, and size, rounded up to multiples of 16."""

    camera: Camera
    look: str = "capsules"
    size: tuple[int, int] = (960, 544)

    def __post_init__(self) -> None:
        if not all(64 <= side <= 4096 for side in self.size):
            raise ExportError(f"a picture of {self.size[0]}×{self.size[1]}; give sides of 64 to 4096 pixels")
        width, height = (-(-side // 16) * 16 for side in self.size)  # sizes that every film player supports
        object.__setattr__(self, "size", (width, height))

    @classmethod
    def of(cls, scene: Scene, *, look: str, size: tuple[int, int]) -> "Shot":
        """Returns a shot from in front of the first figure, a little to its side."""
        return cls(Camera.before(scene.front), look, size)


class Photographer:
    """A stage with a scene and a shot, which renders pictures at any time."""

    def __init__(self, scene: Scene, shot: Shot, *, trails: float = 0.0) -> None:
        self.scene, self.shot = scene, shot
        width, height = shot.size
        self.stage = Stage.off_screen((width * FINE, height * FINE))
        self.stage.put(scene, trails=trails)

    def picture(self, seconds: float, *, lettered: bool = True) -> Image.Image:
        """Returns the picture of the scene at a time."""
        self.stage.show(seconds, self.shot.camera, look=self.shot.look)
        picture = smoothed(self.stage.picture(), self.shot.size)
        if lettered:
            label(picture, self.scene, seconds)
        return picture

    def close(self) -> None:
        self.stage.close()


def smoothed(picture: Picture, size: tuple[int, int]) -> Image.Image:
    """Returns a larger rendering reduced to a size."""
    return Image.fromarray(picture).resize(size, Image.Resampling.BOX)


def label(picture: Image.Image, scene: Scene, seconds: float) -> None:
    """Writes the names of the motions into a corner and the time into another one."""
    small = max(11, picture.width // 80)
    y = float(small)
    for number, motion in enumerate(scene.motions[:9]):
        name = shortened(motion.clip.name or f"take {number + 1}", picture.width / 2, size=small, bold=True)
        tint = scene.tint(number)
        ink = "ink" if tint is None else 0.75 * tint
        write(picture, (1.2 * small, y), name, size=small, bold=True, tint=ink)
        y += 1.5 * small
    shown = f"{min(seconds, scene.duration):.2f} s"
    corner = (picture.width - 1.2 * small, picture.height - small)
    write(picture, corner, shown, size=small, tint="soft", anchor="rd")


def write_picture(scene: Scene, path: str | Path, *, shot: Shot, seconds: float = 0.0) -> None:
    """Writes the scene at a time as a PNG file."""
    if Path(path).suffix.lower() != ".png":
        raise ExportError(f"{path}: a picture ends in .png; name it so")
    camera = Photographer(scene, shot)
    picture = camera.picture(seconds)
    camera.close()
    save_png(picture, path)


def save_png(picture: Image.Image, path: str | Path) -> None:
    """Writes a picture as a PNG file, atomically."""
    written = io.BytesIO()
    picture.save(written, "PNG", optimize=True)
    with replacing(path) as file:
        file.write(written.getvalue())


def film(scene: Scene, path: str | Path, *, shot: Shot) -> Iterator[tuple[int, int]]:
    """Films a scene from its start to its end; yields the number of frames done and the total."""
    suffix = Path(path).suffix.lower()
    if suffix not in REELS:
        raise ExportError(f"{path}: a film ends in {' or '.join(REELS)}; name it so")
    return _filmed(Photographer(scene, shot), Path(path))


def _filmed(camera: Photographer, path: Path) -> Iterator[tuple[int, int]]:
    scene, reel_of = camera.scene, REELS[path.suffix.lower()]
    fps = reel_of.rate(scene.fps)
    frames = int(np.floor(scene.duration * fps + 1e-6)) + 1
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder, f"film{path.suffix}")
        reel = reel_of(draft, camera.shot.size, fps)
        try:
            for frame in range(frames):
                reel.add(camera.picture(frame / fps))
                yield frame + 1, frames
        finally:
            camera.close()
            reel.close()
        with replacing(path) as file:
            file.write(draft.read_bytes())
