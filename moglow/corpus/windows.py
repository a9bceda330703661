"""Windows of motion, cut on the device when they are used.

Windows are indexed, mirrored and reversed by linear maps and not stored, so the memory is that of the corpus (29 MB an
hour) and of one batch. Batch number n is a *function of n* and a seed. There is no generator state to save, a resumed
run gets the same batches as an uninterrupted one, and each of several processes cuts its own rows of the same global
batch, for any number of processes.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from moglow.corpus.channel_weights import by_channel
from moglow.corpus.context import Context
from moglow.corpus.corpus import Corpus, Stretch
from moglow.corpus.misplaced_feet import misplace_feet, random_offsets
from moglow.corpus.other_bodies import blend_bodies
from moglow.corpus.rows import Rows
from moglow.corpus.shifted_feet import sampled_offsets, set_apart, shift_feet, walks_ahead
from moglow.corpus.window import Window
from moglow.corpus.window_order import ORDERS, Cuts
from moglow.corpus.window_spec import WindowSpec
from moglow.encodings.encoding import CONTROL_MIRROR
from moglow.errors import TrainingError

FORGETFUL = 0.5
"""Share of the windows with another body that also begin without memory."""


class Footage:
    """A corpus on the device; training and validation can share it."""

    def __init__(self, corpus: Corpus, context: Context, device: torch.device | str = "cpu") -> None:
        self.corpus, self.device = corpus, torch.device(device)
        self.context = context.mapped(self._tensor, torch)
        self.pose, self.control = self._tensor(corpus.pose), self._tensor(corpus.control)
        labels = np.zeros((len(corpus.pose), context.labels), np.uint8)
        first, last = np.zeros(len(corpus.pose), np.int64), np.zeros(len(corpus.pose), np.int64)
        for stretch in corpus.stretches:
            style, performer = stretch.style or None, stretch.performer or None
            labels[stretch.frames] = context.style_vector(
                style if context.styles else None, performer if context.performers else None
            )
            if stretch.change and context.styles:
                changed = slice(stretch.start, stretch.start + stretch.change)
                labels[changed] = context.style_vector(
                    stretch.before or None, performer if context.performers else None
                )
            first[stretch.frames], last[stretch.frames] = stretch.start, stretch.stop - 1
        who = context.spec.performer
        self.default_performer = (
            self._tensor(context.style_vector(None, who)[: len(context.performers)]) if who else None
        )
        self.style, self.first, self.last = self._tensor(labels), self._tensor(first), self._tensor(last)
        partners, signs = corpus.encoding.mirror_signs
        self.partners, self.signs = self._tensor(partners), self._tensor(signs.astype(np.float32))
        self.control_signs = self._tensor(CONTROL_MIRROR.astype(np.float32))

    def _tensor(self, array: NDArray[Any] | Rows) -> Tensor:
        """Returns the array on the device; on a CPU memory-mapped arrays are not copied, so nothing may write to it."""
        if isinstance(array, Rows) or self.device.type != "cpu" or not array.flags.aligned:
            array = np.array(array)
        with warnings.catch_warnings(action="ignore", category=UserWarning):  # read-only arrays
            return torch.as_tensor(array, device=self.device)

    def lent(self, labels: Tensor, chosen: Tensor) -> Tensor:
        """Returns label vectors (B, T, P + S) with the default performer, if there is one, where a row is chosen."""
        if self.default_performer is None:
            return labels
        who, style = labels.tensor_split((len(self.default_performer),), -1)
        return torch.cat([torch.where(chosen, self.default_performer, who), style], -1)

    def cut(self, cuts: Cuts, past: int, length: int, ahead: int) -> Window:
        """Returns windows without noise, with nothing hidden.

        A lookahead beyond the end of a clip repeats the last control, as in generation.
        """
        cuts = cuts.to(self.device)
        step = torch.arange(past + length + ahead, device=self.device)
        first, last = self.first[cuts.start][:, None], self.last[cuts.start][:, None]
        forward = torch.minimum(cuts.start[:, None] + step, last)  # (B, K + T + L)
        backward = torch.maximum(cuts.start[:, None] + (past + length - 1) - step, first)
        # Row t of a control is the step to frame t, so a reversed window needs the row after it.
        after = torch.minimum(backward + 1, last)
        turned = cuts.reverse[:, None]
        rows = torch.where(turned, backward, forward)[:, : past + length]
        poses = self.pose[rows]
        controls = self.control[torch.where(turned, after, forward)]
        controls = torch.where(turned[..., None], -controls, controls)
        mirrored = cuts.mirror[:, None, None]
        poses = torch.where(mirrored, poses[..., self.partners] * self.signs, poses)
        controls = torch.where(mirrored, controls * self.control_signs, controls)
        poses, controls = self.context.standardize_pose(poses), self.context.standardize_control(controls)
        shown = poses.new_ones(len(poses), length, past)
        return Window(poses, poses, controls, shown, self.style[rows[:, past:]].float(), cuts.fresh.float())


class Windows:
    """The batches of one split. `batch(n)` is a pure function of n, the seed and the global batch size.

    There is no `generator` argument, unlike elsewhere: the state of a generator would have to be saved, divided among
    processes and restored on resuming.
    """

    def __init__(
        self,
        footage: Footage,
        spec: WindowSpec,
        *,
        split: str,
        batch: int,
        seed: int,
        rank: int = 0,
        ranks: int = 1,
    ) -> None:
        if batch % ranks:
            raise TrainingError(
                f"a batch of {batch} cannot be shared by {ranks} processes; make it a multiple"
            )
        self.footage, self.spec, self.seed, self.rank = footage, spec, seed, rank
        self.rows = slice(rank * batch // ranks, (rank + 1) * batch // ranks)
        self.history_noise = torch.as_tensor(
            by_channel(spec.history_noise, footage.corpus.encoding, "[training.windows] history_noise"),
            device=footage.device,
        )
        self.past, self.ahead = footage.context.spec.history, footage.context.spec.lookahead
        stretches = footage.corpus.split(split)
        labelled = footage.corpus.labelled(split, spec.labelled, seed=seed)
        self.labelled = footage.pose.new_zeros(len(footage.pose), 1)  # 1 where a frame's clip has a label
        for stretch in stretches:
            self.labelled[stretch.frames] = float(stretch.name in labelled)
        self.walking = footage.pose.new_zeros(len(footage.pose))  # 1 in clips that walk ahead all the time
        for stretch in stretches if spec.shifted or spec.apart else ():
            self.walking[stretch.frames] = float(walks_ahead(footage.corpus.control[stretch.frames]))
        self.apart = torch.zeros_like(self.walking)  # metres by which feet are set apart
        if spec.apart:
            self._feet("apart")
            for stretch in stretches:
                if stretch.performer == footage.context.spec.performer:
                    self.apart[stretch.frames] = spec.apart * self.walking[stretch.frames]
        fits = {length: self._lasting(stretches, length) for length in (spec.length, spec.short) if length}
        if spec.short:
            brief = [stretch for stretch in fits[spec.short] if len(stretch) < self.past + spec.length]
            fits[spec.short] = brief
        used = [stretch for fitting in fits.values() for stretch in fitting]
        if not used:
            raise TrainingError(
                f"{split}: no clip holds a window of {self.past} + {min(fits)} frames, the longest has "
                f"{max(map(len, stretches), default=0)}; lower training.windows.length"
            )
        self.used, self.total = sum(map(len, used)), sum(map(len, stretches))
        times = repeats(used, spec.balance)
        fits = {
            length: [stretch for stretch in fitting for _ in range(times[stretch.style])]
            for length, fitting in fits.items()
        }
        one_way = frozenset[Stretch]()
        if spec.reverse and spec.reverse_aside:
            one_way = frozenset(each for each in used if not footage.corpus.path(each).goes_sideways())
        self.orders = {
            length: ORDERS["shuffled" if self._over(length) else spec.order](
                fitting, self.past + length, spec, batch, seed, one_way
            )
            for length, fitting in fits.items()
            if fitting
        }

    def _over(self, length: int) -> bool:
        """Returns whether windows of a length are never continued in a later batch: those of short clips."""
        return self.spec.order == "consecutive" and length == self.spec.short

    def goes_on(self, step: int) -> bool:
        """Returns whether some rows of a batch are continued in a later one."""
        return self.spec.order == "consecutive" and not self._over(self._place(step)[0])

    def _lasting(self, stretches: Sequence[Stretch], length: int) -> list[Stretch]:
        return [stretch for stretch in stretches if len(stretch) >= self.past + length]

    def must_hold(self, frames: int) -> None:
        """Raises an error if the windows are shorter than the number of frames that a model scores together."""
        if (shortest := min(self.orders)) < frames:
            raise TrainingError(
                f"[training.windows] some windows have {shortest} frames, the model scores {frames} at once; "
                "raise length and short, or let it score fewer"
            )

    def __len__(self) -> int:
        """Returns the number of batches that contain every window once; the last one of each length may be smaller."""
        return sum(-(-order.windows // order.batch) for order in self.orders.values())

    def batch(self, step: int, *, whole: bool = False) -> Window:
        """Returns the rows of this process, or all rows, of global batch number `step`, with noise and dropout."""
        rows = slice(None) if whole else self.rows
        cuts, bare = self._cut(step, rows)
        here = cuts.rows(rows).to(self.footage.device)
        others = cuts.shifted().rows(rows) if self.spec.other_body else None
        return self._disturbed(bare, here, others, len(cuts.start), rows, self.generator(step))

    def recorded(self, step: int) -> Window:
        """Returns the rows of this process of batch number `step` without noise and dropout."""
        return self._cut(step, self.rows)[1]

    def _cut(self, step: int, rows: slice) -> tuple[Cuts, Window]:
        """Returns all cuts of a batch, and the windows of some rows without noise and dropout."""
        length, number = self._place(step)
        cuts = self.orders[length].cuts(number)
        here = cuts.rows(rows).to(self.footage.device)
        bare = self.footage.cut(here, self.past, length, self.ahead)
        if self.spec.apart:
            bare = set_apart(bare, self.footage.context, self.apart[here.start])
        return cuts, replace(bare, style=bare.style * self.labelled[here.start][:, None])

    def _place(self, step: int) -> tuple[int, int]:
        """Returns the length of the windows of a batch, and its number among the batches with this length."""
        first, *others = self.orders
        if not others:
            return first, step
        if self.spec.order == "listed":
            count = -(-self.orders[first].windows // self.orders[first].batch)
            return (first, step) if step < count else (others[0], step - count)
        before, after = int(step * self.spec.short_share), int((step + 1) * self.spec.short_share)
        return (others[0], before) if after > before else (first, step - before)

    def generator(self, step: int, *purpose: int) -> Generator:
        """Returns the random generator of a batch, on the device; each purpose has an independent one."""
        seed = np.random.SeedSequence([self.seed, step, *purpose]).generate_state(1, np.uint64)[0]
        return Generator(self.footage.device).manual_seed(int(seed >> 1))

    def _disturbed(
        self,
        window: Window,
        cuts: Cuts,
        others: Cuts | None,
        size: int,
        rows: slice,
        generator: Generator,
    ) -> Window:
        """Returns the windows with noise and dropout, which are sampled for all `size` rows of the batch.

        They were cut by `cuts`; the windows `others` are those whose bodies they borrow.
        """
        spec = self.spec

        def uniform(*shape: int) -> Tensor:
            return torch.rand(size, *shape, generator=generator, device=generator.device)[rows]

        def noise() -> Tensor:
            shape = (size, *window.poses.shape[1:])
            return torch.randn(shape, generator=generator, device=generator.device)[rows]

        poses, shown, style, fresh = window.poses, window.shown, window.style, window.fresh
        controls = window.controls[:, : poses.shape[1]]
        length = shown.shape[1]
        if spec.dequantise:
            poses = poses + spec.dequantise * noise()
        if spec.misplaced:
            chosen, feet = uniform(1, 1) < spec.misplaced, self._feet("misplaced")
            offsets = random_offsets(size, feet, spec.misplaced_by, generator)[rows] * chosen
            poses = misplace_feet(poses, controls, self.footage.context, offsets, self.past)
        if others is not None:
            borrowed = self.footage.cut(others, self.past, length, self.ahead).poses
            chosen = (uniform() < spec.other_body).float()
            shares = chosen * uniform().sqrt()
            poses = blend_bodies(poses, borrowed, self.footage.context, shares, uniform(), self.past)
            fresh = torch.maximum(fresh, chosen * (uniform() < FORGETFUL).float())
        history = poses + self.history_noise * noise() if spec.history_noise else poses
        if spec.shifted:
            feet = self._feet("shifted")
            offsets = sampled_offsets(cuts.passage, feet, spec.shifted, spec.shifted_by, self.seed)
            offsets = offsets.to(poses.device) * self.walking[cuts.start][:, None]
            before, after = shift_feet(poses, controls, self.footage.context, offsets)
            history, poses = history + before, poses + after
        if spec.pose_dropout:
            probability = (uniform(1, 1) < spec.dropout_windows) * spec.pose_dropout
            if spec.dropout_drawn:
                probability = probability * uniform(1, 1)
            if spec.dropout_shared:
                chance = uniform(self.past + length - 1).unfold(1, self.past, 1)
            else:
                chance = uniform(length, self.past)
            shown = (chance >= probability).float()
        performers = len(self.footage.context.performers)
        if spec.style_dropout:
            given = (uniform(1, 1) >= spec.style_dropout).float()
            style = torch.cat([style[..., :performers], style[..., performers:] * given], -1)
        if spec.performer_lent and self.footage.default_performer is not None:
            style = self.footage.lent(style, uniform(1, 1) < spec.performer_lent)
        if spec.performer_dropout and performers:
            given = (uniform(1, 1) >= spec.performer_dropout).float()
            style = torch.cat([style[..., :performers] * given, style[..., performers:]], -1)
        if spec.forget:
            fresh = torch.maximum(fresh, (uniform() < spec.forget).float())
        return replace(window, poses=poses, history=history, shown=shown, style=style, fresh=fresh)

    def _feet(self, setting: str) -> int:
        """Returns the number of feet of the encoding; raises an error for a setting that needs them."""
        slices = self.footage.corpus.encoding.slices
        if "toe_height" not in slices:
            raise TrainingError(
                f"[training.windows] {setting} needs features.encoding = feet_first; set {setting} to 0"
            )
        return int(slices["toe_height"].stop - slices["toe_height"].start)


def on_device(context: Context, device: str) -> Context:
    """Returns the context with its arrays as tensors on a device."""
    return context.mapped(lambda array: torch.as_tensor(np.array(array, np.float32), device=device), torch)


def repeats(stretches: Sequence[Stretch], balance: float) -> Mapping[str, int]:
    """Returns how often an epoch contains the stretches of each style, see `WindowSpec.balance`."""
    frames: dict[str, int] = {}
    for stretch in stretches:
        frames[stretch.style] = frames.get(stretch.style, 0) + len(stretch)
    most = max(frames.values())
    return {style: max(1, round((most / count) ** balance)) for style, count in frames.items()}
