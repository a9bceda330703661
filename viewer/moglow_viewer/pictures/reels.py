"""Film writers: mp4 by ffmpeg, GIF by Pillow."""

import subprocess
import tempfile
from pathlib import Path
from typing import Protocol

from PIL import Image

from moglow.errors import ExportError

FASTEST = 60.0
"""Highest frame rate of an mp4, that of common screens."""
GIF_FPS, GIF_COLOURS = 20.0, 128
"""Frame rate and number of colours of a GIF; its frames last hundredths of a second, so that 50 ms is exact."""


class Reel(Protocol):
    """A writer that takes the pictures of a film and completes the file when it is closed."""

    def __init__(self, path: Path, size: tuple[int, int], fps: float) -> None: ...

    @staticmethod
    def rate(fps: float) -> float:
        """Returns the frame rate of a film of motion at ``fps``."""

    def add(self, picture: Image.Image) -> None: ...

    def close(self) -> None: ...


class Mp4:
    """An mp4 film in H.264, encoded by ffmpeg."""

    @staticmethod
    def rate(fps: float) -> float:
        return min(fps, FASTEST)

    def __init__(self, path: Path, size: tuple[int, int], fps: float) -> None:
        from imageio_ffmpeg import get_ffmpeg_exe

        try:
            program = get_ffmpeg_exe()
        except RuntimeError as error:
            raise ExportError(
                "an mp4 needs ffmpeg, which was not found; install it, or write a .gif"
            ) from error
        inputs = [
            "-f",
            "rawvideo",
            "-pix_fmt",
            "rgb24",
            "-s",
            f"{size[0]}x{size[1]}",
            "-r",
            f"{fps:.6f}",
            "-i",
            "-",
        ]
        outputs = [
            "-c:v",
            "libx264",
            "-crf",
            "18",
            "-pix_fmt",
            "yuv420p",
            "-movflags",
            "+faststart",
            str(path),
        ]
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as ffmpeg runs
        command = [program, "-loglevel", "error", "-y", *inputs, *outputs]
        try:
            self.ffmpeg = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=self.errors)
        except OSError as error:
            self.errors.close()
            raise ExportError(
                f"{program}: cannot be run as ffmpeg ({error.strerror}); install ffmpeg, or write a .gif"
            ) from error

    def add(self, picture: Image.Image) -> None:
        assert self.ffmpeg.stdin
        try:
            self.ffmpeg.stdin.write(picture.tobytes())
        except BrokenPipeError:
            self.close()

    def close(self) -> None:
        if self.errors.closed:
            return  # ffmpeg ended early, and `add` has raised its error
        self.ffmpeg.communicate()
        self.errors.seek(0)
        words = " ".join(self.errors.read().decode(errors="replace").split())
        self.errors.close()
        if self.ffmpeg.returncode:
            words = words or f"it ended with {self.ffmpeg.returncode}"
            raise ExportError(f"ffmpeg could not write the film: {words}; write a .gif instead")


class Gif:
    """An animated GIF that repeats without end, with one palette for all frames to avoid flicker."""

    @staticmethod
    def rate(fps: float) -> float:
        return GIF_FPS

    def __init__(self, path: Path, size: tuple[int, int], fps: float) -> None:
        self.path, self.delay = path, round(1000 / fps)
        self.pictures: list[Image.Image] = []

    def add(self, picture: Image.Image) -> None:
        if not self.pictures:
            self.palette = picture.quantize(GIF_COLOURS)
            self.pictures.append(self.palette)
        else:
            self.pictures.append(picture.quantize(palette=self.palette, dither=Image.Dither.NONE))

    def close(self) -> None:
        if self.pictures:
            first, *others = self.pictures
            first.save(self.path, save_all=True, append_images=others, duration=self.delay, loop=0)


REELS: dict[str, type[Mp4] | type[Gif]] = {".mp4": Mp4, ".gif": Gif}
