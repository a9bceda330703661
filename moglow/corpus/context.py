"""The input and the target of a model: the context vector and the prediction, for training and for generation.

Training calls it with torch tensors of whole windows, generation with numpy arrays of one frame. Leading axes are
arbitrary, so the code is the same. Poses and controls are standardised. D is the number of pose channels, K of past
poses, L of frames of lookahead, P of performers and S of styles.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from types import ModuleType
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from moglow.corpus.channel_weights import by_channel, persistence
from moglow.corpus.context_spec import ContextSpec, refuse_unknown
from moglow.corpus.postures import AXES, mean_frame, offset_of, posture_axes, posture_of
from moglow.encodings.chart import PLANTED
from moglow.encodings.encoding import Encoding, Features
from moglow.errors import CheckpointError, ControlError, RecipeError
from moglow.files.tables import from_table, suggestion, to_table
from moglow.files.tensors import check_tensors
from moglow.maths.rotations import Array
from moglow.paths.control_path import ControlPath

if TYPE_CHECKING:
    from moglow.corpus.corpus import Corpus

ANY = "any"  # a performer chosen at random for each take
SMALLEST = 0.01  # standard deviations; targets are not scaled up more than a hundred times


@dataclass(frozen=True, eq=False)
class Context:
    """A `ContextSpec` fitted to a corpus: the functions that compute contexts and targets.

    `weights`, `momentum` and `scale` (D,): target = (pose − weights · carried previous pose − momentum · last change of
    the pose) / scale, all standardised, so that the target has unit size on the training data. The map is affine in the
    pose, so its log-determinant is constant.
    `postures` (P + S, D), standardised: the sum of those of a performer and a style is their mean pose. For styles,
    they are mean poses; for performers, the mean differences from these.
    `posture_axes` (S, R, D), standardised: how postures differ within each style, see `moglow.corpus.postures`.
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
    momentum: Any
    scale: Any
    postures: Any
    posture_axes: Any
    performers: tuple[str, ...] = ()
    xp: ModuleType = np

    @classmethod
    def of_corpus(cls, spec: ContextSpec, corpus: "Corpus") -> Self:
        """Returns the context of a corpus; the scale of the targets is fitted to its training stretches."""
        encoding = corpus.encoding
        weights = by_channel(spec.carry, encoding, "[context] carry")
        momentum = by_channel(spec.momentum, encoding, "[context] momentum")
        for group in PLANTED:
            if momentum[encoding.slice(group)].any():
                raise RecipeError(
                    f"[context] momentum: {group} is above 0, but the path's step moves it; give it 0"
                )
        if spec.momentum:
            momentum *= persistence(corpus)
        pose, control = corpus.pose_normalizer, corpus.control_normalizer
        statistics = (pose.mean, pose.deviation, control.mean, control.deviation)
        styles = corpus.styles if spec.styles else ()
        performers = corpus.performers if spec.performers else ()
        refuse_unknown(spec, styles, performers)
        context = cls(
            spec,
            encoding,
            corpus.fps,
            styles,
            *statistics,
            weights,
            momentum,
            np.ones_like(weights),
            weights[:0],
            weights[:0],
            performers,
        )
        by_style = {style: posture_of(corpus, style, context.standardize_pose) for style in styles}
        postures = [
            offset_of(corpus, performer, by_style, context.standardize_pose) for performer in performers
        ]
        postures += by_style.values()
        square = mean_frame(np.square(context._residuals(corpus.features(s))) for s in corpus.split("train"))
        # The lower bound keeps dequantisation noise small in a channel that is fully predictable from its past.
        scale = np.sqrt(np.maximum(square, SMALLEST**2)).astype(np.float32)
        scale = np.where((weights > 0) | (momentum > 0), scale, np.float32(1))
        return replace(
            context,
            scale=scale,
            postures=np.reshape(postures, (-1, len(weights))).astype(np.float32),
            posture_axes=posture_axes(corpus, styles, context.standardize_pose),
        )

    def _residuals(self, features: Features) -> Array:
        pose, control = self.standardize_pose(features.pose), self.standardize_control(features.control)
        seen = 1 + bool(self.spec.momentum)
        past = np.stack([pose[k : len(pose) - seen + k] for k in range(seen)], axis=1)
        return np.asarray(self.to_target(pose[seen:], past, control[seen:]))

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
        return spec.history * (self.pose_dim + spec.flags) + controls + self.labels

    @property
    def labels(self) -> int:
        """P + S, the length of a label vector: a one-hot of the performers, then one of the styles."""
        return len(self.performers) + len(self.styles)

    def style_vector(self, style: str | None, performer: str | None = None) -> Array:
        """Returns a performer and a style as one-hot vectors (P + S,); zeros for None, which stands for any."""
        for kind, label, labels in (("style", style, self.styles), ("performer", performer, self.performers)):
            if label is not None and label not in labels:
                known = suggestion(label, labels) if labels else f"the model was trained without {kind}s"
                raise ControlError(f"no {kind} is called {label!r}; {known}")
        ones = [*(name == performer for name in self.performers), *(name == style for name in self.styles)]
        return np.array(ones, np.float32)

    def cast(self, performer: str | None, seed: int, take: int) -> str | None:
        """Returns the performer of a take; for "any", one of all performers, selected by seed and take.

        None stands for the default performer.
        """
        if performer != ANY:
            self.style_vector(None, performer)
            return performer
        if not self.performers:
            raise ControlError("performer 'any': the model was trained without performers")
        return self.performers[np.random.default_rng([seed, take]).integers(len(self.performers))]

    def style_or_default(self, style: str | None) -> str | None:
        """Returns the style of a motion: the given one, or else the default style, or else None."""
        return style or self.spec.usual or None

    def label_vector(self, style: str | None, *, aside: bool = False) -> Array:
        """Returns the label (P + S,) of a style, by default the default style, and its default performer.

        ``aside`` tells that the motion goes sideways.
        """
        style = self.style_or_default(style)
        performer = self._performer_aside([style]) if aside else None
        return self.style_vector(style, performer or self.default_performer(style))

    def default_performer(self, style: str | None) -> str | None:
        """Returns the default performer of a style, or None if any performer is the default."""
        return self.spec.performer_by_style.get(style or "", self.spec.performer) or None

    def styles_of(self, path: ControlPath) -> Sequence[str | None]:
        """Returns the styles of a path's frames; if it has none and goes sideways, the style for sideways motion."""
        if not path.styles and self.spec.sideways in self.styles and path.goes_sideways():
            return (self.spec.sideways,)
        return [self.style_or_default(style) for style in path.styles or (None,)]

    def performer_of(self, path: ControlPath, performer: str | None = None) -> str | None:
        """Returns the performer of a path: the given one, or the one for sideways motion, or None.

        None stands for the default performer of each style. A style with a default performer of its own keeps it in
        sideways motion.
        """
        if performer is None and path.goes_sideways():
            return self._performer_aside(self.styles_of(path))
        return performer

    def _performer_aside(self, styles: Sequence[str | None]) -> str | None:
        """Returns the performer for sideways motion, or None if there is none or a style has a default one."""
        own = set(styles) & set(self.spec.performer_by_style)
        return self.spec.sideways if self.spec.sideways in self.performers and not own else None

    def style_rows(self, styles: Sequence[str | None], frames: int, performer: str | None = None) -> Array:
        """Returns the label vectors (frames, P + S) of the styles of a path and of a performer.

        The last style is repeated; a style None stands for any style and gives zeros. Without a performer each style
        has its default performer.
        """
        known = {
            style: self.style_vector(style, performer or self.default_performer(style))
            for style in set(styles)
        }
        rows = np.stack([known[style] for style in styles[:frames]])
        return np.concatenate([rows, np.repeat(rows[-1:], frames - len(rows), axis=0)])

    def path_rows(self, path: ControlPath, performer: str | None = None) -> Array:
        """Returns the label vectors (T, P + S) of the frames of a path: of its styles, and of its performer."""
        return self.style_rows(self.styles_of(path), len(path), self.performer_of(path, performer))

    def posture(self, style: Any) -> Any:
        """Returns the standardised pose (..., D) from which a motion with a label (..., P + S) starts.

        Joints that the model hardly moves, such as shoulders, keep this posture.
        """
        return style @ self.postures

    def build(self, poses: Any, controls: Any, style: Any = None, shown: Any = None) -> Any:
        """Returns the context vector (..., C) of one frame t, for training and for generation.

        Args:
            poses: the past poses t−K … t−1, (..., K, D), standardised, oldest first.
            controls: the controls t−K … t+L, (..., K + 1 + L, 3), standardised.
            style: label vectors (..., P + S), zeros for any label; not needed without labels.
            shown: (..., K), 1 where a past pose is shown and 0 where it is hidden; None shows all.
        """
        xp, lead = self.xp, poses.shape[:-2]
        if shown is not None:
            poses = poses * shown[..., None]
        parts = [poses.reshape(*lead, -1), controls.reshape(*lead, -1)]
        if self.spec.flags:
            parts.append(xp.ones_like(poses[..., 0]) if shown is None else shown)
        if self.labels:
            assert style is not None, "a model with labels takes a label vector with each frame"
            parts.append(style)
        return xp.concatenate(parts, -1)

    def to_target(self, pose: Any, past: Any, control: Any) -> Any:
        """Returns the target (..., D) of a pose after past poses (..., N, D) and with a control, all standardised.

        The last pose is enough for a model without momentum, otherwise the last two.
        """
        return (pose - self.expected(past, control)) / self.scale

    def from_target(self, target: Any, past: Any, control: Any) -> Any:
        """Returns the pose (..., D) of a prediction; the inverse of `to_target`."""
        return target * self.scale + self.expected(past, control)

    def expected(self, past: Any, control: Any) -> Any:
        """Returns the pose (..., D) whose target is zero."""
        last = past[..., -1, :]
        expected = self.weights * self.carried(last, control)
        return expected + self.momentum * (last - past[..., -2, :]) if self.spec.momentum else expected

    def carried(self, previous: Any, control: Any) -> Any:
        """Returns the previous pose (..., D) moved by the step of the control alone, standardised."""
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
        """Returns the context with converted arrays, for another array library: `mapped(torch.as_tensor, torch)`."""
        return replace(self, xp=xp, **{name: convert(getattr(self, name)) for name in ARRAYS})

    def to_parts(self) -> tuple[dict[str, Array], dict[str, Any]]:
        """Returns the arrays, and the rest as a JSON table, for a checkpoint."""
        table = {"spec": to_table(self.spec), "encoding": self.encoding.to_json(), "fps": self.fps}
        return {name: np.asarray(getattr(self, name)) for name in ARRAYS}, table | {
            "styles": list(self.styles),
            "performers": list(self.performers),
        }

    @classmethod
    def from_parts(cls, arrays: Mapping[str, Array], table: object, place: str) -> Self:
        """Returns the context from the result of `to_parts`; raises `MoglowError`, with ``place``, if it is invalid."""
        found = from_table(_Table, table, f"{place} context", CheckpointError)
        encoding = Encoding.from_json(found.encoding, f"{place} context encoding")
        channels, labels = len(encoding), len(found.performers) + len(found.styles)
        axes = (len(found.styles), AXES, channels)
        shapes = {
            "control_mean": (3,),
            "control_deviation": (3,),
            "postures": (labels, channels),
            "posture_axes": axes,
        }
        for name in ("postures", "momentum", "posture_axes"):  # checkpoints of earlier versions lack them
            arrays = {name: np.zeros(shapes.get(name, (channels,)), np.float32), **arrays}
        expected = {name: (shapes.get(name, (channels,)), np.float32) for name in ARRAYS}
        check_tensors(arrays, expected, f"{place} context", CheckpointError)
        for name in ("pose_deviation", "control_deviation", "scale"):
            if not (arrays[name] > 0).all():
                raise CheckpointError(f"{place} context {name} should be above 0 in all channels")
        own = found.spec.performer_by_style
        for name in (found.spec.usual, found.spec.sideways, found.spec.performer, *own, *own.values()):
            if name and name not in (*found.styles, *found.performers):
                raise CheckpointError(f"{place} context spec names {name!r}, no style or performer of it")
        loaded: dict[str, Any] = {name: np.array(arrays[name]) for name in ARRAYS}
        return cls(found.spec, encoding, found.fps, found.styles, performers=found.performers, **loaded)


@dataclass(frozen=True)
class _Table:
    """The JSON form of a context."""

    spec: ContextSpec
    encoding: Mapping[str, Any]
    fps: float
    styles: tuple[str, ...]
    performers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0 < self.fps <= 10_000:
            raise ValueError(f"fps is {self.fps}; expected a rate above 0 and up to 10000")


ARRAYS = (
    "pose_mean", "pose_deviation", "control_mean", "control_deviation", "weights", "momentum", "scale", "postures",
    "posture_axes",
)  # fmt: skip
