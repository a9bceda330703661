"""A widget that plays a take in a notebook, with sliders for its style and temperature. Needs anywidget.

The take is shown by the page of clips in a frame. A slider that is moved samples the same path again in Python, as
`moglow.generate` does, so what is shown is what the take's ``export`` writes.
"""

from typing import Any

import anywidget
import traitlets

from moglow.errors import MoglowError
from moglow.sampling.generate import HOTTEST, TEMPERATURE, Take
from moglow_viewer.pages.clip_page import make_page
from moglow_viewer.pages.single_page import part

DEFAULT = "default"
"""What the first stop of the style's slider is called."""


class TakeWidget(anywidget.AnyWidget):
    """Plays ``take``; moving a slider replaces it."""

    _esm = part("notebook/take.js")
    _css = part("notebook/take.css")
    page = traitlets.Unicode().tag(sync=True)
    styles = traitlets.List(traitlets.Unicode()).tag(sync=True)
    style = traitlets.Unicode("").tag(sync=True)
    temperature = traitlets.Float(TEMPERATURE).tag(sync=True)
    hottest = traitlets.Float(HOTTEST).tag(sync=True)
    message = traitlets.Unicode("").tag(sync=True)

    def __init__(self, take: Take) -> None:
        origin = take.origin
        styles = [DEFAULT, *origin.styles] if origin else []
        first = (origin.style or DEFAULT) if origin else ""
        temperature = origin.temperature if origin else 0.0
        super().__init__(styles=styles, style=first, temperature=temperature, page=_page(take))
        self.take = take
        self.observe(self._again, names=["style", "temperature"])

    def _again(self, _: Any) -> None:
        """Samples the take again; an error becomes the widget's message, and the take stays."""
        if self.take.origin is None:
            return
        style = None if self.style == DEFAULT else self.style
        if style == self.take.origin.style and self.temperature == self.take.origin.temperature:
            return
        try:
            self.take = self.take.origin.make(style, self.temperature)
        except MoglowError as error:
            self.message = str(error)
            return
        self.message, self.page = "", _page(self.take)


def _page(take: Take) -> str:
    return make_page([take.clip], control=take.path, figures=[take.figures], title=take.clip.name or "take")
