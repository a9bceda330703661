"""The state of a view as a value, and the keys that change it; independent of a window."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from moglow_viewer.scene.camera import Camera
from moglow_viewer.window.player import Player


@dataclass(frozen=True)
class Viewing:
    """Time, camera, and what is shown in which look."""

    player: Player
    camera: Camera = Camera()  # noqa: RUF009 - a value
    look: str = "capsules"
    hidden: frozenset[int] = frozenset()
    paths: bool = True
    beside: bool = False
    help: bool = False

    def press(self, key: str, now: float) -> "Viewing":
        """Returns the state after a key, by its name in `KEYS`; unknown keys change nothing.

        >>> still = Viewing(Player(duration=2.0, fps=30.0))
        >>> still.press("→", 0.0).player.time, still.press("2", 0.0).hidden, still.press("x", 0.0) == still
        (0.03333333333333333, frozenset({1}), True)
        """
        if key.isdecimal() and key != "0":
            return replace(self, hidden=self.hidden ^ {int(key) - 1})
        return KEYS[key][1](self, now) if key in KEYS else self

    def turned(self, across: float, up: float) -> "Viewing":
        """Returns the state after a drag of the mouse, in pixels to the right and up."""
        return replace(self, camera=self.camera.turned(-0.008 * across, -0.006 * up))

    def zoomed(self, factor: float) -> "Viewing":
        return replace(self, camera=self.camera.zoomed(factor))


Change = Callable[[Viewing, float], Viewing]


def _play(change: Callable[[Player, float], Player]) -> Change:
    return lambda viewing, now: replace(viewing, player=change(viewing.player, now))


def _look(mode: str) -> Change:
    return lambda viewing, now: replace(viewing, camera=viewing.camera.look(mode))


KEYS: dict[str, tuple[str, Change]] = {
    "Space": ("play, pause", _play(Player.toggled)),
    "←": ("a frame back", _play(lambda player, now: player.stepped(now, -1))),
    "→": ("a frame ahead", _play(lambda player, now: player.stepped(now, 1))),
    "Home": ("first frame", _play(lambda player, now: player.sought(now, 0.0))),
    "End": ("last frame", _play(lambda player, now: player.stepped(now, player.frames))),
    "L": ("loop", _play(Player.looped)),
    "[": ("slower, to ¼×", _play(lambda player, now: player.faster(now, -1))),
    "]": ("faster, to 4×", _play(lambda player, now: player.faster(now, 1))),
    "F": ("follow the figures", _look("follow")),
    "O": ("orbit around the whole track", _look("orbit")),
    "T": ("from the top", _look("top")),
    "B": ("bodies or bones", lambda v, now: replace(v, look="bones" if v.look == "capsules" else "capsules")),
    "D": ("side by side", lambda v, now: replace(v, beside=not v.beside)),
    "P": ("paths and footprints", lambda v, now: replace(v, paths=not v.paths)),
    "?": ("these keys", lambda v, now: replace(v, help=not v.help)),
}
"""Each key's name, description and effect."""
MORE = (
    ("1 – 9", "clips on and off"),
    ("S", "save a picture"),
    ("Q", "close"),
    ("mouse", "drag turns, wheel zooms"),
)
"""Further controls of the window, which are listed with the keys."""
