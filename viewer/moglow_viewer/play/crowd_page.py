"""A self-contained HTML page of a crowd: the browser samples the frames of all figures in batches, in workers.

The model is that of the page of one figure. `kernel.js` assembles WebAssembly for its products, `crowd_model.js`
samples 16 figures at a time, and `minds.js` lets figures wander and gather. Needs numpy alone.
"""

from pathlib import Path

from moglow.checkpoint import Checkpoint
from moglow.errors import ExportError
from moglow_viewer.pages.single_page import fill_page, save_page
from moglow_viewer.play.play_page import SHARED_SCRIPTS, STYLES, model_facts

SCRIPTS = (
    *SHARED_SCRIPTS,
    *("play/hands.js", "play/pins.js", "play/kernel.js", "play/crowd_model.js", "play/crowd_worker.js"),
    *("play/minds.js", "play/crowd_scene.js", "play/crowd.js"),
)
MOST_FIGURES = 1000


def write_crowd_page(
    checkpoint: Checkpoint,
    path: str | Path,
    *,
    figures: int,
    temperature: float,
    style: str | None = None,
    seed: int = 0,
    title: str = "moglow crowd",
) -> None:
    """Writes a page on which many figures wander, gather where the user clicks, or follow the keys.

    Figure k has the seed ``seed + k``; all have the same style.
    """
    if not 1 <= figures <= MOST_FIGURES:
        raise ExportError(f"{figures} figures: a page shows 1 to {MOST_FIGURES}")
    data = model_facts(checkpoint, temperature=temperature, style=style, seed=seed) | {"figures": figures}
    page = fill_page("play/crowd.html", title=title, styles=STYLES, scripts=SCRIPTS, data=data, workers=True)
    save_page(page, path)
