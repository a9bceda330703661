"""New motion for some joints in a stretch of a clip, sampled given the other joints. Needs numpy alone."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from moglow.corpus.context import Context
from moglow.directing.beginnings import course_of, remembered
from moglow.directing.bridge import Bridged, grid, model_frames
from moglow.directing.course import Course, Flow, Moment
from moglow.directing.directed import PARTICLES
from moglow.directing.goals import on_skeleton
from moglow.directing.joint_groups import channels_of, joints_named
from moglow.directing.pinned import Directing
from moglow.directing.seam import fitted, warped
from moglow.errors import SkeletonError
from moglow.measures.tally import Tally
from moglow.motion.clip import Clip
from moglow.motion.foot_lock import LockSpec, lock_feet
from moglow.motion.retarget import retarget
from moglow.sampling.fast.folded import Floats
from moglow.sampling.generate import styled

ARRIVING = 3
"""Number of frames after the stretch in which the sampled motions are compared with the clip."""


@dataclass(frozen=True, eq=False)
class Partial:
    """Some joints in the frames ``start`` up to ``stop`` of a clip.

    Args:
        context: the context of the model.
        clip: the clip.
        start, stop: the frames that are replaced.
        joints: the joints of the clip that are replaced.
        own: the same joints of the model's skeleton.
    """

    context: Context
    clip: Clip
    start: int
    stop: int
    joints: NDArray[np.intp]
    own: tuple[int, ...]

    @classmethod
    def of(cls, context: Context, clip: Clip, start: int, stop: int, names: Sequence[str]) -> "Partial":
        """Returns the stretch for groups, roles or names of joints; raises an error if the model has none of them."""
        skeleton, known = clip.skeleton, context.encoding.skeleton.anatomy.roles
        joints = joints_named(skeleton, names, place="joints")
        roles = {joint: role for role, joint in skeleton.anatomy.roles.items() if role in known}
        carrying = [joint for joint in joints if roles.get(joint) == "hips" or skeleton.parents[joint] < 0]
        if carrying:
            raise SkeletonError(
                f"joints: {skeleton.names[carrying[0]]} carries the whole body; name no joints to make all of it anew"
            )
        own = tuple(sorted(known[roles[joint]] for joint in joints if joint in roles))
        if not len(channels_of(context.encoding, own)):
            words = ", ".join(names)
            raise SkeletonError(f"joints: the model moves none of {words}; name arms, legs, spine or head")
        return cls(context, clip, start, stop, np.array(joints, np.intp), own)

    def make(self, directing: Directing, *, seed: int, take: int, style: str | None = None) -> Bridged:
        """Returns one take of the stretch, with the frame before it and the frame after it.

        It changes to a style if one is named.
        """
        context, clip = self.context, self.clip
        encoding, tally = context.encoding, Tally()
        last = self.stop == len(clip)
        steps = self.stop - self.start + (not last)
        at, seen = grid(context, clip, self.start, steps)
        part = on_skeleton(warped(clip, at[at <= len(clip) - 1], context.fps), context)
        path = encoding.spec.path(part)
        known = context.standardize_pose(encoding.encode(part, path).astype(np.float32))
        labels = context.path_rows(styled(path, style))
        if style is not None:
            labels[:seen] = context.path_rows(path[:seen])
        course = course_of(context, path, labels)
        moment = remembered(directing.flow, course, known[:seen])
        frames = model_frames(steps / clip.fps, context)
        generator = np.random.default_rng([seed, take, 4])
        count = min(frames + ARRIVING, len(known) - seen)
        shape = (count, PARTICLES, directing.flow.model.noise_dim)
        noise = generator.standard_normal(shape, dtype=np.float32)
        latents = directing.flow.model.latent(noise, directing.temperature)
        free = channels_of(encoding, self.own)
        poses, nats = sampled_beside(
            directing.flow, course, seen, moment, latents, known[seen:][:count], free
        )
        best = 0 if last else int(np.argmin(_missed(poses, known[seen:], frames, free)))
        chosen = known.copy()
        chosen[seen : seen + frames, free] = poses[:frames, best][:, free]
        made = encoding.decode(context.physical_pose(chosen), path)[seen - 1 : seen + frames]
        tally.sampled(made, np.append(nats[:1, best], nats[:frames, best]))
        if {leg.ankle for leg in encoding.skeleton.anatomy.legs} & set(self.own):
            made = lock_feet(made, spec=LockSpec(deepest=0.0))
        tally.written(made)
        if clip.skeleton != encoding.skeleton:
            made = retarget(made, clip.skeleton, like=clip, keep_path=True)
        made = warped(made, np.linspace(0, frames, steps + 1), clip.fps)
        whole = clip[self.start - 1 : self.start + steps]
        rotations = whole.rotations.copy()
        rotations[:, self.joints] = made.rotations[:, self.joints]
        after = None if last else clip[self.stop :]
        done = fitted(replace(whole, rotations=rotations), clip[: self.start], after, self.joints)
        return Bridged(done, tally.measured(path[seen - 1 : seen + frames]), ())


def sampled_beside(
    flow: Flow,
    course: Course,
    frame: int,
    moment: Moment,
    latents: Floats,
    known: Floats,
    free: NDArray[np.intp],
) -> tuple[Floats, Floats]:
    """Returns poses ``(n, B, D)`` with sampled ``free`` channels ``(C,)`` and the others ``known`` ``(n, D)``.

    The memory of the model is that of the combined poses. Also returns their log-densities ``(n, B)``.
    """
    frames, count, _ = latents.shape
    moment = moment.rows([0] * count)
    poses, nats = np.repeat(known[:, None], count, axis=1), np.empty((frames, count))
    for t in range(frames):
        sampled, _, _ = flow.roll(course, frame + t, moment, latents[t : t + 1])
        poses[t][:, free] = sampled[0][:, free]
        nats[t], moment = flow.known(course, frame + t, moment, poses[t])
    return poses, nats


def _missed(poses: Floats, known: Floats, frames: int, free: NDArray[np.intp]) -> Floats:
    """Returns the distances ``(B,)`` of motions from the known poses around the end of a stretch."""
    around = slice(frames - 1, min(frames + ARRIVING, len(known)))
    off = poses[around][..., free] - known[around, None][..., free]
    return np.asarray(np.square(off).mean((0, 2)))
