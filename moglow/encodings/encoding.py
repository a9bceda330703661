"""An encoding of clips as vectors, and back, by any chart: the inputs and outputs of the models. Needs numpy alone.

``FeatureSpec`` holds the settings, ``FeatureSpec.fit`` fits an `Encoding` to clips, and the encoding converts clips to
``Features`` and poses to clips. Augmentation is linear, so it can be applied later, to whole batches:

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
"""Frames that a fit uses; more change no mean and find no further dependence."""

NEAREST, TINY = 0.1, 1e-9
"""Metres within which a toe on the ground is always within reach of the hips, however high these are; and square metres
that keep a division from zero."""

REACHING = ("hips_x", "hips_z", "hips_height", "toe_height")
"""Groups of channels that determine whether a toe is within reach."""

CONTROL_MIRROR = np.array([1.0, -1.0, -1.0])
"""Signs of forward, sideways and turn in the mirror."""


@dataclass(frozen=True)
class Features:
    """One clip's ``pose`` ``(T, D)`` and ``control`` ``(T, 3)``: forward and sideways in m/s, turn in rad/s."""

    pose: Array
    control: Array

    def mirrored(self, encoding: "Encoding") -> "Features":
        """Returns the features with left and right exchanged."""
        return Features(self.pose @ encoding.mirror.T, self.control * CONTROL_MIRROR)

    def reversed(self) -> "Features":
        """Returns the features of the motion backwards in time."""
        return Features(self.pose[::-1], reverse_control(self.control))


@dataclass(frozen=True)
class FeatureSpec:
    """The settings of an encoding; the recipe's ``[features]``."""

    encoding: str = "feet_first"
    """One of `CHARTS`."""
    contacts: bool = False
    """One more channel per leg, 1 while the foot is planted; it makes the density discontinuous."""
    smoothing: float = 0.25
    """Seconds over which the hips' track is smoothed into the path, which removes steps and sway."""
    level_heads: bool = False
    """Turns the head of each clip by one rotation so that it is upright on average; not for styles with a bent head."""

    def __post_init__(self) -> None:
        if self.encoding not in CHARTS:
            raise ValueError(f"encoding {self.encoding!r} is unknown; choose one of {', '.join(CHARTS)}")
        if not 0 <= self.smoothing < 10:
            raise ValueError(f"smoothing is {self.smoothing} s; give 0 to 10 seconds")

    def path(self, clip: Clip) -> ControlPath:
        """Returns the ground path of a clip."""
        return ControlPath.from_clip(clip, smoothing=self.smoothing)

    def posed(self, clip: Clip) -> Clip:
        """Returns a whole clip with the pose corrections of the settings, before it is cut and encoded."""
        return level_head(clip) if self.level_heads else clip

    def fit(self, clips: Sequence[Clip]) -> "Encoding":
        """Returns an encoding fitted to clips of one skeleton; give the training clips only."""
        if not clips:
            raise ClipError("features: no clip to fit on; give at least one training clip")
        stride = fit_stride(sum(map(len, clips)))
        return self.fit_samples([self.sample(clip, stride) for clip in clips])

    def sample(self, clip: Clip, stride: int) -> tuple[Clip, ControlPath]:
        """Returns every n-th frame of a clip and of its path, for `fit_samples`."""
        return clip[::stride], self.path(clip)[::stride]

    def fit_samples(self, samples: Sequence[tuple[Clip, ControlPath]]) -> "Encoding":
        """Returns the encoding that `fit` returns, from samples of the clips."""
        clips, paths = zip(*samples, strict=True)
        clip = replace(
            clips[0],
            positions=np.concatenate([clip.positions for clip in clips]),
            rotations=np.concatenate([clip.rotations for clip in clips]),
        )
        positions = np.concatenate([path.positions for path in paths])
        path = ControlPath(positions, np.concatenate([path.headings for path in paths]), clip.fps)
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


def fit_stride(frames: int) -> int:
    """Returns the stride with which about `FIT_FRAMES` frames are left, evenly spread."""
    return max(1, frames // FIT_FRAMES)


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
        """Names of the ``D`` channels, such as ``LeftFoot.height``."""
        kept = tuple(self.chart.channels[i].name for i in self.reduction.kept)
        return kept + tuple(f"{self.skeleton.names[leg.ankle]}.contact" for leg in self._contact_legs)

    @cached_property
    def slices(self) -> dict[str, slice]:
        """The slice of each group of channels, in order; a group without kept channels is absent."""
        groups = [self.chart.channels[i].group for i in self.reduction.kept]
        groups += ["contact"] * len(self._contact_legs)
        return {name: slice(groups.index(name), groups.index(name) + groups.count(name)) for name in groups}

    @cached_property
    def _contact_legs(self) -> tuple[Leg, ...]:
        return self.skeleton.anatomy.legs if self.spec.contacts else ()

    def __len__(self) -> int:
        return len(self.names)

    def slice(self, group: str) -> slice:
        """Returns the slice of a group; empty where the encoding has no channel of it."""
        return self.slices.get(group, slice(0, 0))

    def features(self, clip: Clip, *, smoothing: float | None = None) -> Features:
        """Returns the features of a clip along its own path, smoothed by `smoothing` seconds or as in the settings."""
        path = self.spec.path(clip) if smoothing is None else ControlPath.from_clip(clip, smoothing)
        return Features(self.encode(clip, path), path.velocities())

    def encode(self, clip: Clip, path: ControlPath) -> Array:
        """Returns the poses ``(T, D)`` of a clip along a path of the same length and rate."""
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
        """Returns the clip of poses ``(T, D)`` along a path."""
        positions, rotations = self.decode_frames(pose, path.positions, path.headings)
        return Clip(self.skeleton, positions, rotations, path.fps, name)

    def decode_frames(self, pose: Array, positions: Array, headings: Array) -> tuple[Array, Array]:
        """Returns local positions ``(..., J, 3)`` and rotations ``(..., J, 4)`` of poses ``(..., D)``.

        ``positions`` ``(..., 2)`` and ``headings`` ``(...)`` are those of the path. Frames are independent.
        """
        values = self.reduction.restore(np.asarray(pose, float)[..., : len(self.reduction.kept)])
        return self.chart.decode(values, np.asarray(positions, float), np.asarray(headings, float))

    def contacts(self, pose: Array) -> NDArray[np.bool_]:
        """Returns which feet are planted ``(..., L)``, for an encoding with contact channels."""
        return np.asarray(pose)[..., self.slice("contact")] > 0.5

    def carry(self, pose: Any, step: Any, xp: Any = np) -> Any:
        """Returns the pose ``(..., D)`` after a step of the path in which the feet keep their places in the world.

        ``step`` ``(..., 3)`` is the control times the frame's duration: metres forward and sideways, radians turned.
        Toe x and z and foot yaw move back by the step, everything else is unchanged. A toe that the leg cannot reach
        any more is drawn towards the hips: a model whose foot was left behind would otherwise never see it come back.
        ``xp`` is numpy or torch.
        """
        x, z, yaw = (pose[..., self.slice(group)] for group in PLANTED)
        new_x, new_z = self._within_reach(pose, *carried_places(x, z, step, xp), xp)
        rest = pose[..., x.shape[-1] + z.shape[-1] + yaw.shape[-1] :]
        return xp.concatenate([new_x, new_z, yaw - step[..., 2:3], rest], -1)

    def _within_reach(self, pose: Any, x: Any, z: Any, xp: Any) -> tuple[Any, Any]:
        """Returns x and z of toes, drawn to the hips of a pose as far as the legs are too short for them."""
        if not all(group in self.slices for group in REACHING):
            return x, z
        hips_x, hips_z, hips, toe = (pose[..., self.slice(group)] for group in REACHING)
        down, reaches = hips - toe, self.chart.reaches.tolist()
        squares = [reach**2 - down[..., k : k + 1] ** 2 for k, reach in enumerate(reaches)]  # on the ground
        level = xp.clip(xp.concatenate(squares, -1), NEAREST**2, None)
        share = xp.sqrt(xp.clip(level / ((x - hips_x) ** 2 + (z - hips_z) ** 2 + TINY), None, 1.0))
        return hips_x + share * (x - hips_x), hips_z + share * (z - hips_z)

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
        """The linear map ``(D, D)`` that exchanges left and right: a signed permutation, equal to its inverse."""
        partners, signs = self.mirror_signs
        return signs[:, None] * np.eye(len(self))[partners]

    def to_json(self) -> dict[str, Any]:
        """Returns the encoding as plain lists; `from_json` restores it."""
        return {
            "features": to_table(self.spec),
            "skeleton": self.skeleton.to_json(),
            "chart": self.chart.to_json(),
            "reduction": self.reduction.to_json(),
        }

    @classmethod
    def from_json(cls, data: object, place: str = "encoding") -> Self:
        """Returns the encoding that `to_json` wrote; an error names ``place`` and the key that is wrong."""
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
    """Returns the control ``(..., T, 3)`` of the same window backwards in time: negated, flipped, shifted by one frame.

    >>> reverse_control(np.array([[1.0, 0, 0], [1, 0, 0], [2, 0, 0]]))[:, 0]
    array([-2., -2., -1.])
    """
    back = -xp.flip(control, (-2,))[..., :-1, :]
    return xp.concatenate([back[..., :1, :], back], -2)


def carried_places(x: Any, z: Any, step: Any, xp: Any = np) -> tuple[Any, Any]:
    """Returns x and z ``(..., n)`` of points that stand still in the world, relative to a path after its step.

    ``step`` ``(..., 3)`` is as in `Encoding.carry`.
    """
    forward, sideways, turn = step[..., 0:1], step[..., 1:2], step[..., 2:3]
    # First into the frame half-way, in which the step is expressed, then into the frame after it.
    cosine, sine, half_cosine, half_sine = xp.cos(turn), xp.sin(turn), xp.cos(turn / 2), xp.sin(turn / 2)
    new_x = cosine * x - sine * z - (half_cosine * sideways - half_sine * forward)
    new_z = sine * x + cosine * z - (half_sine * sideways + half_cosine * forward)
    return new_x, new_z
