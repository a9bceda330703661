"""A batch of windows of motion as tensors, and the contexts and targets that a model gets from them."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import torch
from torch import Tensor

from moglow.corpus.context import Context
from moglow.encodings.encoding import Features


@dataclass(frozen=True)
class Window:
    """A batch of windows, standardised, on the device: K past frames, T frames to predict, L of lookahead."""

    poses: Tensor  # (B, K + T, D), the recorded poses
    history: Tensor  # (B, K + T, D), the model's input: with more noise, or partly the model's own samples
    controls: Tensor  # (B, K + T + L, 3)
    shown: Tensor  # (B, T, K), 0 where data dropout hides a past pose from a frame
    style: Tensor  # (B, T, P + S), the label vector of each frame
    fresh: Tensor  # (B,), 1 where a row does not continue the row of an earlier batch

    @classmethod
    def of_clip(cls, context: Context, features: Features, style: Tensor) -> Self:
        """Returns a whole clip, once for each label (B, P + S), with nothing hidden; the last control is repeated."""
        spec, rows = context.spec, len(style)
        pose, control = (
            torch.as_tensor(np.array(part, np.float32), device=style.device)
            for part in (features.pose, features.control)
        )
        control = torch.cat([control, control[-1:].expand(spec.lookahead, -1)])
        poses = context.standardize_pose(pose).expand(rows, -1, -1)
        controls = context.standardize_control(control).expand(rows, -1, -1)
        shown = pose.new_ones(rows, len(pose) - spec.history, spec.history)
        labels = style[:, None].expand(-1, shown.shape[1], -1)
        return cls(poses, poses, controls, shown, labels, pose.new_ones(rows))

    def __len__(self) -> int:
        return len(self.poses)

    def context(self, context: Context) -> Tensor:
        """Returns the context vectors (B, T, C)."""
        reach = context.spec.history + 1 + context.spec.lookahead
        controls = self.controls.unfold(1, reach, 1).transpose(-1, -2)  # (B, T, K + 1 + L, 3), a view
        vectors: Tensor = context.build(self._past(context), controls, self.style, self.shown)
        return vectors

    def part(self, context: Context, first: int, stop: int) -> "Window":
        """Returns the frames to predict from ``first`` up to ``stop``, with their past and lookahead."""
        spec = context.spec
        return replace(
            self,
            poses=self.poses[:, first : stop + spec.history],
            history=self.history[:, first : stop + spec.history],
            controls=self.controls[:, first : stop + spec.history + spec.lookahead],
            shown=self.shown[:, first:stop],
            style=self.style[:, first:stop],
        )

    def joined(self, other: "Window") -> "Window":
        """Returns the rows of both windows."""
        return Window(
            *(torch.cat(both) for both in zip(vars(self).values(), vars(other).values(), strict=True))
        )

    def unhidden(self) -> "Window":
        """Returns the same windows with every past pose shown."""
        return replace(self, shown=torch.ones_like(self.shown))

    def target(self, context: Context) -> Tensor:
        """Returns the targets of the model (B, T, D): the recorded poses relative to the model's history."""
        past, frames = context.spec.history, self.shown.shape[1]
        control = self.controls[:, past : past + frames]
        target: Tensor = context.to_target(self.poses[:, past:], self._past(context), control)
        return target

    def _past(self, context: Context) -> Tensor:
        """Returns the past poses of each frame (B, T, K, D), a view."""
        return self.history[:, :-1].unfold(1, context.spec.history, 1).transpose(-1, -2)
