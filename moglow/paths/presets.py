"""Preset paths: `circle:r=2,laps=3`, `square:side=4`, `stand:seconds=5`.

Each preset is a function. Its keywords are the parameters, in metres, seconds and degrees. All paths start at the
origin, facing +Z, and begin and end at rest. Left is positive: a negative radius, side, speed or angle goes to the
right. If `seconds` is given, it sets the length of the path instead of `laps` or `length`.
"""

import inspect
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from math import ceil, copysign, cos, isfinite, pi, radians, sin

import numpy as np

from moglow.errors import ControlError
from moglow.files.numbers import read_number
from moglow.maths.rotations import Array
from moglow.paths.control_path import LONGEST, ControlPath
from moglow.paths.pace import SPACING, Curve, Pace, check_length, follow, round_corners

WALK = Pace().speed


def line(fps: float, *, length: float = 6.0, speed: float = WALK, seconds: float = 0.0) -> ControlPath:
    """Walks straight ahead."""
    return _straight(fps, 0.0, length, speed, seconds)


def side(fps: float, *, length: float = 3.0, speed: float = 0.5, seconds: float = 0.0) -> ControlPath:
    """Side-steps to the left, or to the right if the speed is negative, facing ahead."""
    return _straight(fps, copysign(pi / 2, speed), length, abs(speed), seconds)


def back(fps: float, *, length: float = 4.0, speed: float = 0.8, seconds: float = 0.0) -> ControlPath:
    """Walks backward, facing ahead."""
    return _straight(fps, pi, length, speed, seconds)


def stand(fps: float, *, seconds: float = 4.0) -> ControlPath:
    """Stands still."""
    return _lasting(ControlPath.standing(1, fps), _positive("seconds", seconds))


def turn(fps: float, *, angle: float = 180.0, rate: float = 90.0, seconds: float = 0.0) -> ControlPath:
    """Turns on the spot by an angle, at a rate in degrees a second."""
    spot = Curve(np.zeros((2, 2)), np.array([0.0, radians(angle)]))
    return _lasting(follow(spot, fps=fps, pace=Pace(turn=radians(rate))), seconds)


def circle(
    fps: float, *, r: float = 2.0, laps: float = 1.0, speed: float = WALK, seconds: float = 0.0
) -> ControlPath:
    """Walks around a circle of radius r, starting on the circle."""
    angle = np.linspace(0, 2 * pi, _nodes(2 * pi * _positive("r", abs(r))))
    lap = np.stack([r * (1 - np.cos(angle)), abs(r) * np.sin(angle)], axis=-1)
    return _around(lap, fps, laps, speed, seconds)


def figure8(
    fps: float, *, r: float = 2.0, laps: float = 1.0, speed: float = WALK, seconds: float = 0.0
) -> ControlPath:
    """Walks a figure of eight, Bernoulli's lemniscate; each loop extends 2 r from the crossing."""
    angle = np.linspace(0, 2 * pi, _nodes(10.5 * _positive("r", abs(r)))) - pi / 2
    reach = 2 * abs(r) * np.cos(angle) / (1 + np.sin(angle) ** 2)
    lap = np.stack([copysign(1, r) * reach * np.sin(angle), reach], axis=-1)
    return _around(lap, fps, laps, speed, seconds)


def square(
    fps: float, *, side: float = 3.0, laps: float = 1.0, speed: float = WALK, seconds: float = 0.0
) -> ControlPath:
    """Walks around a square from the middle of a side; the radius of the corners depends on the speed."""
    half = _positive("side", abs(side)) / 2
    corners = np.array([[0, 0], [0, half], [side, half], [side, -half], [0, -half], [0, 0]])
    return _around(round_corners(corners, speed / Pace().turn)[0].nodes, fps, laps, speed, seconds)


def spiral(
    fps: float, *, r: float = 3.0, inner: float = 0.8, laps: float = 3.0, speed: float = WALK
) -> ControlPath:
    """Walks a spiral inward from radius r to radius inner."""
    length = 2 * pi * laps * (_positive("r", abs(r)) + _positive("inner", inner)) / 2
    angle = np.linspace(0, 2 * pi * _positive("laps", laps), _nodes(length))
    radius = abs(r) + (inner - abs(r)) * angle / angle[-1]
    nodes = radius[:, None] * np.stack([-copysign(1, r) * np.cos(angle), np.sin(angle)], axis=-1)
    return follow(Curve.through(nodes), fps=fps, pace=Pace(speed)).at_origin()


PRESETS: Mapping[str, Callable[..., ControlPath]] = {
    "line": line,
    "circle": circle,
    "figure8": figure8,
    "square": square,
    "spiral": spiral,
    "stand": stand,
    "turn": turn,
    "side": side,
    "back": back,
}


def parameters(name: str) -> Mapping[str, float]:
    """Returns the parameters of a preset and their defaults.

    >>> parameters("turn")
    {'angle': 180.0, 'rate': 90.0, 'seconds': 0.0}
    """
    return {key: p.default for key, p in inspect.signature(PRESETS[name]).parameters.items() if key != "fps"}


def preset(text: str, fps: float = 30.0, *, speed: float | None = None) -> ControlPath:
    """Returns the path of a preset such as ``circle:r=2,speed=1``; ``speed`` is used if the text gives none.

    >>> len(preset("stand:seconds=2", fps=30.0))
    61
    """
    name, _, rest = (part.strip() for part in text.partition(":"))
    _known(name, PRESETS, f"{text}: there is no preset {name!r}")
    known = parameters(name)
    values = {"speed": speed} if speed and "speed" in known else {}
    for item in filter(None, map(str.strip, rest.split(","))):
        key, _, value = map(str.strip, item.partition("="))
        _known(key, known, f"{text}: {name} has no parameter {key!r}")
        values[key] = read_number(value)
        if not isfinite(values[key]):
            raise ControlError(f"{text}: {key} is {value!r}; give a number, such as {key}={known[key]:g}")
    return PRESETS[name](fps, **values)


def _known(word: str, known: Mapping[str, object], complaint: str) -> None:
    if word not in known:
        near = get_close_matches(word, known, n=1)
        raise ControlError(
            f"{complaint}; " + (f"did you mean {near[0]!r}?" if near else f"try {', '.join(known)}")
        )


def _positive(name: str, value: float) -> float:
    if not value > 0:
        raise ControlError(f"path: {name} {value:g}; give a positive number")
    return value


def _nodes(length: float) -> int:
    check_length(length)
    return max(65, ceil(length / SPACING))


def _distance(pace: Pace, seconds: float) -> float:
    """Returns the metres walked if starting, walking and stopping take ``seconds`` together."""
    walking = seconds - 2 * pace.pause
    if walking <= 0:
        raise ControlError(
            f"path: seconds {seconds:g}; it takes more than {2 * pace.pause:g} s to start and stop"
        )
    ramp = min(pace.speed / pace.acceleration, walking / 2)
    return pace.acceleration * ramp * (walking - ramp)


def _straight(fps: float, direction: float, length: float, speed: float, seconds: float) -> ControlPath:
    pace = Pace(speed)
    length = _distance(pace, seconds) if seconds else _positive("length", length)
    end = length * np.array([sin(direction), cos(direction)])
    curve = Curve.through(np.linspace(np.zeros(2), end, _nodes(length)))
    return _lasting(follow(curve, fps=fps, pace=pace, facing=np.zeros(len(curve.nodes))), seconds)


def _around(lap: Array, fps: float, laps: float, speed: float, seconds: float) -> ControlPath:
    """Follows a closed line for a number of laps, or of seconds."""
    pace, length = Pace(speed), float(Curve.through(lap).arcs[-1])
    laps = _distance(pace, seconds) / length if seconds else _positive("laps", laps)
    check_length(laps * length)
    nodes = np.concatenate([np.tile(lap[:-1], (ceil(laps), 1)), lap[-1:]])
    curve = Curve.through(nodes)
    within = curve.arcs <= laps * length + 1e-9
    return _lasting(
        follow(Curve(curve.nodes[within], curve.directions[within]), fps=fps, pace=pace).at_origin(), seconds
    )


def _lasting(path: ControlPath, seconds: float) -> ControlPath:
    """Returns the path cut, or held at its end, to last ``seconds``; unchanged if ``seconds`` is 0."""
    if not 0 <= seconds * path.fps < LONGEST:
        raise ControlError(f"path: {seconds:g} s at {path.fps:g} frames a second; give 1 to {LONGEST} frames")
    frames = round(seconds * path.fps) + 1 if seconds else len(path)
    return path.at(np.arange(frames))
