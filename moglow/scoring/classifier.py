"""A classifier of styles: the probability of each style of a clip under a checkpoint."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from moglow.checkpoint import Checkpoint
from moglow.cleaning.spike import despike
from moglow.corpus.context import Context
from moglow.corpus.preprocess import same_bones
from moglow.corpus.windows import on_device
from moglow.encodings.encoding import Features
from moglow.errors import CheckpointError, ClipError
from moglow.models.model import MotionModel
from moglow.motion.clip import Clip
from moglow.motion.retarget import retarget
from moglow.motion.skeleton import Skeleton
from moglow.scoring.style_evidence import evidence, probabilities

TEMPERATURE = 1.0
"""Temperature of a model without calibration; calibrated ones have 0.1 to 2."""


@dataclass(frozen=True)
class StyleProbabilities:
    """The probability of each style of a clip."""

    name: str
    seconds: float
    probabilities: Mapping[str, float]

    @property
    def style(self) -> str:
        return max(self.probabilities, key=self.probabilities.__getitem__)

    @property
    def confidence(self) -> float:
        return self.probabilities[self.style]

    def to_json(self) -> dict[str, Any]:
        rounded = {style: round(share, 4) for style, share in self.probabilities.items()}
        found = {"file": self.name, "seconds": round(self.seconds, 2), "style": self.style}
        return found | {"confidence": rounded[self.style], "probabilities": rounded}


@dataclass(frozen=True, eq=False)
class Classifier:
    """A model with the temperature that calibrates its confidence."""

    model: MotionModel
    context: Context
    temperature: float
    calibrated: bool
    """Whether training fitted the temperature to held-out clips."""

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> Self:
        """Returns the classifier of a checkpoint.

        Raises CheckpointError for a model with fewer than two styles or without a likelihood.
        """
        styles = checkpoint.context.styles
        if len(styles) < 2:
            known = f"only the style {styles[0]!r}" if styles else "no styles"
            raise CheckpointError(
                f"the {checkpoint.model} was trained with {known}, so it cannot classify; train on clips of several "
                "styles: sub-folders, or style and style_from in a recipe's data.sources"
            )
        model, context = checkpoint.to_torch(), on_device(checkpoint.context, "cpu")
        still = Features(*(np.zeros((context.spec.history + 1, width)) for width in (context.pose_dim, 3)))
        if np.isnan(evidence(model, context, still)).any():
            raise CheckpointError(
                f"a {checkpoint.model} has no likelihood to classify by; train another model, such as moglow"
            )
        found = checkpoint.figure("validation", "styles", "temperature")
        return cls(model, context, found or TEMPERATURE, calibrated=found is not None)

    def classify(self, clip: Clip) -> StyleProbabilities:
        """Returns the style probabilities of a clip, whose skeleton and rate may differ from the model's."""
        encoding = self.context.encoding
        features = encoding.features(encoding.spec.posed(fitted(clip, encoding.skeleton, self.context.fps)))
        found = evidence(self.model, self.context, features, clip.name)
        if not np.isfinite(found).all():
            raise ClipError(
                f"{clip.name or 'clip'}: its likelihood is not finite, so the motion is far from all of the training "
                "data; mend it (moglow clean), or choose another model"
            )
        shares = probabilities(found, self.temperature).tolist()
        shares_of = dict(zip(self.context.styles, shares, strict=True))
        return StyleProbabilities(clip.name, clip.duration, shares_of)


def fitted(clip: Clip, skeleton: Skeleton, fps: float) -> Clip:
    """Returns the clip as preprocessing puts it into a corpus of this skeleton and rate."""
    clip = despike(clip).resample(fps)
    if same_bones(clip.skeleton, skeleton):
        return replace(clip, skeleton=skeleton).on_floor()
    return retarget(clip, skeleton)
