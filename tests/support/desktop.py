"""A window in a process of its own, on a virtual display, and a user's mouse and keys."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageGrab

PATIENCE = 40.0  # seconds: the machine may be busy


class Opened:
    """A window on a display, and a user's mouse and keys."""

    def __init__(
        self, display: str, folder: Path, script: str, *words: object, title: str = "moglow"
    ) -> None:
        self.folder, self.log = folder, folder / "shown.json"
        self.environment = {**os.environ, "DISPLAY": display}
        self.environment.pop(
            "VTK_DEFAULT_OPENGL_WINDOW", None
        )  # set where films were drawn before, without a display
        self.environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
        self.display = display
        command = [sys.executable, str(Path(__file__).with_name(script)), str(self.log), *map(str, words)]
        with (folder / "errors.txt").open("w") as errors:
            self.process = subprocess.Popen(command, env=self.environment, cwd=folder, stderr=errors)
        self.wait(lambda shown: shown["drawn"] > 1 or not shown["playing"])
        self.number = self.ask("search", "--sync", "--name", f"^{title}$").split()[0]
        self.ask("windowfocus", "--sync", self.number)

    def ask(self, *words: str) -> str:
        done = subprocess.run(["xdotool", *words], env=self.environment, capture_output=True, text=True)
        return done.stdout

    @property
    def shown(self) -> dict[str, Any]:
        state: dict[str, Any] = json.loads(self.log.read_text()) if self.log.exists() else {"drawn": 0}
        return state

    def wait(self, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Returns the state of the window as soon as a condition holds."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            shown = self.shown
            if shown["drawn"] and condition(shown):
                return shown
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        self.stop()
        pytest.fail(f"never was so: {self.shown}; {(self.folder / 'errors.txt').read_text()[-2000:]}")

    def press(self, *keys: str) -> None:
        for key in keys:
            self.ask("key", "--delay", "30", key)

    def drag(self, start: tuple[float, float], end: tuple[float, float], button: int = 1) -> None:
        words = [
            "mousemove",
            "--window",
            self.number,
            *_pixels(start),
            "mousedown",
            str(button),
            "sleep",
            "0.1",
        ]
        for share in (0.3, 0.7, 1.0):
            place = tuple(a + share * (b - a) for a, b in zip(start, end, strict=True))
            words += ["mousemove", "--window", self.number, *_pixels(place), "sleep", "0.1"]
        self.ask(*words, "mouseup", str(button))

    def picture(self) -> Image.Image:
        width, height = self.shown["size"]
        return ImageGrab.grab(xdisplay=self.display).crop((0, 0, width, height))

    def stop(self) -> None:
        """Ends the process, whatever it does."""
        self.process.kill()
        self.process.wait()

    def close(self, key: str = "q") -> str:
        """Closes the window by its key and returns the text on stderr."""
        self.press(key)
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.stop()
        return (self.folder / "errors.txt").read_text()


def _pixels(place: tuple[float, ...]) -> list[str]:
    return [str(round(number)) for number in place]
