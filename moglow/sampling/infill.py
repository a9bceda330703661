"""Samples lost motion from a model, given the frames and joints around it.

The clip is retargeted to the model's skeleton, and the model's memory is computed from the good frames before the gap.
Then many motions are sampled, frame by frame. The known joints of a frame replace the sampled ones, so that an arm is
sampled to match the known step of the legs. The motions nearest to the good frames after the gap are averaged,
retargeted to the clip's own skeleton and aligned with its frames at both ends of the gap.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray

from moglow.checkpoint import Checkpoint
from moglow.cleaning.damage import interpolated
from moglow.corpus.windows import on_device
from moglow.maths.rotations import Array, quat_conjugate, quat_continuous, quat_multiply, quat_slerp
from moglow.maths.signals import Flags, runs, sample_cubic, sample_turns
from moglow.models.model import MotionModel
from moglow.motion.clip import Clip
from moglow.motion.retarget import retarget


@dataclass(frozen=True)
class InfillSpec:
    """The settings of filling a gap. Times are in seconds."""

    motions: int = 64
    """Number of motions that are sampled."""
    best: int = 8
    """Number of the best motions that are averaged; a mean is nearer to the truth than a sample."""
    temperature: float = 0.7
    shortest: float = 0.4
    """Shortest gap that is sampled; interpolation is accurate in shorter ones."""
    before: float = 1.5
    """Duration of the sound frames before the gap from which the memory is computed."""
    after: float = 0.2
    """Duration of the sound frames after the gap with which the samples are compared."""
    known: float = 0.1
    """Weight of the distance to known joints within the gap, relative to the frames after it."""


@dataclass(frozen=True, eq=False)
class Infill:
    """A fill (see `damage.Fill`) by a model; ``generator`` is the source of randomness."""

    checkpoint: Checkpoint
    model: MotionModel
    generator: torch.Generator
    spec: InfillSpec = InfillSpec()

    @classmethod
    def of(
        cls, checkpoint: Checkpoint, *, generator: torch.Generator, spec: InfillSpec = InfillSpec()
    ) -> Self:
        return cls(checkpoint, checkpoint.to_torch(), generator, spec)

    def __call__(self, clip: Clip, missing: Flags) -> Clip:
        """Returns the clip with the joints marked in ``(T, J)`` replaced; other values do not change by a bit."""
        filled = interpolated(clip, missing)
        for start, stop in runs(missing.max(axis=1)):
            long = stop - start >= self.spec.shortest * clip.fps
            if long and start and stop < len(clip):
                filled = self._gap(filled, missing, start, stop)
        return filled

    def _gap(self, clip: Clip, missing: Flags, start: int, stop: int) -> Clip:
        """Returns the clip with an interpolated gap replaced by a sampled one."""
        context, fps = self.checkpoint.context, clip.fps
        first = max(0, start - 1 - round((self.spec.before + 0.5) * fps))
        last = min(len(clip), stop + round((self.spec.after + 0.8) * fps))
        part = clip[first:last]
        seen = context.encoding.spec.posed(retarget(part.resample(context.fps), context.encoding.skeleton))
        ratio = context.fps / fps
        begin = int(np.floor((start - 1 - first) * ratio)) + 1
        end = min(len(seen) - 1, int(np.ceil((stop - first) * ratio)))
        if begin <= context.spec.history + 1 or end <= begin:
            return clip  # too few sound frames before the gap
        features = context.encoding.features(seen)
        sampled = self._sample(
            features.pose, features.control, self._channels(clip, missing[start:stop]), begin, end
        )
        path = context.encoding.spec.path(seen)
        made = retarget(context.encoding.decode(sampled, path), clip.skeleton, like=clip)
        return _joined(clip, made, missing, start, stop, (np.arange(start - 1, stop + 1) - first) * ratio)

    def _channels(self, clip: Clip, missing: Flags) -> NDArray[np.bool_]:
        """Returns flags ``(D,)`` of the model's channels that determine the missing joints."""
        encoding = self.checkpoint.context.encoding
        skeleton, lost = encoding.skeleton, missing.max(axis=0)
        roles = {role: joint for role, joint in clip.skeleton.anatomy.roles.items() if lost[joint]}
        joints = {skeleton.anatomy.roles[role] for role in roles if role in skeleton.anatomy.roles}
        for leg in skeleton.anatomy.legs:
            if joints & {leg.hip, leg.knee, leg.ankle}:
                joints |= {leg.ankle} | ({leg.toe} if leg.toe is not None else set())
        if lost.all():
            return np.ones(len(encoding), bool)
        names = {skeleton.names[joint] for joint in joints}
        return np.array([name.rpartition(".")[0] in names for name in encoding.names])

    def _sample(self, pose: Array, control: Array, lost: NDArray[np.bool_], begin: int, end: int) -> Array:
        """Returns poses ``(T, D)`` with the lost channels sampled in the frames from ``begin`` to before ``end``."""
        context, spec = on_device(self.checkpoint.context, "cpu"), self.spec
        many, history, ahead = spec.motions, context.spec.history, context.spec.lookahead
        known = context.standardize_pose(torch.as_tensor(pose, dtype=torch.float32))
        controls = context.standardize_control(torch.as_tensor(control, dtype=torch.float32))
        controls = torch.cat([controls, controls[-1:].expand(ahead, -1)])
        style = torch.zeros(many, context.labels)
        free = torch.as_tensor(lost)
        frames = max(history, begin - round(spec.before * context.fps))
        poses = [frame.expand(many, -1) for frame in known[frames - history : frames]]
        state, off = None, torch.zeros(many)
        stop = min(len(known), end + 1 + round(spec.after * context.fps))
        with torch.no_grad():
            for t in range(frames, stop):
                seen = controls[t - history : t + 1 + ahead].expand(many, -1, -1)
                past = torch.stack(poses[-history:], 1)
                vector = context.build(past, seen, style)
                if t < begin:
                    target = context.to_target(known[t].expand(many, -1), past, seen[:, history])
                    _, state = self.model.log_prob(target[:, None], vector[:, None], state)
                    poses.append(known[t].expand(many, -1))
                    continue
                noise = self.model.sample_noise(many, generator=self.generator)
                target, state = self.model.step(vector, state, noise, temperature=spec.temperature)
                made = context.from_target(target, past, seen[:, history])
                miss = (made - known[t]).square()
                off += (
                    miss[:, free].mean(-1) if t >= end else spec.known * miss[:, ~free].mean(-1).nan_to_num()
                )
                poses.append(torch.where(free, made, known[t]))
        best = off.argsort()[: spec.best]
        mean = torch.stack([frame[best].mean(0) for frame in poses[history:]])
        share = torch.linspace(0, 1, end - begin + 2)[1:, None]
        mean[begin - frames : end - frames + 1] -= share * (mean[end - frames] - known[end])
        out = known.clone()
        out[begin:end, free] = mean[begin - frames : end - frames, free]
        result: Array = context.physical_pose(out).double().numpy()
        return result


def _joined(clip: Clip, made: Clip, missing: Flags, start: int, stop: int, at: Array) -> Clip:
    """Returns the clip with the missing joints of a gap replaced by those of a sampled motion.

    The motion is read at frames ``at``, from the last sound frame before the gap to the first one after it, and aligned
    with both.
    """
    turns = sample_turns(quat_continuous(made.rotations), at)
    off = quat_multiply(quat_conjugate(turns[[0, -1]]), clip.rotations[[start - 1, stop]])
    share = np.linspace(0, 1, len(at))[1:-1]
    rotations, positions = clip.rotations.copy(), clip.positions.copy()
    places = sample_cubic(made.positions, at)
    for joint in np.flatnonzero(missing[start:stop].any(0)):
        frames = np.flatnonzero(missing[start:stop, joint])
        led = quat_multiply(turns[1:-1, joint], quat_slerp(off[0, joint], off[1, joint], share))
        rotations[start + frames, joint] = led[frames]
        ends = clip.positions[[start - 1, stop], joint] - places[[0, -1], joint]
        moved = places[1:-1, joint] + ends[0] + share[:, None] * (ends[1] - ends[0])
        positions[start + frames, joint] = moved[frames]
    return Clip(clip.skeleton, positions, rotations, clip.fps, clip.name)
