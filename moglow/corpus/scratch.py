"""The files between the steps of preprocessing, in a folder that all workers see. Needs numpy alone."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from moglow.errors import CorpusError
from moglow.files.locks import lock_file, locked, short
from moglow.motion.clip import Clip
from moglow.motion.skeleton import Skeleton

SUFFIX = ".moglow-steps"


@dataclass(frozen=True)
class Scratch:
    """A folder of arrays by name. A file is complete whenever it has its name, so a task can be repeated."""

    folder: Path

    @classmethod
    @contextmanager
    def beside(cls, output: Path) -> Iterator[Self]:
        """Yields an empty folder beside an output file, which is removed at the end.

        The folder of a command that was killed is used again.
        """
        folder = output.absolute().with_name(f".{short(output.name)}{SUFFIX}")
        try:
            _make(folder, output)
            with locked(folder):
                for left in folder.iterdir():
                    if left != lock_file(folder):
                        shutil.rmtree(left) if left.is_dir() else left.unlink()
                try:
                    yield cls(folder)
                finally:
                    shutil.rmtree(folder, ignore_errors=True)
        except BaseException:  # interrupted before it was locked: it is empty, unless another command uses it
            with suppress(OSError):
                folder.rmdir()
            raise

    def place(self, name: str) -> Path:
        """Returns the file of a name."""
        return self.folder / f"{name}.npz"

    def write(self, name: str, **arrays: NDArray[Any]) -> None:
        """Writes arrays."""
        partial = self.folder / f"{name}.{os.getpid()}"
        with open(partial, "wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]  # its flag allow_pickle has a default
        partial.replace(self.place(name))

    def read(self, name: str, *keys: str) -> list[NDArray[Any]]:
        """Returns arrays that `write` wrote."""
        with np.load(self.place(name)) as arrays:
            return [arrays[key] for key in keys]

    def remove(self, name: str) -> None:
        """Removes arrays that are not needed any more."""
        self.place(name).unlink(missing_ok=True)

    def write_clip(self, name: str, clip: Clip) -> None:
        """Writes the motion of a clip in full precision; positions of joints that never move are stored once."""
        joints = clip.positions[:, 1:]
        still = (joints == joints[:1]).all()
        self.write(
            name,
            root=clip.positions[:, :1],
            joints=joints[:1] if still else joints,
            rotations=clip.rotations,
            fps=np.array(clip.fps),
        )

    def read_clip(self, name: str, skeleton: Skeleton, title: str) -> Clip:
        """Returns a clip that `write_clip` wrote; its skeleton and its title are not stored."""
        root, joints, rotations, fps = self.read(name, "root", "joints", "rotations", "fps")
        joints = np.broadcast_to(joints, (len(root), *joints.shape[1:]))
        return Clip(skeleton, np.concatenate([root, joints], axis=1), rotations, float(fps), title)


def _make(folder: Path, output: Path) -> None:
    """Makes the folder beside an output file, unless it is there."""
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise CorpusError(
            f"{output}: cannot be written: the folder {folder.name} beside it cannot be made ({error.strerror})"
        ) from None
