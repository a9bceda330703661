"""Opens a window as `moglow view` does, and logs its state, for tests."""

import json
import os
import sys
from pathlib import Path

from moglow_viewer.scene.scene import Sources
from moglow_viewer.window.window import ViewWindow


class WatchedWindow(ViewWindow):
    """A window that logs its state after each picture."""

    log: Path

    def draw(self, now: float) -> None:
        super().draw(now)
        viewing, player = self.viewing, self.viewing.player
        state = {
            "drawn": self.drawn,
            "wall": now,
            "time": player.shown(now),
            "frame": player.frame(now),
            "frames": player.frames,
            "playing": player.playing,
            "speed": player.speed,
            "loop": player.loop,
            "mode": viewing.camera.mode,
            "yaw": viewing.camera.yaw,
            "zoom": viewing.camera.zoom,
            "hidden": sorted(viewing.hidden),
            "look": viewing.look,
            "beside": viewing.beside,
            "paths": viewing.paths,
            "help": viewing.help,
            "message": self.message,
            "saved": self.saved,
            "size": self.size,
            "panel": self.dashboard.height,
        }
        self.log.with_suffix(".part").write_text(json.dumps(state))
        os.replace(self.log.with_suffix(".part"), self.log)


if __name__ == "__main__":
    log, control, *clips = sys.argv[1:]
    window = WatchedWindow(Sources(tuple(map(Path, clips)), control or None))
    window.log = Path(log)
    window.open()
