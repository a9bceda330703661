"""Samples motion from a model along a path, frame by frame. Needs numpy alone.

A `Sampler` has the constants; a `Past` is the part of the previous frames on which the next one depends, a value that
``step`` takes and returns. Streaming, batches of takes and game loops are a few lines around ``step``.

A motion does not depend by a bit on the rest of its batch. The compiled kernel (`moglow.sampling.fast.native_moglow`)
adds in a fixed order. The rounding of a library's products depends on the number of rows, so without the kernel numpy
computes the products of each row separately, and in torch the number of rows is constant.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import repeat
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from moglow.checkpoint import Checkpoint
from moglow.corpus.context import Context
from moglow.maths.rotations import Array
from moglow.motion.clip import Clip
from moglow.paths.control_path import ControlPath
from moglow.sampling.fast.arithmetic import Arithmetic
from moglow.sampling.fast.native_frame import NativeFrame
from moglow.sampling.fast.native_moglow import native_model
from moglow.sampling.fast.numpy_moglow import NUMPY_MODELS
from moglow.sampling.fast.row_by_row import RowByRow
from moglow.sampling.label_change import Former, predict_frame, relabelled
from moglow.sampling.posture_drift import PostureDrift
from moglow.sampling.sanity import FAR, bounded
from moglow.sampling.start_and_stop import (
    ENDINGS,
    best_ending,
    can_settle,
    ending_start,
    foresight,
    setting_off,
)
from moglow.sampling.step_model import Past as Past
from moglow.sampling.step_model import StepModel
from moglow.sampling.track import Track as Track

AHEAD = 64
"""Number of frames for which noise is sampled at once; the stream of noise does not depend on it."""

Frames: TypeAlias = Iterator[tuple[Past, NDArray[Any], NDArray[Any]]]
"""The past of a frame or of several, their poses and likelihoods."""
Seeds: TypeAlias = Sequence[tuple[int, ...]]


@dataclass(frozen=True)
class Sampler:
    """Samples poses from a model: ``past, pose, nats = sampler.step(past, controls, noise, style)``."""

    context: Context
    model: StepModel
    temperature: float = 1.0

    @property
    def fps(self) -> float:
        return self.context.fps

    @property
    def device(self) -> str:
        """The device of the computation: "numpy", or torch's "cpu" or "cuda"."""
        return "numpy" if self.context.xp is np else str(self.context.weights.device.type)

    @classmethod
    def of(
        cls,
        checkpoint: Checkpoint,
        *,
        temperature: float = 1.0,
        device: str = "auto",
        arithmetic: Arithmetic | None = None,
    ) -> Self:
        """Returns the sampler of a checkpoint, in numpy or in torch.

        "auto" is numpy if the model has a numpy sampler, which is the fastest for one motion, otherwise a GPU if there
        is one. The same seed gives the same motion on the same device; other devices round differently. Numpy uses the
        compiled kernel if this machine can make it. ``arithmetic`` selects another implementation of products
        (`moglow.sampling.fast.arithmetic`).
        """
        made = NUMPY_MODELS.get(checkpoint.model)
        if device in ("auto", "cpu") and made is not None and made.covers(checkpoint.config):
            native = native_model(checkpoint) if arithmetic is None else None
            rows = native or RowByRow(made(checkpoint.config, checkpoint.weights, arithmetic))
            return cls(checkpoint.context, rows, temperature)
        from moglow.compute.device import find_device
        from moglow.corpus.windows import on_device
        from moglow.sampling.fast.fused import steps_on

        device = find_device(device)
        steps = steps_on(device, checkpoint, arithmetic)
        return cls(on_device(checkpoint.context, device), steps, temperature)

    def step(self, past: Past, controls: Any, noise: Any, style: Any) -> tuple[Past, Any, Any]:
        """Returns the past after one more frame, the frame's pose ``(B, D)`` in metres and radians, and its likelihood.

        ``controls`` ``(B, 1 + L, 3)`` are the standardised step to this frame and, for a model with a lookahead of L,
        the L steps after it. ``noise`` ``(B, noise_dim)`` determines the pose, and ``style`` ``(B, P + S)`` is a label
        or zeros. The likelihood ``(B,)`` is in nats, of the pose in standardised coordinates at temperature 1; lower
        temperatures sample poses of higher likelihood.
        """
        given = past.fields
        if past.change is None:
            (poses, before, memory), pose, nats = self._frame(given, controls, noise, style)
            return Past(poses, before, memory), pose, nats
        former = past.change.given(self.context.spec.history, self.model.array)
        (poses, before, (memory, rest)), pose, nats = self._changing(given, controls, noise, style, former)
        return Past(poses, before, memory, past.change.after(rest)), pose, nats

    @cached_property
    def _frame(self) -> Callable[..., Any]:
        if NativeFrame.covers(self.context, self.model):
            return NativeFrame(self.context, self.model, self.temperature, FAR)  # type: ignore[arg-type]
        return self.model.recorded(self._sampled)

    @cached_property
    def _changing(self) -> Callable[..., Any]:
        return self.model.recorded(self._sampled)

    def _sampled(
        self, past: tuple[Any, Any, Any], controls: Any, noise: Any, style: Any, former: Former | None = None
    ) -> tuple[tuple[Any, Any, Any], Any, Any]:
        """Computes `step` as a pure function of arrays, with the fields of the past."""
        xp, (poses, before, memory) = self.context.xp, past
        seen = xp.concatenate([before, controls], 1)
        given = poses, seen, style, memory
        target, nats, memory = predict_frame(self.context, self._predict, given, noise, former)
        pose = bounded(xp, self.context.from_target(target, poses, controls[:, 0]))
        poses = xp.concatenate([poses[:, 1:], pose[:, None]], 1)
        after = poses, seen[:, 1 : 1 + before.shape[1]], memory
        return after, self.context.physical_pose(pose), nats - self.context.log_scale

    def _predict(self, vector: Any, memory: Any, noise: Any) -> tuple[Any, Any, Any]:
        return self.model.step(vector, memory, noise, temperature=self.temperature)

    def start(self, controls: Any, style: Any, generators: Sequence[np.random.Generator]) -> Past:
        """Returns the past of figures that already follow the first of their controls ``(B, 1 + L, 3)``."""
        spec, xp = self.context.spec, self.context.xp
        share = self.model.array(setting_off(self.fps)[:, None])
        standing = self.context.standardize_control(self.model.array(np.zeros((1, 1, 3), np.float32)))
        setting = standing + share * (controls[:, :1] - standing)
        poses = xp.concatenate([self.context.posture(style)[:, None]] * spec.history, 1)
        still = xp.concatenate([setting[:, :1]] * spec.history, 1)
        past = Past(poses, still, self.model.initial_state(len(controls)))
        # The last frames look ahead to the real controls.
        coming = xp.concatenate([setting, controls[:, : spec.lookahead]], 1)
        if isinstance(self._frame, NativeFrame):
            *_, (after, _, _) = self._frame.stretches(past.fields, coming, style, generators)
            return Past(*after)
        noise = self._noise(generators)
        for t in range(setting.shape[1]):
            past, *_ = self.step(past, coming[:, t : t + 1 + spec.lookahead], next(noise), style)
        return past

    def stream(
        self,
        velocities: Iterable[Array],
        *,
        seed: int = 0,
        take: int = 0,
        styles: Iterable[str | None] = repeat(None),
    ) -> Iterator[NDArray[Any]]:
        """Yields a pose ``(D,)`` for each velocity ``(3,)``: forward and sideways in m/s, turn in rad/s.

        A model with a lookahead of L has a delay of L frames and repeats the last velocity at the end. The same seed
        and take give the same motion, independent of other motions and of chunks.
        """
        drift, labels = PostureDrift.of(self.context, [(seed, take)], self.temperature), deque[NDArray[Any]]()

        def rows() -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
            for velocity, style in zip(velocities, styles, strict=False):
                labels.append(self.context.label_vector(style)[None])
                yield np.asarray(velocity, np.float32)[None], labels[-1]

        for _, pose, _ in self._run(rows(), [(seed, take)]):
            label = labels.popleft()
            yield (pose + drift.next(label) if drift else pose)[0].astype(pose.dtype)

    def sample(self, tracks: Sequence[Track]) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
        """Yields poses ``(B, D)`` and likelihoods ``(B,)`` of many motions, frame by frame until the longest ends.

        Rows of motions that have ended continue at their last velocity. Where a path stops, the best of several endings
        is used (in numpy), which is not possible in `stream`.
        """
        paths = [track.path for track in tracks]
        frames = max(map(len, paths))
        labels = [self.context.path_rows(track.path, track.performer) for track in tracks]
        velocities = []
        for path in paths:
            rows = path.velocities().astype(np.float32)
            velocities.append(np.pad(rows, ((0, frames - len(rows)), (0, 0)), mode="edge"))

        def rows_of(frame: int) -> tuple[NDArray[Any], NDArray[Any]]:
            styles = [rows[min(frame, len(rows) - 1)] for rows in labels]
            return np.stack([rows[frame] for rows in velocities]), np.stack(styles)

        parting = [ending_start(path) if self._settles else None for path in paths]
        endings: dict[int, list[tuple[NDArray[Any], NDArray[Any]]]] = {}
        seeds, frame = [(track.seed, track.take) for track in tracks], 0
        drift = PostureDrift.of(self.context, seeds, self.temperature, [track.steady for track in tracks])
        first, same = rows_of(0)[1], all((rows == rows[0]).all() for rows in labels)
        if isinstance(self._frame, NativeFrame) and same:
            parts = self._known(np.stack(velocities), first, seeds, parting)
        else:
            each = self._run(map(rows_of, range(frames)), seeds)
            parts = ((past, pose[None], nats[None]) for past, pose, nats in each)
        for past, poses, likelihoods in parts:
            leaving = [row for row, start in enumerate(parting) if start == frame]
            many = max(1, self.model.rows[1] // ENDINGS)
            for some in (leaving[k : k + many] for k in range(0, len(leaving), many)):
                until = max(len(paths[row]) for row in some)
                controls = (
                    tuple(each[np.repeat(some, ENDINGS)] for each in rows_of(later))
                    for later in range(frame, until)
                )
                endings |= self._endings({row: tracks[row] for row in some}, past, controls)
            for pose, nats in zip(poses, likelihoods, strict=True):
                for row, rest in endings.items():
                    if rest:
                        pose[row], nats[row] = rest.pop()
                moved = drift.next(first if same else rows_of(frame)[1]) if drift else pose.dtype.type(0)
                yield (pose + moved).astype(pose.dtype), nats
                frame += 1

    def _known(
        self, velocities: NDArray[Any], label: NDArray[Any], seeds: Seeds, stops: Iterable[int | None]
    ) -> Frames:
        """Yields poses ``(T, B, D)`` and likelihoods ``(T, B)`` of several frames, and the past of the first of them.

        ``velocities`` are ``(B, frames, 3)``. The frames before a stop and those from it on are yielded separately.
        """
        warm, live = ([np.random.default_rng([*each, part]) for each in seeds] for part in (0, 1))
        ahead = self.context.spec.lookahead
        velocities = np.pad(velocities, ((0, 0), (0, ahead), (0, 0)), mode="edge")
        controls = self.context.standardize_control(velocities)
        past = self.start(controls[:, : 1 + ahead], label, warm)
        for after, poses, nats in self._frame.stretches(past.fields, controls, label, live, stops):  # type: ignore[attr-defined]
            yield past, poses, nats
            past = Past(*after)

    def follow(
        self, velocities: NDArray[Any], labels: NDArray[Any], seeds: Seeds, past: Past | None = None
    ) -> Frames:
        """Yields the past of each frame, its poses ``(B, D)`` and likelihoods ``(B,)``, from a past on if it is given.

        ``velocities`` ``(B, T, 3)`` lead to each frame, and ``labels`` ``(B, T, S)`` are rows of `Context.style_rows`.
        Only one ending is sampled.
        """
        rows = ((velocities[:, t].astype(np.float32), labels[:, t]) for t in range(velocities.shape[1]))
        return self._run(rows, seeds, past)

    @property
    def _settles(self) -> bool:
        """Whether several endings can be sampled at once, which requires the free batch size of numpy."""
        least, most = self.model.rows
        return self.device == "numpy" and least <= ENDINGS <= most and can_settle(self.context.encoding)

    def _endings(
        self, tracks: Mapping[int, Track], past: Past, controls: Iterable[tuple[NDArray[Any], NDArray[Any]]]
    ) -> dict[int, list[tuple[NDArray[Any], NDArray[Any]]]]:
        """Returns the best of `ENDINGS` endings of each row of a past, the last frame first.

        ``controls`` are those of the rows of ``tracks``, each repeated, up to the end of the longest.
        """
        rows = np.repeat(list(tracks), ENDINGS)
        memory = tuple(np.asarray(layer)[:, rows] for layer in past.memory)
        change = past.change and past.change.rows(rows)
        begin = Past(past.poses[rows], past.controls[rows], memory, change)
        seeds = [(track.seed, track.take, ending) for track in tracks.values() for ending in range(ENDINGS)]
        seen = np.tile(foresight(self.context.spec.lookahead, self.fps), (len(tracks), 1))
        parts = [(pose, nats) for _, pose, nats in self._run(controls, seeds, begin, seen)]
        poses, nats = (np.stack(each, axis=1) for each in zip(*parts, strict=True))
        endings = {}
        for place, (row, track) in enumerate(tracks.items()):
            own = slice(place * ENDINGS, (place + 1) * ENDINGS)
            frames = len(track.path) - (ending_start(track.path) or 0)
            best = place * ENDINGS + best_ending(self.context.encoding, poses[own, :frames], self.fps)
            endings[row] = list(zip(poses[best, :frames], nats[best, :frames], strict=True))[::-1]
        return endings

    def _run(
        self,
        rows: Iterable[tuple[NDArray[Any], NDArray[Any]]],
        seeds: Seeds,
        past: Past | None = None,
        seen: NDArray[np.int64] | None = None,
    ) -> Frames:
        """Yields the past, the poses and likelihoods of each frame, for velocities ``(B, 3)`` and styles ``(B, S)``.

        ``seen`` ``(B, 1 + L)`` are the coming frames whose velocities each row sees; by default the present and L more.
        """
        xp, count = self.context.xp, len(seeds)
        missing = -count % self.model.rows[0]
        seeds = [*seeds, *[seeds[-1]] * missing]
        warm, live = ([np.random.default_rng([*each, part]) for each in seeds] for part in (0, 1))
        noise = self._noise(live)
        coming: deque[tuple[Any, NDArray[Any]]] = deque()
        former: NDArray[Any] | None = None
        ahead = self.context.spec.lookahead if seen is None else int(seen.max())
        for row in self._held(rows, missing, ahead):
            coming.append(row)
            if len(coming) <= ahead:
                continue
            controls, labels = xp.stack([control for control, _ in coming], 1), coming[0][1]
            if seen is not None:
                controls = np.take_along_axis(controls, seen[..., None], 1)
            label = self.model.array(labels)
            before = self.start(controls, label, warm) if past is None else past
            memory, change = relabelled(self.context, before.change, before.memory, former, labels)
            before, former = replace(before, memory=memory, change=change), labels
            past, pose, nats = self.step(before, controls, next(noise), label)
            yield before, self.model.numpy(pose)[:count], self.model.numpy(nats)[:count]
            coming.popleft()

    def _noise(self, generators: Sequence[np.random.Generator]) -> Iterator[Any]:
        """Yields standard normals ``(B, noise_dim)`` for each frame; each row has its own generator."""
        while True:
            shape = (AHEAD, self.model.noise_dim)
            yield from self.model.array(
                np.stack([each.standard_normal(shape, dtype=np.float32) for each in generators], axis=1)
            )

    def _held(
        self, rows: Iterable[tuple[NDArray[Any], NDArray[Any]]], missing: int, ahead: int
    ) -> Iterator[tuple[Any, NDArray[Any]]]:
        """Yields standardised controls and label vectors, with rows and ``ahead`` frames at the end repeated."""
        last = None
        for velocities, styles in rows:
            values, labels = (
                np.concatenate([each, *[each[-1:]] * missing]) if missing else each
                for each in (velocities, styles)
            )
            last = self.context.standardize_control(self.model.array(values)), labels
            yield last
        yield from repeat(last, ahead) if last else ()

    def generate(self, path: ControlPath, *, seed: int = 0, take: int = 0, name: str = "") -> Clip:
        """Returns the motion along a path as one clip, at the model's rate."""
        path = path.resample(self.fps)
        poses = [pose[0] for pose, _ in self.sample([Track(path, seed, take)])]
        return self.context.encoding.decode(np.stack(poses), path, name)
