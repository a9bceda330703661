#!/usr/bin/env python
"""Draws the pictures of docs/concepts.md, as SVG files in docs/concepts/: `python scripts/draw_concepts.py`.

The motion is that of data/samples, the paths are those of data/controls, and the model is that of the package. The same
machine gives the same bytes.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from html import escape
from pathlib import Path
from typing import TypeAlias

import numpy as np

import moglow
from moglow.checkpoint import Checkpoint
from moglow.cleaning.damage import in_words
from moglow.cleaning.injection import inject
from moglow.encodings.encoding import FeatureSpec
from moglow.maths.rotations import Array, heading_to_vector
from moglow.maths.signals import runs
from moglow.motion.clip import Clip
from moglow.motion.contacts import contacts
from moglow.paths.control_path import ControlPath
from moglow.sampling.sampler import Past, Sampler
from moglow_viewer.pages.film_strip import picture

ROOT = Path(__file__).resolve().parents[1]
INKS = ("#3b82c4", "#e07a4b", "#4f9d69", "#9a6fb0")
"""Colours that are readable on light and dark pages; the first two are those of left and right."""
GREY = "#8b96a2"
STYLE = f"text {{ fill: {GREY}; font: 12px system-ui, sans-serif }} .head {{ font-weight: 600 }}"
SHOWN = slice(45, 120)
"""Frames of the motions in film strips; figures stand at first."""
SHOWN_STYLES = ("neutral", "march", "carrying", "skip")


@dataclass(frozen=True)
class Panel:
    """A rectangle of a picture, in pixels, that shows a range of x and y."""

    left: float
    top: float
    width: float
    height: float
    x: tuple[float, float]
    y: tuple[float, float]

    def at(self, points: Array) -> Array:
        """Returns the pixels ``(N, 2)`` of points ``(N, 2)``."""
        share = (np.asarray(points, float) - (self.x[0], self.y[0])) / (
            self.x[1] - self.x[0],
            self.y[1] - self.y[0],
        )
        return np.stack(
            [self.left + self.width * share[:, 0], self.top + self.height * (1 - share[:, 1])], -1
        )

    def line(self, points: Array, ink: str, *, width: float = 2.0, dashed: bool = False) -> str:
        """Returns a line through points."""
        places = " ".join(f"{x:.1f},{y:.1f}" for x, y in self.at(points))
        dashes = ' stroke-dasharray="5 5"' if dashed else ""
        return f'<polyline points="{places}" fill="none" stroke="{ink}" stroke-width="{width:g}"{dashes}/>'

    def dots(self, points: Array, ink: str, *, radius: float = 3.0) -> str:
        """Returns a dot at each point."""
        return "".join(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}" fill="{ink}"/>' for x, y in self.at(points)
        )

    def band(self, start: float, stop: float, ink: str) -> str:
        """Returns a shaded range of x."""
        (left, _), (right, _) = self.at(np.array([[start, 0.0], [stop, 0.0]]))
        size = f'width="{right - left:.1f}" height="{self.height:g}"'
        return f'<rect x="{left:.1f}" y="{self.top:g}" {size} fill="{ink}" opacity="0.18"/>'

    def label(self, words: str, *, above: float = 8.0) -> str:
        """Returns a title above the panel."""
        return text(words, self.left, self.top - above, head=True)


def text(words: str, x: float, y: float, *, head: bool = False, ink: str = "") -> str:
    """Returns a line of text."""
    look = (' class="head"' if head else "") + (f' style="fill: {ink}"' if ink else "")
    return f'<text x="{x:.1f}" y="{y:.1f}"{look}>{escape(words)}</text>'


def span(least: float, most: float, digits: int) -> str:
    """Returns a range in words."""
    return f"{least:.{digits}f} to {most:.{digits}f}".replace("-", "−")


def drawing(width: float, height: float, parts: Sequence[str]) -> str:
    """Returns an SVG file."""
    box = f'viewBox="0 0 {width:g} {height:g}" width="{width:g}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {box}><style>{STYLE}</style>{"".join(parts)}</svg>\n'


@cache
def model() -> Checkpoint:
    """Returns the model of the package."""
    return moglow.pretrained()


def control(name: str) -> ControlPath:
    """Returns a path of data/controls."""
    return moglow.read_path(ROOT / f"data/controls/{name}.csv", fps=model().context.fps)


def sample(name: str) -> Clip:
    """Returns a clip of data/samples."""
    return moglow.read_bvh(ROOT / f"data/samples/{name}.bvh")


def from_above(places: Array, width: float, height: float, left: float, top: float) -> Panel:
    """Returns a panel that shows places ``(N, 2)`` from above, +Z upwards and +X to the left, at one scale."""
    low, high = places.min(0) - 0.4, places.max(0) + 0.4
    scale = max((high[0] - low[0]) / width, (high[1] - low[1]) / height)
    middle = (low + high) / 2
    across, up = scale * width / 2, scale * height / 2
    x, y = (middle[0] + across, middle[0] - across), (middle[1] - up, middle[1] + up)
    return Panel(left, top, width, height, x, y)


def path() -> str:
    """Draws a path from above, with its headings, and its velocities."""
    turns = control("turns")
    panel = from_above(turns.positions, 330, 300, 10, 30)
    parts = [panel.label("from above: positions and headings"), panel.line(turns.positions, INKS[0])]
    for frame in range(0, len(turns), round(turns.fps / 2)):
        place = turns.positions[frame]
        arrow = np.stack([place, place + 0.35 * heading_to_vector(turns.headings[frame])])
        parts += [panel.line(arrow, INKS[1], width=1.6), panel.dots(arrow[:1], INKS[1], radius=2.4)]
    times, velocities = np.arange(len(turns)) / turns.fps, turns.velocities()
    zero = np.array([[0.0, 0.0], [times[-1], 0.0]])
    for row, name in enumerate(("forward in m/s", "sideways in m/s", "turn in rad/s")):
        high = 1.1 * np.abs(velocities[:, row]).max() + 0.1
        strip = Panel(380, 40 + 102 * row, 330, 70, (0.0, times[-1]), (-high, high))
        least, most = velocities[:, row].min(), velocities[:, row].max()
        parts += [strip.label(f"{name}, {span(least, most, 1)}"), strip.line(zero, GREY, width=0.7)]
        parts.append(strip.line(np.stack([times, velocities[:, row]], -1), INKS[2]))
    return drawing(720, 340, parts)


def style() -> str:
    """Draws the same path in some styles of the model."""
    walk = control("walk")
    return picture(
        {f"style {name}": moglow.generate(walk, seed=1, style=name).clip[SHOWN] for name in SHOWN_STYLES}
    )


def take() -> str:
    """Draws the tracks of the hips and the footprints of three takes of one path, from above."""
    stroll, shown = control("walk"), slice(45, 210)
    way = stroll.positions[shown]
    ahead = (way[-1] - way[0]) / np.linalg.norm(way[-1] - way[0])
    axes = np.stack([ahead, [ahead[1], -ahead[0]]], axis=-1)  # to the right and upwards: ahead and left
    panel = from_above(way @ axes, 700, 200, 10, 30)
    panel = replace(panel, x=panel.x[::-1])
    parts = [panel.label("one path (dashed), three takes: hips and footprints from above")]
    for number, ink in enumerate(INKS[:3]):
        clip = moglow.generate(stroll, seed=number).clip[shown]
        prints = np.array([[each.x, each.z] for each in moglow.footprints(clip)])
        parts += [panel.line(clip.ground_positions() @ axes, ink, width=1.4), panel.dots(prints @ axes, ink)]
        parts.append(text(f"seed {number}", 480 + 70 * number, 22, ink=ink))
    parts.append(panel.line(way @ axes, GREY, dashed=True))
    return drawing(720, 240, parts)


def damage() -> str:
    """Draws a walk as recorded, with its legs swapped for some frames, and mended."""
    walk = sample("walk")[SHOWN]
    damaged = inject(walk, "swap", generator=np.random.default_rng(6))
    mended = moglow.mend(damaged.clip)
    (found,) = mended.found
    return picture(
        {
            "a sound clip": walk,
            f"damage: frames {in_words(found.damage.start, found.damage.stop)}, {found.damage.why}": damaged.clip,
            f"mended: {found.damage.remedy}": mended.clip,
        }
    )


def encoding() -> str:
    """Draws channels of the encoding feet_first for a walk, with the contacts of the left foot shaded."""
    clip = sample("walk")
    chart = FeatureSpec(encoding="feet_first").fit([clip])
    features = chart.features(clip)
    planted = contacts(clip)[:, 0]
    part = slice(round(clip.fps), round(4 * clip.fps))
    foot = clip.skeleton.names[clip.skeleton.anatomy.legs[0].ankle]
    parts = []
    for row, (name, unit, scale) in enumerate(
        (
            ("z", "toe ahead of the path in cm", 100),
            ("height", "height of the toe in cm", 100),
            ("pitch", "pitch of the foot in degrees", 180 / np.pi),
        )
    ):
        values = scale * features.pose[part, chart.names.index(f"{foot}.{name}")]
        times = np.arange(len(values)) / clip.fps
        reach = np.ptp(values) / 10
        panel = Panel(
            10, 30 + 100 * row, 700, 66, (0, times[-1]), (values.min() - reach, values.max() + reach)
        )
        parts.append(panel.label(f"left foot: {unit}, {span(values.min(), values.max(), 0)}"))
        parts += [
            panel.band(start / clip.fps, (stop - 1) / clip.fps, INKS[0])
            for start, stop in runs(planted[part])
        ]
        parts.append(panel.line(np.stack([times, values], -1), INKS[0]))
    parts.append(text("shaded: the toe is planted", 10, 316))
    return drawing(720, 325, parts)


def flow() -> str:
    """Draws circles in a plane of the noise, and the positions of a hand to which the flow maps them."""
    pose_of, dim = next_pose()
    zero = np.zeros((1, dim))
    steps = 0.05 * np.eye(dim)
    jacobian = (hand_of(pose_of(zero + steps)) - hand_of(pose_of(zero - steps))) / 0.1  # (dim, 2)
    plane = np.linalg.svd(jacobian.T, full_matrices=False)[
        2
    ]  # (2, dim): the directions of the largest effect
    angles = np.linspace(0, 2 * np.pi, 73)
    circle = np.stack([np.cos(angles), np.sin(angles)], -1)
    noise = Panel(20, 40, 260, 260, (-3.4, 3.4), (-3.4, 3.4))
    centre = hand_of(pose_of(zero))
    images = [hand_of(pose_of(radius * circle @ plane)) - centre for radius in (1, 2, 3)]
    points = np.random.default_rng(0).standard_normal((150, 2))
    hands = hand_of(pose_of(points @ plane)) - centre
    reach = 1.1 * max(np.abs(each).max() for each in images)
    pose = Panel(440, 40, 260, 260, (-reach, reach), (-reach, reach))
    parts = [
        noise.label("Gaussian noise, two directions"),
        pose.label("the next pose: left hand from the side"),
    ]
    for radius, image, ink in zip((1, 2, 3), images, INKS, strict=False):
        parts += [noise.line(radius * circle, ink), pose.line(image, ink)]
    parts += [noise.dots(points, GREY, radius=1.8), pose.dots(hands, GREY, radius=1.8)]
    parts += [text("flow →", 335, 150, head=True), text("← inverse", 335, 170, head=True)]
    parts += [text("given the past poses", 308, 200), text("and the path", 308, 216)]
    parts += [text(f"−{reach:.0f}", 440, 316), text(f"{reach:.0f} mm", 668, 316)]
    return drawing(720, 325, parts)


def next_pose() -> tuple[Callable[[Array], Array], int]:
    """Returns a function from noise ``(B, D)`` to the next poses ``(B, D)`` in the middle of a walk, and D."""
    sampler = Sampler.of(model(), device="cpu")
    context, walk = sampler.context, control("walk")
    velocities = walk.velocities()[None].astype(np.float32)
    labels = context.style_rows(context.styles_of(walk), len(walk), context.performer_of(walk))[None]
    frame, ahead = 60, context.spec.lookahead
    pasts: Iterator[tuple[Past, Array, Array]] = sampler.follow(velocities, labels, [(0, 0)])
    past = next(past for t, (past, *_) in enumerate(pasts) if t == frame)
    controls = context.standardize_control(velocities[:, frame : frame + 1 + ahead])

    def poses(noise: Array) -> Array:
        rows = []
        for each in noise:
            full = np.ones((1, sampler.model.noise_dim), np.float32)  # the others scale the noise by 1
            full[0, : len(each)] = each
            rows.append(sampler.step(past, controls, full, labels[:, frame])[1][0])
        return np.stack(rows)

    return poses, context.pose_dim


def hand_of(poses: Array) -> Array:
    """Returns the left hand ``(B, 2)`` of poses in millimetres, ahead and up in the path's frame."""
    encoding = model().context.encoding
    positions, headings = np.zeros((len(poses), 2)), np.zeros(len(poses))
    world, _ = encoding.skeleton.forward_kinematics(*encoding.decode_frames(poses, positions, headings))
    return 1000 * world[:, encoding.skeleton.role("left_hand")][:, [2, 1]]


Draw: TypeAlias = Callable[[], str]
CONCEPTS: tuple[Draw, ...] = (path, style, take, damage, encoding, flow)


def main() -> None:
    folder = ROOT / "docs/concepts"
    folder.mkdir(exist_ok=True)
    for draw in CONCEPTS:
        file = folder / f"{draw.__name__}.svg"
        file.write_text(draw(), "utf-8")
        print(f"{file}: {file.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
