"""Recordings of a steered figure: its path as a CSV file, and the motion that `moglow generate` makes along it."""

from pathlib import Path

from moglow.checkpoint import Checkpoint
from moglow.formats.export import export
from moglow.maths.rotations import Array
from moglow.paths.control_path import ControlPath
from moglow.paths.csv_files import read_path, write_path
from moglow.sampling.generate import generate
from moglow_viewer.play.live import Walker, path_of


class Recording:
    """The places and styles of a figure, frame by frame."""

    def __init__(self, fps: float) -> None:
        self.fps = fps
        self.places: list[Array] = []
        self.styles: list[str | None] = []

    def add(self, place: Array, style: str | None) -> None:
        self.places.append(place)
        self.styles.append(style)

    @property
    def seconds(self) -> float:
        return max(len(self.places) - 1, 0) / self.fps

    @property
    def path(self) -> ControlPath:
        return path_of(self.places, self.fps, self.styles)


def save(path: ControlPath, checkpoint: Checkpoint, walker: Walker, folder: Path) -> tuple[Path, Path]:
    """Writes a path and its motion as `play_1.csv` and `play_1.bvh`, or the next free number; returns both files.

    The motion is generated along the whole path, with the foot lock and the true lookahead, so it differs from the live
    one. `moglow generate --control play_1.csv` with the same seed and temperature writes the same file.
    """
    number = 1
    while (control := folder / f"play_{number}.csv").exists() or control.with_suffix(".bvh").exists():
        number += 1
    write_path(path, control)
    written = read_path(str(control), fps=checkpoint.context.fps)
    (take,) = generate(
        checkpoint, written, seed=walker.seed, temperature=walker.temperature, name=control.stem
    )
    export(take.clip, control.with_suffix(".bvh"))
    return control, control.with_suffix(".bvh")
