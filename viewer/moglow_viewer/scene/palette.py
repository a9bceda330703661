"""The colours of all pictures: those of a light page in `page.css`. Needs numpy alone."""

import re
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import ArrayLike

from moglow.maths.rotations import Array

SKATING = 0.4
"""Speed in m/s from which a sliding foot is red."""


@cache
def colour(name: str) -> Array:
    """Returns a named colour as red, green and blue from 0 to 1.

    >>> (255 * colour("left")).round().tolist()
    [59.0, 130.0, 196.0]
    """
    one: Array = _read(_named()[name])[0]
    return one


def take_colour(number: int) -> Array:
    """Returns the colour of a take by its number from 0; the colours repeat after nine."""
    several = _read(_named()["takes"])
    one: Array = several[number % len(several)]
    return one


def side_colours(own: Array | None) -> Array:
    """Returns the colours ``(3, 3)`` of the middle, the left and the right of a body.

    Without a colour of the take they are grey, blue and orange; else the left is lighter and the right darker.

    >>> side_colours(None)[1].tolist() == colour("left").tolist()
    True
    """
    if own is None:
        return np.array([colour("body"), colour("left"), colour("right")])
    return np.array([own, mix(own, 1.0, 0.35), mix(own, 0.0, 0.3)])


def slide_colours(speeds: ArrayLike) -> Array:
    """Returns the colours ``(..., 3)`` of feet by their sliding speeds (m/s): from green over amber to red.

    >>> np.allclose(slide_colours([0.0, 9.0]), [colour("still"), colour("skating")])
    True
    """
    share = np.clip(2 * np.asarray(speeds, float) / SKATING, 0.0, 2.0)
    stops = np.array([colour("still"), colour("sliding"), colour("skating")])
    return np.stack([np.interp(share, [0, 1, 2], channel) for channel in stops.T], axis=-1)


def mix(one: Array, other: ArrayLike, share: float) -> Array:
    """Returns the mix of two colours, with a share of the second."""
    mixed: Array = one + (np.asarray(other, float) - one) * share
    return mixed


@cache
def _named() -> dict[str, str]:
    light = (
        files("moglow_viewer").joinpath("pages", "browser", "page.css").read_text("utf-8").split("@media")[0]
    )
    return dict(re.findall(r"--(\w+): (#[^;]+);", light))


def _read(text: str) -> Array:
    return np.array([[int(word[k : k + 2], 16) / 255 for k in (1, 3, 5)] for word in text.split()])
