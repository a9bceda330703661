"""Opens a window as `moglow play` does, and logs its state, for tests."""

import json
import os
import sys
from pathlib import Path

from moglow.checkpoint import Checkpoint
from moglow.sampling.generate import PRETRAINED
from moglow_viewer.play.gamepad import Gamepad
from moglow_viewer.play.live import Walker
from moglow_viewer.play.play_window import PlayWindow


class WatchedPlay(PlayWindow):
    """A window that logs its state after each picture."""

    log: Path

    def draw(self, share: float) -> None:
        super().draw(share)
        live = self.live
        state = {
            "drawn": self.drawn,
            "playing": True,
            "frame": live.frame,
            "place": live.place.tolist(),
            "held": sorted(self.hands.held),
            "pad": self.gamepad.there,
            "route": live.route is not None,
            "path": self.path_marks is not None,
            "take": live.take,
            "temperature": self.walker.temperature,
            "style": self.walker.style,
            "recording": self.recording is not None,
            "message": self.message,
            "helping": self.helping,
            "size": self.plotter.window_size,
        }
        self.log.with_suffix(".part").write_text(json.dumps(state))
        os.replace(self.log.with_suffix(".part"), self.log)


if __name__ == "__main__":
    checkpoint = Checkpoint.read(PRETRAINED)
    walker = Walker.of(checkpoint, temperature=0.7, style=None, seed=0)
    window = WatchedPlay(checkpoint, walker, folder=Path.cwd())
    window.log, window.gamepad = Path(sys.argv[1]), Gamepad(Path.cwd())
    window.open()
