"""Contact sheets of the free roll-outs of a model after each validation during training."""

import numpy as np
from numpy.typing import NDArray

from moglow.training.run import TrainingRun

FOLDER, HELD_OUT = (
    "sheets",
    2,
)  # the subfolder of a run for sheets, and the number of roll-outs on held-out controls per sheet


class Sheets:
    """Draws roll-outs into the folder of a run: the first on held-out controls and all on synthetic ones."""

    def __init__(self, run: TrainingRun) -> None:
        from moglow_viewer.stage.graphics import need_drawing

        need_drawing()  # fails at the start if drawing is impossible
        self.run, self.folder = run, run.folder / FOLDER
        self.folder.mkdir(parents=True, exist_ok=True)

    def draw(self, step: int) -> NDArray[np.uint8] | None:
        """Writes the sheet of a step and returns its pixels, or None if the model diverged."""
        from moglow_viewer.pictures.sheet import write_sheet
        from moglow_viewer.scene.scene import Scene
        from moglow_viewer.scene.shown_motion import ShownMotion

        motions = self.run.rollouts.motions(self.run.trainer.average)
        held_out = self.run.rollouts.held_out
        shown = [*motions[: min(HELD_OUT, held_out)], *motions[held_out:]]
        if not motions:
            return None
        scenes = [Scene((ShownMotion(clip),), path) for clip, path in shown]
        sheet = write_sheet(*scenes, path=self.folder / f"step_{step:06d}.png")
        return np.asarray(sheet, np.uint8)
