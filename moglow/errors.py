"""The error tree: what can be wrong with what a user gave us. Imports nothing.

    MoglowError                  every error a user can cause; the CLI shows it as one line, exit code 1
    ├── FileFormatError          a file that cannot be read as what it claims to be
    │   ├── BvhError             a motion file
    │   ├── ControlError         a path: csv, preset, velocities
    │   ├── RecipeError          a TOML recipe or an override
    │   ├── CorpusError          a preprocessed corpus
    │   └── CheckpointError      a trained model
    ├── SkeletonError            a skeleton without the part that the work needs (legs, a partner, a role)
    ├── ClipError                motion that cannot be used as asked (empty, wrong shape, not finite)
    ├── TrainingError            training that cannot go on (divergence, no data)
    ├── ExportError              an output that cannot be written
    └── DeviceError              a GPU, a compiler or a processor that was asked for and is not there

A message names the place, what was expected, what was found and what to do next, in one line:
``walk.bvh: frame 17 has 68 values, the hierarchy declares 69 channels; re-export the file``.
"""


class MoglowError(Exception):
    """Any error that a user's input can cause."""


class FileFormatError(MoglowError):
    """A file that cannot be read as what it claims to be."""


class BvhError(FileFormatError):
    """A motion file that cannot be read or written."""


class ControlError(FileFormatError):
    """A control path that cannot be read or followed."""


class RecipeError(FileFormatError):
    """A recipe with an unknown key, a wrong type or an impossible value."""


class CorpusError(FileFormatError):
    """A corpus that is truncated, of another version or not one at all."""


class CheckpointError(FileFormatError):
    """A checkpoint that is truncated, of another version or not one at all."""


class SkeletonError(MoglowError):
    """A skeleton that lacks what the work needs."""


class ClipError(MoglowError):
    """Motion that cannot be used as asked."""


class TrainingError(MoglowError):
    """Training that cannot go on."""


class ExportError(MoglowError):
    """An output that cannot be written."""


class DeviceError(MoglowError):
    """Hardware, or a compiler for it, that was asked for and is not there."""
