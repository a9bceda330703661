"""A clip as numbers and back, whatever the chart: what models learn from and what they give; numpy alone.

``FeatureSpec`` says what to make, ``FeatureSpec.fit`` looks at clips and gives an `Encoding`, which turns clips into
``Features`` and poses into clips. Augmentation is linear, so it can be done later, on a whole batch, anywhere:

    mirror          pose' = pose @ mirror.T,   control' = control · (1, −1, −1)
    reverse time    pose'ₜ = pose_{T−1−t},     control'ₜ = −control_{T−t}

The control's row t is the step from frame t−1 to t, which is why its reversal is shifted by one (row 0 repeats row 1).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from moglow.anatomy.anatomy import Leg
from moglow.encodings.chart import PLANTED, Chart
from moglow.encodings.feet_first import FeetFirstChart
from moglow.encodings.legs import twins_of
from moglow.encodings.level_head import level_head
from moglow.encodings.position import PositionChart
from moglow.encodings.reduction import Reduction
from moglow.encodings.rotation import RotationChart
from moglow.errors import ClipError, FileFormatError
from moglow.files.tables import from_table, to_table
from moglow.maths.rotations import Array
from moglow.motion.clip import Clip
from moglow.motion.contacts import contacts
from moglow.motion.skeleton import Skeleton
from moglow.paths.control_path import ControlPath

CHARTS: dict[str, type[Chart]] = {
    "feet_first": FeetFirstChart,
    "rotations": RotationChart,
    "positions": PositionChart,
}

FIT_FRAMES = 20_000
"""Frames that a fit looks at; more change no mean and find no further dependence."""

CONTROL_MIRROR = np.array([1.0, -1.0, -1.0])
"""Forward stays, sideways and turn change sides."""


@dataclass(frozen=True)
class Features:
    """One clip's ``pose`` ``(T, D)`` and ``control`` ``(T, 3)``: forward and sideways in m/s, turn in rad/s."""

    pose: Array
    control: Array

    def mirrored(self, encoding: "Encoding") -> "Features":
        """Left and right exchanged."""
        return Features(self.pose @ encoding.mirror.T, self.control * CONTROL_MIRROR)

    def reversed(self) -> "Features":
        """The motion backwards in time."""
        return Features(self.pose[::-1], reverse_control(self.control))


@dataclass(frozen=True)
class FeatureSpec:
    """How clips become numbers; the recipe's ``[features]``."""

    encoding: str = "feet_first"
    """One of `CHARTS`."""
    contacts: bool = False
    """One more channel a leg, 1 while the foot stands; it costs the density a hard edge."""
    smoothing: float = 0.25
    """Seconds; the path is the hips' way with steps and sway smoothed out."""
    level_heads: bool = False
    """Turns the head of each clip by one rotation so that it looks ahead on the whole; not where moods hang heads."""

    def __post_init__(self) -> None:
        if self.encoding not in CHARTS:
            raise ValueError(f"encoding {self.encoding!r} is unknown; choose one of {', '.join(CHARTS)}")
        if not 0 <= self.smoothing < 10:
            raise ValueError(f"smoothing is {self.smoothing} s; give 0 to 10 seconds")

    def path(self, clip: Clip) -> ControlPath:
        """The ground path that a clip follows."""
        return ControlPath.from_clip(clip, smoothing=self.smoothing)

    def posed(self, clip: Clip) -> Clip:
        """A whole clip as it is looked at, before it is cut and encoded."""
        return level_head(clip) if self.level_heads else clip

    def fit(self, clips: Sequence[Clip]) -> "Encoding":
        """The encoding for clips like these, all of one skeleton; give the training clips only."""
        if not clips:
            raise ClipError("features: no clip to fit on; give at least one training clip")
        clip, path = self._sample(clips)
        chart = CHARTS[self.encoding].fit(clip, path)
        always = np.array([channel.group in PLANTED for channel in chart.channels])
        reduction = Reduction.fit(
            chart.encode(clip, path),
            chart.mirror[0],
            tolerance=chart.tolerance,
            always=always,
            joints=np.array([channel.joint for channel in chart.channels]),
        )
        return Encoding(self, chart, reduction)

    def _sample(self, clips: Sequence[Clip]) -> tuple[Clip, ControlPath]:
        """About `FIT_FRAMES` frames, evenly spread over the clips, as one clip, with their places on the paths."""
        stride = max(1, sum(map(len, clips)) // FIT_FRAMES)
        paths = [self.path(clip)[::stride] for clip in clips]
        together = replace(
            clips[0],
            positions=np.concatenate([clip.positions[::stride] for clip in clips]),
            rotations=np.concatenate([clip.rotations[::stride] for clip in clips]),
        )
        positions = np.concatenate([path.positions for path in paths])
        return together, ControlPath(
            positions, np.concatenate([path.headings for path in paths]), together.fps
        )


@dataclass(frozen=True, eq=False)
class Encoding:
    """Clips of one skeleton as poses ``(T, D)`` along a path, and back.

    >>> names = ("Hips", *(f"{s}{j}" for s in ("Left", "Right") for j in ("UpLeg", "Leg", "Foot", "Toe")))
    >>> leg = [[0.1, 0, 0], [0, -0.4, 0], [0, -0.4, 0], [0, -0.1, 0.15]]
    >>> offsets = [[0, 0.9, 0], *leg, *(np.array(leg) * [-1, 1, 1])]
    >>> still = Clip.at_rest(Skeleton(names, (-1, 0, 1, 2, 3, 0, 5, 6, 7), offsets), frames=20)
    >>> encoding = FeatureSpec().fit([still])
    >>> encoding.names[:4]
    ('LeftFoot.x', 'RightFoot.x', 'LeftFoot.z', 'RightFoot.z')
    >>> pose = encoding.features(still).pose[0]
    >>> carried = encoding.carry(pose, np.array([0.1, 0.0, 0.0]))  # the path goes 10 cm ahead, the feet stay
    >>> pose[encoding.slice("toe_z")].round(3).tolist(), carried[encoding.slice("toe_z")].round(3).tolist()
    ([0.15, 0.15], [0.05, 0.05])
    """

    spec: FeatureSpec
    chart: Chart
    reduction: Reduction

    @property
    def skeleton(self) -> Skeleton:
        return self.chart.skeleton

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The ``D`` channels, such as ``LeftFoot.height``."""
        kept = tuple(self.chart.channels[i].name for i in self.reduction.kept)
        return kept + tuple(f"{self.skeleton.names[leg.ankle]}.contact" for leg in self._contact_legs)

    @cached_property
    def slices(self) -> dict[str, slice]:
        """The slice of each group of channels, in order; a group of which nothing was kept is absent."""
        groups = [self.chart.channels[i].group for i in self.reduction.kept]
        groups += ["contact"] * len(self._contact_legs)
        return {name: slice(groups.index(name), groups.index(name) + groups.count(name)) for name in groups}

    @cached_property
    def _contact_legs(self) -> tuple[Leg, ...]:
        return self.skeleton.anatomy.legs if self.spec.contacts else ()

    def __len__(self) -> int:
        return len(self.names)

    def slice(self, group: str) -> slice:
        """The slice of a group; empty where the encoding has none of it."""
        return self.slices.get(group, slice(0, 0))

    def features(self, clip: Clip, *, smoothing: float | None = None) -> Features:
        """A clip along its own path, smoothed as the spec says or by other seconds."""
        path = self.spec.path(clip) if smoothing is None else ControlPath.from_clip(clip, smoothing)
        return Features(self.encode(clip, path), path.velocities())

    def encode(self, clip: Clip, path: ControlPath) -> Array:
        """The poses ``(T, D)`` of a clip along a path of the same length and rate."""
        if clip.skeleton != self.skeleton:
            raise ClipError(
                f"{clip.name or 'clip'}: its skeleton is not the encoding's; retarget the clip first"
            )
        if len(clip) != len(path):
            raise ClipError(
                f"{clip.name or 'clip'}: {len(clip)} frames on a path of {len(path)}; resample one to the other"
            )
        poses = [self.reduction.reduce(self.chart.encode(clip, path))]
        if self._contact_legs:
            poses.append(contacts(clip).astype(float))
        return np.concatenate(poses, axis=1)

    def decode(self, pose: Array, path: ControlPath, name: str = "") -> Clip:
        """The clip of poses ``(T, D)`` along a path."""
        positions, rotations = self.decode_frames(pose, path.positions, path.headings)
        return Clip(self.skeleton, positions, rotations, path.fps, name)

    def decode_frames(self, pose: Array, positions: Array, headings: Array) -> tuple[Array, Array]:
        """Local positions ``(..., J, 3)`` and rotations ``(..., J, 4)`` of poses ``(..., D)``, frame by frame.

        ``positions`` ``(..., 2)`` and ``headings`` ``(...)`` are the path's; no frame looks at another.
        """
        values = self.reduction.restore(np.asarray(pose, float)[..., : len(self.reduction.kept)])
        return self.chart.decode(values, np.asarray(positions, float), np.asarray(headings, float))

    def contacts(self, pose: Array) -> NDArray[np.bool_]:
        """Which feet stand ``(..., L)``, of an encoding with contact channels."""
        return np.asarray(pose)[..., self.slice("contact")] > 0.5

    def carry(self, pose: Any, step: Any, xp: Any = np) -> Any:
        """The pose ``(..., D)`` that the control's step alone would give: feet stay where they are in the world.

        ``step`` ``(..., 3)`` is the control times the frame's duration: metres forward and sideways, radians turned.
        Toe x and z and foot yaw are taken back by the step, everything else stays; a rigid motion, so its Jacobian is
        1 and a model may predict the residual to it without a word about densities. ``xp`` is numpy or torch.
        """
        forward, sideways, turn = step[..., 0:1], step[..., 1:2], step[..., 2:3]
        x, z, yaw = (pose[..., self.slice(group)] for group in PLANTED)
        # Into the middle of the step, where it is taken, and on into the frame after it.
        cosine, sine, half_cosine, half_sine = xp.cos(turn), xp.sin(turn), xp.cos(turn / 2), xp.sin(turn / 2)
        new_x = cosine * x - sine * z - (half_cosine * sideways - half_sine * forward)
        new_z = sine * x + cosine * z - (half_sine * sideways + half_cosine * forward)
        rest = pose[..., x.shape[-1] + z.shape[-1] + yaw.shape[-1] :]
        return xp.concatenate([new_x, new_z, yaw - turn, rest], -1)

    @cached_property
    def mirror_signs(self) -> tuple[NDArray[np.intp], Array]:
        """Partners ``(D,)`` and signs ``(D,)``: the mirrored pose is ``signs * pose[..., partners]``."""
        partners, signs = self.chart.mirror
        place = {int(channel): i for i, channel in enumerate(self.reduction.kept)}
        own = [place[int(partners[i])] for i in self.reduction.kept]
        twins = [len(own) + twin for twin in twins_of(self.skeleton)] if self.spec.contacts else []
        return np.array(own + twins, np.intp), np.append(signs[self.reduction.kept], np.ones(len(twins)))

    @cached_property
    def mirror(self) -> Array:
        """The linear map ``(D, D)`` that exchanges left and right, a signed permutation; its own inverse."""
        partners, signs = self.mirror_signs
        return signs[:, None] * np.eye(len(self))[partners]

    def to_json(self) -> dict[str, Any]:
        """Everything as plain lists; `from_json` gives the same encoding."""
        return {
            "features": to_table(self.spec),
            "skeleton": self.skeleton.to_json(),
            "chart": self.chart.to_json(),
            "reduction": self.reduction.to_json(),
        }

    @classmethod
    def from_json(cls, data: object, place: str = "encoding") -> Self:
        """The encoding that `to_json` wrote; raises `FileFormatError` with ``place`` and the key that is wrong."""
        table = from_table(_Table, data, place, FileFormatError)
        skeleton = Skeleton.from_json(table.skeleton, f"{place} skeleton")
        chart = CHARTS[table.features.encoding].from_json(skeleton, table.chart, f"{place} chart")
        reduction = Reduction.from_json(table.reduction, f"{place} reduction")
        if len(reduction.constant) != len(chart.channels):
            raise FileFormatError(
                f"{place} reduction is of {len(reduction.constant)} channels, the chart has {len(chart.channels)}"
            )
        encoding = cls(table.features, chart, reduction)
        if not {*chart.mirror[0][reduction.kept]} <= {*reduction.kept}:
            raise FileFormatError(f"{place} reduction kept lacks the mirror image of a channel")
        return encoding


@dataclass(frozen=True)
class _Table:
    """An encoding in JSON."""

    features: FeatureSpec
    skeleton: Mapping[str, Any]
    chart: Mapping[str, Any]
    reduction: Mapping[str, Any]


def reverse_control(control: Any, xp: Any = np) -> Any:
    """The control ``(..., T, 3)`` of the same window backwards in time: negated, flipped and shifted by one frame.

    >>> reverse_control(np.array([[1.0, 0, 0], [1, 0, 0], [2, 0, 0]]))[:, 0]
    array([-2., -2., -1.])
    """
    back = -xp.flip(control, (-2,))[..., :-1, :]
    return xp.concatenate([back[..., :1, :], back], -2)
