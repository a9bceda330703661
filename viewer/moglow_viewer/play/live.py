"""A figure that is steered live: held keys and sticks become poses. Needs numpy alone and no window.

All state is a value, so a program can return to an earlier one and continue from there with other noise. For the frames
of the model's lookahead, the control is the one that the held keys lead to.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike

from moglow.checkpoint import Checkpoint
from moglow.errors import ControlError
from moglow.maths.rotations import Array, wrap_angle
from moglow.paths.control_path import ControlPath
from moglow.paths.pace import Curve, follow, round_corners
from moglow.paths.steering import Moving, Steering, walked
from moglow.sampling.sampler import Past, Sampler
from moglow_viewer.play.gamepad import AT_REST, Stick
from moglow_viewer.play.twisting import twisted

HELD = {
    "W": (1, 0, 0), "UP": (1, 0, 0), "S": (-1, 0, 0), "DOWN": (-1, 0, 0),
    "A": (0, 1, 0), "D": (0, -1, 0),
    "LEFT": (0, 0, 1), "RIGHT": (0, 0, -1),
}  # fmt: skip
"""Contribution of each key: forward, left, and turn to the left."""
HURRY = 1.35
"""Factor of the walking speed with Shift or a gamepad's trigger."""
APART, ROUND = 0.25, 0.5
"""Distance in metres between the kept points of a drawn line, and the radius of its corners."""
FACED = 0.6
"""Metres of a drawn path over which the figure turns to face along it."""


@dataclass(frozen=True)
class Hands:
    """The currently held keys and gamepad sticks.

    >>> Hands(frozenset({"W", "LEFT"})).stick
    (1.0, 0.0, 1.0)
    """

    held: frozenset[str] = frozenset()
    hurry: bool = False
    pad: Stick = AT_REST

    def press(self, key: str) -> "Hands":
        return replace(self, held=self.held | {key}) if key in HELD else self

    def release(self, key: str) -> "Hands":
        return replace(self, held=self.held - {key})

    @property
    def stick(self) -> tuple[float, float, float]:
        keys = [HELD[key] for key in self.held]
        forward, sideways, turn = np.clip(np.sum([*keys, self.pad[:3]], axis=0), -1, 1)
        return float(forward), float(sideways), float(turn)

    @property
    def idle(self) -> bool:
        return not self.held and not any(self.stick)

    @property
    def pace(self) -> float:
        return HURRY if self.hurry or self.pad.hurry else 1.0


@dataclass(frozen=True, eq=False)
class Live:
    """A figure at one frame: world positions ``(J, 3)`` and rotations ``(J, 4)``, and the state to continue from."""

    past: Past
    place: Array
    """x, z and heading ``(3,)``."""
    positions: Array
    rotations: Array
    frame: int = 0
    take: int = 0
    moving: Moving = field(default_factory=Moving)
    aside: bool = False
    """Whether it goes sideways, or stops after that."""
    route: ControlPath | None = None
    """The path that is followed while no key is held; `done` is the number of its frames that are done."""
    done: int = 0


@dataclass(frozen=True, eq=False)
class Walker:
    """Moves a figure by a model: ``live = walker.step(live, hands)``, one model frame per call."""

    sampler: Sampler
    steering: Steering
    style: str | None = None
    seed: int = 0

    @classmethod
    def of(cls, checkpoint: Checkpoint, *, temperature: float, style: str | None, seed: int) -> "Walker":
        checkpoint.context.style_vector(style)  # raises an error that names the styles for an unknown one
        sampler = Sampler.of(checkpoint, temperature=temperature, device="cpu")
        return cls(sampler, Steering(checkpoint.control_range, checkpoint.context.fps), style, seed)

    @property
    def fps(self) -> float:
        return self.sampler.fps

    @property
    def temperature(self) -> float:
        return self.sampler.temperature

    @property
    def styles(self) -> tuple[str, ...]:
        return tuple(self.sampler.context.styles)

    def heated(self, temperature: float) -> "Walker":
        """Returns the walker at another temperature."""
        sampler = replace(self.sampler, temperature=float(np.clip(temperature, 0.0, 2.0)))
        return replace(self, sampler=sampler)

    def begin(self) -> Live:
        """Returns the figure standing at the origin, facing +Z."""
        still = np.zeros((1, 1 + self.sampler.context.spec.lookahead, 3), np.float32)
        context = self.sampler.context
        controls, style = context.standardize_control(still), context.label_vector(self.style)[None]
        past = self.sampler.start(controls, style, [np.random.default_rng([self.seed, 0, 0])])
        live = Live(past, np.zeros(3), np.zeros((0, 3)), np.zeros((0, 4)))
        return self._posed(live, still[0])

    def step(self, live: Live, hands: Hands) -> Live:
        """Returns the figure one frame later, by the held keys or along its route."""
        count = 1 + self.sampler.context.spec.lookahead
        if live.route is not None and live.done < len(live.route) - 1 and hands.idle:
            rows = live.route.velocities()[live.done + 1 :][:count]
            coming = np.concatenate([rows, np.zeros((count - len(rows), 3))])
            moving = Moving(coming[0], np.zeros(3))
            live = replace(live, done=live.done + 1)
        else:
            wanted = self.steering.wanted(*hands.stick, hurry=hands.pace)
            coming = self.steering.ahead(live.moving, wanted, count)
            moving = self.steering.step(live.moving, wanted)
            live = replace(live, route=None)
        place = walked(live.place, coming[0], self.fps)
        return self._posed(replace(live, moving=moving, place=place, frame=live.frame + 1), coming)

    def route(self, live: Live, points: ArrayLike) -> Live:
        """Returns the figure with a route along points ``(N, 2)`` of a drawn line, from its current place."""
        kept = [live.place[:2]]
        for point in np.asarray(points, float).reshape(-1, 2):
            if np.linalg.norm(point - kept[-1]) >= APART:
                kept.append(point)
        if len(kept) < 2:
            raise ControlError("the line is too short to walk; draw a longer one")
        curve, _ = round_corners(np.array(kept), ROUND)
        path = follow(curve, fps=self.fps, facing=_facing(curve, float(live.place[2])))
        return replace(live, route=path, done=0, take=0)

    def _posed(self, live: Live, coming: Array) -> Live:
        """Returns the figure with its next pose."""
        context = self.sampler.context
        controls = context.standardize_control(np.asarray(coming, np.float32)[None])
        noise = np.random.default_rng([self.seed, live.take, live.frame, 1]).standard_normal(
            (1, self.sampler.model.noise_dim), dtype=np.float32
        )
        aside = self.steering.aside(coming, live.aside)
        label = context.label_vector(self.style, aside=aside)
        past, pose, _ = self.sampler.step(live.past, controls, noise, label[None])
        encoding = context.encoding
        at, turns = encoding.decode_frames(np.asarray(pose, float), live.place[None, :2], live.place[2:])
        turns = twisted(turns, encoding.skeleton, self.steering.twisting(live.moving))
        positions, rotations = encoding.skeleton.forward_kinematics(at, turns)
        return replace(live, past=past, aside=aside, positions=positions[0], rotations=rotations[0])


def path_of(places: Sequence[Array], fps: float, styles: Sequence[str | None]) -> ControlPath:
    """Returns the path through places ``(3,)`` of x, z and heading; it has styles if every place has one."""
    rows, named = np.array(places), [style or "" for style in styles]
    return ControlPath(rows[:, :2], rows[:, 2], fps, tuple(named) if all(named) else None)


def _facing(curve: Curve, heading: float) -> Array:
    """Returns headings along a curve that turn from an initial heading to the curve's direction."""
    off = float(wrap_angle(np.asarray(heading - curve.directions[0])))
    turned: Array = curve.directions + off * np.exp(-curve.arcs / FACED)
    return turned
