"""What pictures are wound on: mp4 through ffmpeg, GIF through Pillow. Stands above the library."""

import subprocess
import tempfile
from pathlib import Path
from typing import Protocol

from PIL import Image

from moglow.errors import ExportError

FASTEST = 60.0
"""Frames a second of an mp4 at most: what screens show."""
GIF_FPS, GIF_COLOURS = 20.0, 128
"""Frames a second of a GIF, whose clock ticks in hundredths: 50 ms is exact; and of how many colours it is made."""


class Reel(Protocol):
    """What takes the pictures of a film, and writes it once closed."""

    def __init__(self, path: Path, size: tuple[int, int], fps: float) -> None: ...

    @staticmethod
    def rate(fps: float) -> float:
        """How many frames a second a film has of motion that has so many."""

    def add(self, picture: Image.Image) -> None: ...

    def close(self) -> None: ...


class Mp4:
    """H.264 in mp4, made by ffmpeg."""

    @staticmethod
    def rate(fps: float) -> float:
        return min(fps, FASTEST)

    def __init__(self, path: Path, size: tuple[int, int], fps: float) -> None:
        from imageio_ffmpeg import get_ffmpeg_exe

        try:
            program = get_ffmpeg_exe()
        except RuntimeError as error:
            raise ExportError("an mp4 needs ffmpeg and there is none; install it, or write a .gif") from error
        took = [
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
        gives = ["-c:v", "libx264", "-crf", "18", "-pix_fmt", "yuv420p", "-movflags", "+faststart", str(path)]
        self.said = tempfile.TemporaryFile()  # noqa: SIM115 - open for as long as ffmpeg speaks
        command = [program, "-loglevel", "error", "-y", *took, *gives]
        try:
            self.ffmpeg = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=self.said)
        except OSError as error:
            self.said.close()
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
        if self.said.closed:
            return  # it ended before the film did, which was said then
        self.ffmpeg.communicate()
        self.said.seek(0)
        words = " ".join(self.said.read().decode(errors="replace").split())
        self.said.close()
        if self.ffmpeg.returncode:
            words = words or f"it ended with {self.ffmpeg.returncode}"
            raise ExportError(f"ffmpeg could not write the film: {words}; write a .gif instead")


class Gif:
    """An animated GIF that plays for ever, with one palette for all frames so that nothing flickers."""

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
