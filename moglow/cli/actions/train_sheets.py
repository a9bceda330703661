"""Contact sheets of what a model does while it trains: its free roll-outs after each validation."""

import numpy as np
from numpy.typing import NDArray

from moglow.training.run import TrainingRun

FOLDER, HELD_OUT = (
    "sheets",
    2,
)  # where they lie in a run's folder; how many roll-outs on held-out controls they show


class Sheets:
    """Draws roll-outs into a run's folder: the first ones on held-out controls, and all on synthetic ones."""

    def __init__(self, run: TrainingRun) -> None:
        from moglow_viewer.stage.graphics import need_drawing

        need_drawing()  # fails before the work begins, not after an hour
        self.run, self.folder = run, run.folder / FOLDER
        self.folder.mkdir(parents=True, exist_ok=True)

    def draw(self, step: int) -> NDArray[np.uint8] | None:
        """Writes the sheet of a step and returns its pixels; None where the model blew up."""
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
