"""The models there are. The command line, recipes, checkpoints and the law tests all read this one dictionary."""

from collections.abc import Mapping

from moglow.models.model import MotionModel
from moglow.models.moglow import MoGlow
from moglow.models.regression import Regression

MODELS: Mapping[str, type[MotionModel]] = {"moglow": MoGlow, "regression": Regression}
