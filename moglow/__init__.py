"""moglow: your path, your skeleton, natural motion.

>>> import moglow
>>> take = moglow.generate("line:length=1", seed=1)
>>> take.clip.skeleton.names[0]
'Hips'

Each public name is imported from its module when it is first used, so ``import moglow`` loads nothing else.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.2.0"

_PLACES = {
    "moglow.bvh.read": ("read_bvh",),
    "moglow.bvh.write": ("write_bvh",),
    "moglow.checkpoint": ("Checkpoint",),
    "moglow.cleaning.inspect": ("inspect_clip",),
    "moglow.cleaning.mend": ("mend",),
    "moglow.corpus.corpus": ("Corpus",),
    "moglow.corpus.preprocess": ("preprocess",),
    "moglow.directing.pins": ("Look", "Pin", "Reach"),
    "moglow.errors": ("MoglowError",),
    "moglow.evaluation.evaluate": ("evaluate",),
    "moglow.footsteps.files": ("read_footprints", "write_footprints"),
    "moglow.footsteps.following": ("follow_footprints",),
    "moglow.footsteps.footprints": ("Footprint", "footprints"),
    "moglow.footsteps.standing": ("stand_on",),
    "moglow.formats.export": ("export",),
    "moglow.formats.read": ("read_motion",),
    "moglow.ground.reading": ("read_ground",),
    "moglow.models": ("MODELS",),
    "moglow.motion.clip": ("Clip",),
    "moglow.motion.foot_lock": ("lock_feet",),
    "moglow.motion.retarget": ("retarget",),
    "moglow.motion.skeleton": ("Skeleton",),
    "moglow.paths.control_path": ("ControlPath",),
    "moglow.paths.csv_files": ("read_path", "write_path"),
    "moglow.paths.presets": ("preset",),
    "moglow.recipe": ("read_recipe",),
    "moglow.sampling.crowd": ("Crowd",),
    "moglow.sampling.generate": ("Take",),
    "moglow.sampling.sampler": ("Sampler",),
    "moglow.takes.cycle_set": ("cycle_set",),
    "moglow.takes.editing": ("between", "blend", "redo"),
    "moglow.takes.single": ("generate", "pretrained"),
    "moglow.training.run": ("TrainingRun",),
}
_MODULE_OF = {name: module for module, names in _PLACES.items() for name in names}

__all__ = sorted(_MODULE_OF)

if TYPE_CHECKING:
    from moglow.bvh.read import read_bvh as read_bvh
    from moglow.bvh.write import write_bvh as write_bvh
    from moglow.checkpoint import Checkpoint as Checkpoint
    from moglow.cleaning.inspect import inspect_clip as inspect_clip
    from moglow.cleaning.mend import mend as mend
    from moglow.corpus.corpus import Corpus as Corpus
    from moglow.corpus.preprocess import preprocess as preprocess
    from moglow.directing.pins import Look as Look
    from moglow.directing.pins import Pin as Pin
    from moglow.directing.pins import Reach as Reach
    from moglow.errors import MoglowError as MoglowError
    from moglow.evaluation.evaluate import evaluate as evaluate
    from moglow.footsteps.files import read_footprints as read_footprints
    from moglow.footsteps.files import write_footprints as write_footprints
    from moglow.footsteps.following import follow_footprints as follow_footprints
    from moglow.footsteps.footprints import Footprint as Footprint
    from moglow.footsteps.footprints import footprints as footprints
    from moglow.footsteps.standing import stand_on as stand_on
    from moglow.formats.export import export as export
    from moglow.formats.read import read_motion as read_motion
    from moglow.ground.reading import read_ground as read_ground
    from moglow.models import MODELS as MODELS
    from moglow.motion.clip import Clip as Clip
    from moglow.motion.foot_lock import lock_feet as lock_feet
    from moglow.motion.retarget import retarget as retarget
    from moglow.motion.skeleton import Skeleton as Skeleton
    from moglow.paths.control_path import ControlPath as ControlPath
    from moglow.paths.csv_files import read_path as read_path
    from moglow.paths.csv_files import write_path as write_path
    from moglow.paths.presets import preset as preset
    from moglow.recipe import read_recipe as read_recipe
    from moglow.sampling.crowd import Crowd as Crowd
    from moglow.sampling.generate import Take as Take
    from moglow.sampling.sampler import Sampler as Sampler
    from moglow.takes.cycle_set import cycle_set as cycle_set
    from moglow.takes.editing import between as between
    from moglow.takes.editing import blend as blend
    from moglow.takes.editing import redo as redo
    from moglow.takes.single import generate as generate
    from moglow.takes.single import pretrained as pretrained
    from moglow.training.run import TrainingRun as TrainingRun


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'moglow' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_MODULE_OF[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
