"""A corpus of a few walks, small enough to be made in every test run, a context and a recipe for it."""

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from moglow.corpus.context import Context
from moglow.corpus.context_spec import ContextSpec
from moglow.corpus.corpus import Corpus
from moglow.encodings.encoding import FeatureSpec
from moglow.motion.clip import Clip
from moglow.paths.control_path import ControlPath
from moglow.recipe import Recipe
from tests.support.rigs import RIGS
from tests.support.walking import skeleton_of, walk

CARRY = {"toe_x": 1.0, "toe_z": 1.0, "toe_height": 0.7, "others": 0.9}
MOMENTUM = {"toe_x": 0.0, "toe_z": 0.0, "foot_yaw": 0.0, "toe_height": 0.0, "others": 0.8}
WALKS = [("a", "calm", "train", 0.8), ("b", "brisk", "train", 1.3), ("c", "calm", "val", 1.0)]


@dataclass(frozen=True)
class Weaving(FeatureSpec):
    """Follows a straight walk along a path that weaves about it, so that every control and toe channel moves."""

    def path(self, clip: Clip) -> ControlPath:
        path = super().path(clip)
        sway = np.sin(1.3 * path.times)
        positions = path.positions + np.stack([0.1 * sway, 0 * sway], axis=-1)
        return replace(path, positions=positions, headings=0.3 * np.cos(1.7 * path.times))


@cache
def tiny_corpus() -> Corpus:
    """Returns three walks of 3.5 s at 20 frames a second: two to train on, one to validate on."""
    skeleton = skeleton_of(RIGS["biped"])
    clips = [walk(skeleton, seconds=3.5, fps=20.0, speed=speed)[0] for *_, speed in WALKS]
    encoding = Weaving().fit(clips)
    labels = [(name, style, split) for name, style, split, _ in WALKS]
    features = [encoding.features(clip) for clip in clips]
    return Corpus.build(encoding, features, labels, fps=20.0, notices=["made for a test"])


def tiny_context(spec: ContextSpec | None = None) -> Context:
    """Returns a context of three past poses with the carry, or the one of `spec`."""
    spec = spec or ContextSpec(history=3, lookahead=2, flags=True, carry=CARRY, momentum=MOMENTUM)
    return Context.of_corpus(spec, tiny_corpus())


def tiny_recipe(**training: object) -> Recipe:
    """Returns a recipe for `tiny_corpus` whose steps take some milliseconds."""
    windows = {"length": 10, "pose_dropout": 0.5, "history_noise": {"others": 0.01}}
    tables: dict[str, Any] = {
        "features": {"encoding": "feet_first"},
        "context": {"history": 3, "lookahead": 2, "flags": True, "carry": CARRY, "momentum": MOMENTUM},
        "model": {"name": "moglow", "preset": "compact", "steps": 2, "hidden": 8, "encoder": [8], "dropout": 0.0},
        "training": {
            "steps": 12, "batch": 4, "rate": 3e-3, "warmup": 4, "validate_every": 4, "windows": windows,
            "rollouts": {"takes": 1, "seconds": 1.0},
        },
    }  # fmt: skip
    tables["training"] |= training
    return Recipe("tiny.toml", tables)
