"""The error tree: everything that can be wrong with a user's input. Imports nothing.

    MoglowError                  any error that a user can cause; the command line shows it as one line, exit code 1
    ├── FileFormatError          a file that is not of the expected format
    │   ├── BvhError             a motion file
    │   ├── MotionFileError      a motion file of another format than BVH
    │   ├── ControlError         a path: csv, preset, velocities
    │   ├── RecipeError          a TOML recipe or an override
    │   ├── CorpusError          a preprocessed corpus
    │   └── CheckpointError      a trained model
    ├── SkeletonError            a skeleton without a part that an operation needs (legs, a partner, a role)
    ├── ClipError                motion that an operation cannot use (empty, wrong shape, not finite)
    ├── TrainingError            training that cannot continue (divergence, no data)
    ├── ExportError              an output that cannot be written
    ├── LinkError                a connection to another program that cannot be opened
    └── DeviceError              a GPU, a compiler or a processor feature that is not available

A message is one line with the place, what was expected, what was found and what to do:
``walk.bvh: frame 17 has 68 values, the hierarchy declares 69 channels; re-export the file``.
"""


class MoglowError(Exception):
    """Any error that a user's input can cause.

    ``setting`` is the name of the setting, if any, that solves the problem; the command line appends its option.

    >>> MoglowError("runs/first: holds a training run", setting="resume").setting
    'resume'
    """

    def __init__(self, message: str, *, setting: str | None = None) -> None:
        super().__init__(message)
        self.setting = setting


class FileFormatError(MoglowError):
    """A file that is not of the expected format."""


class BvhError(FileFormatError):
    """A motion file that cannot be read or written."""


class MotionFileError(FileFormatError):
    """A motion file of another format than BVH that cannot be read."""


class ControlError(FileFormatError):
    """A control path that cannot be read or followed."""


class RecipeError(FileFormatError):
    """A recipe with an unknown key, a wrong type or an impossible value."""


class CorpusError(FileFormatError):
    """A corpus file that is truncated, of another version or of another format."""


class CheckpointError(FileFormatError):
    """A checkpoint file that is truncated, of another version or of another format."""


class SkeletonError(MoglowError):
    """A skeleton that lacks a part that an operation needs."""


class ClipError(MoglowError):
    """Motion that an operation cannot use."""


class TrainingError(MoglowError):
    """Training that cannot continue."""


class ExportError(MoglowError):
    """An output that cannot be written."""


class LinkError(MoglowError):
    """A connection to another program that cannot be opened."""


class DeviceError(MoglowError):
    """Hardware, or a compiler for it, that is not available."""
