"""What a model sees and what it predicts: the context vector and the target, one code for both uses.

Training calls it with torch tensors of whole windows, generation with numpy arrays of one frame. Leading axes are
free, so both are the same few lines. Poses and controls are standardised here; D pose channels, K past poses,
L frames of lookahead, S styles.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import ModuleType
from typing import Any, Self

import numpy as np

from moglow.corpus.corpus import Corpus
from moglow.encodings.encoding import Encoding, Features
from moglow.errors import CheckpointError, ControlError, RecipeError
from moglow.files.tables import from_table, suggestion, to_table
from moglow.files.tensors import check_tensors
from moglow.maths.rotations import Array
from moglow.paths.control_path import ControlPath

OTHERS = "others"  # the key for channel groups that are not named
STEP = 0.1  # m/s from which a step aside or back is one
SIDEWAYS, BACKWARDS = 0.2, 0.5
"""Shares of its frames from which a path goes sideways, or backwards: who walks ahead for longer than that had better
walk in the usual style, and step back in it."""
MOST_FRAMES = 1000  # of history and of lookahead
SMALLEST = 0.01  # standard deviations; targets are not scaled up more than a hundred times


@dataclass(frozen=True)
class ContextSpec:
    """What is shown and what is asked for; the recipe's [context]. The defaults are the paper's."""

    history: int = 10  # K past poses and as many past controls
    lookahead: int = 0  # L controls beyond the current one; each costs a frame of latency when steering live
    flags: bool = False  # one more number per past pose: 1 where it is shown, 0 where data dropout hides it
    carry: Mapping[str, float] = field(default_factory=dict)
    """Weight per channel group of the previous pose, carried along by the control, as the target's origin.

    At 1 a foot that stands needs a prediction of zero; below 1 the pose is pulled to the mean, so that an error dies
    out. Groups not named take the weight of `others`, else 0: the target is then the pose itself, as in the paper.
    """

    styles: bool = True  # the style label as a further condition, one-hot; the paper has none
    usual: str = ""  # the style of a motion for which none is asked; without it any will do
    sideways: str = ""  # instead that of a path that goes sideways, or back for long: one with such steps

    def __post_init__(self) -> None:
        if self.history < 1 or self.lookahead < 0:
            raise ValueError(
                f"history {self.history}, lookahead {self.lookahead}: give at least 1 and 0 frames"
            )
        if max(self.history, self.lookahead) > MOST_FRAMES:
            raise ValueError(
                f"history {self.history}, lookahead {self.lookahead}: give at most {MOST_FRAMES} frames of each"
            )
        for group, weight in self.carry.items():
            if not 0 <= weight <= 1:
                raise ValueError(f"carry {group} is {weight}; a weight lies between 0 and 1")


@dataclass(frozen=True, eq=False)
class Context:
    """A `ContextSpec` fitted to a corpus: the function that builds contexts, and the one that builds targets.

    `weights` and `scale` (D,): target = (pose − weights · carried previous pose) / scale, all standardised, so that
    the target has unit size on the training data. The map is affine in the pose: its log-determinant is a constant.
    `postures` (S, D) are the mean poses of the styles, standardised: how someone of a style holds themselves.
    """

    spec: ContextSpec
    encoding: Encoding
    fps: float
    styles: tuple[str, ...]
    pose_mean: Any
    pose_deviation: Any
    control_mean: Any
    control_deviation: Any
    weights: Any
    scale: Any
    postures: Any
    xp: ModuleType = np

    @classmethod
    def of_corpus(cls, spec: ContextSpec, corpus: Corpus) -> Self:
        """Fits a context to the training stretches of a corpus: it finds the scale of the targets."""
        encoding = corpus.encoding
        weights = by_channel(spec.carry, encoding, "[context] carry")
        pose, control = corpus.pose_normalizer, corpus.control_normalizer
        statistics = (pose.mean, pose.deviation, control.mean, control.deviation)
        styles = corpus.styles if spec.styles else ()
        for name in ("usual", "sideways"):
            if (style := getattr(spec, name)) and style not in styles:
                raise RecipeError(f"[context] {name}: no style {style!r}; {suggestion(style, styles)}")
        context = cls(
            spec, encoding, corpus.fps, styles, *statistics, weights, np.ones_like(weights), weights[:0]
        )
        postures = [context._posture_of(corpus, style) for style in styles]
        residuals = [context._residuals(corpus.features(stretch)) for stretch in corpus.split("train")]
        square = np.square(np.concatenate(residuals), dtype=float).mean(0)
        # The floor keeps dequantisation noise small in a channel that its past foretells entirely.
        scale = np.sqrt(np.maximum(square, SMALLEST**2)).astype(np.float32)
        scale = np.where(weights > 0, scale, np.float32(1))
        return replace(
            context, scale=scale, postures=np.reshape(postures, (-1, len(weights))).astype(np.float32)
        )

    def _posture_of(self, corpus: Corpus, style: str) -> Array:
        """Returns the mean pose (D,) of a style; that of all styles, zero, where all its clips are held out."""
        poses = [corpus.features(s).pose for s in corpus.split("train") if s.style == style]
        if not poses:
            return np.zeros(self.pose_dim, np.float32)
        return np.asarray(self.standardize_pose(np.concatenate(poses)).mean(0))

    def _residuals(self, features: Features) -> Array:
        pose, control = self.standardize_pose(features.pose), self.standardize_control(features.control)
        return np.asarray(self.to_target(pose[1:], pose[:-1], control[1:]))

    @property
    def pose_dim(self) -> int:
        """D, the number of channels of a pose and of a target."""
        return len(self.encoding)

    @property
    def size(self) -> int:
        """C, the length of a context vector.

        With 63 channels, 3 controls and the paper's settings it is 663: 10 · 63 + 11 · 3.
        """
        spec = self.spec
        controls = 3 * (spec.history + 1 + spec.lookahead)
        return spec.history * (self.pose_dim + spec.flags) + controls + len(self.styles)

    def style_vector(self, style: str | None) -> Array:
        """Returns the label's one-hot (S,), all zeros for None: any style."""
        if style is not None and style not in self.styles:
            known = suggestion(style, self.styles) if self.styles else "the model was trained without styles"
            raise ControlError(f"no style is called {style!r}; {known}")
        return np.array([float(name == style) for name in self.styles], np.float32)

    def told(self, style: str | None) -> str | None:
        """Returns the style told to draw a motion: the one asked for, else the usual one, if there is one."""
        return style or self.spec.usual or None

    def styles_of(self, path: ControlPath) -> Sequence[str | None]:
        """Returns the styles told to draw along a path; where it asks for none and steps aside, that of side-steps."""
        if not path.styles and self.spec.sideways:
            forward, sideways, _ = path.velocities().T
            aside = np.abs(sideways) > np.maximum(np.abs(forward), STEP)
            if aside.mean() > SIDEWAYS or (forward < -STEP).mean() > BACKWARDS:
                return (self.spec.sideways,)
        return [self.told(style) for style in path.styles or (None,)]

    def style_rows(self, styles: Sequence[str | None], frames: int) -> Array:
        """Returns the one-hots (frames, S) of a path's styles, the last one held; all zeros for None: any style."""
        rows = {style: self.style_vector(style) for style in set(styles)}
        return np.stack([rows[styles[min(frame, len(styles) - 1)]] for frame in range(frames)])

    def posture(self, style: Any) -> Any:
        """Returns the pose (..., D), standardised, that a motion of a style (..., S) starts from; without one the mean.

        What a figure does not move, as its shoulders, it goes on holding as it was.
        """
        return style @ self.postures

    def build(self, poses: Any, controls: Any, style: Any = None, shown: Any = None) -> Any:
        """Returns the context vector (..., C) of one frame t: the one function, in training and in generation.

        Args:
            poses: the past poses t−K … t−1, (..., K, D), standardised, oldest first.
            controls: the controls t−K … t+L, (..., K + 1 + L, 3), standardised.
            style: one-hot (..., S), zeros where any style will do; not needed where there are no styles.
            shown: (..., K), 1 where a past pose is shown and 0 where it is hidden; None shows all.
        """
        xp, lead = self.xp, poses.shape[:-2]
        if shown is not None:
            poses = poses * shown[..., None]
        parts = [poses.reshape(*lead, -1), controls.reshape(*lead, -1)]
        if self.spec.flags:
            parts.append(xp.ones_like(poses[..., 0]) if shown is None else shown)
        if self.styles:
            assert style is not None, "a model with styles takes a style vector with each frame"
            parts.append(style)
        return xp.concatenate(parts, -1)

    def to_target(self, pose: Any, previous: Any, control: Any) -> Any:
        """Returns what the model predicts (..., D) for a pose after a previous one under a control, standardised."""
        return (pose - self.weights * self._carried(previous, control)) / self.scale

    def from_target(self, target: Any, previous: Any, control: Any) -> Any:
        """Returns the pose (..., D) of a prediction; undoes `to_target`."""
        return target * self.scale + self.weights * self._carried(previous, control)

    def _carried(self, previous: Any, control: Any) -> Any:
        step = self.physical_control(control) / self.fps
        return self.standardize_pose(self.encoding.carry(self.physical_pose(previous), step, self.xp))

    def standardize_pose(self, pose: Any) -> Any:
        return (pose - self.pose_mean) / self.pose_deviation

    def physical_pose(self, pose: Any) -> Any:
        return pose * self.pose_deviation + self.pose_mean

    def standardize_control(self, control: Any) -> Any:
        return (control - self.control_mean) / self.control_deviation

    def physical_control(self, control: Any) -> Any:
        return control * self.control_deviation + self.control_mean

    @cached_property
    def log_scale(self) -> float:
        """log p(standardised pose) = log p(target) − log_scale, in nats per frame."""
        return float(self.xp.log(self.scale).sum())

    @property
    def log_deviation(self) -> float:
        """log p(pose in metres and radians) = log p(standardised pose) − log_deviation, in nats per frame."""
        return float(np.log(np.asarray(self.pose_deviation)).sum())

    def mapped(self, convert: Callable[[Any], Any], xp: ModuleType) -> Self:
        """Returns the context with its arrays converted for another array library: `mapped(torch.as_tensor, torch)`."""
        return replace(self, xp=xp, **{name: convert(getattr(self, name)) for name in ARRAYS})

    def to_parts(self) -> tuple[dict[str, Array], dict[str, Any]]:
        """Returns its arrays and the rest as a JSON table, for a checkpoint."""
        table = {"spec": to_table(self.spec), "encoding": self.encoding.to_json(), "fps": self.fps}
        return {name: np.asarray(getattr(self, name)) for name in ARRAYS}, table | {
            "styles": list(self.styles)
        }

    @classmethod
    def from_parts(cls, arrays: Mapping[str, Array], table: object, place: str) -> Self:
        """Returns the context that `to_parts` took apart; raises `MoglowError` with ``place`` and what is wrong."""
        found = from_table(_Table, table, f"{place} context", CheckpointError)
        encoding = Encoding.from_json(found.encoding, f"{place} context encoding")
        channels, styles = len(encoding), len(found.styles)
        shapes = {"control_mean": (3,), "control_deviation": (3,), "postures": (styles, channels)}
        arrays = {
            "postures": np.zeros((styles, channels), np.float32),
            **arrays,
        }  # older checkpoints have none
        expected = {name: (shapes.get(name, (channels,)), np.float32) for name in ARRAYS}
        check_tensors(arrays, expected, f"{place} context", CheckpointError)
        for name in ("pose_deviation", "control_deviation", "scale"):
            if not (arrays[name] > 0).all():
                raise CheckpointError(f"{place} context {name} should be above 0 in all channels")
        for name in (found.spec.usual, found.spec.sideways):
            if name and name not in found.styles:
                raise CheckpointError(
                    f"{place} context spec names the style {name!r}, which is none of its styles"
                )
        loaded: dict[str, Any] = {name: np.array(arrays[name]) for name in ARRAYS}
        return cls(found.spec, encoding, found.fps, found.styles, **loaded)


@dataclass(frozen=True)
class _Table:
    """A context in JSON."""

    spec: ContextSpec
    encoding: Mapping[str, Any]
    fps: float
    styles: tuple[str, ...]

    def __post_init__(self) -> None:
        if not 0 < self.fps <= 10_000:
            raise ValueError(f"fps is {self.fps}; expected a rate above 0 and up to 10000")


def by_channel(values: Mapping[str, float], encoding: Encoding, place: str) -> Array:
    """Returns the value (D,) of each channel, given by groups of channels; the rest takes that of `others`, else 0."""
    channels = np.full(len(encoding), values.get(OTHERS, 0.0), np.float32)
    for group, value in values.items():
        if group not in (*encoding.chart.groups, OTHERS):
            raise RecipeError(f"{place}: no channels {group!r}; {suggestion(group, encoding.chart.groups)}")
        if group != OTHERS:
            channels[encoding.slice(group)] = value
    return channels


ARRAYS = ("pose_mean", "pose_deviation", "control_mean", "control_deviation", "weights", "scale", "postures")
